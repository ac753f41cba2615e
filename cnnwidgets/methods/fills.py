"""What a patch shows that covers a part of a picture."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from cnnwidgets.net import BoundModel
from cnnwidgets.net.layers import nearest

FILL_NAMES = {
    "mean": "mean color",
    "gray": "gray",
    "zero": "zero (mean of the training set)",
    "noise": "noise",
    "blur": "blurred picture",
}
FILLS = tuple(FILL_NAMES)
SHAPES = ("rectangle", "ellipse")


def fill_picture(net: BoundModel, picture: Tensor, fill: str, patch: tuple[int, int], seed: int = 0) -> Tensor:
    """What a patch shows wherever it lies, as a whole picture (1, C, H, W) like the preprocessed ``picture``.

    ``"mean"``: the picture's mean color. ``"gray"``: half of the brightest. ``"zero"``: 0 after preprocessing, which is the
    mean color of the training set for most networks. ``"noise"``: normal random numbers with the picture's mean and
    standard deviation in each channel. ``"blur"``: the picture itself, blurred by half of the patch.
    """
    if fill == "mean":
        return picture.mean((2, 3), keepdim=True).expand_as(picture)
    if fill == "gray":
        _, channels, height, width = picture.shape
        plain = Image.new("L" if channels == 1 else "RGB", (width, height), 128 if channels == 1 else (128,) * 3)
        return net.prepare(plain).to(picture)
    if fill == "zero":
        return torch.zeros_like(picture)
    if fill == "noise":
        drawn = np.random.default_rng(seed).standard_normal(picture.shape, np.float32)
        mean, deviation = picture.mean((2, 3), keepdim=True), picture.std((2, 3), keepdim=True)
        return mean + deviation * torch.from_numpy(drawn).to(picture)
    if fill == "blur":
        sigma = (0, 0, patch[0] / 2, patch[1] / 2)
        return torch.from_numpy(ndimage.gaussian_filter(picture.float().cpu().numpy(), sigma, mode="nearest")).to(picture)
    raise ValueError(f"fill is {fill!r}; expected one of {', '.join(map(repr, FILLS))}.{nearest(fill, FILLS)}")


def patch_mask(shape: str, size: tuple[int, int]) -> Tensor:
    """bool (rows, columns): which pixels a patch of this shape and size covers."""
    if shape == "rectangle":
        return torch.ones(size, dtype=torch.bool)
    if shape == "ellipse":
        rows, columns = (torch.linspace(-1 + 1 / n, 1 - 1 / n, n) for n in size)
        return rows[:, None] ** 2 + columns**2 <= 1
    raise ValueError(f"shape is {shape!r}; expected one of {', '.join(map(repr, SHAPES))}.{nearest(shape, SHAPES)}")
