"""TrainingRace: the same network, seeds and budget under several learning-rate schedules, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.base.jobs import import_for_trainings
from cnnwidgets.methods import Race, race
from cnnwidgets.methods.code.race import race_lines
from cnnwidgets.methods.race import UNITS
from cnnwidgets.methods.schedules import title
from cnnwidgets.methods.tasks import SAMPLES, Task, task_of
from cnnwidgets.methods.verdict import have_accuracy
from cnnwidgets.panels import race_charts as charts
from cnnwidgets.panels.controls import Choice, Number
from cnnwidgets.panels.panel import Panel
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank

if TYPE_CHECKING:
    from cnnwidgets.base.jobs import Job


class TrainingRace(Panel):
    """Train a network under several learning-rate schedules, and watch.

    >>> cw.TrainingRace([{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}], steps=20)

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

    task = t.Unicode("digits", help="what is trained: a sample network on its data, or your own").tag(
        control=Choice(lambda panel: [(name, name) for name in panel.task_names])
    )
    seeds = t.Int(1, min=1, max=20, help="runs of each schedule, each from other weights: one proves nothing").tag(
        control=Number(1, 20, whole=True)
    )
    patience = t.Int(None, allow_none=True, min=1, help="epochs without a better validation loss, then stop; 0: never").tag(
        control=Number(1, 1000, whole=True)
    )
    min_delta = t.Float(0.0, min=0.0, help="how much lower a loss must be to count as better").tag(control=Number(0.0, 10.0))
    specs = t.List(t.Dict(), help="the schedules, see `cw.methods.schedule`").tag(control=None)
    steps = t.Int(20, min=1, help="of each schedule: the budget").tag(control=None)
    unit = t.Enum(UNITS, "epoch", help="what a step is").tag(control=None)

    asks = frozenset("task seeds patience min_delta specs steps unit".split())

    def __init__(
        self,
        specs: Any = (),
        steps: int | None = None,
        *,
        model="digits",
        train=None,
        validation=None,
        replay: Race | str | Path | None = None,
        executor=None,
        **options,
    ):
        self._model, self._loaders, self._executor = model, (train, validation), executor
        self._replay = replay if isinstance(replay, Race) or replay is None else Race.load(replay)
        if steps is not None:
            options["steps"] = steps
        if self._replay:
            about = {one.name: {**one.spec, "name": one.name} for one in self._replay.histories}
            options |= {"specs": [*about.values()], "steps": self._replay.steps, "unit": self._replay.unit}
        own = None if isinstance(model, str) else "your own"
        super().__init__(None, **{"task": own or model, "specs": specs, **options})

    @property
    def task_names(self) -> list[str]:
        """What can be trained."""
        return [*SAMPLES] if isinstance(self._model, str) else ["your own", *SAMPLES]

    @property
    def subject(self) -> str:
        return ", ".join(map(title, self.specs))

    # Panel's parts

    def build(self) -> list[w.Widget]:
        import_for_trainings()
        self.chart = ChartView(height=520, readout=True)
        self.chart.show(blank(self.unit, "loss"), f"loss by {self.unit}")
        self.snapshots = ChartView(height=260)
        self.snapshots.layout.display = "none"
        self._curves = charts.Growing(self.chart)
        self._snapshots_drawn: Any = None
        return [*([] if self._replay else self.toolbox()), self.chart, self.snapshots]

    def compute(self, job: Job) -> Race:
        if self._replay:
            return self._replay
        job.update(None, 0.0)
        return race(
            self._task(),
            list(self.specs),
            steps=self.steps,
            unit=self.unit,
            seeds=range(self.seeds),
            patience=self.patience,
            min_delta=self.min_delta,
            executor=self._executor,
            on_update=job.update,
            cancel=job,
        )

    def draw(self, result: Race) -> None:
        self._curves.show(result)
        found = charts.snapshots(result)
        self.snapshots.layout.display = "" if found else "none"
        if found and found.to_json() != self._snapshots_drawn:
            self._snapshots_drawn = found.to_json()
            self.snapshots.height = 102 + 30 * len(found.data[0].y)
            self.snapshots.show(found, "accuracy of the snapshots and of their ensemble")

    def summary(self, result: Race) -> str:
        return result.summary

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

    def _task(self) -> Task:
        return task_of(self._model, *self._loaders) if self.task == "your own" else task_of(self.task)
