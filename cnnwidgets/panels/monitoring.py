"""TrainingMonitor: a training loop of your own, watched live, and what is wrong with it by name."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from cnnwidgets.base import column, draws, row
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice
from cnnwidgets.methods import Diagnosis, History, Record, Task, diagnose
from cnnwidgets.methods import monitor as follow
from cnnwidgets.methods.code.monitoring import monitoring_lines
from cnnwidgets.methods.criteria import Loss
from cnnwidgets.methods.monitoring import Monitor
from cnnwidgets.methods.record_curves import QUANTITIES, findings_of
from cnnwidgets.methods.recorded import RECORDED
from cnnwidgets.methods.sick_runs import SICK_RUNS, bundled_task, record_of
from cnnwidgets.methods.training import Scheduler
from cnnwidgets.net.arguments import said
from cnnwidgets.numbers import number
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels import monitoring_charts as charts
from cnnwidgets.panels.by_heart import LearnsByHeart
from cnnwidgets.views import ChartView, FindingsView
from cnnwidgets.views.curves import blank


class Watched(NamedTuple):
    """A training as far as it came, and what is wrong with it."""

    record: Record
    diagnosis: Diagnosis


class TrainingMonitor(LearnsByHeart):
    """Watch a training loop of your own, and read what is wrong with it by name, with evidence and remedy.

    >>> cw.TrainingMonitor("A")  # a recorded training; or a Record, a History, a file of either
    >>> with cw.monitor(model, loader, optimizer, epochs=10) as m:  # around your own loop
    ...     for epoch in range(10):
    ...         for images, labels in loader:
    ...             loss = F.cross_entropy(model(images), labels)
    ...             optimizer.zero_grad()
    ...             loss.backward()
    ...             optimizer.step()

    Above are loss and accuracy, thin for training and thick for validation; below is what happens in the layers, from light
    (the first) to dark (the last). Nothing is added to the loop, and the network stays as it would be. ``m.record`` holds
    all that was seen, ``m.report()`` tells it in text, where there is no front end. "Learn 20 pictures by heart" tries that
    on a copy, before or after the loop, or with what a bundled training trained.

    Parameters:
        training: a network; or what was recorded of a training: a :class:`~cnnwidgets.methods.Record`, a
            :class:`~cnnwidgets.methods.History`, the file of either, or the name of one that is bundled.
        loader, optimizer, scheduler, epochs, every, checkpoints, checkpoint_steps: of a network, see
            :func:`cnnwidgets.methods.monitor`.
        criterion: of a network: scores and labels to the mean loss, for what is learned by heart.
    """

    quantity = Choice(list(QUANTITIES), label="layers", then="draw", help="what is shown of the layers")

    def __init__(
        self,
        training: nn.Module | Record | History | str | Path,
        loader: Iterable[Any] | None = None,
        optimizer: Optimizer | None = None,
        *,
        scheduler: Scheduler | None = None,
        epochs: int | None = None,
        every: int | None = None,
        checkpoints: str | Path | None = None,
        checkpoint_steps: int | None = None,
        criterion: Loss = F.cross_entropy,
        **options: Any,
    ) -> None:
        self._network = training if isinstance(training, nn.Module) else None
        self._loader, self._criterion = loader, criterion
        self._monitor: Monitor | None = None
        self._thread: int | None = None  # that of the loop
        self._fed, self._over = threading.Event(), threading.Event()
        self._name = training if isinstance(training, str) else type(training).__name__
        if isinstance(training, nn.Module):
            about: dict[str, Any] = {"scheduler": scheduler, "epochs": epochs, "every": every}
            kept: dict[str, Any] = {"checkpoints": checkpoints, "checkpoint_steps": checkpoint_steps}
            self._monitor = follow(training, loader, optimizer, **about, **kept, on_update=self._feed)
            self._newest = self._monitor.record
        else:
            self._newest = record_of(training)
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return self._name

    @property
    def record(self) -> Record:
        """All that was seen so far."""
        return self._monitor.record if self._monitor is not None else self._newest

    # around a loop

    def __enter__(self) -> TrainingMonitor:
        if self._monitor is None:
            raise TypeError(f"{self._name} is a recorded training; expected a network, to watch a loop")
        self._loop_begins()
        self._monitor.__enter__()
        self.ask(live=True)
        _show(self)
        self._thread = threading.get_ident()
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._monitor is not None
        try:
            self._monitor.__exit__(*error)
        finally:
            self._over.set()
            self._fed.set()
            self.curves.bring(False)

    def step(self, loss: Tensor | float, accuracy: float | None = None) -> None:
        """Say the loss of a step, and its accuracy (0 to 1), see :meth:`cnnwidgets.methods.Monitor.step`."""
        self._watching.step(loss, accuracy)

    def validate(self, loss: Tensor | float, accuracy: float | None = None) -> None:
        """Say what a validation found."""
        self._watching.validate(loss, accuracy)

    def epoch(self) -> None:
        """Say that an epoch has ended."""
        self._watching.epoch()

    def wait(self, timeout: float | None = None) -> bool:
        if self._thread == threading.get_ident() and not self._over.is_set():
            raise RuntimeError("the training that is watched is under way: m.record holds what was seen of it so far")
        return super().wait(timeout)

    def report(self) -> str:
        """Where the training stands, one line for each layer, and what is wrong, as text."""
        record = self.record
        return f"{diagnose(record).summary}\n{record.report()}"

    @property
    def _watching(self) -> Monitor:
        if self._monitor is None:
            raise TypeError(f"{self._name} is a recorded training; expected a network, to watch a loop")
        return self._monitor

    def _feed(self, seen: Monitor) -> None:
        self._newest = seen.record
        self._fed.set()

    # learning by heart

    @property
    def can_try(self) -> bool:
        if self._network is not None:
            return self._loader is not None and not isinstance(self._loader, Iterator)
        return self._name in SICK_RUNS or self._name in RECORDED

    def tried(self) -> Task:
        if self._network is not None:
            assert self._loader is not None
            return Task(self._network, self._loader, self._loader, self._criterion)
        found = bundled_task(self._name)
        assert found is not None
        return found

    @property
    def under_way(self) -> bool:
        return self._looping and not self._over.is_set()

    # the panel

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.curves, self.layers = ChartView(height=200, readout=True), ChartView(height=200, readout=True)
        with suppress(MissingPackage):
            self.curves.show(blank("step", "loss"), "loss and accuracy by step")
        self.findings = FindingsView(height=420)
        return row(column(self.curves, self.layers), self.findings, grow=[7, 3], basis=260)

    def compute(self, state: SimpleNamespace, job: Job) -> Watched:
        if not getattr(job.state, "live", False):
            return Watched(self._newest, diagnose(self._newest))
        job.update(Watched(self._newest, diagnose(self._newest)), 0.0)  # the loop begins once there is a picture
        while not self._over.is_set():
            if self._fed.wait(0.1):
                self._fed.clear()
                seen = Watched(self._newest, diagnose(self._newest))
                job.update(seen, charts.fraction(seen.record))
            if job.is_set():
                break
        return Watched(self.record, diagnose(self.record))

    @draws()
    def draw_curves(self, found: Watched) -> None:
        self.curves.show(charts.learning_chart(found.record), "loss and accuracy of training and validation by step")

    @draws("quantity")
    def draw_layers(self, found: Watched) -> None:
        self.layers.show(charts.layers_chart(found.record, self.quantity), f"{self.quantity} by step, for each layer")

    @draws()
    def draw_findings(self, found: Watched) -> None:
        count = len(found.diagnosis.judged)
        nothing = f"Nothing wrong was found: {count} symptoms were looked for." if count else "Nothing was seen yet."
        tried = [self._tried_row] if self._tried_row else []
        self.findings.show([*tried, *findings_of(found.diagnosis.findings)], nothing, "Diagnosis")
        if tried:
            self.findings.selected = 0

    def summary(self, found: Watched) -> str:
        told = found.diagnosis.summary if found.record.steps else "No step was made yet."
        tried = [self.by_heart.summary] if self.by_heart else []
        writer = self._monitor.checkpoints if self._monitor is not None else None
        kept = [writer.sentence] if writer is not None else []
        return "\n".join([*tried, told, *kept, *found.record.report().split("\n")])

    def progress(self, partial: Watched | None) -> str:
        if partial is None or not partial.record.steps:
            return "Waiting for the first step …"
        record = partial.record
        told = [f"Step {record.steps:,}", f"loss {number(record.history.loss[-1])}"]
        told += [f"{number(record.images_per_second)} images/s"] if np.isfinite(record.images_per_second) else []
        told += [f"{number(record.seconds_left, 2)} s left"] if record.seconds_left > 0 else []
        return ", ".join(told) + "."

    def data(self) -> dict[str, np.ndarray]:
        """``loss``, ``accuracy``, ``validation_loss``, ``validation_accuracy``, and of the samples ``update_ratio``,
        ``gradient`` (samples, layers), ``deviation``, ``dead``, ``saturated`` (samples, calls), ``cosine`` (samples,).
        """
        record = self.result.record
        curves = {
            name: getattr(record.history, name) for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")
        }
        return curves | {one.values: getattr(record, one.values) for one in QUANTITIES.values()}

    def code(self) -> str:
        return monitoring_lines(SICK_RUNS.get(self._name) or RECORDED.get(self._name))


def monitor(
    model: nn.Module, loader: Iterable[Any] | None = None, optimizer: Optimizer | None = None, **options: Any
) -> TrainingMonitor:
    """A :class:`TrainingMonitor` around a training loop of your own; it shows itself when the loop begins.

    >>> with cw.monitor(model, loader, optimizer) as m:
    ...     ...  # your loop, as it is

    ``checkpoints="folder"`` saves checkpoints during training, for :class:`FeatureEvolution`.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is {said(model)}; expected a torch.nn.Module")
    return TrainingMonitor(model, loader, optimizer, **options)


def _show(panel: TrainingMonitor) -> None:
    """Display a panel where there is a notebook."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import display

        panel.curves.bring(True)  # the kernel is busy with the loop
        display(panel)
