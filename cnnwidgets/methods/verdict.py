"""Who has won a race: by the accuracies in the end, or by the losses where answers are neither right nor wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from cnnwidgets.methods.histories import History


class Verdict(NamedTuple):
    """Who won, by the mean of the final validation accuracies; by that of the losses, where there are no accuracies.

    Attributes:
        winner, second: names.
        by: "accuracy" (0..1) or "loss".
        mean: the winner's.
        margin: how much better that is than the second's, never negative; infinite if only the second's is no number.
        spread: the standard deviation of that margin over the seeds; NaN with a single seed, which proves nothing.
        seeds: number of them.
    """

    winner: str
    second: str
    by: str
    mean: float
    margin: float
    spread: float
    seeds: int

    def sentence(self, wins: str = "wins") -> str:
        """Who wins, or "leads", by how much, and whether chance explains it: Student's t of the margin, at 95 %."""
        said = self._lead(wins)
        if self.seeds == 1:
            return f"{said} (one seed proves nothing: take three)"
        if not math.isfinite(self.spread):
            return said
        sure = self.margin > student.ppf(0.975, self.seeds - 1) * self.spread / math.sqrt(self.seeds)
        what = "more than chance explains (95 %)" if sure else "which may be chance"
        spread = f"{100 * self.spread:.1f}" if self.by == "accuracy" else f"{self.spread:.2g}"
        return f"{said}, ±\N{NO-BREAK SPACE}{spread} over {self.seeds} seeds: {what}"

    def _lead(self, wins: str) -> str:
        """Who wins, and by how much."""
        winner, second, by, mean, margin = self[:5]
        if by == "accuracy":
            if not round(margin, 3):
                return f"{winner} and {second} are alike with {mean:.1%}"
            return f"{winner} {wins} with {mean:.1%}, {100 * margin:.1f} points before {second}"
        if not math.isfinite(margin):
            return f"{winner} {wins} with a validation loss of {mean:.3g}; that of {second} is no number"
        if f"{mean:.3g}" == f"{mean + margin:.3g}":
            return f"{winner} and {second} are alike with a validation loss of {mean:.3g}"
        return f"{winner} {wins} with a validation loss of {mean:.3g}, lower than that of {second} by {margin:.2g}"


def verdict_on(histories: Sequence[History]) -> Verdict | None:
    """Who leads, or has won; None with fewer than two schedules, or before all were validated with all seeds."""
    runs: dict[str, list[History]] = {}
    for one in histories:
        runs.setdefault(one.name, []).append(one)
    seeds = {tuple(one.seed for one in each) for each in runs.values()}
    if len(runs) < 2 or len(seeds) > 1 or not all(len(one.ends) for one in histories):
        return None
    by = "accuracy" if have_accuracy(histories) else "loss"
    finals = {name: np.array([getattr(one, f"final_{by}") for one in each]) for name, each in runs.items()}
    worth = finals
    if by == "loss":  # the lower the better, and what is no number is the worst
        worth = {name: -np.where(np.isnan(losses), np.inf, losses) for name, losses in finals.items()}
    first, second = sorted(worth, key=lambda name: -worth[name].mean())[:2]  # the earlier one of two alike
    if not np.isfinite(worth[first]).all() or np.isnan(worth[second]).any():
        return None
    margins = worth[first] - worth[second]
    spread = float(margins.std(ddof=1)) if len(margins) > 1 and np.isfinite(margins).all() else math.nan
    return Verdict(first, second, by, float(finals[first].mean()), float(margins.mean()), spread, len(margins))


def have_accuracy(histories: Sequence[History]) -> bool:
    """Whether answers are right or wrong, as far as is known; values are neither."""
    known = [values for one in histories for values in (one.accuracy, one.validation_accuracy) if len(values)]
    return not known or any(np.isfinite(values).any() for values in known)
