"""The picture that a panel looks at: its trait, and where it comes from."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
import traitlets as t
from PIL import Image as PIL
from torch import nn

from cnnwidgets.base import controls
from cnnwidgets.base.computing import missing
from cnnwidgets.base.fitting import Unfit
from cnnwidgets.base.panel import Panel
from cnnwidgets.base.picture_maps import PictureMaps
from cnnwidgets.base.traits import public
from cnnwidgets.methods.code.pictures import picture_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.net import BoundModel, bind
from cnnwidgets.net.arguments import is_whole
from cnnwidgets.net.items import fitting, is_dataset, read, size_of
from cnnwidgets.net.pictures import open_picture


class Image(t.Any):
    """Anything that ``net.prepare`` takes as one picture, or a number in the panel's data set.

    In a panel's state a path and a number stand for themselves; a picture is kept as PNG, or as TIFF or .npy where PNG
    would lose something, and a tensor as .npy, in base64.
    """

    def encode(self, value: Any) -> Any:
        value = picture_in(value)
        match value:
            case None | int() | str():
                return value
            case Path():
                return str(value)
            case torch.Tensor() if value.is_floating_point():
                return {"npy": _base64(lambda file: np.save(file, value.detach().cpu().float().numpy()))}
        picture = open_picture(value, deep_colors=True)
        if isinstance(picture, np.ndarray):
            return {"array": _base64(lambda file: np.save(file, picture))}
        kind = "tiff" if picture.mode in ("I", "F", "CMYK") else "png"
        return {kind: _base64(lambda file: picture.save(file, kind))}

    def decode(self, value: Any) -> Any:
        """What :meth:`encode` made of a picture.

        Raises:
            Unfit: it is a dict, and no picture can be read from it.
        """
        try:
            return self._read(value)
        except Exception as error:  # of base64, of NumPy, of Pillow: whatever is wrong with a file that was changed
            raise Unfit(f"the state holds no picture that can be read under {self.name!r}: {error}") from None

    def _read(self, value: Any) -> Any:
        match value:
            case {"npy": text}:
                return torch.from_numpy(np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))
            case {"array": text}:
                return np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False)
            case {"png": text} | {"tiff": text}:
                return PIL.open(io.BytesIO(base64.b64decode(text)))
        return value


def picture_in(value: Any) -> Any:
    """The picture of a data set's item; a list is several pictures, which ``net.prepare`` refuses."""
    return value if isinstance(value, list) else read(value).image


def _base64(save: Callable[[io.BytesIO], Any]) -> str:
    buffer = io.BytesIO()
    save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()


class ImagePanel(Panel):
    """A panel that looks at one picture: any that ``net.prepare`` takes, an upload, or a number in a data set.

    ``state.image``, which ``compute`` gets, is the picture itself.

    Parameters:
        image: the picture; or a list or data set of them, to pick from; or a number in ``images``.
        images: the list or data set that numbers count in.
    """

    not_in_maps: ClassVar[Collection[str]] = ()
    """Names of the traits that a computation reads, but on which :meth:`maps_of` does not depend."""

    image = public(
        Image(None, help="the picture: what net.prepare takes, or its number in the data set"),
        controls.Picture(among=lambda panel: panel.images),
    )

    def __init__(self, net: BoundModel | nn.Module, image: Any = 0, *, images: Any = None, **options: Any) -> None:
        held = is_dataset(image)  # pictures to pick from, and no picture itself
        self._is_counted = held or images is not None
        self.images: Any = image if held else images if images is not None else ()
        size_of(self.images)  # raises the sentence for what has no numbered items
        super().__init__(bound(net, self.images), image=0 if held else image, **options)

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        traits = super().public_traits()
        return {"image": traits["image"], **traits}

    @property
    def source(self) -> Any:
        """The picture itself, taken from the data set if it is a number."""
        return self.taken(self.image)

    def maps_of(self, found: Any) -> PictureMaps:
        """The maps of a result, for :class:`cnnwidgets.TwoNetworks`, which compares those of two networks."""
        raise missing(self, "maps_of(result), which gives its maps")

    def code(self) -> str:
        values = super().code()
        return tidy(f"{picture_lines(self.net, self.image, self.images)}\n{values}")

    def remarks(self, result: Any) -> Sequence[str]:
        return list(dict.fromkeys([*getattr(result, "notes", ()), *self.net.notes]))  # of which some are known by now only

    def _learn(self) -> None:
        """Learn the input's shape from the first tensor; what is wrong with a picture ``compute`` says, if it can."""
        try:
            self.net.prepare(self.source)
        except Exception as error:
            try:
                _ = self.net.layers
            except Exception:
                raise error from None

    def _settled(self, state: SimpleNamespace) -> SimpleNamespace:
        return SimpleNamespace(**{**vars(super()._settled(state)), "image": self.taken(state.image)})

    def taken(self, image: Any) -> Any:
        """A picture, taken from the data set if it is a number."""
        if image is None:
            raise ValueError("expected a picture, got none; set image=")
        if not is_whole(image):
            return picture_in(image)
        if not self._is_counted:
            raise ValueError(f"{image} is the number of a picture; pass its data set as images=, or the picture itself")
        if not len(self.images):
            raise ValueError("expected a data set with pictures, got an empty one")
        if not 0 <= image < len(self.images):
            raise ValueError(f"the data set has no picture {image}: its {len(self.images)} pictures are numbered from 0")
        return picture_at(self.net, self.images, image)


def bound(net: BoundModel | nn.Module, images: Any) -> BoundModel:
    """A bound network, which learns from a data set what is not known about its input."""
    try:
        size = size_of(images) if is_dataset(images) else 0
    except Exception:  # it is told of where the data set is shown
        size = 0
    if not size:
        return net if isinstance(net, BoundModel) else bind(net)
    if not isinstance(net, BoundModel):
        return bind(net, images=images)
    net.learn_input_shape(images)
    return net


def picture_at(net: BoundModel, images: Any, number: int) -> Any:
    """The picture of a data set's item, for a network."""
    return fitting(images, number, read(images[number]).image, net.takes)
