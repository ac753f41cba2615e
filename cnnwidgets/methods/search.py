"""A search for the values of a spec that train best: trials are runs of a race, drawn from a space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from cnnwidgets.methods.generations import train_generation
from cnnwidgets.methods.median_stopping import MedianRule
from cnnwidgets.methods.race_runs import check_seeds, plans_of
from cnnwidgets.methods.schedules import check_steps
from cnnwidgets.methods.spaces import POPULATION, WAYS, Axis, Space, Way, axes_of, child, shares_of, spec_of
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.trials import Search, Trial
from cnnwidgets.methods.weights import Weights
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checking, one_of
from cnnwidgets.net.progress import Cancel, OnUpdate

GENERATION = 4
"""Trials that train beside each other, and are drawn, and judged, by what those before them have found."""


@checking("steps", "seeds", "space", "by")
def search(
    task: Task,
    space: Space,
    *,
    by: Way = "random",
    runs: int = 20,
    steps: int = 5,
    seeds: Sequence[int] = (0,),
    base: dict[str, Any] | None = None,
    seed: int = 0,
    stop_hopeless: bool = True,
    generation: int = GENERATION,
    executor: Executor | None = None,
    on_update: OnUpdate[Search] | None = None,
    cancel: Cancel | None = None,
) -> Search:
    """Search a space for the values of a spec that train best.

    >>> space = {"lr": (1e-4, 1, "log"), "weight_decay": (1e-6, 0.1, "log"), "momentum": (0.0, 0.99)}
    >>> found = cw.methods.search(cw.methods.task("digits"), space, runs=20, steps=3)
    >>> found.best.values, found.best.value
    >>> finer = cw.methods.search(cw.methods.task("digits"), found.narrowed({"lr": (0.01, 0.1)}), runs=20, steps=3)

    Each trial is a spec that the engine of :func:`cnnwidgets.methods.race` trains. The same seed gives the same trials with
    the same values on every executor: a trial depends on whole generations before it, and on nothing beside it.

    - "random": independent and uniform, on a logarithmic axis in the logarithm. The baseline that others must beat, and
      better than a grid where few axes matter: Bergstra and Bengio, "Random search for hyper-parameter optimization" (JMLR
      2012).
    - "grid": the middles of equal cells, as many as fit into ``runs``.
    - "evolution": random at first, then children of the best of three of the last eight trials, which differ from it in one
      value: Real et al., "Regularized evolution for image classifier architecture search" (AAAI 2019), in generations.

    Parameters:
        task: the network and its data; both stay as they are.
        space: by name of a value of the spec: ``(low, high)``, ``(low, high, "log")``, or a list of choices. A range of
            whole numbers, such as ``(8, 128)``, gives whole numbers. A dot goes into a dict: ``"regularize.dropout"``.
        by: how trials are drawn.
        runs: how many trials.
        steps: epochs of each.
        seeds: each trial runs once with each; its value, and whether it was stopped, is that of its median run.
        base: what all specs have in common; see :func:`cnnwidgets.methods.race`. By default SGD with a constant rate.
        seed: of the trials that are drawn.
        stop_hopeless: whether a run ends early by the median stopping rule (Golovin et al., KDD 2017): when its best epoch
            is worse than the median of earlier runs' means up to there. Only runs of earlier generations are looked at.
            Once so many runs of a trial have ended thus, or diverged, that its median is one of them, its other seeds are
            left out.
        generation: how many trials train beside each other; give at least as many as the executor has workers.
        executor: any ``concurrent.futures.Executor``, which gets one call per run; dask's is
            ``dask.distributed.Client(...).get_executor()``. Without it the runs of a generation take turns here.
        on_update: called with a partial :class:`Search` and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: what is wrong with the space or a spec in it, in a sentence, before anything is trained.
        Cancelled: cancel was set; its ``partial`` is the search as far as it came.
    """
    check_seeds(seeds)
    steps, base = check_steps(steps), dict(base or {})
    axes = axes_of(space, base, steps)
    one_of("by", by, WAYS)
    for name, value in (("runs", runs), ("generation", generation)):
        if value < 1:
            raise ValueError(f"{name} is {value}; expected a whole number of at least 1")
    fixed = None if by == "evolution" else shares_of(by, axes, runs, seed)
    runs = runs if fixed is None else len(fixed)
    now = Search(axes, (), by, runs, "accuracy", True, steps)
    try:
        while len(now.trials) < runs:
            count = min(generation, runs - len(now.trials))
            points = _evolved(now, count, seed) if fixed is None else fixed[len(now.trials) :][:count]
            drawn = [dict(zip(axes, map(Axis.at, axes.values(), map(float, each)), strict=True)) for each in points]
            specs = [spec_of(base, values) for values in drawn]
            rule = _rule(now) if stop_hopeless and now.trials else None
            plans = [replace(plan, rule=rule) for plan in plans_of(task, specs, steps, "epoch", seeds, {})]
            each = [plans[k : k + len(seeds)] for k in range(0, len(plans), len(seeds))]
            before = now
            for trials, result, fraction in train_generation(drawn, each, stop_hopeless, executor, cancel):
                now = _with(before, trials, result)
                if on_update:
                    on_update(now, (len(before.trials) + fraction * count) / runs)
    except Cancelled:
        raise Cancelled("cancelled", partial=now if now.trials else None) from None
    return now


def _evolved(now: Search, count: int, seed: int) -> np.ndarray:
    """Where the next trials of evolution are, (count, axes)."""
    if len(now.trials) < POPULATION:
        return shares_of("random", now.axes, len(now.trials) + count, seed)[len(now.trials) :]
    sign = 1.0 if now.higher else -1.0
    worth = [sign * one.value if np.isfinite(one.value) else -math.inf for one in now.trials]
    living = [*zip((one.values for one in now.trials), worth, strict=True)][-POPULATION:]
    generator = np.random.default_rng([seed, len(now.trials)])
    return np.stack([child(now.axes, living, generator) for _ in range(count)])


def _rule(now: Search) -> MedianRule:
    """What ends hopeless runs after those so far."""
    runs = [run for one in now.trials for run in one.histories]
    return MedianRule.after([getattr(run, f"validation_{now.result}") for run in runs], now.result)


def _with(before: Search, trials: Sequence[Trial], result: str) -> Search:
    """A search with the trials of one more generation, as far as their runs came."""
    now = replace(before, trials=(*before.trials, *trials), result=result, higher=result == "accuracy")
    return replace(now, trials=tuple(one if one is now.best else _light(one) for one in now.trials))


def _light(trial: Trial) -> Trial:
    """A trial without the weights of its runs."""
    return replace(trial, histories=tuple(replace(run, weights=Weights()) for run in trial.histories))
