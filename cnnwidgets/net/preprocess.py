"""From an opened picture to a network's input, and from an input back to a picture that can be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnwidgets.net.arguments import KINDS, check, said
from cnnwidgets.net.pictures import Opened, intensities, is_deep, plain

SMALL, LARGE = 0.25, 8
"""A picture whose values reach over less of [0, 1] than the one, or over more than the other, is stretched when shown."""


@dataclass(frozen=True)
class Preprocess:
    """Picture to input tensor: resize, crop to the center, scale to [0, 1], then ``(x - mean) / std`` a channel.

    16 bits and floats stay as exact as they are; 8 bits are resized as Pillow does it.

    Attributes:
        shape: (C, H, W) of the input.
        mean, std: one value a channel, on the scale [0, 1].
        resize: length to which the shorter side is brought before the crop; None squeezes the whole picture into H x W.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: int | None = None

    def __call__(self, picture: Opened) -> Tensor:
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise ValueError(
                f"the network expects {channels} channels: give a preprocessed float tensor {self.shape}, "
                "or bind with preprocess=, which makes them of a picture"
            )
        if is_deep(picture):
            planes = [np.asarray(self._resized(Image.fromarray(plane))) for plane in intensities(picture, channels)]
            pixels = torch.from_numpy(np.stack(planes))
        else:
            levels = np.array(self._resized(plain(picture, "L" if channels == 1 else "RGB")), np.float32)
            pixels = torch.from_numpy(levels).reshape(height, width, channels).permute(2, 0, 1) / 255
        return (pixels - _column(self.mean)) / _column(self.std)

    def _resized(self, picture: Image.Image) -> Image.Image:
        _, height, width = self.shape
        box = 0.0, 0.0, float(picture.width), float(picture.height)
        if self.resize is not None:
            scale = self.resize / min(picture.size)
            wide, tall = max(round(picture.width * scale), width), max(round(picture.height * scale), height)
            across, down = picture.width / wide, picture.height / tall  # pixels of the picture by one of the resized one
            left, top = (wide - width) // 2, (tall - height) // 2
            box = left * across, top * down, (left + width) * across, (top + height) * down
        return picture.resize((width, height), Image.Resampling.BILINEAR, box)


def to_pixels(values: Tensor, preprocess: Callable, like: Tensor | None = None) -> np.ndarray:
    """The preprocessing undone: uint8 (H, W, 3) of a float tensor (C, H, W).

    Values are shown on the scale [0, 1], from black to white, as long as they use a good part of it, or are not known to
    use another: see :func:`stretch`.

    Parameters:
        like: another input, of which the scale is taken.
    """
    low, high = stretch(values if like is None else like, preprocess)
    shown = (_undone(values, preprocess) - low) / (high - low)
    return (_in_color(shown) * 255).round().astype(np.uint8)


def to_intensities(values: Tensor, preprocess: Callable) -> np.ndarray:
    """The same in full depth: float32 (H, W, 3) in [0, 1], stretched only where the scale is not known."""
    undone = _undone(values, preprocess)
    low, high, known = _reach(values, preprocess)
    return _in_color(undone if known or low == high else (undone - low) / (high - low))


def stretch(values: Tensor, preprocess: Callable) -> tuple[float, float]:
    """What is shown in black and in white of an input (C, H, W), on the scale [0, 1] where the preprocessing is known.

    (0, 1), but the least and the greatest value where the input uses less than a quarter of that, such as 12 bits in a file
    of 16, or far more; and where the preprocessing is unknown, and the values go beyond it.
    """
    return _stretched(*_reach(values, preprocess))


def about_stretch(values: Tensor, preprocess: Callable) -> list[str]:
    """A sentence, if an input (C, H, W) is stretched when shown though it is known what black and white are."""
    low, high, known = _reach(values, preprocess)
    if not known or _stretched(low, high, known) == (0, 1):
        return []
    return [
        f"the picture's values run from {low:.3g} to {high:.3g}, where 0 is black and 1 is white: "
        "they are stretched to be shown, and the network gets them as they are"
    ]


def one_input(name: str, tensor: Any) -> Tensor:
    """One picture's input (C, H, W), of that or of (1, C, H, W); a TypeError or ValueError for anything else."""
    check(name, tensor, [KINDS["torch.Tensor"]])
    if tensor.ndim not in (3, 4) or (len(tensor) != 1 and tensor.ndim == 4):
        raise ValueError(f"{name} is {said(tensor)}; expected the input of one picture, (C, H, W) or (1, C, H, W)")
    return tensor.reshape(tensor.shape[-3:])


def _reach(values: Tensor, preprocess: Callable) -> tuple[float, float, bool]:
    """The least and the greatest value with the preprocessing undone, and whether [0, 1] is known to be their scale."""
    ends = torch.stack(torch.aminmax(values.detach().flatten(1), dim=1), 1)[:, :, None]  # of each channel: few numbers
    undone = _undone(ends, preprocess)
    low, high = float(undone.min()), float(undone.max())
    return low, high, mean_and_std(preprocess) is not None or (low >= -1e-3 and high <= 1 + 1e-3)


def _stretched(low: float, high: float, known: bool) -> tuple[float, float]:
    return (0.0, 1.0) if low == high or (known and SMALL <= high - low <= LARGE) else (low, high)


def _in_color(shown: Tensor) -> np.ndarray:
    """float32 (H, W, 3) in [0, 1] of (C, H, W): gray of one channel, and of the mean of as many as make no colors."""
    if shown.shape[0] not in (1, 3):
        shown = shown.mean(0, keepdim=True)
    return np.ascontiguousarray(shown.clamp(0, 1).permute(1, 2, 0).expand(-1, -1, 3).numpy())


def _undone(values: Tensor, preprocess: Callable) -> Tensor:
    values = values.detach().float().cpu()
    found = mean_and_std(preprocess)
    return values * _column(found[1]) + _column(found[0]) if found else values


def mean_and_std(preprocess: Any) -> tuple[Any, Any] | None:
    """Mean and standard deviation of our own preprocessing, torchvision's presets, or a ``Compose`` with a ``Normalize``."""
    steps = [preprocess, *getattr(preprocess, "transforms", [])]
    return next(((step.mean, step.std) for step in steps if hasattr(step, "mean") and hasattr(step, "std")), None)


def _column(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32).reshape(-1, 1, 1)
