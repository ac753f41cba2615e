"""A plotly figure on Matplotlib axes: curves, bars, marks, shapes and words, as far as the panels' charts have them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.views.chart_axes import Plots
from cnnwidgets.views.chart_points import draw_points
from cnnwidgets.views.paper import INK, MARK, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINT = 0.75
"""Matplotlib's points in a CSS pixel."""

STROKES: dict[str, Any] = {
    "solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3)), "longdashdot": (0, (8, 3, 1, 3)),
}  # fmt: skip

STEPS = {"hv": "steps-post", "vh": "steps-pre", "hvh": "steps-mid"}

MARKS = {"circle": "o", "square": "s", "diamond": "D", "cross": "P", "x": "X", "star": "*", "triangle-up": "^"}

PLACES = {"left": "left", "right": "right", "center": "center", "top": "top", "bottom": "bottom", "middle": "center"}

CYCLE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
"""plotly's colors for curves that say none."""


def numbers_of(values: Any, columns: Mapping[str, bytes]) -> np.ndarray:
    """The numbers of a trace, from a list, plotly's base64 array or a column beside the figure; words as they are."""
    if isinstance(values, dict):
        content = columns[values["column"]] if "column" in values else base64.b64decode(values["bdata"])
        return np.frombuffer(content, values["dtype"]).astype(float)
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return np.array([np.nan if value is None else value for value in values], float)
    return np.array(values, object)


def color_of(color: Any) -> Any:
    """A CSS color as Matplotlib takes it."""
    if isinstance(color, str) and (parts := re.fullmatch(r"rgba?\(([^)]*)\)", color)):
        red, green, blue, *alpha = (float(part) for part in parts[1].split(","))
        return (red / 255, green / 255, blue / 255, *alpha)
    return [color_of(one) for one in color] if isinstance(color, list) else color


def words_of(text: str) -> str:
    """A text without plotly's markup."""
    return re.sub(r"<[^>]*>", "", text.replace("<br>", "\n"))


class ChartStill:
    """Draws the figure of a chart.

    Parameters:
        spec: the figure, as plotly's JSON has it.
        columns: numbers of long columns, by name.
        appended: (points, 2) float64, x and y that were appended to curves, by their number as text.
        marked: number of the point that is marked in each curve with a ``selected`` style; -1 for none.
    """

    def __init__(
        self, spec: Mapping[str, Any], columns: Mapping[str, bytes], appended: Mapping[str, bytes], marked: int, axes: Axes
    ):
        self.layout, self.spec = spec.get("layout", {}), spec["data"]
        self.columns, self.appended, self.marked = columns, appended, marked
        self.traces = [trace for trace in spec["data"] if trace.get("visible", True) is True]
        self.plots = Plots(self.layout, [*dict.fromkeys(map(_axes_of, self.traces))], axes)
        self.before: dict[Any, tuple[np.ndarray, np.ndarray]] = {}
        numbered = enumerate(spec["data"])
        for number, trace in ((k, trace) for k, trace in numbered if trace.get("visible", True) is True):
            self._draw(number, trace, self.plots.at(_axes_of(trace)))
        for shape in self.layout.get("shapes", ()):
            self._draw_shape(shape)
        for note in self.layout.get("annotations", ()):
            self._write(note)
        self.plots.dress(self._in_legend())

    def _points(self, number: int, trace: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        y = numbers_of(trace.get("y") or [], self.columns)
        if trace.get("x") is None:
            x = trace.get("x0", 0) + np.arange(len(y)) * trace.get("dx", 1)
        else:
            x = numbers_of(trace["x"], self.columns)
        if more := self.appended.get(str(number)):
            pairs = np.frombuffer(more, np.float64).reshape(-1, 2)
            x, y = np.r_[x, pairs[:, 0]], np.r_[y, pairs[:, 1]]
        return x, y

    def _draw(self, number: int, trace: Mapping[str, Any], axes: Axes) -> None:
        kind = trace.get("type", "scatter")
        if kind == "bar":
            self._draw_bars(number, trace, axes)
        elif kind in ("scatter", "scattergl"):
            self._draw_curve(number, trace, axes)
        else:
            axes.text(0.5, 0.5, f"a {kind} needs the browser", transform=axes.transAxes, ha="center")

    def _draw_curve(self, number: int, trace: Mapping[str, Any], axes: Axes) -> None:
        x, y = self._points(number, trace)
        line, mark = trace.get("line") or {}, trace.get("marker") or {}
        mode = trace.get("mode") or ("lines+markers" if len(x) < 20 else "lines")
        given = str(mark.get("symbol", "circle"))
        symbol, size = MARKS.get(given.removesuffix("-open"), "o"), mark.get("size", 6)
        if "markers" in mode and mark.get("colorscale"):
            values = numbers_of(mark["color"], self.columns)
            draw_points(axes, x, y, values, mark, symbol.lower(), POINT * size, words_of(trace.get("name", "")))
            return
        color = color_of(line.get("color") or mark.get("color") or CYCLE[number % len(CYCLE)])
        step, edge = STEPS.get(line.get("shape", ""), "default"), mark.get("line") or {}
        if trace.get("fill") == "tonexty" and _axes_of(trace) in self.before:
            below = self.before[_axes_of(trace)][1]
            count = min(len(below), len(y))
            fill = color_of(trace.get("fillcolor", color))
            axes.fill_between(x[:count], below[:count], y[:count], color=fill, linewidth=0)
        elif trace.get("fill") == "toself":
            axes.fill(x, y, color=color_of(trace.get("fillcolor", color)), linewidth=0)
        self.before[_axes_of(trace)] = x, y
        width = line.get("width", 2) * POINT if "lines" in mode else 0.0
        axes.plot(
            x, y, color=color, linestyle=STROKES.get(line.get("dash", "solid"), "-") if width else "", linewidth=width,
            drawstyle=step, marker=symbol if "markers" in mode else "", label=words_of(trace.get("name", "")),
            markersize=POINT * (size if isinstance(size, (int, float)) else 6), markeredgewidth=POINT * edge.get("width", 0),
            markerfacecolor="none" if given.endswith("-open") else color_of(mark["color"]) if mark.get("color") else color,
            markeredgecolor=color_of(edge.get("color", color)),
        )  # fmt: skip
        if trace.get("selected") and 0 <= self.marked < len(x):
            style = trace["selected"].get("marker") or {}
            big = POINT * style.get("size", 10)
            axes.plot(x[self.marked], y[self.marked], symbol, color=style.get("color", MARK), markersize=big, label="")

    def _draw_bars(self, number: int, trace: Mapping[str, Any], axes: Axes) -> None:
        from matplotlib.colors import to_rgba

        x, y = self._points(number, trace)
        lying, mark = trace.get("orientation") == "h", trace.get("marker") or {}
        at, sizes = (y, x) if lying else (x, y)
        colors = color_of(mark.get("color") or CYCLE[number % len(CYCLE)])
        colors = [*colors] if isinstance(colors, list) else [colors] * len(at)
        seen = np.full(len(colors), float(mark.get("opacity", 1)))
        if trace.get("selected") and 0 <= self.marked < len(colors):
            style = trace["selected"].get("marker") or {}
            colors[self.marked] = color_of(style.get("color", MARK))
            seen[self.marked] = style.get("opacity", 1)
        colors = [to_rgba(color, alpha) for color, alpha in zip(colors, seen, strict=True)]
        thick = 1 - self.layout.get("bargap", 0.2)
        look: dict[str, Any] = {"color": colors, "label": words_of(trace.get("name", ""))}
        error = (trace.get("error_x" if lying else "error_y") or {}).get("array")
        if error is not None:
            look["xerr" if lying else "yerr"] = numbers_of(error, self.columns)
        named = at.dtype == object
        places = np.arange(len(at)) if named else at
        (axes.barh if lying else axes.bar)(places, sizes, thick, **look)
        if named:
            labels = (axes.set_yticks if lying else axes.set_xticks)(places, [words_of(str(name)) for name in at])
            for label in (axes.get_yticklabels if lying else axes.get_xticklabels)() if labels else ():
                label.set_parse_math(False)
        if trace.get("text") and trace.get("textposition", "auto") != "none":
            for place, size, text in zip(places, sizes, trace["text"], strict=True):
                where = (0.01 * max(sizes), place) if lying else (place, size)
                anchor: dict[str, Any] = {"ha": "left", "va": "center"} if lying else {"ha": "center", "va": "top"}
                axes.text(*where, str(text), color="white", fontsize=TEXT, parse_math=False, **anchor)

    def _draw_shape(self, shape: Mapping[str, Any]) -> None:
        axes = self.plots.of(shape)
        x, y = ([shape[f"{letter}{k}"] for k in (0, 1)] for letter in "xy")
        line = shape.get("line") or {}
        over = {"transform": self.plots.transform(shape, axes), "zorder": 0.5 if shape.get("layer") == "below" else 2.5}
        if shape["type"] == "line":
            stroke = STROKES.get(line.get("dash", "solid"), "-")
            axes.plot(
                x, y, color=color_of(line.get("color", INK)), linewidth=POINT * line.get("width", 2), linestyle=stroke,
                scalex=False, scaley=False, label="", **over,
            )  # fmt: skip
        elif shape["type"] == "rect":
            from matplotlib.patches import Rectangle

            axes.add_artist(
                Rectangle(
                    (x[0], y[0]), x[1] - x[0], y[1] - y[0], facecolor=color_of(shape.get("fillcolor", "none")),
                    alpha=shape.get("opacity"), edgecolor=color_of(line.get("color", INK)),
                    linewidth=POINT * line.get("width", 2), clip_path=axes.patch, **over,
                )
            )  # fmt: skip

    def _write(self, note: Mapping[str, Any]) -> None:
        axes, font = self.plots.of(note), note.get("font") or {}
        look = {
            "ha": PLACES.get(note.get("xanchor", "center"), "center"),
            "va": PLACES.get(note.get("yanchor", "middle"), "center"),
            "color": color_of(font.get("color", INK)),
            "fontsize": POINT * font.get("size", 12),
        }
        shift = POINT * note.get("xshift", 0), POINT * note.get("yshift", 0)
        axes.annotate(
            words_of(note.get("text", "")), (note.get("x", 0.5), note.get("y", 0.5)), shift,
            self.plots.transform(note, axes), "offset points", parse_math=False, **look,
        )  # fmt: skip

    def name_ends(self, numbers: Sequence[int]) -> None:
        """Write the names of some curves at their ends, spread so that none hides another."""
        named: dict[Any, list[tuple[float, float, str]]] = {}
        for number in numbers:
            trace = self.spec[number]
            x, y = self._points(number, trace)
            if (known := np.flatnonzero(np.isfinite(y))).size:
                name = words_of(str(trace.get("meta") or trace.get("name", "")))
                named.setdefault(self.plots.at(_axes_of(trace)), []).append((float(x[known[-1]]), float(y[known[-1]]), name))
        for axes, ends in named.items():
            low, high = axes.get_ylim()
            apart, before = 0.07 * (high - low), float("-inf")
            for at, value, name in sorted(ends, key=lambda end: end[1]):
                before = max(min(max(value, low), high), before + apart)
                axes.annotate(
                    name, (at, before), (3, 0), textcoords="offset points", va="center", fontsize=TEXT - 1, color=INK,
                    parse_math=False, annotation_clip=False,
                )  # fmt: skip

    def _in_legend(self) -> set[str]:
        """The names that the legend has."""
        asked = self.layout.get("showlegend", len(self.traces) > 1 or any(one.get("showlegend") for one in self.traces))
        shown = [trace for trace in self.traces if trace.get("showlegend", True) and trace.get("name")]
        return {words_of(trace["name"]) for trace in shown} if asked else set()


def _axes_of(trace: Mapping[str, Any]) -> tuple[str, str]:
    return trace.get("xaxis") or "x", trace.get("yaxis") or "y"


def draw_line(axes: Axes, x: float, label: str) -> None:
    """Draw the vertical line that is dragged, and what it says."""
    axes.axvline(x, color=MARK, linewidth=2.2, zorder=3, label="")
    low, high = axes.get_xlim()
    part = axes.transAxes.inverted().transform(axes.transData.transform((x, 0)))[0]
    side: Sequence[Any] = (6, "left") if part < 0.7 else (-6, "right")
    axes.annotate(
        label, (x, 1), (side[0], -4), axes.get_xaxis_transform(), "offset points", ha=side[1], va="top", fontsize=TEXT + 1,
        color=INK, parse_math=False, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}, zorder=4,
    )  # fmt: skip
    axes.set_xlim(low, high)


def draw_box(axes: Axes, box: Sequence[float]) -> None:
    """Draw the box [x0, y0, x1, y1]."""
    from matplotlib.patches import Rectangle

    x, y, right, top = box
    look: dict[str, Any] = {"facecolor": MARK, "alpha": 0.25, "edgecolor": INK, "linewidth": 1.5, "linestyle": "--"}
    axes.add_artist(Rectangle((x, y), right - x, top - y, zorder=1.5, clip_path=axes.patch, **look))


def draw_places(axes: Axes, places: Sequence[tuple[float, str]]) -> None:
    """Draw the named places along the x axis, one name below the other."""
    for row, (x, words) in enumerate(places, 1):
        axes.axvline(x, color="0.4", linewidth=0.8, linestyle=":", zorder=2, label="")
        axes.annotate(
            words, (x, 1), (4, -4 - 11 * row), axes.get_xaxis_transform(), "offset points", va="top", fontsize=TEXT,
            color=INK, parse_math=False, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}, zorder=4,
        )  # fmt: skip
