"""What factors look like: pictures to be colored, and of each factor its patches in a row, framed in its color."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.methods import Factors, Patch
from cnnwidgets.methods.patches import cut, picture_of
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.panels.top_patches.tiles import NOTHING, framed, together
from cnnwidgets.views.palette import class_color

KEPT = 512
"""Pictures that are kept, so that other factors of them are there at once."""

SIDE = 96
"""Pixels of a picture's or a patch's longer side at most; patches of fewer than a third have larger pixels."""

PATCHES = 4
"""Patches of each factor."""

FRAME = 4
"""Pixels of the color around each patch."""


class Looks:
    """Pictures of a data set, and parts of them, as a network takes them."""

    def __init__(self, net: BoundModel, dataset: Any) -> None:
        @lru_cache(KEPT)
        def picture(index: int) -> np.ndarray:
            return net.picture(picture_of(net, dataset, index))

        self._picture = picture

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        """uint8 (n, height, width, 3), made smaller where they are large."""
        return np.stack([smaller(self._picture(int(index))) for index in indices])

    def strips(self, found: Factors) -> np.ndarray:
        """Of each factor its patches, uint8 (n, height, width, 3); gray where there are fewer."""
        each = [found.strongest(factor, PATCHES) for factor in range(len(found.directions))]
        crops = [self._crop(found.layer, patch) for patches in each for patch in patches]
        tiles = list(together([*crops, np.zeros((1, 1, 3), np.uint8)]))
        blank = np.full_like(tiles[0], NOTHING)
        return np.stack(
            [_strip([*(tiles.pop(0) for _ in patches), *[blank] * (PATCHES - len(patches))], color)
             for patches, color in zip(each, map(class_color, range(len(each))), strict=True)]
        )  # fmt: skip

    def _crop(self, layer: Layer, patch: Patch) -> np.ndarray:
        picture = self._picture(patch.index)
        crop = cut(layer, picture.transpose(2, 0, 1), patch)
        tile = smaller(framed(crop, crop.values, picture.shape[:2]))
        times = max(1, SIDE // 3 // max(tile.shape[:2]))
        return tile.repeat(times, 0).repeat(times, 1)


def smaller(pixels: np.ndarray) -> np.ndarray:
    """A picture whose longer side has at most so many pixels."""
    scale = SIDE / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))


def _strip(tiles: Sequence[np.ndarray], color: str) -> np.ndarray:
    """Tiles side by side, each in a frame of a color."""
    height, width, _ = tiles[0].shape
    frame = np.empty((height + 2 * FRAME, len(tiles) * (width + FRAME) + FRAME, 3), np.uint8)
    frame[:] = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    for k, tile in enumerate(tiles):
        left = FRAME + k * (width + FRAME)
        frame[FRAME : FRAME + height, left : left + width] = tile
    return frame


def place_of(net: BoundModel, layer: Layer, shown: Sequence[int]) -> tuple[float, float, float, float]:
    """Top, left, height and width of a layer's positions on a picture that is shown with so many rows and columns.

    Each position lies around the center of what it sees, and reaches half of the way to the next.
    """
    picture = net.input_shape[1:]
    _, rows, columns = layer.map_shape
    first, second = (np.array(layer.to_pixel(at, at, picture)) for at in (0, 1))
    scale = np.array(shown) / picture
    top, left = (first + 0.5 - (second - first) / 2) * scale
    height, width = (second - first) * (rows, columns) * scale
    return float(top), float(left), float(height), float(width)
