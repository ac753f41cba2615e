"""What is known of a network's input: its shape and its preprocessing, and who said so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import torch
from torch import nn

from cnnwidgets.net.checks import (
    Shape,
    find_shape,
    shape_of_input,
    shape_of_preprocess,
    takes_others,
    usual_shapes,
)
from cnnwidgets.net.intake import Intake, check_axes
from cnnwidgets.net.items import read
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.learning import ENOUGH, common_size, first_pictures, is_input, preprocessing_of, size_of_picture
from cnnwidgets.net.pictures import open_picture
from cnnwidgets.net.preprocess import Preprocess

LARGEST = 299
"""Pixels of the longer side up to which a first picture is taken to be as large as the input; photographs are larger."""


class Input:
    """A network's input, as far as it is known; what is not is found when it is asked for.

    Attributes:
        module, device, name: the network's.
        run: runs the network on zeros of a shape, and raises what it raises.
        given: the preprocessing that was given or learned, or None.
        known: (C, H, W), or None as long as nothing has said it.
        doubt: how it was found, where nothing says that it is right.
        learned: sentences on what a data set did not tell.
    """

    def __init__(
        self,
        module: nn.Module,
        device: torch.device,
        name: str,
        shape: Shape | None,
        preprocess: Callable | None,
        run: Callable[[Shape], Any],
    ):
        self.module, self.device, self.name, self.run = module, device, name, run
        self.known, self.given = shape, preprocess
        self.doubt = ""
        self.learned: list[str] = []

    @property
    def shape(self) -> Shape:
        """(C, H, W) of one input."""
        return self.known or self._settle()

    @property
    def preprocess(self) -> Callable[[Any], torch.Tensor]:
        """Picture to input tensor (C, H, W)."""
        return self.given or Preprocess(self.shape)

    @property
    def notes(self) -> list[str]:
        """Sentences on what was guessed, and what a data set did not tell."""
        if not self.doubt:
            return self.learned
        size = f"the input size {format_shape(self.shape)} was {self.doubt}, and the network takes others, too"
        return [f"{size}: pass input_shape= or images= to cw.bind", *self.learned]

    def prepare(self, images: Any, notes: list[str] | None) -> torch.Tensor:
        """The input tensor of pictures, of which the first may be the one that tells the shape."""
        if isinstance(images, list) and not images:
            raise ValueError("no picture was given: the list is empty")
        if self.known is None:
            first = read(images[0] if isinstance(images, list) else images).image
            self._settle(first if is_input(first) else open_picture(first))
        return self.intake.prepare(images, notes)

    @property
    def intake(self) -> Intake:
        """What makes an input of a picture."""
        return Intake(self.shape, self.preprocess, self.device)

    def takes(self, tensor: torch.Tensor) -> bool:
        """Whether a preprocessed picture (C, H, W) has the input's shape, as far as that is known."""
        known = self.known or self._made_of_any
        return known is None or tuple(tensor.shape[-3:]) == known

    def learn(self, images: Any) -> None:
        """Let a data set tell what was not given: the shape, and what makes such tensors as it has of pictures."""
        self.learn_shape(images)
        item = next(filter(is_input, first_pictures(images)), None) if self.given is None else None
        if item is not None and tuple(item.shape) == self.known:
            self.given, why = preprocessing_of(images, item)
            if why:
                self.learned.append(f"{why}: pictures are scaled to [0, 1] instead, unless preprocess= is given to cw.bind")

    def learn_shape(self, images: Any, numbers: Iterable[int] | None = None) -> None:
        """Let a data set settle a shape that is not known: by its first tensor that fits, or its pictures' common size."""
        opened: list[Any] = []
        for picture in first_pictures(images, numbers) if self.known is None else ():
            if is_input(picture):
                if self._settles(picture):
                    return
            else:
                opened.append(picture)
            if len(opened) == ENOUGH:
                break
        if opened and (self.given or common_size(opened)):
            self._settles(opened[0], sure=True)

    def _settles(self, first: Any, **options: Any) -> bool:
        """Whether a picture could tell the shape; what is wrong with it is told where it is shown."""
        try:
            return bool(self._settle(first, **options))
        except Exception:
            return False

    def _settle(self, first: Any = None, *, sure: bool = False) -> Shape:
        """Find the shape: the preprocessing says it, or a first picture, or else usual sizes are tried.

        Parameters:
            first: a preprocessed tensor; or an opened picture, whose own size is tried first.
            sure: whether the picture's size is that of others, too, however large.
        """
        if self._made_of_any is not None:
            self.known = self._made_of_any
        elif is_input(first):
            check_axes(first)
            self.known = self._first_that_fits([shape_of_input(first.shape[-3:])])
        else:
            own = [] if first is None else self._suggested_by(first, LARGEST if not sure else None)
            shape = self._first_that_fits([*own, *usual_shapes(self.module)])
            if not (sure and shape in own) and takes_others(shape, self.run):
                self.doubt = "taken from the first picture" if shape in own else "guessed"
            self.known = shape
        return self.known

    def _suggested_by(self, picture: Any, largest: int | None) -> list[Shape]:
        """The shapes that an opened picture suggests: what the preprocessing makes of it, or its own size."""
        channels = list(dict.fromkeys(shape[0] for shape in usual_shapes(self.module))) or [1, 3]
        if self.given:
            made = Intake((channels[0], None, None), self.given, self.device).prepare(picture)
            return [shape_of_input(made.shape[1:])]
        height, width = size_of_picture(picture)
        return [] if largest and max(height, width) > largest else [(count, height, width) for count in channels]

    @cached_property
    def _made_of_any(self) -> Shape | None:
        """What the preprocessing makes of any picture; None without one, and if that depends on the picture's size."""
        if self.given is None or isinstance(self.given, Preprocess):
            return getattr(self.given, "shape", None)
        usual = usual_shapes(self.module)
        shape = shape_of_preprocess(self.given, usual[0][0] if usual else None)
        if shape and usual and shape[0] != usual[0][0]:  # of another picture it may make as many channels as are wanted
            try:
                self._first_that_fits([shape])
            except Exception:
                return None
        return shape

    def _first_that_fits(self, shapes: list[Shape]) -> Shape:
        return find_shape(shapes, self.run, self.name)
