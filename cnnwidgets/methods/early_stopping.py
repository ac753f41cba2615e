"""Early stopping: when to end a training that no longer improves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cnnwidgets.methods.code.early_stopping import stopping_lines
from cnnwidgets.net.arguments import checking, is_number, is_whole, said
from cnnwidgets.numbers import number


class Patience:
    """Says when a validation loss has not improved for too long, in a live training or a recorded one.

    >>> patience = Patience(3)
    >>> for epoch in range(100):
    ...     ...  # train and evaluate
    ...     if patience.is_over(validation.loss):
    ...         break

    A loss is better if it is below the best so far by more than ``min_delta``; a loss that is NaN is never better.

    Parameters:
        patience: epochs to wait for a better loss; at least 1.
        min_delta: how much better counts as better, at least 0.

    Raises:
        ValueError: one of them is out of range.
    """

    def __init__(self, patience: int, min_delta: float = 0.0):
        if not is_whole(patience) or patience < 1:
            raise ValueError(f"patience is {patience!r}; expected a whole number of at least 1")
        if not is_number(min_delta) or min_delta < 0:
            raise ValueError(f"min_delta is {min_delta!r}; expected a number of at least 0")
        self.patience, self.min_delta = int(patience), float(min_delta)
        self.best, self.best_epoch, self.waited, self._epoch = math.inf, -1, 0, -1

    def is_over(self, loss: float) -> bool:
        """Take in the loss of the next epoch; True if it is time to stop."""
        self._epoch += 1
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch, self.waited = loss, self._epoch, 0
        else:
            self.waited += 1
        return self.waited >= self.patience


@dataclass(frozen=True)
class Stop:
    """Where early stopping ends a recorded training. Epochs are numbered from 0.

    Attributes:
        epoch: the epoch after which it stops; the last one if it never does.
        stopped: whether it does.
        best_epoch: the epoch whose weights one would keep; -1 if no loss was a number.
        best: its loss; infinite if there is none.
        lowest_epoch, lowest: the best of the whole record, which a stop may miss.
        saved: how many epochs need not be trained.
        losses: the record, one per epoch.
        patience, min_delta: see :class:`Patience`.
    """

    epoch: int
    stopped: bool
    best_epoch: int
    best: float
    lowest_epoch: int
    lowest: float
    saved: int
    losses: tuple[float, ...] = field(default=(), repr=False, compare=False)
    patience: int = field(default=1, repr=False, compare=False)
    min_delta: float = field(default=0.0, repr=False, compare=False)

    @property
    def cost(self) -> float:
        """How much lower the loss becomes later; 0 if nothing is missed."""
        return self.best - self.lowest if math.isfinite(self.lowest) else 0.0

    @property
    def summary(self) -> str:
        """When it stops, and what that saves and misses; epochs are numbered from 1. A second line counts broken losses."""
        broken = len(self.losses) - int(np.isfinite(self.losses).sum())
        count = f"{broken:,} of the {len(self.losses):,} losses {'is' if broken == 1 else 'are'} NaN or infinite"
        return f"{self._finding}\n{count}, which is no improvement" if 0 < broken < len(self.losses) else self._finding

    @property
    def _finding(self) -> str:
        if self.best_epoch < 0:
            return f"No validation loss is a number: stops after epoch {self.epoch + 1}."
        kept = f"keeps epoch {self.best_epoch + 1} (loss {number(self.best)})"
        if not self.stopped:
            return f"Never stops within these {len(self.losses)} epochs; {kept}."
        saved = "1 epoch" if self.saved == 1 else f"{self.saved} epochs" if self.saved else "no epoch"
        cost = f"misses {number(self.lowest)} in epoch {self.lowest_epoch + 1}" if self.cost > 0 else "misses nothing"
        return f"Stops after epoch {self.epoch + 1} and {kept}. Saves {saved}, {cost}."

    def code(self) -> str:
        """Plain lines that put the epoch after which it stops, or None, and the best epoch into ``values``."""
        return stopping_lines(self.losses, self.patience, self.min_delta)


@checking("losses", "patience", "min_delta")
def early_stopping(losses: Sequence[float] | np.ndarray, patience: int, min_delta: float = 0.0) -> Stop:
    """Where a training with these validation losses, one per epoch, stops (see :class:`Patience`).

    >>> early_stopping([1.0, 0.5, 0.6, 0.7, 0.4], patience=2)
    Stop(epoch=3, stopped=True, best_epoch=1, best=0.5, lowest_epoch=4, lowest=0.4, saved=1)

    Raises:
        TypeError: losses are not numbers.
        ValueError: there is no loss, or patience or min_delta is out of range.
    """
    try:
        record = np.asarray(losses, float)
    except (TypeError, ValueError):
        raise TypeError(f"losses is {said(losses)}; expected a list of numbers, one per epoch") from None
    if record.ndim != 1 or not len(record):
        raise ValueError(f"losses has shape {record.shape}; expected a list of at least one number, one per epoch")
    rule = Patience(patience, min_delta)
    stopped = False
    epoch = 0
    for epoch, loss in enumerate(record.tolist()):  # noqa: B007
        stopped = rule.is_over(loss)
        if stopped:
            break
    finite = np.where(np.isfinite(record), record, np.inf)
    lowest = int(finite.argmin())
    return Stop(
        epoch,
        stopped,
        rule.best_epoch,
        rule.best,
        lowest,
        float(finite[lowest]),
        saved=len(record) - 1 - epoch,
        losses=tuple(record.tolist()),
        patience=rule.patience,
        min_delta=rule.min_delta,
    )
