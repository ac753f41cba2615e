"""Augmentation: what is done to a training picture by chance, with one strength for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Mean = Sequence[float] | None
"""One number per channel, or None where it is not known."""


def _v2() -> Any:
    from torchvision.transforms import v2  # a second, for those who augment

    return v2


AUGMENTATIONS: dict[str, Callable[[float], Callable[[Tensor], Tensor]]] = {
    "flip": lambda s: _v2().RandomHorizontalFlip(s),
    "rotate": lambda s: _v2().RandomRotation(60 * s, _v2().InterpolationMode.BILINEAR),
    "shift": lambda s: _v2().RandomAffine(0, translate=(0.3 * s, 0.3 * s)),
    "scale": lambda s: _v2().RandomAffine(
        0, scale=(1 - 0.5 * s, 1 + 0.5 * s), interpolation=_v2().InterpolationMode.BILINEAR
    ),
    "crop": lambda s: _cropped(s),
    "color": lambda s: _v2().ColorJitter(0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s),
    "blur": lambda s: _v2().GaussianBlur(5, (0.1, 0.1 + 2 * s)),
    "noise": lambda s: lambda picture: picture + 0.3 * s * torch.randn_like(picture),
    "erase": lambda s: _v2().RandomErasing(s, scale=(0.02, 0.25)),
}
"""By name: what makes a change of a picture (C, H, W) of values from 0 to 1, from a strength between 0 and 1."""


def augmentation(names: Sequence[str], strength: float, mean: Mean = None, std: Mean = None) -> Callable[[Tensor], Tensor]:
    """A change by chance of a preprocessed picture (C, H, W); it draws from torch's global generator.

    Parameters:
        names: of :data:`AUGMENTATIONS`, one after the other.
        strength: 0 changes nothing, 1 most.
        mean, std: what was subtracted from the pixels (0 to 1) and what they were divided by, one per channel; None where
            the values are taken as they are.

    Raises:
        ValueError: colors are to be changed, and it is not known which values are black and white.
    """
    if mean is None and "color" in names:
        raise ValueError("colors can be changed only where the data set says its mean and std; leave 'color' out")
    changes = [AUGMENTATIONS[name](strength) for name in names]

    def change(picture: Tensor) -> Tensor:
        if strength == 0:
            return picture
        if mean is not None:
            center, spread = (torch.tensor(each).reshape(-1, 1, 1) for each in (mean, std))
            picture = (picture * spread + center).clamp(0, 1)
        for each in changes:
            picture = each(picture)
        return (picture - center) / spread if mean is not None else picture

    return change


def _cropped(strength: float) -> Callable[[Tensor], Tensor]:
    """A part of the picture, about as wide for its height, brought back to its size."""
    v2, stretch = _v2(), (4 / 3) ** strength

    def crop(picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        ratio = (width / height / stretch, width / height * stretch)
        return v2.RandomResizedCrop((height, width), (1 - 0.7 * strength, 1.0), ratio, antialias=True)(picture)

    return crop
