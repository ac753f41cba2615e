"""The still of a MapTable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.numbers import number
from cnnwidgets.views.paper import DIM, GAP, MARK, SMALL, TEXT, TITLE, Paper, gray, inches, line_of, picture_of, wrapped

if TYPE_CHECKING:
    from cnnwidgets.views.map_table import MapTable

WIDEST, NARROWEST = 12.5, 1.2
"""Inches that the picture and all maps take together, and the least of one; more maps make it wider."""

NOTES, SPOT = 4, 0.07
"""Lines of notes below a map, and inches of the cursor on it."""


def draw_table(table: MapTable, paper: Paper) -> None:
    """Draw the picture, the maps over it, what is written with each, and what the colors mean."""
    (rows, columns), count = table.shape, len(table.columns)
    if not (rows * columns and count and table.rows):
        return
    room = min(inches(table.width), max(NARROWEST, WIDEST / (count + 1) - GAP))
    width = min(room, inches(table.width) * columns / rows)
    picture = picture_of(table.pixels, table.shape)
    y = 0.0
    for i, name in enumerate(table.rows):
        titles = [name, *table.columns]
        top = y + line_of(TITLE) * max(len(wrapped(title, room, TITLE, 2)) for title in titles) + 0.03
        for j, title in enumerate(titles):
            paper.text(j * (room + GAP), y, title, size=TITLE, width=room, lines=2, fontweight="bold")
        ends = [top]
        if i == 0:
            ends.append(paper.image(0, top, width, width * rows / columns, picture))
        for j in range(count):
            place = (j + 1) * (room + GAP), top, width, width * rows / columns
            ends.append(_draw_cell(table, paper, i * count + j, place, picture))
        y = max(ends) + GAP
    _draw_legend(table, paper, y)


def _draw_cell(table: MapTable, paper: Paper, index: int, place: tuple[float, ...], picture: np.ndarray) -> float:
    x, y, width, height = place
    about, values = table.cells[index], table.map(index)
    if values is None:
        paper.rectangle(x, y, width, height, fill=False, edgecolor="0.8", linewidth=0.8)
        paper.text(x + 0.06, y + 0.06, about["text"], width=width - 0.12, lines=int(height / line_of(TEXT)), color=DIM)
        return paper.take(x + width, y + height)
    rows, columns = table.shape
    paper.image(x, y, width, height, gray(picture))
    smooth = "bilinear" if values.shape[0] < rows else "nearest"
    shown = {"for": np.maximum, "against": np.minimum}[table.sign](values, 0) if _one_sided(table, about) else values
    cmap, low = ("RdBu_r", -about["scale"]) if about["signed"] else ("viridis", 0)
    look = {"interpolation": smooth, "cmap": cmap, "vmin": low, "vmax": about["scale"]}
    paper.image(x, y, width, height, shown, alpha=table.opacity, **look)
    paper.lines([[(x + a * width / columns, y + b * height / rows) for a, b in edge] for edge in _edges(table)], MARK, 1.6)
    told = f"{number(low)} to {number(about['scale'])}"
    if len(table.cursor) == 2:
        row, column = map(round, table.cursor)
        at_row, at_column = (
            min(max(int((at + 0.5) * size / whole), 0), size - 1)
            for at, size, whole in zip((row, column), values.shape, table.shape, strict=True)
        )
        told += f" · here {number(float(values[at_row, at_column]))}"
        spot = x + (column + 0.5) * width / columns - SPOT / 2, y + (row + 0.5) * height / rows - SPOT / 2
        paper.frame(*spot, SPOT, SPOT, "#ffffff", 1)
    below = paper.text(x, y + height + 0.03, told, width=width, lines=2)
    if about["quantity"]:
        below = paper.text(x, below, about["quantity"], size=SMALL, width=width, color=DIM)
    return paper.text(x, below, about["text"], size=SMALL, width=width, lines=NOTES, color=DIM)


def _one_sided(table: MapTable, about: dict[str, Any]) -> bool:
    return about["signed"] and table.sign != "both"


def _edges(table: MapTable) -> list[list[tuple[int, int]]]:
    """The outline of the mask, as lines between (column, row)."""
    if not table.mask:
        return []
    inside = np.pad(np.frombuffer(table.mask, np.uint8).reshape(table.shape) > 0, 1).astype(int)
    lying, standing = np.diff(inside, axis=0)[:, 1:-1], np.diff(inside, axis=1)[1:-1]
    flat = [[(j, i), (j + 1, i)] for i, j in np.argwhere(lying).tolist()]
    return flat + [[(j, i), (j, i + 1)] for i, j in np.argwhere(standing).tolist()]


def _draw_legend(table: MapTable, paper: Paper, y: float) -> None:
    """A color bar for each kind of map that there is; the numbers stand below each map."""
    drawn = [about for about in table.cells if "shape" in about]
    x = 0.0
    if any(about["signed"] for about in drawn):
        shown = {"both": "", "for": " (shown: for)", "against": " (shown: against)"}[table.sign]
        low, high = ("against", "for") if table.sided else ("lowest", "highest")
        paper.bar(x, y, "diverging", -1.0, 1.0, words=(low, "0" + shown, high))
        x += 3.0
    if not all(about["signed"] for about in drawn):
        paper.bar(x, y, "viridis", 0.0, 1.0, words=("0", "", "highest"))
