"""What a network takes: any picture becomes its input, and it is said where something was lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnwidgets.net.items import read
from cnnwidgets.net.pictures import (
    PLAIN,
    WANTED,
    Opened,
    as_pillow,
    check_finite,
    describe_tensor,
    is_deep,
    open_picture,
    plain,
)
from cnnwidgets.net.preprocess import Preprocess, about_stretch


@dataclass(frozen=True)
class Intake:
    """Pictures to a network's input.

    Attributes:
        shape: (C, H, W) of one input; H and W are None where any will do.
        preprocess: our own, of any opened picture; or the user's, of a Pillow picture.
        device: where inputs go.
    """

    shape: tuple[int, int | None, int | None]
    preprocess: Callable
    device: torch.device

    def prepare(self, images: Any, notes: list[str] | None = None) -> Tensor:
        """float32 (N, C, H, W): see :meth:`cnnwidgets.net.BoundModel.prepare`."""
        if isinstance(images, list):
            return torch.cat([self.prepare(read(image).image, notes) for image in images])
        image = read(images).image
        said: list[str] = []
        if isinstance(image, Tensor) and image.is_floating_point():
            inputs = self._checked(image)
        else:
            inputs = self._made(open_picture(image, said, deep_colors=self.is_ours), said)
        if notes is not None:
            notes += said if len(inputs) > 1 else [*said, *about_stretch(inputs[0], self.preprocess)]
        return inputs

    @property
    def is_ours(self) -> bool:
        """Whether the preprocessing is our own, which takes whatever ``open_picture`` gives."""
        return isinstance(self.preprocess, Preprocess)

    def handed(self, picture: Opened) -> str:
        """How Python writes what the preprocessing is given of an opened picture: ``{}`` for the picture as it is."""
        return self._preprocessed(picture)[1]

    def _made(self, picture: Opened, notes: list[str]) -> Tensor:
        tensor, _, failed = self._preprocessed(picture)
        if failed and is_deep(picture):
            notes.append(f"preprocess was given an 8-bit copy of the picture, and not its own values ({failed})")
        elif is_deep(picture) and self._fits(tensor) and not tensor.is_floating_point():
            values = tensor.double()
            reach = f"from {values.min():,.0f} to {values.max():,.0f}"
            notes.append(f"preprocess makes whole numbers of the picture, {reach}, and the network gets these as floats")
        return self._input(tensor)

    def _preprocessed(self, picture: Opened) -> tuple[Any, str, str]:
        """What the preprocessing makes of a picture, how it was given to it, and why not as it is."""
        if self.is_ours:
            return self.preprocess(picture), "{}", ""
        failed = ""
        for how, form in self._forms(picture):
            try:
                tensor = self.preprocess(form)
            except Exception as error:
                failed = f"{type(error).__name__}: {error}".split("\n")[0]
                continue
            if self._fits(tensor):
                return tensor, how, ""
            failed = f"it made {_describe(tensor)} of these"
        return self._of_copy(picture, failed)

    def _forms(self, picture: Opened) -> list[tuple[str, Any]]:
        """How the user's preprocessing may want a picture's own values; none where an 8-bit copy has all of them."""
        of_colors = self.shape[0] in (1, 3)
        if isinstance(picture, np.ndarray) and picture.ndim == 3:  # of three channels Pillow has pictures of 8 bits alone
            return [] if of_colors else [("{}", picture)]
        form = as_pillow(picture)
        if isinstance(form, Image.Image) and form.mode in PLAIN:
            return []
        return [
            ("{}" if form is picture else "as_pillow({})", form),
            *([] if of_colors else [("np.asarray({})", np.asarray(form))]),
        ]

    def _of_copy(self, picture: Opened, failed: str) -> tuple[Any, str, str]:
        """What the user's preprocessing makes of an 8-bit copy."""
        mode = "L" if self.shape[0] == 1 else "RGB"
        try:
            copy = plain(picture, mode)
        except ValueError as error:
            raise ValueError(
                f"preprocess takes no such picture ({failed}), and {error}" if failed else str(error)
            ) from error
        if isinstance(picture, np.ndarray) and picture.dtype == np.uint16:
            failed = "Pillow has no colors of 16 bits"
        how = f'plain({{}}, "{mode}")'
        tensor = self.preprocess(copy)
        if self.shape[0] == 4 and not self._fits(tensor):
            return self.preprocess(copy.convert("RGBA")), f'{how}.convert("RGBA")', failed
        return tensor, how, failed

    def _input(self, tensor: Any) -> Tensor:
        """A preprocessed picture, checked, as a batch of one."""
        if not self._fits(tensor):
            raise ValueError(f"preprocess gave {_describe(tensor)}; the network expects {self._wanted}")
        inputs = self._batch(tensor)
        check_finite(inputs, "what preprocess gave")
        return inputs

    def _checked(self, tensor: Tensor) -> Tensor:
        """A float tensor (C, H, W) or (N, C, H, W) that was preprocessed before, checked, as a batch."""
        check_axes(tensor)
        if tuple(tensor.shape[-3:]) != self.shape:
            raise ValueError(
                f"the picture is {describe_tensor(tensor)}, the network expects {self._wanted}: "
                "give a path, a PIL picture or an array, which are resized, or bind with input_shape="
            )
        check_finite(tensor, "the picture")
        return self._batch(tensor)

    def _batch(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach().as_subclass(Tensor)
        return tensor.reshape(-1, *tensor.shape[-3:]).to(self.device, torch.float32, copy=True)

    def _fits(self, tensor: Any) -> bool:
        if not isinstance(tensor, Tensor) or tensor.ndim not in (3, 4) or (tensor.ndim == 4 and len(tensor) != 1):
            return False
        return all(wanted in (None, got) for wanted, got in zip(self.shape, tensor.shape[-3:], strict=True))

    @property
    def _wanted(self) -> str:
        return "×".join("any" if side is None else str(side) for side in self.shape)


def check_axes(tensor: Tensor) -> None:
    """Raises ValueError for a float tensor that is neither (C, H, W) nor (N, C, H, W)."""
    if tensor.ndim not in (3, 4) or 0 in tensor.shape:
        raise ValueError(f"{describe_tensor(tensor)} is not a picture; expected {WANTED}")


def _describe(tensor: Any) -> str:
    return describe_tensor(tensor) if isinstance(tensor, Tensor) else type(tensor).__name__
