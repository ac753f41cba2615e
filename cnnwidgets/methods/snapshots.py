"""Snapshot ensembles: the networks just before each restart of the rate, for the price of one training.

Huang, Li, Pleiss, Liu, Hopcroft and Weinberger, "Snapshot ensembles: train 1, get M for free" (ICLR 2017).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from cnnwidgets.methods.criteria import Loss, accuracy, probabilities


class Snapshots:
    """Gathers what each snapshot answers for the same pictures.

    Parameters:
        criterion: the one that the networks were trained with; it says what is averaged and what accuracy is.

    Attributes:
        accuracy: of each snapshot, 0 to 1, or NaN.
        ensemble: the accuracy of the averaged probabilities of the first one, two, ... of them.
    """

    def __init__(self, criterion: Loss = F.cross_entropy) -> None:
        self._criterion = criterion
        self.accuracy: list[float] = []
        self.ensemble: list[float] = []
        self._sum: Tensor | None = None

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Add the scores (N, ...) of one more snapshot, and the labels, as ``evaluate`` gives them."""
        answers, judge = probabilities(scores, labels, self._criterion)
        self._sum = answers if self._sum is None else self._sum + answers
        self.accuracy.append(accuracy(scores, labels, self._criterion))
        self.ensemble.append(accuracy(self._sum / len(self.accuracy), labels, judge))

    def state(self) -> dict[str, Any]:
        """What it has gathered, for :meth:`restore`."""
        return {"accuracy": self.accuracy, "ensemble": self.ensemble, "sum": self._sum}

    def restore(self, state: dict[str, Any]) -> None:
        self.accuracy, self.ensemble, self._sum = state["accuracy"], state["ensemble"], state["sum"]
