"""Tables of numbers as a still picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from cnnwidgets.panels import twin
from cnnwidgets.views import NumberTable
from cnnwidgets.views.number_tables import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.4
"""Inches; all other sizes are in cells."""

GAP, TITLE, HEADING, SENTENCE = 0.9, 1.3, 0.7, 1.6

PALE = 2.2
"""The last colour stands for so many times the largest number: what is written on it must be read."""


def still(tables: Sequence[NumberTable], step: int, sentence: str) -> Figure:
    """The tables as far as they are shown at a step, each an image with its numbers written on it."""
    places = list(_places(tables))
    width = max(x + size[1] for _, x, _, size in places) + 2 * GAP
    height = max(y + size[0] for _, _, y, size in places) + GAP
    figure = twin.new_figure(width * CELL, height * CELL)
    figure.set_layout_engine("none")  # the places are exact
    limit = PALE * max(float(np.abs(one.values).max()) for one in tables) or 1.0
    figure.text(GAP / width, 1 - 0.3 / height, textwrap.fill(sentence, int(width * 5.6)), va="top", fontsize=9)
    for one, x, y, (rows, columns) in places:
        axes = figure.add_axes(((x + GAP) / width, 1 - (y + rows) / height, columns / width, rows / height))
        if one.step <= step:
            _draw(axes, one, limit)
        title = textwrap.fill(one.title, max(24 if one.column else 12, 6 * columns))
        axes.set_title(f"{one.column}\n{title}" if one.column and one.sign != "↓" else title, fontsize=8)
        axes.set(xticks=[], yticks=[], xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    return figure


def _places(tables: Sequence[NumberTable]) -> Iterator[tuple[NumberTable, float, float, tuple[int, ...]]]:
    """Each table with the left and the upper end of its cells, and its rows and columns."""
    top = SENTENCE
    columns = [list(group) for _, group in groupby(tables, lambda one: one.column or one.name)]
    for _, members in groupby(columns, lambda column: column[0].row):
        x, bottom = 0.0, top
        for column in members:
            y = top + (HEADING if column[0].column else 0.0)
            width = max(one.values.shape[1] for one in column)
            for one in column:
                y += TITLE
                yield one, x + (width - one.values.shape[1]) / 2, y, one.values.shape
                y += one.values.shape[0]
            x, bottom = x + max(width, 2) + GAP, max(bottom, y)
        top = bottom + GAP / 2


def _draw(axes: Axes, table: NumberTable, limit: float) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(table.values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    for (i, j), value in np.ndenumerate(table.values):
        axes.text(
            j,
            i + 0.12 * table.zeroed[i, j],
            digits(value),
            ha="center",
            va="center",
            fontsize=11 if len(digits(value)) < 5 else 7,
        )
        if table.zeroed[i, j] and table.was is not None:
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="///", edgecolor="0.75", linewidth=0))
            axes.text(j + 0.44, i - 0.42, f"({digits(table.was[i, j])})", ha="right", va="top", fontsize=6)
    axes.set_xticks(np.arange(0.5, table.values.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, table.values.shape[0] - 1), minor=True)
    axes.grid(which="minor", color="0.75", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
