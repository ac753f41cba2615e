"""Many maps on one sheet, colored as an ImageGrid colors them: a single array for the still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TINY = np.finfo(np.float32).tiny


class Colored(NamedTuple):
    """Maps ready to be drawn.

    Attributes:
        values: (maps, height, width), the values, or where each map has a scale of its own their share of that;
            in color (maps, height, width, 3), from 0 to 1.
        table: the color table.
        low, high: (maps,), the values that have the first and the last color.
        ends: what of ``values`` has these colors.
    """

    values: np.ndarray
    table: str
    low: np.ndarray
    high: np.ndarray
    ends: tuple[float, float]


def colored(
    maps: np.ndarray, *, scale: str, limits: Sequence[float], span: Sequence[float], contrast: float, colors: str
) -> Colored:
    """Maps (maps, height, width[, 3]) with the colors that traits of an ImageGrid of the same names give them."""
    in_color = maps.ndim == 4
    span = span or (float(maps.min()), float(maps.max()))
    symmetric = colors == "diverging" or (span[0] < 0 and (in_color or colors == "auto"))
    table = "gray" if in_color else "diverging" if symmetric else "viridis" if colors == "auto" else colors
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axes, keepdims=True), maps.max(axes, keepdims=True)
    if scale != "map":
        ends = limits if scale == "fixed" else span
        low, high = np.full_like(low, ends[0]), np.full_like(high, ends[1])
    if symmetric:
        high = np.maximum(np.maximum(-low, high), 0)
        low = -high
    around = (low < 0) & (high > 0)
    low, high = np.where(around, low / contrast, low), np.where(around, high / contrast, low + (high - low) / contrast)
    shown = (low.ravel(), high.ravel())
    if in_color:
        return Colored(np.clip((maps - low) / np.maximum(high - low, TINY), 0, 1), table, *shown, (0.0, 1.0))
    if scale != "map":
        return Colored(maps, table, *shown, (float(low.min()), float(high.max())))
    if symmetric:
        return Colored(maps / np.maximum(high, TINY), table, *shown, (-1.0, 1.0))
    return Colored((maps - low) / np.maximum(high - low, TINY), table, *shown, (0.0, 1.0))


def sheet(maps: np.ndarray, across: int, times: tuple[int, int], gap: tuple[int, int]) -> np.ndarray:
    """Maps (maps, height, width[, channels]) in rows of so many on one array, with NaN between them.

    Parameters:
        times: how often each row and each column of a map is repeated.
        gap: rows and columns of the array between maps.
    """
    maps = maps.repeat(times[0], 1).repeat(times[1], 2)
    count, height, width, *channels = maps.shape
    down = -(-count // across)
    cells = np.full((down * across, height + gap[0], width + gap[1], *channels), np.nan, np.float32)
    cells[:count, :height, :width] = maps
    rows = cells.reshape(down, across, height + gap[0], width + gap[1], *channels).swapaxes(1, 2)
    return rows.reshape(down * (height + gap[0]), across * (width + gap[1]), *channels)
