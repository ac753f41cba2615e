"""Who has won a race: by the final accuracies, or by the losses where answers are neither right nor wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from cnnwidgets.methods.histories import History
from cnnwidgets.numbers import number, percent


class Verdict(NamedTuple):
    """Who won, by the mean of the final validation accuracies; by that of the losses where there are no accuracies.

    Attributes:
        winner, second: names.
        by: "accuracy" (0..1) or "loss".
        mean: the winner's.
        margin: how much better that is than the second's, never negative; infinite if only the second's is not a number.
        spread: the standard deviation of that margin over the seeds; NaN with a single seed, which proves nothing.
        seeds: how many there are.
    """

    winner: str
    second: str
    by: str
    mean: float
    margin: float
    spread: float
    seeds: int

    def sentence(self, over: bool = True) -> str:
        """Who has won, or leads as long as it is not over; by how much, and whether that may be chance.

        Whether it may be is said by Student's t of the margin, at 95%.
        """
        if self.is_tie:
            told = f'Tie at {self._worth}: "{self.winner}" and "{self.second}".'
        else:
            told = f'{"Winner" if over else "Leader"}: "{self.winner}", {self._worth}, {self._ahead}.'
        if self.seeds == 1:
            return f"{told} One seed proves nothing: try three."
        if not math.isfinite(self.spread):
            return told
        sure = self.margin > student.ppf(0.975, self.seeds - 1) * self.spread / math.sqrt(self.seeds)
        return f"{told} {'Chance alone does not explain that (95%).' if sure else 'That may be chance.'}"

    @property
    def is_tie(self) -> bool:
        """Whether the numbers that a reader sees are the same."""
        if self.by == "accuracy":
            return not round(self.margin, 3)
        return math.isfinite(self.margin) and number(self.mean) == number(self.mean + self.margin)

    @property
    def _worth(self) -> str:
        return percent(self.mean) if self.by == "accuracy" else f"validation loss {number(self.mean)}"

    @property
    def _ahead(self) -> str:
        if not math.isfinite(self.margin):
            return f'while "{self.second}" diverged'
        several = self.seeds > 1 and math.isfinite(self.spread)
        if self.by == "accuracy":
            ahead = f"{100 * self.margin:.1f}{f' ± {100 * self.spread:.1f}' if several else ''} points ahead of"
        else:
            ahead = f"{number(self.margin, 2)}{f' ± {number(self.spread, 2)}' if several else ''} below"
        return f'{ahead} "{self.second}"' + (f" ({self.seeds} seeds)" if self.seeds > 1 else "")


def verdict_on(histories: Sequence[History]) -> Verdict | None:
    """Who leads, or has won; None with fewer than two schedules, or before every run was validated."""
    runs: dict[str, list[History]] = {}
    for one in histories:
        runs.setdefault(one.name, []).append(one)
    seeds = {tuple(one.seed for one in each) for each in runs.values()}
    if len(runs) < 2 or len(seeds) > 1 or not all(len(one.ends) for one in histories):
        return None
    by = "accuracy" if have_accuracy(histories) else "loss"
    finals = {name: np.array([getattr(one, f"final_{by}") for one in each]) for name, each in runs.items()}
    worth = finals
    if by == "loss":  # the lower the better, and NaN is the worst
        worth = {name: -np.where(np.isnan(losses), np.inf, losses) for name, losses in finals.items()}
    first, second = sorted(worth, key=lambda name: -worth[name].mean())[:2]  # the earlier one of two alike
    if not np.isfinite(worth[first]).all() or np.isnan(worth[second]).any():
        return None
    margins = worth[first] - worth[second]
    spread = float(margins.std(ddof=1)) if len(margins) > 1 and np.isfinite(margins).all() else math.nan
    return Verdict(first, second, by, float(finals[first].mean()), float(margins.mean()), spread, len(margins))


def have_accuracy(histories: Sequence[History]) -> bool:
    """Whether answers are right or wrong, as far as is known yet; values are neither."""
    known = [values for one in histories for values in (one.accuracy, one.validation_accuracy) if len(values)]
    return not known or any(np.isfinite(values).any() for values in known)
