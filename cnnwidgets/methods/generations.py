"""The trials of a generation of a search: one run for each seed, and no more of them than their median needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np

from cnnwidgets.methods.histories import History
from cnnwidgets.methods.race_runs import run_all
from cnnwidgets.methods.training_run import Plan
from cnnwidgets.methods.trials import Trial
from cnnwidgets.methods.verdict import have_accuracy
from cnnwidgets.net.progress import Cancel

RANKS = ("complete", "running", "stopped", "diverged")
"""The states of runs, the best first: one that was stopped early counts as worse than all that were not."""

BAD = ("stopped", "diverged")


class Generation(NamedTuple):
    """What there is of it so far.

    Attributes:
        trials: those that have begun.
        result: what their values are: "accuracy" or "loss".
        fraction: how much of it is done.
    """

    trials: list[Trial]
    result: str
    fraction: float


def train_generation(
    drawn: Sequence[dict[str, Any]],
    plans: Sequence[Sequence[Plan]],
    frugal: bool,
    executor: Executor | None,
    cancel: Cancel | None,
) -> Iterator[Generation]:
    """Train trials beside each other, again and again as they grow.

    Parameters:
        drawn: the values of each trial.
        plans: of each trial, one for each seed.
        frugal: whether a trial's last seeds are left out once its median is that of bad runs, whatever they would give.
    """
    seeds = len(plans[0])
    found: dict[tuple[str, int], History] = {}
    result = "accuracy"
    for some in waves(seeds) if frugal else [range(seeds)]:
        wave = [own[k] for own in plans for k in some if not (frugal and _is_decided(own, found, result))]
        for histories, fraction in run_all(wave, executor, cancel) if wave else ():
            found |= {(one.name, one.seed): one for one in histories}
            result = "accuracy" if have_accuracy([*found.values()]) else "loss"
            trials = [_trial(values, own, found, result, frugal) for values, own in zip(drawn, plans, strict=True)]
            begun = [one for one in trials if one.histories]
            yield Generation(begun, result, (some.start + fraction * len(some)) / seeds)


def waves(seeds: int) -> list[range]:
    """Which seeds run beside each other: first as many as can decide a median, then one after the other.

    >>> waves(5)
    [range(0, 3), range(3, 4), range(4, 5)]
    """
    return [range(deciding(seeds)), *(range(k, k + 1) for k in range(deciding(seeds), seeds))]


def deciding(seeds: int) -> int:
    """How many bad runs make the median of all a bad one, or one of the two runs in the middle."""
    return seeds - seeds // 2


def _trial(
    values: dict[str, Any], plans: Sequence[Plan], found: dict[tuple[str, int], History], result: str, frugal: bool
) -> Trial:
    """A trial, by as many of its runs as there are yet: its state and its value are those of its median run."""
    runs, states = _runs(plans, found, result)
    decided = frugal and _is_decided(plans, found, result)
    over = decided or (len(runs) == len(plans) and "running" not in states)
    ranked = sorted(
        (RANKS.index(state), _cost(run, result)) for run, state in zip(runs, states, strict=True) if len(run.ends)
    )
    middle = [ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]] if ranked else [(0, math.nan)]
    value = float(np.mean([cost for _, cost in middle])) * (-1 if result == "accuracy" else 1)
    state = RANKS[middle[-1][0]] if over else "running"
    skipped = len(plans) - len(runs) if decided else 0
    return Trial(values, plans[0].spec, value, state, tuple(runs), states.count("stopped"), skipped)


def _is_decided(plans: Sequence[Plan], found: dict[tuple[str, int], History], result: str) -> bool:
    """Whether so many runs of a trial are bad that its median is, whatever the others give."""
    return sum(state in BAD for state in _runs(plans, found, result)[1]) >= deciding(len(plans))


def _runs(plans: Sequence[Plan], found: dict[tuple[str, int], History], result: str) -> tuple[list[History], list[str]]:
    """The runs of a trial that have begun, and their states."""
    pairs = [(found[plan.name, plan.seed], plan) for plan in plans if (plan.name, plan.seed) in found]
    return [run for run, _ in pairs], [_state(run, plan, result) for run, plan in pairs]


def _cost(run: History, result: str) -> float:
    """What its last validation says: the lower the better."""
    final = -run.final_accuracy if result == "accuracy" else run.final_loss
    return math.inf if math.isnan(final) else final


def _state(run: History, plan: Plan, result: str) -> str:
    if run.stopped and not np.isfinite(run.loss[-1]):
        return "diverged"
    if plan.rule and run.stopped and run.stopped == plan.rule.verdict(getattr(run, f"validation_{result}")):
        return "stopped"
    return "complete" if run.stopped or len(run.ends) >= (plan.until.get("steps") or plan.steps) else "running"
