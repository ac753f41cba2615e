"""TrainingRace: the same network, seeds and budget under several learning-rate schedules, side by side."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, column, draws
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Number, public
from cnnwidgets.methods import Race, race
from cnnwidgets.methods.code.race import race_lines
from cnnwidgets.methods.race import UNITS
from cnnwidgets.methods.schedules import title
from cnnwidgets.methods.tasks import SAMPLES, task_of
from cnnwidgets.methods.verdict import have_accuracy
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.training import race_charts as charts
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank


class TrainingRace(Panel):
    """Train a network under several learning-rate schedules, and watch.

    >>> cw.TrainingRace([{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}], steps=3)

    The loss, the accuracy and below them the rate grow as the training goes; thin dotted lines are the training data, thick
    ones the held-out data. Cancel keeps what is there. ``panel.result.save("race.json")`` keeps it, and
    ``cw.TrainingRace(replay="race.json")`` shows it again without training.

    Parameters:
        specs: schedules, see :func:`cnnwidgets.methods.schedule`.
        model, train, validation: "digits", "scenes", a :class:`~cnnwidgets.methods.Task`, or a network with its two
            loaders; a copy trains.
        replay: a file that a race was saved to, or a :class:`~cnnwidgets.methods.Race`: nothing is trained.
        executor: any ``concurrent.futures.Executor`` that the runs go to; see :func:`cnnwidgets.methods.race`.
    """

    task = public(
        t.Unicode("digits", help="what is trained: a sample network on its data, or your own"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.task_names]),
    )
    seeds = Number(1, 1, 20, help="runs of each schedule, each from other weights: one proves nothing")
    patience = Number(
        None, 1, 1000, whole=True, free="above", none="never", help="epochs without a better validation loss, then stop"
    )
    min_delta = Number(0.0, 0.0, 10.0, free="above", help="how much lower a loss must be to count as better")
    specs = public(t.List(t.Dict(), help="the schedules, see `cw.methods.schedule`"), None, sync=False)
    steps = public(t.Int(20, min=1, help="of each schedule: the budget"), None)
    unit = public(t.Enum(UNITS, "epoch", help="what a step is"), None)

    def __init__(
        self,
        specs: Any = (),
        steps: int | None = None,
        *,
        model: Any = "digits",
        train: Any = None,
        validation: Any = None,
        replay: Race | str | Path | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self._model, self._loaders, self._executor = model, (train, validation), executor
        self._replay = replay if isinstance(replay, Race) or replay is None else Race.load(replay)
        if steps is not None:
            options["steps"] = steps
        if self._replay:
            about = {one.name: {**one.spec, "name": one.name} for one in self._replay.histories}
            options |= {"specs": [*about.values()], "steps": self._replay.steps, "unit": self._replay.unit}
            options["hide"] = list(self.public_traits())
        own = None if isinstance(model, str) else "your own"
        super().__init__(**{"task": own or model, "specs": specs, **options})

    @property
    def task_names(self) -> list[str]:
        """What can be trained."""
        return [*SAMPLES] if isinstance(self._model, str) else ["your own", *SAMPLES]

    @property
    def subject(self) -> str:
        return ", ".join(map(title, self.specs))

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.chart = ChartView(height=520, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank(self.unit, "loss"), f"loss by {self.unit}")
        self.snapshots = ChartView(height=260)
        self._curves = charts.Growing(self.chart)
        body = column(self.chart, self.snapshots)
        body.hidden = [self.snapshots]
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> Race:
        if self._replay:
            return self._replay
        job.update(None, 0.0)
        own = state.task == "your own"
        return race(
            task_of(self._model, *self._loaders) if own else task_of(state.task),
            list(state.specs),
            steps=state.steps,
            unit=state.unit,
            seeds=range(state.seeds),
            patience=state.patience,
            min_delta=state.min_delta,
            executor=self._executor,
            on_update=job.update,
            cancel=job,
        )

    @draws()
    def draw_curves(self, found: Race) -> None:
        self._curves.show(found)

    @draws()
    def draw_snapshots(self, found: Race) -> None:
        bars = charts.snapshots(found)
        if self.reveal(self.snapshots, bars is not None):
            self.snapshots.height = 102 + 30 * len(bars.data[0].y)
            self.snapshots.show(bars, "accuracy of the snapshots and of their ensemble")

    def summary(self, found: Race) -> str:
        return found.summary

    def progress(self, partial: Race | None) -> str:
        return partial.progress if partial else "Getting the pictures ready …"

    def data(self) -> dict[str, np.ndarray]:
        """``loss``, ``accuracy``, and ``validation_`` of both: (schedules, seeds, epochs), NaN where a run has ended."""
        return self.result.curves

    def code(self) -> str:
        model = self._model if self.task == "your own" else self.task
        self.wait()  # the code of a race that has failed is shown too
        result = "loss" if self._result and not have_accuracy(self._result.histories) else "accuracy"
        return race_lines(self.specs, self.steps, self.unit, model, result)
