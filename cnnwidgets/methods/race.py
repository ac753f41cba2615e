"""A race: the same network, seeds and budget under several learning-rate schedules."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods import histories
from cnnwidgets.methods.early_stopping import Patience
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.parts import PATIENCE, ask, check_forks, torch_threads
from cnnwidgets.methods.schedule_groups import arranged
from cnnwidgets.methods.schedule_parameters import plain, settle
from cnnwidgets.methods.schedules import Scheduled, check_steps, schedule, title
from cnnwidgets.methods.snapshots import Snapshots
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training import Step, evaluate, train
from cnnwidgets.methods.verdict import Verdict, verdict_on
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checking, said

TURN = 0.2
"""Seconds that a run trains before it is the next one's turn."""

UNITS = ("epoch", "batch")


@dataclass(frozen=True, eq=False)
class Race:
    """The histories of a race, or what there is of them by now: by schedule, and for each of them by seed.

    Attributes:
        histories: one for each schedule and seed.
        unit: what the schedules' steps are: "epoch" or "batch".
        steps: of the schedules: the budget.
    """

    histories: tuple[History, ...]
    unit: str
    steps: int

    @property
    def names(self) -> list[str]:
        """Of the schedules."""
        return [*dict.fromkeys(one.name for one in self.histories)]

    def of(self, name: str) -> list[History]:
        """The histories of a schedule, by seed."""
        return [one for one in self.histories if one.name == name]

    @property
    def verdict(self) -> Verdict | None:
        """Who leads by now, or has won; None with fewer than two schedules, or before all were validated with all seeds."""
        return verdict_on(self.histories)

    def save(self, path: str | Path) -> None:
        """Write it to a ``.json`` or ``.npz`` file, from which :meth:`load` and ``History.load`` read."""
        histories.save(path, list(self.histories), unit=self.unit, steps=self.steps)

    @classmethod
    def load(cls, path: str | Path) -> Race:
        """Read it from a file; a ValueError if that holds no race."""
        found, about = histories.load(path)
        if about.keys() != {"unit", "steps"}:
            raise ValueError(f"{Path(path).name} holds no race: History.load reads a training's history")
        return cls(tuple(found), **about)


@checking("seeds", "steps", "patience", "min_delta")
def race(
    task: Task,
    specs: Sequence[dict[str, Any]],
    *,
    steps: int,
    unit: str = "epoch",
    seeds: Sequence[int] = (0,),
    patience: int | None = None,
    min_delta: float = 0.0,
    executor: Executor | None = None,
    on_update: Callable[[Race, float], None] | None = None,
    cancel=None,
) -> Race:
    """Train the same network under several schedules, side by side.

    >>> race = cw.methods.race(cw.methods.task("digits"), [{"kind": "constant", "lr": 0.1}, {"kind": "cosine"}], steps=20)
    >>> race.verdict

    A run is what :func:`train`, torch's scheduler and the seed give, to the last bit on one machine, whatever runs beside
    it and on whatever executor. The network is validated after every epoch; a plateau sees that loss. A run ends early
    when its loss is no number. Cosine restarts leave a snapshot before each restart.

    Parameters:
        task: the network and its data; both are left as they are.
        specs: schedules, see :func:`cnnwidgets.methods.schedule`.
        steps: of each schedule: the budget.
        unit: what a step is: "epoch", or "batch".
        seeds: each schedule runs once with each; a seed decides the weights at the start, the order of the batches and
            all else that is left to chance.
        patience, min_delta: epochs that early stopping bears without a better validation loss; None for none.
        executor: any ``concurrent.futures.Executor``, where every run is a call; without one the runs take turns here.
        on_update: called with a partial :class:`Race` and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: what is wrong with a schedule, a seed or the data, in a sentence.
        Cancelled: cancel was set; its ``partial`` is the race as far as it came.
    """
    if not isinstance(specs, (list, tuple)):
        raise TypeError(f"specs is {said(specs)}; expected a list of schedules, see cw.methods.schedule")
    if not specs:
        raise ValueError("there is no schedule to train with")
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}; it must be 'epoch' or 'batch'")
    if np.ndim(seeds) != 1 or not len(seeds) or not all(isinstance(seed, (int, np.integer)) and seed >= 0 for seed in seeds):
        raise ValueError(f"seeds is {seeds!r}; it must hold at least one whole number of at least 0")
    steps = check_steps(steps)
    for spec in specs:
        settle(spec, steps)
    if patience is not None:
        Patience(patience, min_delta)
    names = _apart([title(spec) for spec in specs])
    plans = [
        Plan(task, name, plain(spec), steps, unit, int(seed), patience, min_delta)
        for name, spec in zip(names, specs, strict=True)
        for seed in seeds
    ]
    ways = _in_turns(plans, cancel) if executor is None else _elsewhere(plans, executor, cancel)
    now: Race | None = None
    try:
        for found, fraction in ways:
            now = Race(found, unit, steps)
            if on_update:
                on_update(now, fraction)
    except Cancelled:
        raise Cancelled("cancelled", partial=now) from None
    assert now is not None
    return now


@dataclass(frozen=True)
class Plan:
    """A run that is to come."""

    task: Task
    name: str
    spec: dict[str, Any]
    steps: int
    unit: str
    seed: int
    patience: int | None
    min_delta: float


class Run:
    """A run under way: trains for a while whenever it is told to."""

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

    def train(self, seconds: float, cancel=None) -> None:
        """Go on for about so many seconds, or to the end of the epoch."""
        end = time.perf_counter() + seconds
        with self._stream.flowing():
            for step in self._epoch:
                self._log.append(step)
                self._done += self._by_batch
                if not math.isfinite(step.loss):
                    self.stopped = f"its loss is {step.loss} from step {len(self._log) - 1} on"
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
        """What there is of it by now."""
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
        return train(self._model, self.plan.task.train, self._scheduled.optimizer, criterion=self.plan.task.criterion)

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
            self.stopped = f"early stopping after epoch {len(self._validations)}"
        self.over = bool(self.stopped) or self._done >= self.plan.steps
        if self.over:
            return
        if not self._by_batch or self._on_plateau:
            self._scheduled.step(found.loss)
        self._epoch = self._new_epoch()

    def _look(self):
        return evaluate(self._model, self.plan.task.validation, criterion=self.plan.task.criterion)

    def _snapshot(self, loss, accuracy, scores, labels) -> None:
        self._snapshots.add(scores, labels)
        self._snapshot_ends.append(len(self._log))


def _in_turns(plans: Sequence[Plan], cancel) -> Iterator[tuple[tuple[History, ...], float]]:
    """All runs here, each for a while, until all are over."""
    runs = [Run(plan) for plan in plans]
    turn = math.inf if getattr(plans[0].task.train, "persistent_workers", False) else TURN  # whose loader serves one epoch
    while not all(run.over for run in runs):
        for run in runs:
            if not run.over:
                ask(cancel)
                run.train(turn, cancel)
                yield tuple(each.history() for each in runs), float(np.mean([each.fraction for each in runs]))


def _elsewhere(plans: Sequence[Plan], executor: Executor, cancel) -> Iterator[tuple[tuple[History, ...], float]]:
    """All runs on an executor, each a call; those that are over, by and by."""
    threads = torch.get_num_threads()
    check_forks(executor, threads)
    stop = Stop()
    waiting = {executor.submit(run_whole, plan, threads, stop): plan for plan in plans}
    found: dict[int, History] = {}
    try:
        while waiting:
            ask(cancel)
            for future in wait(waiting, PATIENCE, FIRST_COMPLETED).done:
                found[id(waiting.pop(future))] = future.result()
                some = tuple(found[id(plan)] for plan in plans if id(plan) in found)
                yield some, len(some) / len(plans)
    finally:
        stop.now = True
        under_way = [future for future in waiting if not future.cancel()]
        if isinstance(executor, ThreadPoolExecutor):
            wait(under_way)  # they end with their step, and give the generators back


class Stop:
    """Tells runs on threads that nobody waits for them any more; in another process its copy stays as it is."""

    now = False

    def is_set(self) -> bool:
        return self.now


def run_whole(plan: Plan, threads: int, stop: Stop) -> History:
    """A run from its start to its end, with so many threads of torch."""
    run = Run(plan)
    while not run.over:
        ask(stop)
        with torch_threads(threads):
            run.train(TURN, stop)
    return run.history()


def _minima(spec: dict[str, Any], steps: int) -> list[int]:
    return schedule(spec, steps).minima.tolist()


def _apart(names: Sequence[str]) -> list[str]:
    """The names, those that are there twice with a number."""
    apart: list[str] = []
    for name in names:
        tries = itertools.chain([name], (f"{name} ({k})" for k in itertools.count(2)))
        apart.append(next(each for each in tries if each not in apart))
    return apart
