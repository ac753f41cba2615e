"""A patch: a position of a unit's map, and what it sees of its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.batches import generators_kept
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.items import fitting, read


@dataclass(frozen=True)
class Patch:
    """A place in a picture, and what a unit answers there.

    Attributes:
        value: of the unit, in the network's own units.
        index: the picture's number in the data set.
        row, column: of the position on the unit's map.
        label: of the picture; -1 where there is none.
    """

    value: float
    index: int
    row: int
    column: int
    label: int


@dataclass(frozen=True, eq=False)
class Crop:
    """What a position sees of a picture.

    Attributes:
        values: float32 (C, height, width), preprocessed; 0 where it reaches beyond the picture.
        inside: bool (height, width), whether a pixel lies in the picture.
        top, left: of the crop in the picture, in pixels; negative where it reaches beyond.
        status: of the receptive field: ``"exact"``, ``"bound"`` (no unit sees more) or ``"global"`` (the whole picture).
    """

    values: np.ndarray
    inside: np.ndarray
    top: int
    left: int
    status: str


def picture_of(net: BoundModel, dataset: Any, number: int) -> Tensor:
    """A data set's picture as the network's input, (1, C, H, W)."""
    with generators_kept():
        image, *_ = read(dataset[number])
        return one_picture(net, fitting(dataset, number, image, net.takes))


def cut(layer: Layer, values: np.ndarray, patch: Patch) -> Crop:
    """What a patch's position sees of values (C, H, W) of its whole picture."""
    height, width = values.shape[1:]
    top, left, bottom, right = box(layer, patch.row, patch.column, (height, width))
    rows, columns = np.arange(top, bottom), np.arange(left, right)
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    seen = values[:, rows.clip(0, height - 1)][:, :, columns.clip(0, width - 1)] * inside
    sees = layer.receptive_field
    return Crop(seen.astype(np.float32), inside, top, left, sees.status if sees else "global")


def box(layer: Layer, row: int, column: int, picture: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right, in whole pixels, of what a position sees; the picture where that is everything."""
    sees = layer.receptive_field
    if sees is None or sees.status == "global":
        return 0, 0, *picture
    top, left, height, width = sees.box(row, column)
    return math.floor(top), math.floor(left), math.ceil(top + height), math.ceil(left + width)
