"""The learning-rate range test: raise the rate from step to step and watch the loss.

Smith, "Cyclical learning rates for training neural networks" (WACV 2017).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.optim import Optimizer

from cnnwidgets.methods.code.lr_finder import range_test_lines
from cnnwidgets.methods.schedules import check_steps
from cnnwidgets.methods.tasks import Task, Trainable
from cnnwidgets.methods.training import Scheduler, Step, train
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checking, is_number, said
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number

SMOOTHING = 2.0
"""Steps: the standard deviation of the bell curve that losses are averaged with. It looks both ways, so nothing lags."""

DIVERGED = 4.0
"""The test ends once the smoothed loss is this many times its lowest."""

SETTLED = 5
"""Steps at the start that are left out of every conclusion."""

FALLEN = 0.01
"""The share of the smoothed loss that must go before it counts as falling."""

STEEP = 0.5
"""The share of the steepest slope that still counts as steep."""

AT_ONCE = 5
"""Steps between two updates."""


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The loss as the rate rises; n steps.

    Attributes:
        lr: float64 (n,), rising by the same factor.
        loss: float64 (n,), of each step's batch, before the step.
        smoothed: float64 (n,), averaged over the steps around.
        ended: a sentence that says why it ended; empty while it runs.
        settings: low, high, steps, momentum, weight_decay, seed.
    """

    lr: np.ndarray
    loss: np.ndarray
    smoothed: np.ndarray
    ended: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def lowest(self) -> int:
        """The step with the lowest smoothed loss."""
        start = min(SETTLED, len(self.smoothed) - 1)
        return start + int(self.smoothed[start:].argmin())

    @property
    def steepest(self) -> int | None:
        """The step where the smoothed loss falls fastest by the logarithm of the rate; None if it does not fall."""
        if self.lowest < SETTLED + 2 or self.smoothed[self.lowest] > (1 - FALLEN) * self.smoothed[SETTLED]:
            return None
        slope = np.gradient(self.smoothed, np.log(self.lr))[SETTLED : self.lowest]
        return SETTLED + int(slope.argmin()) if slope.min() < 0 else None

    @property
    def suggested(self) -> float:
        """The rate where the loss falls fastest; NaN if it does not fall."""
        return math.nan if self.steepest is None else float(self.lr[self.steepest])

    @property
    def steep(self) -> tuple[float, float] | None:
        """The rates between which the loss falls at least half as fast as at its steepest; None if it does not fall."""
        if self.steepest is None:
            return None
        slope = np.gradient(self.smoothed, np.log(self.lr))
        gentle = slope > STEEP * slope[self.steepest]
        first = self.steepest - int(gentle[: self.steepest][::-1].argmax()) if gentle[: self.steepest].any() else 0
        after = gentle[self.steepest :]
        last = self.steepest + int(after.argmax()) - 1 if after.any() else len(slope) - 1
        return float(self.lr[first]), float(self.lr[max(last, self.steepest)])

    @property
    def named(self) -> dict[str, float]:
        """The rates that are worth a try, rising: where the loss falls fastest, where it is lowest, and a tenth of that."""
        if self.steepest is None:
            return {}
        lowest = float(self.lr[self.lowest])
        found = {"steepest": self.suggested, "lowest loss": lowest, "safe choice": lowest / 10}
        return dict(sorted(found.items(), key=lambda each: each[1]))

    @property
    def why(self) -> str:
        """What speaks for the suggested rate."""
        if self.steepest is None:
            return "No rate can be suggested: the loss does not fall at any rate tried."
        bottom = float(self.lr[self.lowest])
        return (
            f"Steepest fall at {number(self.suggested, 2)}. Lowest loss at {number(bottom, 2)}; "
            f"a tenth of that, {number(bottom / 10, 2)}, is a safe choice."
        )

    def code(self, task: Trainable) -> str:
        """Plain PyTorch lines that put the loss of each step into ``values``, and its rate into ``rates``.

        Parameters:
            task: what was trained: a sample's name; or a task or network of your own, whose loaders the reader fills in.
        """
        return range_test_lines(task, len(self.lr), self.settings)


@checking("low", "high", "steps")
def lr_finder(
    task: Task,
    *,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    seed: int = 0,
    on_update: OnUpdate[RangeTest] | None = None,
    cancel: Cancel | None = None,
) -> RangeTest:
    """Train a copy of the network for some steps, each with a higher rate than the one before.

    >>> cw.methods.lr_finder(cw.methods.task("digits")).suggested

    It ends early once the loss is four times its lowest, or not finite. All weights train at the same rate: the test uses
    an SGD with one group of parameters, whatever optimizer the network has.

    Parameters:
        task: the network and its data; both stay as they are.
        low, high: the first and the last rate.
        steps: how many, at least 10.
        momentum, weight_decay: of the SGD that trains.
        seed: of the initial weights, where the task makes a new network, and of the order of the batches.
        on_update: called with a partial :class:`RangeTest` and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        ValueError: a value is out of range, or the loader is empty.
        Cancelled: cancel was set; its ``partial`` is the test as far as it came, or None.
    """
    if not (is_number(low) and is_number(high) and 0 < low < high):
        raise ValueError(f"the rates go from {said(low)} to {said(high)}; they must be above 0 and rise")
    for name, value in (("momentum", momentum), ("weight_decay", weight_decay)):
        if value < 0:
            raise ValueError(f"{name} is {value}; expected a number of at least 0")
    if check_steps(steps) < 10:
        raise ValueError(f"steps is {steps}; the test needs at least 10")
    settings = {"low": low, "high": high, "steps": steps, "momentum": momentum, "weight_decay": weight_decay, "seed": seed}
    model, stream = task.stream(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=low, momentum=momentum, weight_decay=weight_decay)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, (high / low) ** (1 / (steps - 1)))
    training = endless(task, model, optimizer, scheduler)
    log: list[Step] = []
    while len(log) < steps:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=_range_test(log, "Cancelled.", settings) if log else None)
        with stream.flowing():
            log += itertools.islice(training, min(AT_ONCE, steps - len(log)))
        test = _range_test(log, "", settings)
        if test.ended:
            return test
        if on_update:
            on_update(test, len(log) / steps)
    return _range_test(log, f"All {steps} steps ran.", settings)


def endless(task: Task, model: nn.Module, optimizer: Optimizer, scheduler: Scheduler | None = None) -> Iterator[Step]:
    """The steps of a training, epoch after epoch."""
    for epoch in itertools.count():
        made = None
        for made in train(model, task.loader, optimizer, scheduler, criterion=task.criterion):
            yield made
        if made is None:
            raise ValueError(f"there is nothing to train on: the training loader gives no batch in epoch {epoch}")


def _range_test(log: Sequence[Step], ended: str, settings: dict[str, Any]) -> RangeTest:
    """The test as far as it came, up to where the loss is far above its lowest, or not finite."""
    loss = np.array([step.loss for step in log])
    capped = np.minimum(np.nan_to_num(loss, nan=np.inf), (DIVERGED + 1) * loss[0])  # one explosion must not spread
    smoothed = ndimage.gaussian_filter1d(capped, SMOOTHING, mode="nearest")
    over = ~np.isfinite(loss) | (smoothed > DIVERGED * np.minimum.accumulate(smoothed))
    if over.any():
        end = int(over.argmax()) + 1
        ended = f"Ended early: the loss reached {number(loss[end - 1])} at a rate of {number(log[end - 1].lr, 2)}."
        log, loss, smoothed = log[:end], loss[:end], smoothed[:end]
    return RangeTest(np.array([step.lr for step in log]), loss, smoothed, ended, settings)
