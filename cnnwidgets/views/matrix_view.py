"""Numbers in cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets as t

from cnnwidgets.numbers import number
from cnnwidgets.views.palette import ink_on
from cnnwidgets.views.paper import DIM, GAP, SMALL, TABLES, Paper, line_of
from cnnwidgets.views.view import View, numbers

MOST_NUMBERS = 7
"""Most columns of a matrix whose cells have numbers; larger kernels are dots, which fit side by side."""

WIDE = 6.5
"""Inches across which matrices lie side by side."""


class MatrixView(View, module="matrix_view.js"):
    """Small matrices side by side, a number in every cell, colored around zero on one scale."""

    values = t.Bytes(help="(matrices, rows, columns) float32").tag(sync=True)
    shape = t.List(t.Int(), [0, 0, 0], help="[matrices, rows, columns]").tag(sync=True)
    titles = t.List(t.Unicode(), help="one title above each matrix").tag(sync=True)
    caption = t.Unicode(help="a line below them").tag(sync=True)
    height = t.Int(0, help="largest height of the matrices in CSS pixels, more is scrolled; 0 for any").tag(sync=True)

    def show(self, matrices: np.ndarray, titles: Sequence[str] = (), caption: str = "") -> None:
        """Show float matrices (matrices, rows, columns)."""
        with self.hold_sync():
            self.values, self.shape = numbers(matrices), list(np.shape(matrices))
            self.titles, self.caption = list(titles), caption

    def draw_on(self, paper: Paper) -> None:
        count, rows, columns = self.shape
        matrices = np.frombuffer(self.values, np.float32).reshape(self.shape)
        limit = float(np.abs(matrices).max(initial=0)) or 1.0
        w, h = (0.44, 0.24) if columns <= MOST_NUMBERS else (0.1, 0.1)
        x = y = bottom = 0.0
        for k in range(count):
            title = self.titles[k] if k < len(self.titles) else ""
            width = max(columns * w, 1.6)
            if x and x + width > WIDE:
                x, y = 0.0, bottom + GAP
            paper.text(x, y, title, width=width, lines=2)
            top = y + (2 if any(len(one) > 26 for one in self.titles) else 1) * line_of(8.5) + 0.03
            self._draw_matrix(paper, x, top, w, h, matrices[k], limit)
            bottom = paper.take(x + width, top + rows * h)
            x += width + 2 * GAP
        paper.text(0, bottom + 0.05, self.caption, width=WIDE, lines=2, color=DIM)

    def _draw_matrix(self, paper: Paper, x: float, y: float, w: float, h: float, matrix: np.ndarray, limit: float) -> None:
        from matplotlib import colormaps

        rows, columns = matrix.shape
        paper.image(x, y, columns * w, rows * h, matrix, cmap=TABLES["diverging"], vmin=-limit, vmax=limit)
        if columns > MOST_NUMBERS:
            return
        table = colormaps[TABLES["diverging"]]
        for (i, j), value in np.ndenumerate(matrix):
            color = ink_on(table(0.5 + value / limit / 2)[:3])
            text = number(round(float(value), 3))
            paper.text(x + (j + 0.5) * w, y + (i + 0.5) * h, text, size=SMALL, ha="center", va="center", color=color)
