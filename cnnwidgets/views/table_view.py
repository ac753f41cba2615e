"""A table to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets as t

from cnnwidgets.views.paper import DIM, INK, LETTER, SMALL, Paper, inches
from cnnwidgets.views.view import View

ROW = 0.2
"""Inches of a row."""

WIDEST = 22
"""Letters of a cell that are shown."""


class TableView(View, module="table_view.js"):
    """A table of which one row is selected; the arrow keys move through it."""

    without_kernel: Mapping[str, Any] = {"locked": True}

    heads = t.List(t.Unicode(), help="names of the columns").tag(sync=True)
    rows = t.List(t.List(t.Unicode()), help="cells, row by row").tag(sync=True)
    left = t.Int(1, help="how many columns are aligned to the left").tag(sync=True)
    spare = t.Int(-1, help="the column that is left out where there is no room for all; -1 for none").tag(sync=True)
    selected = t.Int(-1, help="index of the selected row; -1 for none").tag(sync=True)
    locked = t.Bool(False, help="whether a user cannot change the selection").tag(sync=True)
    height = t.Int(250, help="largest height in CSS pixels; more is scrolled").tag(sync=True)
    description = t.Unicode(help="what the table lists, for screen readers").tag(sync=True)

    def draw_on(self, paper: Paper) -> None:
        cells = [self.heads, *self.rows]
        widths = [min(WIDEST, max(map(len, column))) * LETTER * SMALL / 72 + 0.12 for column in zip(*cells, strict=True)]
        ends = [sum(widths[: k + 1]) for k in range(len(widths))]
        seen = self._seen()
        for y, number in enumerate([-1, *seen]):
            for k, text in enumerate(cells[number + 1]):
                x, ha = (ends[k] - widths[k] + 0.05, "left") if k < self.left else (ends[k] - 0.05, "right")
                weight = "bold" if number < 0 else "normal"
                look: dict[str, Any] = {"fontweight": weight, "color": DIM if y == 0 else INK}
                paper.text(x, y * ROW + 0.045, text, size=SMALL, width=widths[k], ha=ha, **look)
            if number == self.selected >= 0:
                paper.frame(0.01, y * ROW, sum(widths) - 0.02, ROW, thickness=1.5)
        bottom = paper.take(sum(widths), (len(seen) + 1) * ROW)
        paper.lines([[(0, ROW), (sum(widths), ROW)]], "0.75")
        if len(seen) < len(self.rows):
            paper.text(0.05, bottom + 0.03, f"… {len(self.rows) - len(seen)} more rows", size=SMALL, color=DIM)

    def _seen(self) -> range:
        """The rows that there is room for, the selected one among them."""
        room = max(1, int(inches(self.height) / ROW) - 1)
        last = min(len(self.rows), max(room, self.selected + 1))
        return range(max(0, last - room), last)
