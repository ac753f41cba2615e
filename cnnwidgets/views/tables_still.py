"""The still of NumberTables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.views.paper import DIM, INK, LETTER, MARK, TABLES, TEXT, Paper, line_of, wrapped

if TYPE_CHECKING:
    from cnnwidgets.views.number_tables import NumberTables

CELL = 0.4
"""Inches of a cell."""

GAP, TITLE, HEADED, SIGN = 0.36, 0.36, 0.2, 0.2
"""Inches between columns of tables, of a title above one, of a heading above that, and of a sign before one."""

PALE = 2.2
"""The last color stands for so many times the largest number: what is written on it must be read."""

LINES = 2


def draw_tables(view: NumberTables, paper: Paper) -> None:
    """Draw the tables as far as they are shown at the step, and what happens in it."""
    places = list(_places(view.tables))
    if not places:
        return
    width = max(x + wide for _, x, _, wide in places)
    step = min(view.step, len(view.steps) - 1)
    told = view.steps[step] if view.steps else ""
    top = paper.text(0, 0, told, size=10, width=max(width, 4.0), lines=4) + 0.08
    limit = PALE * max((abs(value) for one in view.tables for value in one["values"]), default=0) or 1.0
    headed = ""
    for one, x, y, wide in places:
        if one["row"] != headed:
            headed = one["row"]
            paper.text(0, top + y - TITLE - (HEADED if one["column"] else 0) - line_of(TEXT) - 0.04, headed, color=DIM)
        _draw(one, paper, x, top + y, wide, view.step, limit)


def _rows_of(one: dict[str, Any]) -> int:
    return len(one["values"]) // one["columns"]


def _places(tables: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], float, float, float]]:
    """Each table with the left and upper end of its cells' column, and the width of that."""
    top = 0.0
    columns = [list(group) for _, group in groupby(tables, lambda one: one["column"] or one["name"])]
    for _, members in groupby(columns, lambda column: column[0]["row"]):
        x, top = 0.0, top + line_of(TEXT) + 0.04
        bottom = top
        for column in members:
            y = top + (HEADED if column[0]["column"] else 0.0)
            x += SIGN if column[0]["sign"] not in ("", "↓") else 0.0
            heading = LETTER * 9.5 / 72 * len(column[0]["column"])
            longest = max(len(one["title"]) for one in column) if column[0]["column"] else 0
            title = LETTER * 8 / 72 * (longest + 1) - 0.9 * GAP
            width = max(2 * CELL, heading, title, *(one["columns"] * CELL for one in column))
            for one in column:
                y += TITLE
                yield one, x, y, width
                y += _rows_of(one) * CELL + 0.06
            x, bottom = x + width + GAP, max(bottom, y)
        top = bottom + GAP / 2


def _draw(one: dict[str, Any], paper: Paper, x: float, y: float, room: float, step: int, limit: float) -> None:
    rows, columns = _rows_of(one), one["columns"]
    wide, tall = columns * CELL, rows * CELL
    now = one["step"] == step > 0
    middle, color = x + room / 2, INK if now else DIM
    title = wrapped(one["title"], room + 0.9 * GAP, 8, LINES)
    paper.text(middle, y - 0.04 - len(title) * line_of(8), "\n".join(title), size=8, lines=LINES, ha="center", color=color)
    if one["column"] and one["sign"] != "↓":
        paper.text(middle, y - TITLE - HEADED + 0.02, one["column"], size=9, ha="center", fontweight="bold")
    if one["sign"]:
        at = (x - SIGN - 0.06, y + tall / 2 - 0.1) if one["sign"] != "↓" else (x + 0.05, y - TITLE + 0.1)
        paper.text(*at, one["sign"], size=12, color=DIM)
    paper.take(x + room, y + tall)
    x = middle - wide / 2
    if one["step"] > step:
        paper.rectangle(x, y, wide, tall, fill=False, edgecolor=DIM, linewidth=0.8, linestyle=":")
        return
    values = np.reshape(one["values"], (rows, columns))
    paper.image(x, y, wide, tall, values, cmap=TABLES["diverging"], vmin=-limit, vmax=limit)
    for k, (text, was) in enumerate(zip(one["texts"], one["was"], strict=True)):
        left, top = x + k % columns * CELL, y + k // columns * CELL
        if was:
            paper.rectangle(left, top, CELL, CELL, fill=False, hatch="///", edgecolor="0.75")
            paper.text(left + CELL - 0.03, top + 0.02, was, size=6.5, ha="right")
            length = 0.05 * len(was) + 0.04
            paper.lines([[(left + CELL - 0.02 - length, top + 0.12), (left + CELL - 0.01, top + 0.02)]], "#c62828", 0.8)
        size = 11 if len(text) < 5 else 7
        paper.text(left + CELL / 2, top + CELL * (0.62 if was else 0.5), text, size=size, ha="center", va="center")
    rules = [[(x, y + k * CELL), (x + wide, y + k * CELL)] for k in range(1, rows)]
    rules += [[(x + k * CELL, y), (x + k * CELL, y + tall)] for k in range(1, columns)]
    paper.lines(rules, "0.75")
    if now:
        paper.frame(x, y, wide, tall, MARK, 1.2)
    else:
        paper.rectangle(x, y, wide, tall, fill=False, edgecolor=INK, linewidth=0.8)
