"""Snapshot ensembles: the networks before each restart of the rate, which together cost one training.

Huang, Li, Pleiss, Liu, Hopcroft and Weinberger, "Snapshot ensembles: train 1, get M for free" (ICLR 2017).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from cnnwidgets.methods.criteria import Loss, accuracy, probabilities


class Snapshots:
    """Gathers what each snapshot says of the same pictures.

    Parameters:
        criterion: that the networks were trained with, which says what is averaged, and what accuracy is.

    Attributes:
        accuracy: of each snapshot, 0..1, or NaN.
        ensemble: of the average of the probabilities of the first one, two, ... of them.
    """

    def __init__(self, criterion: Loss = F.cross_entropy) -> None:
        self._criterion = criterion
        self.accuracy: list[float] = []
        self.ensemble: list[float] = []
        self._sum: Tensor | None = None

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Take in the scores (N, ...) of one more, and the labels, as ``evaluate`` gives them."""
        answers, judge = probabilities(scores, labels, self._criterion)
        self._sum = answers if self._sum is None else self._sum + answers
        self.accuracy.append(accuracy(scores, labels, self._criterion))
        self.ensemble.append(accuracy(self._sum / len(self.accuracy), labels, judge))
