"""The charts of an OptimizerRace."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.measure import find_contours

from cnnwidgets.methods.descent import OPTIMIZERS, Descents
from cnnwidgets.methods.surfaces import SURFACES
from cnnwidgets.numbers import number
from cnnwidgets.views.curves import FONT, blank, dress, log_axis, look, needs_plotly
from cnnwidgets.views.palette import GRAY

LEVELS = 14
"""Contour lines."""

DECADES = 5
"""Powers of ten below the highest point that contour lines go down to."""

LOWEST = 1e-8
"""Where the axis of heights ends, as a share of the first height."""


def contours(found: Descents) -> tuple[np.ndarray, np.ndarray]:
    """x and y of all contour lines, with NaN between two; each is as many times higher than the one below as any other."""
    height = found.heights - SURFACES[found.surface].lowest
    top = float(height.max())
    parts = []
    for level in np.geomspace(top / 10**DECADES, top, LEVELS + 1)[:-1]:
        for line in find_contours(height, level):
            parts += [line, [[np.nan, np.nan]]]
    rows, columns = np.concatenate(parts).T if parts else np.empty((2, 0))
    return _at(found.x, columns), _at(found.y, rows)


def _at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where fractional places lie among equally spaced values."""
    return values[0] + places * (values[1] - values[0])


def color_of(name: str) -> str:
    """The color of an optimizer, whichever others there are."""
    return look([*OPTIMIZERS].index(name) if name in OPTIMIZERS else len(OPTIMIZERS))[0]


@needs_plotly
def empty() -> Any:
    """The axes of a surface; what plotly imports for points that are marked is imported here."""
    marked: dict[str, Any] = {"selected": {"marker": {"size": 13}}, "unselected": {"marker": {"opacity": 0.55}}}
    return blank("x", "y").add_scatter(x=[None], y=[None], showlegend=False, **marked)


@needs_plotly
def surface(found: Descents) -> tuple[Any, str]:
    """The paths over contour lines; the last curve is the start, which can be dragged."""
    import plotly.graph_objects as go

    about, figure = SURFACES[found.surface], go.Figure()
    x, y = contours(found)
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": GRAY, "width": 0.8},
        opacity=0.7,
        showlegend=False,
        hoverinfo="skip",
        name="height",
    )
    for one in found.each:
        color = color_of(one.name)
        figure.add_scatter(
            x=one.path[:, 0], y=one.path[:, 1], mode="lines+markers", name=one.name, line={"color": color, "width": 2},
            hovertemplate=f"{one.name}, step %{{pointNumber}}<extra></extra>",
            marker={"size": 4, "color": color}, unselected={"marker": {"opacity": 0.55}},
            selected={"marker": {"color": color, "size": 13, "opacity": 1}},
        )  # fmt: skip
    least = np.array(about.minima).T
    star = {"symbol": "star", "size": 14, "color": "#d55e00", "line": {"width": 1, "color": "white"}}
    figure.add_scatter(x=least[0], y=least[1], mode="markers", name="minimum", marker=star, hoverinfo="skip")
    start = found.each[0].path[0] if found.each else about.start
    ring = {"symbol": "circle-open", "size": 16, "color": "#d55e00", "line": {"width": 3, "color": "#d55e00"}}
    figure.add_scatter(x=[start[0]], y=[start[1]], mode="markers", name="start (drag)", marker=ring, hoverinfo="skip")
    (left, right), (low, high) = about.bounds
    axes = {"xaxis": {"range": [left, right], "zeroline": False}, "yaxis": {"range": [low, high], "zeroline": False}}
    figure = dress(figure, "x", "y", **axes, margin={"t": 52, "l": 50, "r": 12, "b": 40}, uirevision=found.surface)
    return figure, f"{about.title}: contour lines, and the paths of {', '.join(one.name for one in found.each)}"


@needs_plotly
def heights(found: Descents) -> tuple[Any, str]:
    """How far each path is above the minimum, step by step."""
    import plotly.graph_objects as go

    figure, above = go.Figure(), found.above
    first = max((float(values[0]) for values in above.values()), default=1.0) or 1.0
    for one in found.each:
        values = np.maximum(above[one.name], first * LOWEST / 10)
        figure.add_scatter(
            x=np.arange(len(values)), y=values, mode="lines", name=one.name, hovertemplate="%{y:.2~e} after step %{x}",
            line={"color": color_of(one.name), "width": 2.5},
        )  # fmt: skip
    axis = log_axis(first * LOWEST, first * 30, 6) | {"title": {"text": "height above the minimum (log)", **FONT}}
    figure = dress(figure, "step", "", xaxis={"range": [0, found.steps]}, showlegend=False)
    return figure.update_layout(yaxis=axis, margin={"t": 52, "l": 60, "r": 12, "b": 40}), (
        f"height above the minimum by step; the first is {number(first)}"
    )
