"""Which steps of a training are sampled, so that it costs little, and what was found in them."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from cnnwidgets.methods.monitoring_calls import Statistics
from cnnwidgets.methods.monitoring_weights import Measured

BUDGET = 0.02
"""The share of the training's time that samples may take; what every step costs comes on top."""

MOST = 2_000
"""Samples that are kept; of more, every other one is dropped, and fewer are taken from then on."""

LATELY = 5
"""Steps and samples whose shortest time counts."""

Found = dict[str, tuple[str, Statistics]]


class Sample(NamedTuple):
    """What was found in a step."""

    step: int
    measured: Measured
    calls: Found


class Samples:
    """The samples of a training.

    Parameters:
        every: sample each k-th step; None: as often as :data:`BUDGET` allows.
    """

    def __init__(self, every: int | None):
        self._every, self._spacing = every, 1
        self._next, self._began, self._spent = 0, 0.0, 0.0
        self._costs, self._times = deque[float](maxlen=LATELY), deque[float](maxlen=LATELY)
        self.all: list[Sample] = []

    def is_due(self, step: int) -> bool:
        """Whether a step is to be sampled."""
        return step >= self._next if self._every is None else step % self._every == 0

    def began(self) -> None:
        """A forward pass begins."""
        self._began = time.perf_counter()

    def stepped(self) -> None:
        """A step ends."""
        self._times.append(time.perf_counter() - self._began)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """What happens inside is done for a sample."""
        start = time.perf_counter()
        yield
        self._spent += time.perf_counter() - start

    def spend(self, seconds: float) -> None:
        """So long something was done for a sample."""
        self._spent += seconds

    def add(self, step: int, measured: Measured, calls: Found) -> None:
        """Keep what was found."""
        self.all.append(Sample(step, measured, calls))
        self._costs.append(self._spent)
        self._spent = 0.0
        if self._every is None and len(self.all) > MOST:
            self._spacing *= 2
            self.all = self.all[::2]
        affordable = math.ceil(min(self._costs) / (BUDGET * min(self._times))) if self._times else 1
        self._next = step + max(self._spacing, affordable)

    @property
    def calls(self) -> dict[str, str]:
        """The kind of each call, in order; those of the first samples come first."""
        return {name: kind for sample in reversed(self.all[-3:]) for name, (kind, _) in sample.calls.items()}

    def table(self, what: str) -> np.ndarray:
        """float64 (s, a): one of the statistics of the calls; NaN where a call was not made."""
        none = Statistics(*[np.nan] * 4)
        rows = [[getattr(sample.calls.get(name, ("", none))[1], what) for name in self.calls] for sample in self.all]
        return np.array(rows, float).reshape(len(self.all), len(self.calls))
