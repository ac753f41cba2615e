"""A run of a race: one schedule and one seed, trained a little at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.methods.early_stopping import Patience
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.parts import ask, torch_threads
from cnnwidgets.methods.schedule_groups import arranged
from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.schedules import Scheduled, schedule
from cnnwidgets.methods.snapshots import Snapshots
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training import Evaluation, Step, evaluate, train
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number

TURN = 0.2
"""Seconds that a run trains before the next one has its turn."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do."""

    task: Task
    name: str
    spec: dict[str, Any]
    steps: int
    unit: str
    seed: int
    patience: int | None
    min_delta: float


class TrainingRun:
    """A run under way, trained a little at a time."""

    def __init__(self, plan: Plan):
        self.plan, self.over, self.stopped = plan, False, ""
        settled = settle(plan.spec, plan.steps)
        self._model, self._stream = plan.task.stream(plan.seed)
        self._scheduled = Scheduled(settled, arranged(settled, self._model))
        self._by_batch, self._on_plateau = plan.unit == "batch", settled["kind"] == "plateau"
        self._minima = frozenset(_minima(plan.spec, plan.steps) if settled["kind"] == "restarts" else ())
        self._patience = Patience(plan.patience, plan.min_delta) if plan.patience else None
        self._log: list[Step] = []
        self._validations: list[tuple[int, float, float]] = []
        self._snapshots, self._snapshot_ends = Snapshots(plan.task.criterion), []  # type: tuple[Snapshots, list[int]]
        self._epoch = self._new_epoch()
        self._done = 0  # of the schedule's steps

    @property
    def fraction(self) -> float:
        """How much of the budget is spent, between 0 and 1."""
        return 1.0 if self.over else self._done / self.plan.steps

    def train(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Train for about this many seconds, or to the end of the epoch."""
        end = time.perf_counter() + seconds
        with self._stream.flowing():
            for step in self._epoch:
                self._log.append(step)
                self._done += self._by_batch
                if not math.isfinite(step.loss):
                    self.stopped = f"diverged at step {len(self._log) - 1} (loss {number(step.loss)})"
                if self._by_batch and self._done - 1 in self._minima:
                    self._snapshot(*self._look())
                if self.stopped or self._done == self.plan.steps:
                    break
                if self._by_batch and not self._on_plateau:
                    self._scheduled.step()
                if cancel is not None and cancel.is_set():
                    return
                if time.perf_counter() >= end:
                    return
            self._end_epoch()

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
            stopped=self.stopped,
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
        if not self._by_batch:
            self._done += 1
            if self._done - 1 in self._minima:
                self._snapshot(*found)
        if self._patience and self._patience.is_over(found.loss) and not self.stopped:
            self.stopped = f"was stopped early after epoch {len(self._validations)}"
        self.over = bool(self.stopped) or self._done >= self.plan.steps
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


class StopSignal:
    """Tells runs on threads that nobody waits for them any more; its copy in another process never changes."""

    now = False

    def is_set(self) -> bool:
        return self.now


def run_whole(plan: Plan, threads: int, stop: StopSignal) -> History:
    """A run from start to end, with this many torch threads."""
    run = TrainingRun(plan)
    while not run.over:
        ask(stop)
        with torch_threads(threads):
            run.train(TURN, stop)
    return run.history()


def _minima(spec: dict[str, Any], steps: int) -> list[int]:
    return schedule(spec, steps).minima.tolist()
