"""What a patch looks like: a tile, with what made the unit answer at its right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cnnwidgets.methods import Crop, Patch, project
from cnnwidgets.methods.attribution import usual_scale
from cnnwidgets.methods.patches import cut, picture_of
from cnnwidgets.net import BoundModel

KEPT = 512
"""Patches and projections that are kept, so that a unit that was seen is there at once."""

NOTHING = 128
"""Gray of what lies beyond the picture or is not seen, and of a projection's 0."""


class Seen(NamedTuple):
    """A patch as colors: its whole picture, uint8 (H, W, 3), and what its position sees, uint8 (height, width, 3)."""

    picture: np.ndarray
    patch: np.ndarray


class Looks:
    """Patches of a data set as a network takes them; those that were asked for last are kept."""

    def __init__(self, net: BoundModel, dataset: Any) -> None:
        @lru_cache(KEPT)
        def seen(layer: str, patch: Patch) -> Seen:
            picture = net.picture(picture_of(net, dataset, patch.index))
            crop = cut(net.layers[layer], picture.transpose(2, 0, 1), patch)
            return Seen(picture, framed(crop, crop.values, picture.shape[:2]))

        @lru_cache(KEPT)
        def projection(layer: str, unit: int, patch: Patch, rule: str) -> np.ndarray:
            crop = project(net, dataset, layer, unit, patch, rule)
            return framed(crop, around_gray(crop.values), net.input_shape[1:])

        self.seen, self.projection = seen, projection


def around_gray(values: np.ndarray) -> np.ndarray:
    """Signed values (C, height, width) as colors (3, height, width) around gray; where there are no three, their sum."""
    shown = values if len(values) == 3 else values.sum(0, keepdims=True)
    scale = usual_scale(shown) or 1.0
    return np.broadcast_to(NOTHING + 127 * np.clip(shown / scale, -1, 1), (3, *shown.shape[1:]))


def framed(crop: Crop, colors: np.ndarray, picture: Sequence[int]) -> np.ndarray:
    """A crop's colors (3, height, width) as a tile, uint8 (height, width, 3).

    Where a position sees more than the whole height or width, the tile is as high or wide as the picture.
    """
    colors = np.where(crop.inside, colors, NOTHING).transpose(1, 2, 0)
    for axis, (first, size) in enumerate(zip((crop.top, crop.left), picture, strict=True)):
        if colors.shape[axis] > size:
            before = [(0, 0)] * 3
            before[axis] = (max(0, first), max(0, size - first - colors.shape[axis]))
            colors = np.pad(colors, before, constant_values=NOTHING)
            colors = colors.take(range(max(0, -first), max(0, -first) + size), axis)
    return colors.round().astype(np.uint8)


def side_by_side(patches: Sequence[np.ndarray], projections: Sequence[np.ndarray] | None) -> tuple[np.ndarray, list[int]]:
    """Tiles (n, height, 2 · width, 3), each a patch and its projection, and what ``ImageGrid.mosaic`` is then.

    Gray stands for the last projections, where there are fewer; without any the patches are alone.
    """
    if not patches:
        return np.zeros((0, 1, 1, 3)), []
    tiles = together(patches)
    if projections is None:
        return tiles, []
    back = np.full_like(tiles, NOTHING)
    if len(projections):
        back[: len(projections)] = together([*projections, tiles[0]])[:-1]
    return np.concatenate([tiles, back], 2), [*tiles.shape[1:3], 2]


def together(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """(n, height, width, 3); some are a pixel smaller where positions lie between pixels."""
    height, width = np.max([tile.shape[:2] for tile in tiles], 0)
    sizes = [((0, height - len(tile)), (0, width - tile.shape[1]), (0, 0)) for tile in tiles]
    return np.stack([np.pad(tile, size, constant_values=NOTHING) for tile, size in zip(tiles, sizes, strict=True)])
