"""LRFinder: the learning-rate range test, with a marker to drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.base.jobs import import_for_trainings
from cnnwidgets.methods import RangeTest, lr_finder
from cnnwidgets.methods.tasks import task_of
from cnnwidgets.panels.controls import Number
from cnnwidgets.panels.curves import blank, dress
from cnnwidgets.panels.panel import Panel
from cnnwidgets.panels.race_code import task_lines
from cnnwidgets.views import ChartView
from cnnwidgets.views.palette import GREY

if TYPE_CHECKING:
    from cnnwidgets.base.jobs import Job

POINTS, CURVE, MARK = GREY, "#0072b2", "#d55e00"


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

    rate = t.Float(None, allow_none=True, help="where the marker stands; None: where the loss falls fastest").tag(
        control=None
    )
    low = t.Float(1e-5, help="first learning rate").tag(control=Number(1e-12, 100.0))
    high = t.Float(10.0, help="last learning rate").tag(control=Number(1e-12, 1000.0))
    steps = t.Int(100, min=10, help="steps from the first to the last").tag(control=Number(10, 10_000, whole=True))
    momentum = t.Float(0.9, min=0.0, max=0.999999, help="momentum of the SGD that trains").tag(control=Number(0.0, 0.999999))
    weight_decay = t.Float(0.0, min=0.0, help="its L2 penalty").tag(control=Number(0.0, 10.0))
    seed = t.Int(0, min=0, help="of what is left to chance").tag(control=Number(0, 10_000, whole=True))

    asks = frozenset("low high steps momentum weight_decay seed".split())

    def __init__(self, model: Any = "digits", loader=None, **options):
        self._model, self._loader = model, loader
        super().__init__(None, **options)

    @property
    def subject(self) -> str:
        return self._model if isinstance(self._model, str) else type(self._model).__name__

    # Panel's parts

    def build(self) -> list[w.Widget]:
        import_for_trainings()
        self.chart = ChartView(height=340, readout=True)
        self.chart.show(blank("learning rate", "loss"), "loss by learning rate")
        self.chart.on_user("line", self._take_line)
        self.react(self._draw_line, "rate")
        return [*self.toolbox(), self.chart]

    def compute(self, job: Job) -> RangeTest:
        job.update(None, 0.0)
        return lr_finder(
            task_of(self._model, self._loader, self._loader), **vars(job.state), on_update=job.update, cancel=job
        )

    def draw(self, result: RangeTest) -> None:
        self.chart.show(_plot(result), "loss of each step by its learning rate")
        self._draw_line()

    def summary(self, result: RangeTest) -> str:
        marked = "" if self.rate is None else f" · the marker is at {self.rate:.3g}"
        return f"{result.why[0].upper()}{result.why[1:]} · {result.ended or 'it goes on'}{marked}"

    def progress(self, partial: RangeTest | None) -> str:
        return f"A rate of {partial.lr[-1]:.2g} …" if partial else "Getting the pictures ready …"

    def data(self) -> dict[str, np.ndarray]:
        """``lr``, ``loss`` and ``smoothed``, (steps,) each."""
        return {"lr": self.result.lr, "loss": self.result.loss, "smoothed": self.result.smoothed}

    def code(self) -> str:
        settings = {name: getattr(self, name) for name in ("low", "high", "steps", "momentum", "weight_decay", "seed")}
        lines = _CODE.format(task=task_lines(self._model, "loader, loader"), **settings)
        return lines + (_STEPS if isinstance(self._model, str) else _OWN_STEPS).format(made=len(self.result.lr))

    def _marked(self, result: RangeTest) -> float:
        return result.suggested if self.rate is None else self.rate

    def _draw_line(self) -> None:
        at = self._marked(self._result)
        self.chart.line = at if np.isfinite(at) else None
        self.chart.line_label = f"{at:.2g}" if np.isfinite(at) else ""
        if self.status.kind == "ready":
            self.status.say(self.summary(self._result))

    def _take_line(self, line: float | None) -> None:
        """The marker was dragged."""
        if line is not None:
            self.rate = line


def _plot(result: RangeTest) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    mark = {"color": POINTS, "size": 6}
    figure.add_scatter(x=result.lr, y=result.loss, name="loss of a step", mode="markers", marker=mark, hoverinfo="none")
    line = {"color": CURVE, "width": 3}
    figure.add_scatter(x=result.lr, y=result.smoothed, name="smoothed", mode="lines", line=line, hoverinfo="none")
    axis = {"type": "log", "dtick": 1, "exponentformat": "power"}
    return dress(figure, "learning rate", "loss", xaxis=axis, yaxis_range=[0, _top(result)])


def _top(result: RangeTest) -> float:
    """Where the axis of the loss ends: an explosion at the end must not hide the rest."""
    return 1.6 * float(result.smoothed[: max(result.lowest, 1)].max())


_CODE = """\
import itertools
import torch
import torch.nn.functional as F
import cnnwidgets as cw

{task}
torch.manual_seed({seed})
for generator in task.generators:
    generator.manual_seed({seed})
model = task.start().train()
optimizer = torch.optim.SGD(model.parameters(), lr={low}, momentum={momentum}, weight_decay={weight_decay})
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, ({high} / {low}) ** (1 / ({steps} - 1)))
rates, values = [], []
"""

_STEPS = """\
epochs = itertools.chain.from_iterable(itertools.repeat(task.train))
for images, labels in itertools.islice(epochs, {made}):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rates.append(optimizer.param_groups[0]["lr"])
    values.append(loss.item())
    scheduler.step()"""

_OWN_STEPS = """\
epochs = (cw.methods.train(model, task.train, optimizer, scheduler, criterion=task.criterion) for _ in itertools.count())
for step in itertools.islice(itertools.chain.from_iterable(epochs), {made}):
    rates.append(step.lr)
    values.append(step.loss)"""
