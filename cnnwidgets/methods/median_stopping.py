"""The median stopping rule: a run ends early that is worse than the median of earlier runs.

Golovin, Solnik, Moitra, Kochanski, Karro and Sculley, "Google Vizier: A service for black-box optimization" (KDD 2017),
section 3.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnwidgets.numbers import number, percent

FEWEST = 3
"""Runs that must have come as far, before one is judged by them."""


@dataclass(frozen=True)
class MedianRule:
    """Ends a run whose best validation so far is strictly worse than the median of the running means of earlier runs.

    Attributes:
        medians: for each epoch, from the first; NaN where fewer than :data:`FEWEST` runs came as far.
        by: "accuracy", the higher the better, or "loss".
    """

    medians: tuple[float, ...]
    by: str

    @classmethod
    def after(cls, runs: Sequence[Sequence[float]], by: str) -> MedianRule:
        """The rule after some runs, given by their validations, epoch by epoch; a loss that is NaN is infinite."""
        found = []
        for epoch in range(1, max(map(len, runs), default=0) + 1):
            means = [float(np.mean(_finite(run[:epoch]))) for run in runs if len(run) >= epoch]
            found.append(float(np.median(means)) if len(means) >= FEWEST else np.nan)
        return cls(tuple(found), by)

    def verdict(self, validations: Sequence[float]) -> str:
        """Why a run with these validations, one per epoch, ends now; empty if it does not."""
        epoch = len(validations)
        if epoch > len(self.medians):
            return ""
        median = self.medians[epoch - 1]
        values = _finite(validations)
        best = values.max() if self.by == "accuracy" else values.min()
        if not (best < median if self.by == "accuracy" else best > median):
            return ""
        told = percent if self.by == "accuracy" else number
        return (
            f"was stopped after epoch {epoch}: its best {self.by} is {told(best)}, and the median of earlier runs "
            f"{told(median)}"
        )


def _finite(values: Sequence[float]) -> np.ndarray:
    """Losses that are NaN as infinite ones; an accuracy is never NaN here."""
    return np.nan_to_num(np.asarray(values, float), nan=np.inf, posinf=np.inf, neginf=-np.inf)
