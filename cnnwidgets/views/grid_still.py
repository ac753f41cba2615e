"""The still of an ImageGrid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnwidgets.numbers import number
from cnnwidgets.views.grid_overlay import overlaid
from cnnwidgets.views.paper import DIM, GAP, INK, SMALL, TABLES, Paper, fitting, inches, line_of
from cnnwidgets.views.sheet import Colored, colored, sheet

if TYPE_CHECKING:
    from cnnwidgets.views.image_grid import ImageGrid

WIDE, NARROW = 7.6, 5.0
"""Inches across which tiles lie side by side: of a grid with tools, and of one beside something else."""

LEAST, MOST = 0.12, 1.2
"""Inches of a tile, where the grid may choose."""

BETWEEN, BETWEEN_MOSAICS = 0.05, 0.1
"""Inches between tiles."""

PALE = 0.35
"""Opacity of a map that is crossed out."""

NUMBERED = 56
"""CSS pixels of a tile from which on its number stands in its corner."""

CHIP = {"facecolor": "#000000", "edgecolor": "none", "alpha": 0.6, "pad": 0.6}
"""The ground of that number."""

RULED = 0.05
"""Least inches of a mosaic's part for lines between the parts."""


class Tiles(NamedTuple):
    """Where the tiles lie: as inches, and as rows and columns of the sheet."""

    across: int
    width: float
    height: float
    times: tuple[int, int]
    gap: tuple[int, int]
    pitch: tuple[float, float]

    def corner(self, slot: int) -> tuple[float, float]:
        """Left and upper end of a tile, from those of the first."""
        return slot % self.across * self.pitch[1], slot // self.across * self.pitch[0]


def tiles_of(grid: ImageGrid) -> Tiles:
    """The tiles of a grid that has maps."""
    count, rows, columns, _ = grid.shape
    room = WIDE if grid.tools else NARROW
    between = BETWEEN_MOSAICS if grid.mosaic else BETWEEN
    width = min(inches(grid.tile) or _comfortable(grid, room, between), room - between)
    height = min(max(LEAST, width * rows / columns), MOST * 3)
    width = min(max(width, height * columns / rows), room - between)
    across = max(1, min(count, int((room + between) / (width + between) + 1e-6)))
    below = between + (1.1 * line_of(SMALL) if grid.labels else 0.0)
    times = math.ceil(height / rows / between), math.ceil(width / columns / between)
    pixel = height / (rows * times[0]), width / (columns * times[1])
    gap = max(1, round(below / pixel[0])), max(1, round(between / pixel[1]))
    return Tiles(across, width, height, times, gap, (height + gap[0] * pixel[0], width + gap[1] * pixel[1]))


def _comfortable(grid: ImageGrid, room: float, between: float) -> float:
    """The widest tile, within reason, with which all maps are in view."""
    count, rows, columns, _ = grid.shape
    for across in range(1, 10_000):
        width = room / across - between
        down = -(-count // across) * (width * rows / columns + between)
        if width <= LEAST or (width <= MOST and down <= inches(grid.height)):
            break
    return max(width, LEAST)


def draw_grid(grid: ImageGrid, paper: Paper) -> None:
    """Draw a grid's maps, what is written under and around them, and their scale."""
    if not grid.shape[0]:
        return
    top = paper.title(grid.title, WIDE if grid.tools else NARROW)
    tiles = tiles_of(grid)
    order = np.frombuffer(grid.orders.get(grid.sort, b"") or np.arange(grid.shape[0], dtype=np.int32), np.int32)
    bottom = top + tiles.corner(len(order) - 1)[1] + tiles.pitch[0]
    paper.take(min(len(order), tiles.across) * tiles.pitch[1], bottom)
    look = colored(
        grid.maps[order], scale=_scale(grid), limits=grid.limits, span=grid.span, contrast=grid.contrast, colors=grid.colors
    )
    if paper.axes is not None:
        _draw_tiles(grid, paper, top, tiles, order, look)
    if grid.tools:
        _draw_legend(grid, paper, bottom + GAP, order, look)


def _draw_tiles(grid: ImageGrid, paper: Paper, top: float, tiles: Tiles, order: np.ndarray, look: Colored) -> None:
    maps, dim = look.values, np.frombuffer(grid.dim, np.uint8)[order].astype(bool)
    strength = np.where(dim, PALE, 1.0)[:, None, None] * _there(grid)
    in_color = maps.ndim == 4
    maps = overlaid(grid, order, maps)
    maps = np.concatenate([maps, strength[..., None]], 3) if in_color else np.where(strength > 0, maps, np.nan)
    one = sheet(maps, tiles.across, tiles.times, tiles.gap)
    size = one.shape[1] * tiles.pitch[1] / (grid.shape[2] * tiles.times[1] + tiles.gap[1])
    shades: dict[str, Any] = {}
    if not in_color:
        shades = {"cmap": TABLES[look.table], "vmin": look.ends[0], "vmax": look.ends[1]}
    if dim.any() and not in_color:
        shades["alpha"] = np.nan_to_num(sheet(strength, tiles.across, tiles.times, tiles.gap))
    down = one.shape[0] * tiles.pitch[0] / (grid.shape[1] * tiles.times[0] + tiles.gap[0])
    paper.image(0, top, size, down, np.nan_to_num(one) if in_color else one, **shades)
    corners = [(x, y + top) for x, y in map(tiles.corner, range(len(order)))]
    paper.lines(_rules(grid, corners, tiles), "#777777", 0.6)
    crossed = [corner for corner, out in zip(corners, dim, strict=True) if out]
    (w, h) = tiles.width, tiles.height
    paper.lines([line for x, y in crossed for line in ([(x, y), (x + w, y + h)], [(x + w, y), (x, y + h)])], INK, 1.0)
    _draw_spots(grid, paper, corners, tiles)
    if grid.numbered and min(w, h) >= inches(NUMBERED):
        for (x, y), index in zip(corners, order.tolist(), strict=True):
            paper.text(x + 0.03, y + 0.02, str(index), size=SMALL, color="white", bbox=CHIP)
    if grid.labels:
        for (x, y), number in zip(corners, order.tolist(), strict=True):
            text = fitting(grid.labels[number], tiles.pitch[1], SMALL)
            paper.text(x + w / 2, y + h + 0.02, text, size=SMALL, ha="center")
    for x, y in [corners[slot] for slot in np.flatnonzero(order == grid.selected)]:
        paper.frame(x, y, w, h)


def _there(grid: ImageGrid) -> np.ndarray:
    """(height, width) 1 where a map has a value: a square of parts need not be full."""
    if not grid.mosaic:
        return np.ones(grid.shape[1:3])
    (rows, columns, parts), (height, width) = grid.mosaic, grid.shape[1:3]
    i, j = np.indices((height, width))
    return (i // rows * (width // columns) + j // columns < parts).astype(float)


def _rules(grid: ImageGrid, corners: list[tuple[float, float]], tiles: Tiles) -> list[list[tuple[float, float]]]:
    """Lines between the parts of each map, where there is room for them."""
    if not grid.mosaic or grid.mosaic[:2] == [1, 1]:
        return []
    down, right = grid.shape[1] // grid.mosaic[0], grid.shape[2] // grid.mosaic[1]
    if tiles.width / right < RULED:
        return []
    (w, h) = tiles.width, tiles.height
    return [
        line
        for x, y in corners
        for line in (
            *([(x + k * w / right, y), (x + k * w / right, y + h)] for k in range(1, right)),
            *([(x, y + k * h / down), (x + w, y + k * h / down)] for k in range(1, down)),
        )
    ]


def _draw_spots(grid: ImageGrid, paper: Paper, corners: list[tuple[float, float]], tiles: Tiles) -> None:
    """The cursor on every map that is large enough; of maps that are told as wholes it is on none."""
    rows, columns = grid.shape[1:3]
    if len(grid.cursor) != 2 or grid.told or rows * columns == 1 or tiles.width < inches(36):
        return
    (y, x), (tall, wide) = grid.cursor, (tiles.height / rows, tiles.width / columns)
    (h, w) = max(tall, 0.04), max(wide, 0.04)
    for left, top in corners:
        paper.frame(left + (x + 0.5) * wide - w / 2, top + (y + 0.5) * tall - h / 2, w, h, "#ffffff", 0.7)


def _draw_legend(grid: ImageGrid, paper: Paper, y: float, order: np.ndarray, look: Colored) -> None:
    chosen = np.flatnonzero(order == grid.selected)
    slot = int(chosen[0]) if len(chosen) else 0
    words: tuple[str, ...] = ()
    if _scale(grid) == "map" and not len(chosen):
        words = (f"lowest of {_each(grid)}", "0", f"highest of {_each(grid)}")
    y = paper.text(0, y, _told(grid, bool(len(chosen))), color=DIM)
    bottom = paper.bar(0, y, look.table, float(look.low[slot]), float(look.high[slot]), words=words)
    if "line" not in grid.hide:
        paper.text(0, bottom + 0.04, _line(grid, bool(len(chosen))), color=DIM, width=WIDE, lines=2)


def _line(grid: ImageGrid, chosen: bool) -> str:
    if not chosen:
        return f"{grid.shape[0]:,} {grid.noun}s" if grid.shape[0] != 1 else f"1 {grid.noun}"
    lo, hi = (np.frombuffer(ends, np.float32)[grid.selected] for ends in (grid.lo, grid.hi))
    dead = " (dead)" if grid.dim[grid.selected] else ""
    return f"{grid.noun} {grid.selected}{dead} · from {number(float(lo))} to {number(float(hi))}"


def _each(grid: ImageGrid) -> str:
    return f"each {'map' if grid.noun == 'unit' else grid.noun}"


def _scale(grid: ImageGrid) -> str:
    """What the colors span: a map of one value has no range of its own."""
    return "layer" if grid.scale == "map" and grid.shape[1:3] == [1, 1] else grid.scale


def _told(grid: ImageGrid, chosen: bool) -> str:
    """What the colors stand for."""
    if _scale(grid) == "map" and chosen:
        return f"{grid.quantity}, {grid.noun} {grid.selected}"
    spans = {"map": f"{_each(grid)} on its own scale", "layer": "all on one scale", "fixed": "fixed range"}
    return f"{grid.quantity}, {spans[_scale(grid)]}"
