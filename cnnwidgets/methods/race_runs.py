"""The runs of a race: one plan for each spec and seed, run here in turns or on an executor."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.histories import History
from cnnwidgets.methods.parts import PATIENCE, ask, check_forks
from cnnwidgets.methods.schedule_parameters import plain
from cnnwidgets.methods.schedules import title
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training_run import TURN, Plan, StopSignal, TrainingRun, run_whole
from cnnwidgets.methods.variations import settled, vary
from cnnwidgets.methods.weights import Weights
from cnnwidgets.net.progress import Cancel


def check_seeds(seeds: Any) -> None:
    if np.ndim(seeds) != 1 or not len(seeds) or not all(isinstance(seed, (int, np.integer)) and seed >= 0 for seed in seeds):
        raise ValueError(f"seeds is {seeds!r}; expected one or more whole numbers of at least 0")


def plans_of(
    task: Task,
    specs: Sequence[dict[str, Any]],
    steps: int,
    unit: str = "epoch",
    seeds: Sequence[int] = (0,),
    usual: dict[str, Any] | None = None,
    checkpoint: str | Path | None = None,
) -> list[Plan]:
    """One plan for each spec and seed; the runs of a spec share their task.

    Parameters:
        usual: until when runs go whose spec does not say.
    """
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    plans = []
    for k, (name, spec) in enumerate(zip(apart([title(spec) for spec in specs]), specs, strict=True)):
        what = settled(spec)
        own = vary(task, **{key: spec[key] for key in what})
        until = {**(usual or {}), **what.get("until", {})}
        whole = {**plain(spec), **what, **({"until": until} if until else {})}
        if "weight_decay" in what.get("regularize", {}):
            whole["weight_decay"] = what["regularize"]["weight_decay"]
        for seed in map(int, seeds):
            file = None if folder is None else folder / f"run-{k}-seed-{seed}.pt"
            plans.append(Plan(own, name, whole, steps, unit, seed, until, file))
    return plans


def run_all(
    plans: Sequence[Plan], executor: Executor | None, cancel: Cancel | None
) -> Iterator[tuple[tuple[History, ...], float]]:
    """All runs, here or on an executor: their histories again and again as they grow, and the fraction done."""
    return _in_turns(plans, cancel) if executor is None else _elsewhere(plans, executor, cancel)


def _in_turns(plans: Sequence[Plan], cancel: Cancel | None) -> Iterator[tuple[tuple[History, ...], float]]:
    """All runs here, taking turns, until all are over."""
    runs = [TrainingRun(plan) for plan in plans]
    turn = math.inf if getattr(plans[0].task.loader, "persistent_workers", False) else TURN  # whose loader serves one epoch
    if all(run.over for run in runs):  # as their files say
        yield tuple(each.history() for each in runs), 1.0
    while not all(run.over for run in runs):
        for run in runs:
            if not run.over:
                ask(cancel)
                run.train(turn, cancel)
                yield tuple(each.history() for each in runs), float(np.mean([each.fraction for each in runs]))


def _elsewhere(
    plans: Sequence[Plan], executor: Executor, cancel: Cancel | None
) -> Iterator[tuple[tuple[History, ...], float]]:
    """All runs on an executor, one call each; those that are over so far."""
    threads = torch.get_num_threads()
    check_forks(executor, threads)
    stop = StopSignal()
    waiting = {executor.submit(run_whole, plan, threads, stop): plan for plan in plans}
    found: dict[int, History] = {}
    try:
        while waiting:
            ask(cancel)
            for future in wait(waiting, PATIENCE, FIRST_COMPLETED).done:
                plan, history = waiting.pop(future), future.result()
                found[id(plan)] = replace(history, weights=Weights(plan.task, history.weights.by_epoch))
                some = tuple(found[id(plan)] for plan in plans if id(plan) in found)
                yield some, len(some) / len(plans)
    finally:
        stop.now = True
        under_way = [future for future in waiting if not future.cancel()]
        if isinstance(executor, ThreadPoolExecutor):
            wait(under_way)  # they end with their step, and give the generators back


def apart(names: Sequence[str]) -> list[str]:
    """The names; those that occur twice get a number."""
    told: list[str] = []
    for name in names:
        tries = itertools.chain([name], (f"{name} ({k})" for k in itertools.count(2)))
        told.append(next(each for each in tries if each not in told))
    return told
