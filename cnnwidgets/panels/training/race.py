"""TrainingRace: trainings that differ in one thing, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, action, column, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Number, public
from cnnwidgets.methods import FirstGradients, Race, race
from cnnwidgets.methods.code.race import race_lines
from cnnwidgets.methods.race import UNITS
from cnnwidgets.methods.race_curves import has_weights, quantities
from cnnwidgets.methods.race_presets import RACES, race_preset_of
from cnnwidgets.methods.recorded import RECORDED_RACES, recorded_race
from cnnwidgets.methods.schedules import title
from cnnwidgets.methods.tasks import SAMPLES, Trainable, task_of
from cnnwidgets.methods.verdict import have_accuracy
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import one_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.training import race_charts as charts
from cnnwidgets.panels.training.gradient_chart import gradient_chart
from cnnwidgets.views import BoardView, ChartView
from cnnwidgets.views.curves import blank

ALONE, TOGETHER = 420, 320
"""CSS pixels of the curves' height: without the gradients, and with them, which on a narrow screen are below the curves."""


class TrainingRace(Panel):
    """Train a network under several schedules, or several networks, or on several data, and watch.

    >>> cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}], steps=3)
    >>> cw.TrainingRace(preset="depth")
    >>> cw.TrainingRace(specs=[{"lr": 0.02, "init": "zero"}, {"lr": 0.02, "init": "kaiming"}], steps=3)
    >>> cw.TrainingRace(model, loader, validation_loader, specs=[{"kind": "cosine"}], steps=20)  # a copy trains

    The loss, the accuracy and below them the rate grow as the training goes: thick lines for test images, thin dotted ones
    for training images. Cancel keeps what is there. "Use the leader" puts the network that leads, with the weights of its
    best epoch, into ``panel.trained``, for any other panel; ``panel.result.histories`` have the networks of all.
    ``panel.result.save("race.json")`` saves the curves, and ``cw.TrainingRace(replay="race.json")`` shows them again without
    training.

    Where several networks race, a line for each shows what reaches its layers before training, from the first to the last:
    the norm of the loss's gradient by their weights, see :func:`cnnwidgets.methods.first_gradients`. Gradients of deep
    plain networks with batch norm explode, and have a share in how these fare, which He et al. (2016) exclude.

    Parameters:
        task: "digits" or "scenes"; a :class:`~cnnwidgets.methods.Task`; or a network.
        loader, validation_loader: for a network of your own: give batches of pictures and labels.
        specs: what differs, see :func:`cnnwidgets.methods.race`.
        preset: the name of one of the races in ``cw.methods.RACES``, in place of specs; by default the first.
        steps: how many each schedule has.
        replay: "depth", which is bundled; a file that a race was saved to, or a :class:`~cnnwidgets.methods.Race`: nothing
            is trained.
        executor: any ``concurrent.futures.Executor`` that the runs go to; see :func:`cnnwidgets.methods.race`.
    """

    task = public(
        t.Unicode("digits", help="what is trained: a sample network on its data, or your own"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.task_names]),
    )
    seeds = Number(1, 1, 20, help="runs per schedule, each from different initial weights")
    patience = Number(
        None, 1, 1000, whole=True, free="above", none="off",
        help="early stopping: epochs to wait for a better validation loss",
    )  # fmt: skip
    min_delta = Number(
        0.0, 0.0, 10.0, free="above", label="smallest gain", absent=lambda panel: panel.patience is None,
        help="how much lower a loss must be to count as better (min_delta)",
    )  # fmt: skip
    specs = public(t.List(t.Dict(), help="what differs between the runs, see `cw.methods.race`"), None, sync=False)
    steps = public(t.Int(20, min=1, help="how many steps each schedule has: the budget"), None)
    unit = public(t.Enum(UNITS, "epoch", help="what a step is"), None)

    def __init__(
        self,
        task: Trainable = "digits",
        loader: Iterable[Any] | None = None,
        validation_loader: Iterable[Any] | None = None,
        *,
        specs: Sequence[dict[str, Any]] | None = None,
        preset: str | None = None,
        steps: int | None = None,
        replay: Race | str | Path | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self._executor = executor
        self._replay = _race_of(replay)
        self.trained: BoundModel | None = None
        self._from_presets = specs is None and replay is None
        if self._from_presets:
            chosen = RACES[one_of("preset", preset or next(iter(RACES)), RACES)]
            specs, steps, task = chosen.specs, steps or chosen.steps, task if loader is not None else chosen.task
        if steps is not None:
            options["steps"] = steps
        if self._replay:
            about = {one.name: {**one.spec, "name": one.name} for one in self._replay.histories}
            options |= {"specs": [*about.values()], "steps": self._replay.steps, "unit": self._replay.unit}
            options["hide"] = list(self.public_traits())
        self._task, self._loaders = task, (loader, validation_loader)
        super().__init__(**{"task": task if isinstance(task, str) else "your own", "specs": specs or [], **options})

    @property
    def task_names(self) -> list[str]:
        """What can be trained."""
        return [*SAMPLES] if isinstance(self._task, str) else ["your own", *SAMPLES]

    @property
    def subject(self) -> str:
        return ", ".join(map(title, self.specs))

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.chart = ChartView(height=ALONE, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank(self.unit, "loss"), f"loss by {self.unit}")
        self.gradients = ChartView(height=TOGETHER)
        self.board = BoardView()
        self.snapshots = ChartView(height=260)
        self._curves = charts.Growing(self.chart)
        self._measured: FirstGradients | None = None  # whose chart is on screen
        both = row(self.chart, self.gradients, grow=[3, 1], basis=[500, 240])
        body = column(row(both, self.board, grow=[20, 1], basis=240), self.snapshots)
        both.hidden, body.hidden = [self.gradients], [self.snapshots]
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> Race:
        if self._replay:
            return self._replay
        job.update(None, 0.0)
        own = state.task == "your own"
        return race(
            task_of(self._task, *self._loaders) if own else task_of(state.task),
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
    def draw_gradients(self, found: Race) -> None:
        measured = found.gradients
        if measured is self._measured:  # as at all steps of a race but its first
            return
        self._measured = measured
        figure = gradient_chart(measured) if measured else None
        shown = self.reveal(self.gradients, figure is not None)
        self.chart.height = TOGETHER if shown else ALONE
        if measured and shown:
            self.gradients.show(figure, f"norm of the loss's gradient by layer: {measured.summary}")

    @draws()
    def draw_board(self, found: Race) -> None:
        self.board.show(charts.standing_rows(found), f"Test {quantities(found)[-1]}")

    @draws()
    def draw_snapshots(self, found: Race) -> None:
        bars = charts.snapshots(found)
        if self.reveal(self.snapshots, bars is not None):
            self.snapshots.height = 102 + 30 * len(bars.data[0].y)
            self.snapshots.show(bars, "test accuracy of the snapshots and of their average")

    def summary(self, found: Race) -> str:
        return "\n".join([found.summary, *([found.gradients.summary] if found.gradients else [])])

    def progress(self, partial: Race | None) -> str:
        return partial.progress if partial else "Loading the pictures …"

    def more_controls(self) -> dict[str, c.Value]:
        if not self._from_presets or "specs" in self.hidden:
            return {}
        own = not isinstance(self._task, str)  # whose pictures may not fit the networks of a preset
        fit = [name for name, each in RACES.items() if not (own and any("model" in spec for spec in each.specs))]
        parts = {"kind": "choice", "options": [[name, name] for name in fit]}
        now = race_preset_of(None if own else self.task, self.specs)
        return {"preset": c.Value(label="race", value=now, parts=parts, help="what differs", locked="specs" in self.locked)}

    def take_value(self, name: str, value: Any) -> None:
        if value is not None:
            chosen = RACES[value]
            with self.hold_trait_notifications():
                if isinstance(self._task, str):
                    self.task = chosen.task
                self.steps, self.specs = chosen.steps, [dict(spec) for spec in chosen.specs]

    @action("Use the leader", icon="play", absent=lambda panel: not panel.has_weights)
    def use(self) -> None:
        """Stop training. `panel.trained` is the network that leads, with the weights of its best epoch."""
        leader = self._result.leader
        self.trained = leader.bound()
        told = f'panel.trained is "{leader.name}" after epoch {leader.best_epoch}, its best.'

        def say(job: Job) -> None:
            self.cancel()
            self.wait()
            self.status.say(f"{told}\n{self.summary(self._result)}")

        self.aside("use", say)

    @property
    def has_weights(self) -> bool:
        """Whether a run that was trained here has been validated."""
        return self._replay is None and has_weights(self._result)

    def data(self) -> dict[str, np.ndarray]:
        """``loss``, ``accuracy``, and ``validation_`` of both: (schedules, seeds, epochs), NaN where a run has ended.

        Where several networks race also ``gradient_norms`` (schedules, layers), NaN behind a network's last layer.
        """
        gradients = self.result.gradients
        return {**self.result.curves, **({"gradient_norms": gradients.table} if gradients else {})}

    def code(self) -> str:
        task = self._task if self.task == "your own" else self.task
        self.wait()  # the code of a race that has failed is shown too
        result = "loss" if self._result and not have_accuracy(self._result.histories) else "accuracy"
        return race_lines(self.specs, self.steps, self.unit, task, result)


def _race_of(given: Race | str | Path | None) -> Race | None:
    if given is None or isinstance(given, Race):
        return given
    return recorded_race(str(given)) if given in RECORDED_RACES else Race.load(given)
