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
from cnnwidgets.methods.tasks import task_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank, dress, needs_plotly
from cnnwidgets.views.palette import GRAY

POINTS, CURVE = GRAY, "#0072b2"


class LRFinder(Panel):
    """Which learning rate? Train for some steps with a rate that rises, and see where the loss falls.

    >>> cw.LRFinder("digits")
    >>> cw.LRFinder(model, loader)  # a copy trains; both are left as they are

    All weights train at the same rate, in one group of parameters. The marker begins where the loss falls fastest; drag it,
    or move it with the arrow keys: ``panel.rate``.

    Parameters:
        model: a network; "digits" or "scenes"; or a :class:`~cnnwidgets.methods.Task`.
        loader: gives batches of pictures and labels for a network of your own.
    """

    rate = public(
        t.Float(None, allow_none=True, help="where the marker stands; None: where the loss falls fastest"),
        None,
        then="nothing",
    )
    low = Number(1e-5, 1e-12, 100.0, free=True, help="first learning rate")
    high = Number(10.0, 1e-12, 1000.0, free=True, help="last learning rate")
    steps = Number(100, 10, 10_000, free="above", help="steps from the first to the last")
    momentum = Number(0.9, 0.0, 0.999999, help="momentum of the SGD that trains")
    weight_decay = Number(0.0, 0.0, 10.0, free="above", more=True, help="its L2 penalty")
    seed = Seed(help="of what is left to chance")

    def __init__(self, model: Any = "digits", loader: Iterable[Any] | None = None, **options: Any) -> None:
        self._model, self._loader = model, loader
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return self._model if isinstance(self._model, str) else type(self._model).__name__

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.chart = ChartView(height=340, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank("learning rate", "loss"), "loss by learning rate")
        self.chart.on_user("line", lambda at: self.set_trait("rate", at))
        return self.chart

    def compute(self, state: SimpleNamespace, job: Job) -> RangeTest:
        job.update(None, 0.0)
        settings = {name: value for name, value in vars(state).items() if name != "rate"}
        task = task_of(self._model, self._loader, self._loader)
        return lr_finder(task, **settings, on_update=job.update, cancel=job)

    @draws()
    def draw_losses(self, found: RangeTest) -> None:
        self.chart.show(_plot(found), "loss of each step by its learning rate")

    @draws("rate")
    def draw_marker(self, found: RangeTest) -> None:
        at = found.suggested if self.rate is None else self.rate
        self.chart.line, self.chart.line_label = (at, f"{at:.2g}") if np.isfinite(at) else (None, "")
        if self.status.kind == "ready":
            self.status.say(self.summary(found))

    def summary(self, found: RangeTest) -> str:
        marked = "" if self.rate is None else f" · the marker is at {self.rate:.3g}"
        return f"{found.why[0].upper()}{found.why[1:]} · {found.ended or 'it goes on'}{marked}"

    def progress(self, partial: RangeTest | None) -> str:
        return f"A rate of {partial.lr[-1]:.2g} …" if partial else "Getting the pictures ready …"

    def code(self) -> str:
        return self.result.code(self._model)


@needs_plotly
def _plot(found: RangeTest) -> Any:
    """The losses by rate; an explosion at the end does not hide the rest."""
    import plotly.graph_objects as go

    figure, top = go.Figure(), 1.6 * float(found.smoothed[: max(found.lowest, 1)].max())
    steps: dict[str, Any] = {"x": found.lr, "hoverinfo": "none"}
    figure.add_scatter(y=found.loss, name="loss of a step", mode="markers", marker={"color": POINTS, "size": 6}, **steps)
    figure.add_scatter(y=found.smoothed, name="smoothed", mode="lines", line={"color": CURVE, "width": 3}, **steps)
    axis = {"type": "log", "dtick": 1, "exponentformat": "power"}
    return dress(figure, "learning rate", "loss", xaxis=axis, yaxis_range=[0, top])
