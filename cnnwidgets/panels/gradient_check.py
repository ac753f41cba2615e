"""GradientCheck: central differences beside autograd, by the size of the step."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, draws
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Number, Seed, Slide, public
from cnnwidgets.methods.gradient_check import PRECISIONS, STEPS, CheckedGradient, gradient_check, power, true_score
from cnnwidgets.methods.tasks import Trainable, task_of
from cnnwidgets.net.items import read_batch
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import FONT, blank, dress, log_axis, needs_plotly
from cnnwidgets.views.palette import GRAY

COLORS, KINK = {"float32": "#d55e00", "float64": "#0072b2"}, "#ffb000"

LEAST = 1e-10
"""The chart has room for errors as small as this, at least, so that one that does not fall is seen not to."""


class GradientCheck(Panel):
    """Is a gradient right? Central differences beside autograd, for steps h from 1 to 10⁻¹⁰ in two precisions.

    >>> cw.GradientCheck(of="fc3.weight")
    >>> cw.GradientCheck(model, loader, of="input")  # copies are looked at; yours stays as it is

    A large h sees the curve bend, a small one sees the loss rounded: the error is a V. Diamonds are steps that cross a kink
    of a ReLU or of max pooling. Of a wrong gradient no h is good, and it is said which others are wrong.

    Parameters:
        network: "digits" or "scenes"; a :class:`~cnnwidgets.methods.Task`; or a network.
        loader: for a network of your own: gives batches of pictures and labels.
    """

    of = public(
        t.Unicode(None, allow_none=True, help="a parameter's name, or `input`"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.names], label="gradient by"),
        usual=lambda panel: panel.names[1],
    )
    function = Choice(
        ["loss", "score"],
        label="derivative of",
        help="what is differentiated: the loss, or the mean score of the true classes",
    )
    entries = Slide(5, (1, 20), help="how many of its values, drawn at random")
    pictures = Number(4, 1, 64, free="above", more=True, help="pictures of the first batch that are used")
    seed = Seed(help="random seed of the weights, the batch and the values")

    def __init__(self, network: Trainable = "digits", loader: Iterable[Any] | None = None, **options: Any) -> None:
        self._network, self._loader = network, loader
        self.names: list[str] = []
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return self._network if isinstance(self._network, str) else type(self._network).__name__

    def _learn(self) -> None:
        import_for_trainings()
        model, _ = task_of(self._network, self._loader, self._loader).stream(self.seed)
        self.names = ["input", *(name for name, _ in model.named_parameters())]

    def build(self) -> Part | tuple[Part, ...]:
        self.chart = ChartView(height=380, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank("h", "relative error"), "relative error by h")
        return self.chart

    def compute(self, state: SimpleNamespace, job: Job) -> CheckedGradient:
        task = task_of(self._network, self._loader, self._loader)
        model, stream = task.stream(state.seed)
        with stream.flowing():
            batch = next(iter(task.loader), None)
        if batch is None:
            raise ValueError("there is nothing to look at: the loader gives no batch")
        images, labels = (part[: state.pictures] for part in read_batch(batch))
        criterion = task.criterion if state.function == "loss" else true_score
        asked = {"of": state.of, "entries": state.entries, "seed": state.seed, "criterion": criterion}
        return gradient_check(model, images, labels, **asked, on_update=job.update, cancel=job)

    @draws()
    def draw_errors(self, found: CheckedGradient) -> None:
        self.chart.show(_plot(found), f"relative error of the gradient by h. {found.summary.splitlines()[0]}")

    def summary(self, found: CheckedGradient) -> str:
        return found.summary

    def progress(self, partial: CheckedGradient | None) -> str:
        return f"h = {power(partial.steps[-1])} …" if partial else "Loading the pictures …"

    def data(self) -> dict[str, np.ndarray]:
        """``steps``, and by step ``kinks``; ``errors`` (2, steps) and ``numeric`` (2, steps, entries): float32, float64."""
        found = self.result
        names = ("entries", "steps", "analytic", "numeric", "kinks", "errors")
        return {name: getattr(found, name) for name in names}

    def code(self) -> str:
        return self.result.code(self._network)


@needs_plotly
def _plot(found: CheckedGradient) -> Any:
    """The errors by h, what rounding alone would make of them, and where a kink is crossed."""
    import plotly.graph_objects as go

    figure = go.Figure()
    x, errors = found.steps, np.where(found.errors > 0, found.errors, np.nan)
    for k, name in enumerate(PRECISIONS):
        marker = {"color": COLORS[name], "size": 7}
        figure.add_scatter(
            x=x, y=errors[k], name=name, mode="lines+markers", line={"color": COLORS[name], "width": 3}, marker=marker,
            hoverinfo="none",
        )  # fmt: skip
    for k in range(2):
        bound = np.where(found.rounding[k] < 1, found.rounding[k], np.nan)
        figure.add_scatter(
            x=x, y=bound, name="rounding alone", showlegend=k == 1, mode="lines", hoverinfo="skip",
            line={"color": GRAY, "width": 2, "dash": "dot"},
        )  # fmt: skip
    if found.kinks.any():
        style = {"color": KINK, "size": 11, "symbol": "diamond"}
        y = np.where(found.kinks > 0, errors[1], np.nan)
        figure.add_scatter(x=x, y=y, name="crosses kinks", mode="markers", marker=style, hoverinfo="skip")
    for k, name in enumerate(PRECISIONS) if found.right else ():
        best, style = found.best[k], {"color": COLORS[name], "size": 16, "symbol": "star"}
        told = f"best h: {power(x[best])}"
        figure.add_scatter(x=x[[best]], y=errors[k, [best]], name=told, mode="markers", marker=style, hoverinfo="skip")
    seen = errors[np.isfinite(errors)]
    low = float(seen.min(initial=LEAST)) / 10
    across = log_axis(STEPS[-1] / 1.5, STEPS[0] * 1.5, 11) | {"title": {"text": "h", **FONT}}
    return dress(figure, "h", "relative error", xaxis=across, yaxis=log_axis(low, 3.0, 8))
