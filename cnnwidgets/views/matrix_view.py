"""Numbers in cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets as t

from cnnwidgets.views.view import View, numbers


class MatrixView(View, module="matrix_view.js"):
    """Small matrices side by side, a number in every cell, coloured around zero on one scale."""

    values = t.Bytes(help="(matrices, rows, columns) float32").tag(sync=True)
    shape = t.List(t.Int(), [0, 0, 0], help="[matrices, rows, columns]").tag(sync=True)
    titles = t.List(t.Unicode(), help="one line above each matrix").tag(sync=True)
    caption = t.Unicode(help="a line below them").tag(sync=True)

    def show(self, matrices: np.ndarray, titles: Sequence[str] = (), caption: str = "") -> None:
        """Show float matrices (matrices, rows, columns)."""
        with self.hold_sync():
            self.values, self.shape = numbers(matrices), list(np.shape(matrices))
            self.titles, self.caption = list(titles), caption
