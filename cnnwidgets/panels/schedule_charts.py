"""The charts and the still picture of a SchedulePlayground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.methods import Schedule
from cnnwidgets.methods.schedules import title
from cnnwidgets.panels import twin
from cnnwidgets.panels.curves import FONT, LAYOUT, STROKES, dress, look, short
from cnnwidgets.views.palette import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rates(schedules: Sequence[Schedule], selected: int, *, log: bool, unit: str, knots: Any = None) -> Any:
    """The schedules as a plotly figure: curve k is schedule k; the knots of a drawn one come after them.

    It is made of one dictionary, for plotly takes ten times as long to add a curve or a title to a figure.
    """
    import plotly.graph_objects as go

    curves = [
        _curve(k, one.steps, one.lr, name=short(title(one.spec)), width=4 if k == selected else 2)
        for k, one in enumerate(schedules)
    ]
    if knots:
        at, values = knots
        mark = {"color": look(selected)[0], "size": 14, "line": {"color": "#ffb000", "width": 3}}
        aside = {"hoverinfo": "skip", "showlegend": False, "name": "knots"}
        curves.append({"x": at, "y": values, "mode": "markers", "marker": mark, **aside})
    kind = {"type": "log", "dtick": 1, "exponentformat": "power"} if log else {"rangemode": "tozero"}
    layout = LAYOUT | {
        "uirevision": "kept",
        "xaxis": {"title": {"text": unit, **FONT}},
        "yaxis": {"title": {"text": "learning rate", **FONT}, **kind},
    }
    if moved := [k for k, one in enumerate(schedules) if one.moves_momentum]:
        curves += [
            _curve(k, schedules[k].steps, schedules[k].momentum, name=f"{title(schedules[k].spec)}, momentum", width=2)
            | {"yaxis": "y2", "showlegend": False}
            for k in moved
        ]
        layout["xaxis"]["anchor"] = "y2"
        layout["yaxis"]["domain"] = [0.36, 1]
        layout["yaxis2"] = {"title": {"text": "momentum", **FONT}, "domain": [0, 0.28]}
    return go.Figure({"data": curves, "layout": layout})


def _curve(number: int, x: np.ndarray, y: np.ndarray, *, name: str, width: int) -> dict[str, Any]:
    color, dash = look(number)
    line = {"color": color, "dash": dash, "width": width, "shape": "hv"}
    return {"x": x, "y": y, "name": name, "mode": "lines", "line": line, "hoverinfo": "none"}


def losses(values: Sequence[float], knots: Sequence[Sequence[float]], unit: str) -> Any:
    """The validation loss that drives a plateau; curve 1 are the knots that it is drawn by, if it is."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        y=list(values), name="validation loss", mode="lines", line={"color": GREY, "width": 2}, hoverinfo="none"
    )
    if knots:
        at, heights = zip(*knots, strict=True)
        mark = {"color": GREY, "size": 13, "line": {"color": "#ffb000", "width": 3}}
        figure.add_scatter(x=at, y=heights, mode="markers", marker=mark, hoverinfo="skip", showlegend=False, name="knots")
    return dress(figure, unit, "validation loss", yaxis_rangemode="tozero")


def still(schedules: Sequence[Schedule], *, log: bool, unit: str) -> Figure:
    """The rates, and the momentum of those that move it, as a Matplotlib figure."""
    moved = [k for k, one in enumerate(schedules) if one.moves_momentum]
    figure = twin.new_figure(9.0, 6.0 if moved else 4.2)
    rows = 2 if moved else 1
    axes = np.atleast_1d(figure.subplots(rows, 1, sharex=True, height_ratios=[0.7, 0.3][:rows]))
    for k, one in enumerate(schedules):
        color, stroke = look(k)[0], STROKES[k % len(STROKES)]
        axes[0].step(one.steps, one.lr, where="post", color=color, linestyle=stroke, linewidth=2, label=title(one.spec))
        if k in moved:
            axes[1].step(one.steps, one.momentum, where="post", color=color, linestyle=stroke, linewidth=2)
    axes[0].set(ylabel="learning rate", yscale="log" if log else "linear")
    axes[-1].set_xlabel(unit)
    if moved:
        axes[1].set_ylabel("momentum")
    for text in axes[0].legend(fontsize=9).get_texts():
        text.set_parse_math(False)  # a name with dollars in it is a name
    return figure
