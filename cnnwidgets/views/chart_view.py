"""Curves and bars."""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import TYPE_CHECKING

import traitlets as t

from cnnwidgets.views.view import View

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class ChartView(View, module="chart_view.js"):
    """An ordinary plotly figure, drawn by plotly.js, which is sent at most once a page.

    >>> chart = ChartView()
    >>> chart.show(plotly.graph_objects.Figure(...))

    (A plotly ``FigureWidget`` sends the 5 MB library with every figure, and keeps it in every saved notebook.)
    """

    figure = t.Unicode(help="the figure as plotly's JSON").tag(sync=True)
    marked = t.Int(-1, help="number of the first curve's point that is marked, by its ``selected`` style; -1 for none").tag(
        sync=True
    )
    clicked = t.List(t.Int(), help="[curve, point] that was clicked last").tag(sync=True)
    height = t.Int(240, help="height in CSS pixels").tag(sync=True)
    description = t.Unicode("chart", help="what the chart says, for those who cannot see it").tag(sync=True)

    def __init__(self, **traits):
        super().__init__(**traits)
        self.on_msg(self._answer)

    def show(self, figure: Figure, description: str) -> None:
        """Show a figure, with a sentence that says what it shows."""
        with self.hold_sync():
            self.figure, self.description = figure.to_json(), description

    def _answer(self, _, message, buffers) -> None:
        if message.get("kind") == "plotly":
            self.send({"kind": "plotly"}, buffers=[plotly_bundle()])


@lru_cache(maxsize=1)
def plotly_bundle() -> bytes:
    """plotly.js, gzipped: 1.5 MB."""
    from plotly.offline import get_plotlyjs

    return gzip.compress(get_plotlyjs().encode(), compresslevel=6)
