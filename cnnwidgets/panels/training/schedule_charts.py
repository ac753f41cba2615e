"""The charts of a SchedulePlayground."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from cnnwidgets.methods import Schedule, schedule
from cnnwidgets.methods.schedule_curves import Curve, curves_of
from cnnwidgets.methods.schedule_presets import PRESETS
from cnnwidgets.views.curves import (
    FONT,
    LAYOUT,
    dress,
    in_legend,
    log_axis,
    look,
    more_groups,
    needs_plotly,
    short,
    untold_of,
)
from cnnwidgets.views.palette import GRAY

SPARKS = 24
"""Points of a preset's small line."""


@needs_plotly
def rates(schedules: Sequence[Schedule], selected: int, *, log: bool, unit: str, knots: Any = None) -> Any:
    """The schedules as a plotly figure: curve k is that of :func:`curves_of`; the knots of a drawn one come after them.

    It is made from one dictionary: plotly takes ten times as long to add a curve or a title to a figure.
    """
    import plotly.graph_objects as go

    drawn = curves_of(schedules)
    curves = [
        _curve(one, one.course.lr, width=4 if one.schedule == selected else 2)
        | ({"showlegend": in_legend(one.place, one.total)} if one.course.label else {})  # else as plotly does
        for one in drawn
    ]
    if knots:
        at, values = knots
        mark = {"color": look(selected)[0], "size": 14, "line": {"color": "#ffb000", "width": 3}}
        aside = {"hoverinfo": "skip", "showlegend": False, "name": "knots"}
        curves.append({"x": at, "y": values, "mode": "markers", "marker": mark, **aside})
    if untold := sum(untold_of(len(one.courses)) for one in schedules):
        curves.append(more_groups(untold))
    kind = _logarithmic(drawn) if log else {"rangemode": "tozero"}
    layout = LAYOUT | {
        "uirevision": "kept",
        "xaxis": {"title": {"text": unit, **FONT}},
        "yaxis": {"title": {"text": "learning rate", **FONT}, "hoverformat": ".6~g", **kind},
    }
    if moved := [one for one in drawn if one.course.moves_momentum]:
        curves += [
            _curve(one, one.course.momentum, width=2)
            | {"name": f"{', '.join(one.words)}, momentum", "yaxis": "y2", "showlegend": False}
            for one in moved
        ]
        layout["xaxis"]["anchor"] = "y2"
        layout["yaxis"]["domain"] = [0.36, 1]
        layout["yaxis2"] = {"title": {"text": "momentum", **FONT}, "domain": [0, 0.28], "hoverformat": ".6~g"}
    return go.Figure({"data": curves, "layout": layout})


def _logarithmic(drawn: Sequence[Curve]) -> dict[str, Any]:
    """The logarithmic axis of some curves; a rate of 0 is not on it."""
    rates = np.concatenate([one.course.lr for one in drawn])
    above = rates[rates > 0]
    return log_axis(above.min() / 1.2, above.max() * 1.2) if above.size else {"type": "log"}


@cache
def sparks() -> list[list[list[float]]]:
    """The schedule of each preset that changes most as a small line: points from 0 to 1."""
    found = []
    for preset in PRESETS.values():
        plain = [1.0] * preset.steps  # for a plateau
        courses = [schedule(spec, preset.steps, losses=plain).lr for spec in preset.specs]
        rates = max(courses, key=lambda each: float(np.ptp(each) / each.max()))
        at = np.unique(np.linspace(0, len(rates) - 1, SPARKS).astype(int))
        found.append([[float(step / (len(rates) - 1)), float(rates[step] / rates.max())] for step in at])
    return found


def _curve(one: Curve, y: np.ndarray, *, width: int) -> dict[str, Any]:
    color, dash = look(one.look)
    line = {"color": color, "dash": dash, "width": width, "shape": "hv"}
    name = ", ".join(map(short, one.words))
    return {"x": one.steps, "y": y, "name": name, "mode": "lines", "line": line, "hoverinfo": "none"}


@needs_plotly
def losses(values: Sequence[float], knots: Sequence[Sequence[float]], unit: str) -> Any:
    """The validation loss that drives a plateau; curve 1 has the knots that it is drawn by, if it is drawn."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        y=list(values), name="validation loss", mode="lines", line={"color": GRAY, "width": 2}, hoverinfo="none"
    )
    if knots:
        at, heights = zip(*knots, strict=True)
        mark = {"color": GRAY, "size": 13, "line": {"color": "#ffb000", "width": 3}}
        figure.add_scatter(x=at, y=heights, mode="markers", marker=mark, hoverinfo="skip", showlegend=False, name="knots")
    return dress(figure, unit, "validation loss", yaxis_rangemode="tozero")
