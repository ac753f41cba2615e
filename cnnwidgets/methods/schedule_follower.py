"""Schedules side by side: only those that change are followed again; and what is said of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.own_scheduler import OwnScheduler, aside, check, network_of
from cnnwidgets.methods.schedule_groups import settings_of
from cnnwidgets.methods.schedules import Schedule, brief, schedule, sketch, title, told
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number

LONG = 5_000
"""Steps beyond which a sketch comes first."""

SKETCHED = 1_500
"""How many steps a sketch has."""

BEGINNINGS = ("constant", "step", "cosine")
"""The kinds of schedule that an optimizer is first shown with."""


class Follower:
    """Follows schedules that are given as specs, and remembers the last ones.

    Parameters:
        optimizer, scheduler: the user's own; either may be None.
        model: what they train: a network, a task or a sample's name.

    Attributes:
        aside: what else there is to know about the optimizer, in sentences.
        own: follows the scheduler, if there is one.

    Raises:
        TypeError, ValueError: what is wrong with the optimizer or the scheduler.
    """

    def __init__(self, optimizer: Optimizer | None, scheduler: LRScheduler | None, model: Any):
        check(optimizer, scheduler)
        self._known: dict[str, Schedule] = {}
        self._network, self._optimizer = network_of(model), optimizer
        seen = optimizer if scheduler is None else scheduler.optimizer
        self.aside = [] if seen is None else aside(seen, self._network)
        self.own = OwnScheduler(scheduler, self._network) if scheduler is not None else None

    def beginning(self, given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The specs to begin with: the given ones and the scheduler's, or a few with the optimizer's rates."""
        if self.own:
            return [*given, self.own.spec]
        if self._optimizer is not None and not given:
            return [settings_of(self._optimizer, self._network) | {"kind": kind} for kind in BEGINNINGS]
        return [*given]

    def follow(self, specs: Sequence[dict[str, Any]], steps: int, cancel: Cancel | None = None) -> tuple[Schedule, ...]:
        """The schedules, step by step."""
        keys = [f"{steps} {spec}" for spec in specs]
        both = zip(keys, specs, strict=True)
        self._known = known = {key: self._known.get(key) or self._followed(spec, steps, cancel) for key, spec in both}
        return tuple(known[key] for key in keys)

    def sketches(self, specs: Sequence[dict[str, Any]], steps: int) -> tuple[Schedule, ...]:
        """A selection of very many steps of all schedules, at once; empty where that would be slow or gain nothing."""
        if steps <= LONG or any(spec.get("kind") == "plateau" for spec in specs):
            return ()
        at = np.unique(np.linspace(0, steps - 1, SKETCHED).astype(int))
        return tuple(self._sketched(spec, steps, at) for spec in specs)

    def _followed(self, spec: dict[str, Any], steps: int, cancel: Cancel | None) -> Schedule:
        if self.own and self.own.gives(spec):
            return self.own.schedule(spec)
        return schedule(spec, steps, cancel=cancel)

    def _sketched(self, spec: dict[str, Any], steps: int, at: np.ndarray) -> Schedule:
        if known := self._known.get(f"{steps} {spec}"):
            return replace(known, steps=at, rates=known.rates[:, at], momenta=known.momenta[:, at])
        rates = sketch(spec, steps, at)
        return Schedule(at, rates, np.full(rates.shape, np.nan), "", spec)


def arrays_of(schedules: Sequence[Schedule]) -> dict[str, np.ndarray]:
    """``steps`` (n,); and one row per group of each schedule: its number in ``group`` and that of its ``schedule`` (rows,),
    ``lr`` and ``momentum`` (rows, n).
    """
    counts = [len(one.rates) for one in schedules]
    return {
        "steps": schedules[0].steps,
        "schedule": np.repeat(np.arange(len(counts)), counts),
        "group": np.concatenate([np.arange(count) for count in counts]),
        "lr": np.concatenate([one.rates for one in schedules]),
        "momentum": np.concatenate([one.momenta for one in schedules]),
    }


def listing_of(schedules: Sequence[Schedule]) -> str:
    """The lines that put the rates of each schedule into a list ``values``."""
    listings = [f"# {title(one.spec)}\n{one.code}\n\nvalues.append(lr)" for one in schedules]
    return tidy("\n\n".join(["\nvalues = []", *listings]))


def finding_on(schedules: Sequence[Schedule], unit: str) -> str:
    """What sets schedules apart, in a sentence; then one line for each with where it starts and ends."""
    names = brief([title(one.spec) for one in schedules])
    means = [float(one.rates.mean()) for one in schedules]
    count = f"{len(schedules[0].steps):,} {unit}{'es' if unit == 'batch' else 's'}"
    if len(schedules) == 1:
        return f'"{names[0]}" averages {number(means[0])} over {count}.\n"{names[0]}": {told(schedules[0])}.'
    high, low = (f'"{names[k]}"' for k in (int(np.argmax(means)), int(np.argmin(means))))
    finding = (
        f"Over {count}, {high} averages the highest rate ({number(max(means))}), {low} the lowest ({number(min(means))})."
    )
    if number(max(means)) == number(min(means)):
        finding = f"Over {count}, all average the same rate ({number(means[0])})."
    return "\n".join([finding, *(f'"{name}": {told(one)}.' for name, one in zip(names, schedules, strict=True))])
