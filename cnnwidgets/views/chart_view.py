"""Curves and bars."""

from __future__ import annotations

import binascii
import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from cnnwidgets.optional import MissingPackage
from cnnwidgets.views.chart_still import ChartStill, draw_box, draw_line, draw_places
from cnnwidgets.views.curves import needs_plotly
from cnnwidgets.views.paper import inches
from cnnwidgets.views.view import View, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from plotly.graph_objects import Figure

WIDTHS = (4.8, 8.0)
"""Least and most inches of a still's width."""

LONG_TEXT = 10_000
"""Characters of a column that may stay in the figure's JSON."""

POINT = 16
"""Bytes of an appended point."""


class ChartView(View, module="chart_view.js"):
    """An ordinary plotly figure, drawn by plotly.js, which is sent at most once a page.

    >>> chart = ChartView(readout=True)
    >>> chart.show(plotly.graph_objects.Figure(...), "the loss by step")
    >>> chart.extend({0: (steps, losses)})   # on, from any thread, without sending the figure again

    Long curves are drawn as the lowest and highest point of each pixel column, again after each zoom: no spike is lost.
    (A plotly ``FigureWidget`` sends the 5 MB library with every figure, and keeps it in every saved notebook.)
    """

    without_kernel: Mapping[str, Any] = {"fixed": True}

    figure = t.Unicode(help="the figure as plotly's JSON, with the names of its long columns").tag(sync=True)
    columns = t.Dict(help="the numbers of long columns, by name").tag(sync=True)
    appended = t.Dict(help="by curve number, as text: (points, 2) float64, the x and y that were appended to it").tag(
        sync=True,
        to_json=lambda value, view: dict(value),  # it may grow while it is on its way
    )
    library = t.Bytes(help="plotly.js, gzipped, for a kernel that is busy and cannot be asked for it; empty as a rule").tag(
        sync=True
    )
    marked = t.Int(-1, help="number of the marked point of every curve with a ``selected`` style; -1 for none").tag(
        sync=True
    )
    clicked = t.List(t.Int(), help="[curve, point] that was clicked last").tag(sync=True)
    hovered = t.List(t.Int(), help="[curve, point] under the pointer; empty for none").tag(sync=True)
    readout = t.Bool(False, help="whether a line below tells the values at the pointer").tag(sync=True)
    draggable = t.List(t.Int(), help="numbers of the curves whose points can be dragged, added and removed").tag(sync=True)
    dragged = t.List(t.Float(), help="[curve, point, x, y] of the point that was dragged last, and where it is").tag(
        sync=True
    )
    added = t.List(t.Float(), help="[x, y] where a point is wanted (double-click); empty once a figure is shown").tag(
        sync=True
    )
    removed = t.List(t.Int(), help="[curve, point] to remove (double-click, Delete); empty once a figure is shown").tag(
        sync=True
    )
    line = t.Float(None, allow_none=True, help="x of a vertical line that can be dragged; None for none").tag(sync=True)
    line_label = t.Unicode(help="what the line says").tag(sync=True)
    places: t.List = t.List(
        help="[x, words] of places along the line's axis, each with a button that puts the line there"
    ).tag(sync=True)
    boxable = t.Bool(False, help="whether dragging draws a box over the first subplot").tag(sync=True)
    box = t.List(t.Float(), help="[x0, y0, x1, y1] of that box, the lower numbers first; empty for none").tag(sync=True)
    ended = t.List(t.Int(), help="numbers of the curves whose names stand at their ends, too").tag(sync=True)
    fixed = t.Bool(False, help="whether nothing can be dragged or clicked, as where no kernel would answer").tag(sync=True)
    hint = t.Unicode(help="what a click on a point does, which the title says; empty for nothing").tag(sync=True)
    height = t.Int(240, help="height in CSS pixels").tag(sync=True)
    description = t.Unicode("chart", help="what the chart says, for those who cannot see it").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._lock = RLock()
        self._curves = self._figures = 0
        super().__init__(**traits)
        self.on_msg(self._answer)

    def still(self, axes: Axes) -> None:
        """Draw the figure with all its points on axes; where it has subplots, further ones share their room."""
        if not self.figure:
            axes.set_axis_off()
            return
        still = ChartStill(json.loads(self.figure), self.columns, self.appended, self.marked, axes)
        still.name_ends(self.ended)
        draw_places(axes, self.places)
        if self.box:
            draw_box(axes, self.box)
        if self.line is not None:
            draw_line(axes, self.line, self.line_label)

    @property
    def still_size(self) -> tuple[float, float]:
        height = max(2.4, inches(self.height))
        return min(max(WIDTHS[0], 2 * height), WIDTHS[1]), height

    def show(self, figure: Figure, description: str) -> None:
        """Show a figure, with a sentence that says what it shows; what was appended to the one before goes."""
        from plotly.io.json import to_json_plotly

        spec = figure.to_plotly_json()
        with self._lock, self.hold_sync():
            self._curves, self._figures = len(figure.data), self._figures + 1
            self.columns = _take_columns(spec, f"{self._figures}.")
            _thin_template(spec)
            self.figure, self.description = to_json_plotly(spec), description
            self.appended, self.added, self.removed = {}, [], []

    def extend(self, points: Mapping[int, tuple[ArrayLike, ArrayLike]]) -> None:
        """Append points to curves: curve number -> x and y values, NaN for a gap. Only these are sent.

        Raises:
            ValueError: if there is no such curve, or it would get unlike numbers of x and y values.
        """
        pairs = {curve: _pairs(curve, x, y) for curve, (x, y) in points.items()}
        with self._lock:
            if missing := [curve for curve in pairs if not 0 <= curve < self._curves]:
                raise ValueError(f"The figure has {self._curves} curves, numbered from 0: there is no {missing[0]}.")
            starts = []
            for curve, more in pairs.items():
                before = self.appended.get(str(curve), b"")
                self.appended[str(curve)] = before + more  # in place, so that the trait does not send the whole
                starts.append([curve, len(before) // POINT])
            self.send({"kind": "extend", "starts": starts}, buffers=list(pairs.values()))

    def bring(self, library: bool) -> None:
        """Send plotly.js along with the chart, or no longer: while a cell runs, the kernel cannot be asked for it."""
        with suppress(MissingPackage):
            self.library = plotly_bundle() if library else b""

    def _answer(self, _: Any, message: dict, buffers: Any) -> None:
        if message.get("kind") == "plotly":
            with suppress(MissingPackage):  # there is no chart without it either
                self.send({"kind": "plotly"}, buffers=[plotly_bundle()])
        elif message.get("kind") == "appended":  # a page that missed some of it
            with self._lock:
                self.send_state("appended")


def _take_columns(spec: dict, prefix: str) -> dict[str, bytes]:
    """Take long columns of x and y out of a figure, by names of their own: as text they would take three times as long.

    Equal columns are one, for curves often share their x.
    """
    names: dict[bytes, str] = {}
    for trace in spec["data"]:
        for axis in "xy":
            match trace.get(axis):
                case {"dtype": kind, "bdata": text, **more} if len(text) > LONG_TEXT and not more:
                    content = binascii.a2b_base64(text)
                case np.ndarray(dtype=np.dtype(kind="f" | "i" | "u")) as values if values.nbytes > LONG_TEXT:  # plotly 5
                    kind, content = "f8", numbers(values, np.float64)
                case _:
                    continue
            trace[axis] = {"dtype": kind, "column": names.setdefault(content, f"{prefix}{len(names)}")}
    return {name: content for content, name in names.items()}


def _thin_template(spec: dict) -> None:
    """Take out of a figure's template what it says of traces of other kinds than the figure's: half of a small figure."""
    kinds = {trace.get("type", "scatter") for trace in spec["data"]}
    match spec["layout"]:
        case {"template": {"data": dict(looks)} as template}:
            template["data"] = {kind: look for kind, look in looks.items() if kind in kinds}


def _pairs(curve: int, x: ArrayLike, y: ArrayLike) -> bytes:
    """Points as they are sent."""
    xs, ys = np.atleast_1d(x), np.atleast_1d(y)
    if xs.shape != ys.shape or xs.ndim != 1:
        raise ValueError(f"Curve {curve} wants as many x as y values, not {xs.shape} and {ys.shape}.")
    return numbers(np.column_stack([xs, ys]), np.float64)


@lru_cache(maxsize=1)
@needs_plotly
def plotly_bundle() -> bytes:
    """plotly.js, gzipped: 1.5 MB."""
    from plotly.offline import get_plotlyjs

    return gzip.compress(get_plotlyjs().encode(), compresslevel=6)
