"""The charts of a SchedulePlayground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnwidgets.methods import Schedule
from cnnwidgets.methods.schedules import Course, title
from cnnwidgets.views.curves import FONT, LAYOUT, dress, in_legend, look, more_groups, short, untold_of
from cnnwidgets.views.palette import GREY


class Drawn(NamedTuple):
    """A curve of a schedule.

    Attributes:
        schedule: its number.
        number: that of its look. The first curve of a schedule looks as the schedule does in a race.
        told: whether a legend names it.
    """

    schedule: int
    number: int
    title: str
    told: bool
    course: Course

    @property
    def name(self) -> str:
        return ", ".join(filter(None, (self.title, self.course.label)))

    @property
    def short(self) -> str:
        return ", ".join(map(short, filter(None, (self.title, self.course.label))))


def curves_of(schedules: Sequence[Schedule]) -> list[Drawn]:
    """What is drawn of schedules: a curve for all groups of parameters that go alike."""
    found: list[Drawn] = []
    more = len(schedules)
    for k, one in enumerate(schedules):
        courses = one.courses
        for j, course in enumerate(courses):
            found.append(Drawn(k, more if j else k, title(one.spec), in_legend(j, len(courses)), course))
            more += j > 0
    return found


def rates(schedules: Sequence[Schedule], selected: int, *, log: bool, unit: str, knots: Any = None) -> Any:
    """The schedules as a plotly figure: curve k is that of :func:`curves_of`; the knots of a drawn one come after them.

    It is made of one dictionary, for plotly takes ten times as long to add a curve or a title to a figure.
    """
    import plotly.graph_objects as go

    drawn = curves_of(schedules)
    curves = [
        _curve(one, schedules, one.course.lr, width=4 if one.schedule == selected else 2)
        | ({"showlegend": one.told} if one.course.label else {})  # plotly itself shows none of a single curve
        for one in drawn
    ]
    if knots:
        at, values = knots
        mark = {"color": look(selected)[0], "size": 14, "line": {"color": "#ffb000", "width": 3}}
        aside = {"hoverinfo": "skip", "showlegend": False, "name": "knots"}
        curves.append({"x": at, "y": values, "mode": "markers", "marker": mark, **aside})
    if untold := sum(untold_of(len(one.courses)) for one in schedules):
        curves.append(more_groups(untold))
    kind = {"type": "log", "dtick": 1, "exponentformat": "power"} if log else {"rangemode": "tozero"}
    layout = LAYOUT | {
        "uirevision": "kept",
        "xaxis": {"title": {"text": unit, **FONT}},
        "yaxis": {"title": {"text": "learning rate", **FONT}, **kind},
    }
    if moved := [one for one in drawn if one.course.moves_momentum]:
        curves += [
            _curve(one, schedules, one.course.momentum, width=2)
            | {"name": f"{one.name}, momentum", "yaxis": "y2", "showlegend": False}
            for one in moved
        ]
        layout["xaxis"]["anchor"] = "y2"
        layout["yaxis"]["domain"] = [0.36, 1]
        layout["yaxis2"] = {"title": {"text": "momentum", **FONT}, "domain": [0, 0.28]}
    return go.Figure({"data": curves, "layout": layout})


def _curve(one: Drawn, schedules: Sequence[Schedule], y: np.ndarray, *, width: int) -> dict[str, Any]:
    color, dash = look(one.number)
    line = {"color": color, "dash": dash, "width": width, "shape": "hv"}
    x = schedules[one.schedule].steps
    return {"x": x, "y": y, "name": one.short, "mode": "lines", "line": line, "hoverinfo": "none"}


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
