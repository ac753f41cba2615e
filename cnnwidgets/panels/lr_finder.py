"""LRFinder: the learning-rate range test, with a marker to drag."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, draws
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Number, Seed, public
from cnnwidgets.methods import RangeTest, lr_finder
from cnnwidgets.methods.tasks import Trainable, task_of
from cnnwidgets.numbers import number
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import FONT, blank, dress, log_axis, needs_plotly
from cnnwidgets.views.palette import GRAY

POINTS, CURVE, STEEP = GRAY, "#0072b2", "#ffb000"

EDGE = 1.04
"""The rates' axis goes on by this factor at both ends, so that no point is cut."""


class LRFinder(Panel):
    """Find a learning rate: train for some steps while the rate rises, and see where the loss falls.

    >>> cw.LRFinder("digits")
    >>> cw.LRFinder(model, loader)  # a copy trains; both stay as they are

    All weights train at the same rate, in one group of parameters. The marker starts where the loss falls fastest. Drag it,
    move it with the arrow keys, or click one of the named rates; ``panel.rate`` is where it stands.

    Parameters:
        task: "digits" or "scenes"; a :class:`~cnnwidgets.methods.Task`; or a network.
        loader: for a network of your own: gives batches of pictures and labels.
    """

    rate = public(
        t.Float(None, allow_none=True, help="the rate at the marker; None: where the loss falls fastest"),
        None,
        then="nothing",
    )
    low = Number(1e-5, 1e-12, 100.0, free=True, label="lowest rate", help="first learning rate")
    high = Number(10.0, 1e-12, 1000.0, free=True, label="highest rate", help="last learning rate")
    steps = Number(100, 10, 10_000, free="above", help="batches to train on, one for each rate")
    momentum = Number(0.9, 0.0, 0.999999, help="momentum of the SGD that trains")
    weight_decay = Number(0.0, 0.0, 10.0, free="above", more=True, help="weight decay (L2) of the SGD that trains")
    seed = Seed(help="random seed")

    def __init__(self, task: Trainable = "digits", loader: Iterable[Any] | None = None, **options: Any) -> None:
        self._task, self._loader = task, loader
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return self._task if isinstance(self._task, str) else type(self._task).__name__

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.chart = ChartView(height=360, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank("learning rate", "loss"), "loss by learning rate")
        self.chart.on_user("line", lambda at: self.set_trait("rate", at))
        return self.chart

    def compute(self, state: SimpleNamespace, job: Job) -> RangeTest:
        job.update(None, 0.0)
        settings = {name: value for name, value in vars(state).items() if name != "rate"}
        task = task_of(self._task, self._loader, self._loader)
        return lr_finder(task, **settings, on_update=job.update, cancel=job)

    @draws()
    def draw_losses(self, found: RangeTest) -> None:
        self.chart.show(_plot(found), f"loss of each batch by its learning rate. {found.why}")
        over = found.named if found.ended else {}
        self.chart.places = [[rate, f"{name}: {number(rate, 2)}"] for name, rate in over.items() if rate >= found.lr[0]]

    @draws("rate")
    def draw_marker(self, found: RangeTest) -> None:
        at = found.suggested if self.rate is None else self.rate
        self.chart.line, self.chart.line_label = (at, number(at, 2)) if np.isfinite(at) else (None, "")
        if self.status.kind == "ready":
            self.status.say(self.summary(found))

    def summary(self, found: RangeTest) -> str:
        marked = [] if self.rate is None else [f"The marker is at {number(self.rate, 2)}."]
        return "\n".join([found.why, *marked, found.ended])

    def progress(self, partial: RangeTest | None) -> str:
        return f"Step {len(partial.lr)}: rate {number(partial.lr[-1], 2)} …" if partial else "Loading the pictures …"

    def code(self) -> str:
        return self.result.code(self._task)


@needs_plotly
def _plot(found: RangeTest) -> Any:
    """The losses by rate. The axis fits those before they rise: an explosion at the end does not hide the fall."""
    import plotly.graph_objects as go

    figure = go.Figure()
    fall = np.r_[found.loss[: found.lowest + 1], found.smoothed[: found.lowest + 1]]
    low, high = float(np.nanmin(fall)), float(np.nanmax(fall))
    size = max(high - low, 0.02 * abs(high))
    steps: dict[str, Any] = {"x": found.lr, "hoverinfo": "none"}
    if found.steep and found.ended:
        figure.add_vrect(*found.steep, fillcolor=STEEP, opacity=0.25, line_width=0, layer="below")
    figure.add_scatter(y=found.loss, name="loss per batch", mode="markers", marker={"color": POINTS, "size": 6}, **steps)
    figure.add_scatter(y=found.smoothed, name="smoothed", mode="lines", line={"color": CURVE, "width": 3}, **steps)
    if found.steep and found.ended:
        fill = {"color": STEEP, "size": 13, "symbol": "square", "opacity": 0.5}
        figure.add_scatter(x=[None], y=[None], name="steepest part", mode="markers", marker=fill, hoverinfo="skip")
    settings = found.settings
    axis = log_axis(settings["low"] / EDGE, settings["high"] * EDGE) | {"title": {"text": "learning rate", **FONT}}
    up = [low - 0.08 * size, high + 0.5 * size]  # the names of rates are above the curve
    return dress(figure, "learning rate", "loss", xaxis=axis, yaxis_range=up)
