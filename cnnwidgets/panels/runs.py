"""Layouts on their way, each laid over the one that was on screen before it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from cnnwidgets.methods import Layout, align

KEPT = 12
"""Layouts that are kept, so that going back to one is at once."""


class Run:
    """A layout on its way.

    Its ``points`` are those of its ``embedding``, scaled to a spread of 1 and turned so that they travel the short way from
    those before; they are mirrored only if the layout's start lies closer that way, and ``mirrored`` says so.
    """

    def __init__(self, layout: Layout, before: np.ndarray | None = None):
        self.layout = layout
        start = _scaled(layout.embedding.points)
        self._before = start if before is None else _scaled(before)
        self.mirrored = align(start, self._before, mirror=True).mirrored
        self._fit()

    @property
    def finished(self) -> bool:
        return self.layout.finished

    @property
    def done(self) -> float:
        """The fraction that is done, between 0 and 1."""
        return self.embedding.iteration / max(1, self.embedding.iterations)

    def step(self, iterations: int | None = None) -> None:
        self.layout.step(iterations)
        self._fit()

    def restart(self) -> None:
        self.layout.restart()
        self._fit()

    def add(self, features: np.ndarray) -> np.ndarray:
        """Where other pictures lie on screen: float32 (m, 2)."""
        raw = self.embedding.points
        return self._aligned.apply(self._mirror * (self.embedding.add(features) - raw.mean(0)) / _spread(raw))

    def _fit(self) -> None:
        self.embedding = self.layout.embedding
        self._aligned = align(self._mirror * _scaled(self.embedding.points), self._before, scale=False)
        self.points = self._aligned.points

    @property
    def _mirror(self) -> np.ndarray:
        return np.array([1, -1 if self.mirrored else 1])


class Runs:
    """The runs of a panel, by what they were asked for; the last few are kept."""

    def __init__(self) -> None:
        self._runs: OrderedDict[Hashable, Run] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Run]) -> Run:
        if key not in self._runs:
            self._runs[key] = make()
            while len(self._runs) > KEPT:
                self._runs.popitem(last=False)
        self._runs.move_to_end(key)
        return self._runs[key]

    def clear(self) -> None:
        self._runs.clear()


def _scaled(points: np.ndarray) -> np.ndarray:
    """Around the origin, with a spread of 1."""
    return (points - points.mean(0, dtype=float)) / _spread(points)


def _spread(points: np.ndarray) -> float:
    """Root mean square distance from the middle; 1 if all points are the same."""
    return float(np.sqrt(((points - points.mean(0, dtype=float)) ** 2).sum(1).mean())) or 1.0
