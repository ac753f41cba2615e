"""How features are laid out in two dimensions: what every way there has in common, and the one that is done at once."""

from __future__ import annotations

from typing import Protocol

import numpy as np

JITTER = 0.01
"""Noise on where a layout starts, in parts of its spread: equal pictures must be able to part."""


class Fitted(Protocol):
    """What a method finds out about features before it moves a point, and does not change while it moves them."""

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(m, 2): where other pictures lie in a layout (n, 2) of those that it was fitted to."""


class Layouter:
    """Moves points from where a layout starts to where it ends.

    Attributes:
        fitted: what places other pictures in the layout.
        points: (n, 2), where the points are now.
        iterations: how many there will be; 0 if it is done at once.
        loss: what is made smaller, where that is told.
        explained: float (2,), the axes' shares of the variance, where they have some.
        preparing: what has to be done before the first iteration; empty once it is done.
    """

    fitted: Fitted
    points: np.ndarray
    iterations = 0
    loss: float | None = None
    explained: np.ndarray | None = None

    @property
    def preparing(self) -> str:
        return ""

    def begin(self) -> None:
        """Back to where it starts from."""

    def step(self, iteration: int, count: int) -> int:
        """Go on from an iteration, by so many at most; how many were done."""
        return 0


class Components:
    """Principal components (Pearson 1901): the projection that keeps most of the variance.

    Attributes:
        all: (n, count), the features' coordinates.
        points: (n, 2), the first two of them.
        explained: float (2,), these two axes' shares of the variance.
    """

    def __init__(self, features: np.ndarray, seed: int, count: int = 2):
        from sklearn.decomposition import PCA

        found = min(count, *features.shape)
        self._missing = (0, max(0, 2 - found))  # of one picture, or one value each
        if np.ptp(features, axis=0).any():
            fitted = PCA(found, random_state=seed).fit(features)
            self._mean, self._axes, shares = fitted.mean_, fitted.components_, fitted.explained_variance_ratio_[:2]
        else:
            self._mean, self._axes, shares = (
                features[0],
                np.zeros((found, features.shape[1]), features.dtype),
                np.zeros(found)[:2],
            )
        self.all = self.project(features)
        self.points, self.explained = self.all[:, :2], np.pad(shares, self._missing)

    def project(self, features: np.ndarray) -> np.ndarray:
        """All coordinates of some pictures: (m, count)."""
        return np.pad((features - self._mean) @ self._axes.T, ((0, 0), self._missing))

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        return self.project(features)[:, :2]


class PCA(Layouter):
    """The principal components, done at once."""

    def __init__(self, features: np.ndarray, seed: int):
        self.fitted = found = Components(features, seed)
        self.points, self.explained = found.points, found.explained


def jitter(points: np.ndarray, seed: int) -> np.ndarray:
    """Points with a little noise, float64."""
    spread = JITTER * max(float(points.std(0)[0]), 1e-12)
    return points + np.random.RandomState(seed).normal(0, spread, points.shape)
