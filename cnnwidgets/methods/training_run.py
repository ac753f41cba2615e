"""A run of a race: one spec and one seed, trained a little at a time."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnwidgets.methods.criteria import OwnLoss
from cnnwidgets.methods.early_stopping import Patience
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.median_stopping import MedianRule
from cnnwidgets.methods.parts import ask, torch_threads
from cnnwidgets.methods.run_file import RunFile
from cnnwidgets.methods.schedule_groups import arranged
from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.schedules import Scheduled, schedule
from cnnwidgets.methods.snapshots import Snapshots
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training import Evaluation, Step, evaluate, train
from cnnwidgets.methods.weights import Weights, copied, put
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number

TURN = 0.2
"""Seconds that a run trains before the next one has its turn."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        task: with all that the spec varies.
        until: when it ends before its steps do, see :data:`cnnwidgets.methods.variations.UNTIL`.
        file: where it stands, for another process to go on from; None for nowhere.
        rule: ends it where it is hopeless beside earlier runs, if there were some.
    """

    task: Task
    name: str
    spec: dict[str, Any]
    steps: int
    unit: str
    seed: int
    until: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    rule: MedianRule | None = None


class TrainingRun:
    """A run under way, trained a little at a time."""

    def __init__(self, plan: Plan):
        self.plan, self.over, self.stopped = plan, False, ""
        settled = settle(plan.spec, plan.steps)
        self._model, self._stream = plan.task.stream(plan.seed)
        self._scheduled = Scheduled(settled, arranged(settled, self._model))
        self._by_batch, self._on_plateau = plan.unit == "batch", settled["kind"] == "plateau"
        self._minima = frozenset(_minima(plan.spec, plan.steps) if settled["kind"] == "restarts" else ())
        patience = plan.until.get("patience")
        self._patience = Patience(patience, plan.until.get("min_delta", 0.0)) if patience else None
        self._last, self._budget = min(plan.steps, plan.until.get("steps") or plan.steps), plan.until.get("seconds")
        self._log: list[Step] = []
        self._validations: list[tuple[int, float, float]] = []
        self._measures: list[dict[str, float]] = []
        self._snapshots, self._snapshot_ends = Snapshots(plan.task.criterion), []  # type: tuple[Snapshots, list[int]]
        self._kept: dict[int, dict[str, Tensor]] = {}  # weights, by epoch
        self._seconds, self._done = 0.0, 0  # of the schedule's steps
        self._file = RunFile(plan, copied(self._model)) if plan.file is not None else None
        if self._file is not None and (before := self._file.read()):
            self._go_on(**before)
        self._epoch = self._new_epoch()

    @property
    def model(self) -> nn.Module:
        """What trains."""
        return self._model

    @property
    def optimizer(self) -> Optimizer:
        return self._scheduled.optimizer

    @property
    def fraction(self) -> float:
        """How much of the budget is spent, between 0 and 1."""
        return 1.0 if self.over else self._done / self._last

    def train(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Train for about this many seconds, or to the end of the epoch."""
        start = time.perf_counter()
        end = start + seconds
        before = self._seconds
        with self._stream.flowing():
            for step in self._epoch:
                self._log.append(step)
                self._done += self._by_batch
                now = time.perf_counter()
                self._seconds = before + now - start
                if not math.isfinite(step.loss):
                    self.stopped = f"diverged at step {len(self._log) - 1} (loss {number(step.loss)})"
                elif self._budget is not None and self._seconds >= self._budget:
                    self.stopped = f"has trained for {number(self._budget)} s"
                if self._by_batch and self._done - 1 in self._minima:
                    self._snapshot(*self._look())
                if self.stopped or self._done == self._last:
                    break
                if self._by_batch and not self._on_plateau:
                    self._scheduled.step()
                if cancel is not None and cancel.is_set():
                    return
                if now >= end:
                    return
            self._end_epoch()
        if self._file is not None:
            self._file.write(self._state, at_once=self.over)

    def history(self) -> History:
        """What there is of it so far."""
        losses, accuracies, rates, _ = zip(*self._log, strict=True) if self._log else ((),) * 4
        groups = len(self._scheduled.optimizer.param_groups)
        ends, validation_losses, validation_accuracies = (
            zip(*self._validations, strict=True) if self._validations else ((),) * 3
        )
        return History(
            self.plan.name,
            self.plan.spec,
            self.plan.seed,
            rates=np.array(rates, float).reshape(-1, groups).T,
            loss=np.array(losses, float),
            accuracy=np.array(accuracies, float),
            ends=np.array(ends, np.int64),
            validation_loss=np.array(validation_losses, float),
            validation_accuracy=np.array(validation_accuracies, float),
            snapshot_ends=np.array(self._snapshot_ends, np.int64),
            snapshot_accuracy=np.array(self._snapshots.accuracy, float),
            ensemble_accuracy=np.array(self._snapshots.ensemble, float),
            measures={name: np.array([each[name] for each in self._measures]) for name in (self._measures or [{}])[0]},
            stopped=self.stopped,
            weights=Weights(self.plan.task, dict(self._kept)),
        )

    def _new_epoch(self) -> Iterator[Step]:
        return train(self._model, self.plan.task.loader, self._scheduled.optimizer, criterion=self.plan.task.criterion)

    def _end_epoch(self) -> None:
        """Validate, and get ready for the next epoch, if there is one."""
        if len(self._log) == (self._validations[-1][0] if self._validations else 0):
            epoch = len(self._validations)
            raise ValueError(f"there is nothing to train on: the training loader gives no batch in epoch {epoch}")
        found = self._look()
        self._validations.append((len(self._log), found.loss, found.accuracy))
        self._keep()
        criterion = self.plan.task.criterion
        if isinstance(criterion, OwnLoss):
            self._measures.append(criterion.measures(found.scores, found.labels))
        if not self._by_batch:
            self._done += 1
            if self._done - 1 in self._minima:
                self._snapshot(*found)
        if self._patience and self._patience.is_over(found.loss) and not self.stopped:
            self.stopped = f"was stopped early after epoch {len(self._validations)}"
        if self.plan.rule and not self.stopped and self._done < self._last:
            self.stopped = self.plan.rule.verdict(
                [each[1 + (self.plan.rule.by == "accuracy")] for each in self._validations]
            )
        self.over = bool(self.stopped) or self._done >= self._last
        if self.over:
            return
        if not self._by_batch or self._on_plateau:
            self._scheduled.step(found.loss)
        self._epoch = self._new_epoch()

    def _look(self) -> Evaluation:
        return evaluate(self._model, self.plan.task.validation_loader, criterion=self.plan.task.criterion)

    def _snapshot(self, loss: float, accuracy: float, scores: Any, labels: Any) -> None:
        self._snapshots.add(scores, labels)
        self._snapshot_ends.append(len(self._log))

    def _keep(self) -> None:
        """Keep the weights of this epoch, and those of the best one."""
        losses = np.array([loss for _, loss, _ in self._validations])
        best = int(np.where(np.isfinite(losses), losses, np.inf).argmin()) + 1
        self._kept = {epoch: weights for epoch, weights in self._kept.items() if epoch == best}
        self._kept[len(losses)] = copied(self._model)

    # going on where another process has stopped: between two epochs

    def _state(self) -> dict[str, Any]:
        return {
            "model": copied(self._model),
            "optimizer": self._scheduled.optimizer.state_dict(),
            "random": self._stream.state(),
            "log": [tuple(step) for step in self._log],
            "validations": self._validations,
            "measures": self._measures,
            "snapshots": self._snapshots.state(),
            "snapshot_ends": self._snapshot_ends,
            "kept": self._kept,
            "seconds": self._seconds,
            "done": self._done,
            "stopped": self.stopped,
            "over": self.over,
        }

    def _go_on(
        self,
        model: dict[str, Tensor],
        optimizer: dict[str, Any],
        random: Any,
        log: list[tuple],
        snapshots: dict[str, Any],
        **rest: Any,
    ) -> None:
        """Take a state over: the schedule is stepped as it was, all else is put back."""
        self._log = [Step(*each) for each in log]
        self._validations = [tuple(each) for each in rest["validations"]]
        self._measures, self._snapshot_ends, self._kept = rest["measures"], rest["snapshot_ends"], rest["kept"]
        self._seconds, self._done, self.stopped, self.over = (rest[name] for name in ("seconds", "done", "stopped", "over"))
        self._snapshots.restore(snapshots)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of schedulers that are stepped and optimizers that are not
            for _, loss, _ in self._validations[: len(self._validations) - self.over]:
                if not self._by_batch or self._on_plateau:
                    self._scheduled.step(loss)
            for _ in self._log if self._by_batch and not self._on_plateau else ():
                self._scheduled.step()
        for _, loss, _ in self._validations if self._patience else ():
            self._patience.is_over(loss)  # type: ignore[union-attr]
        put(model, self._model)
        self._scheduled.optimizer.load_state_dict(optimizer)
        self._stream.restore(random)


class StopSignal:
    """Tells runs on threads that nobody waits for them any more; its copy in another process never changes."""

    now = False

    def is_set(self) -> bool:
        return self.now


def run_whole(plan: Plan, threads: int, stop: StopSignal) -> History:
    """A run from start to end, with this many torch threads; its task stays where it is."""
    run = TrainingRun(plan)
    while not run.over:
        ask(stop)
        with torch_threads(threads):
            run.train(TURN, stop)
    found = run.history()
    return replace(found, weights=replace(found.weights, task=None))


def _minima(spec: dict[str, Any], steps: int) -> list[int]:
    return schedule(spec, steps).minima.tolist()
