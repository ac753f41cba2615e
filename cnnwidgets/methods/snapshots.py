"""Snapshot ensembles: the networks before each restart of the rate, which together cost one training.

Huang, Li, Pleiss, Liu, Hopcroft and Weinberger, "Snapshot ensembles: train 1, get M for free" (ICLR 2017).
"""

from __future__ import annotations

from torch import Tensor

from cnnwidgets.methods.training import accuracy
from cnnwidgets.net.output import Output
from cnnwidgets.net.telling import kind_of


class Snapshots:
    """Gathers what each snapshot says of the same pictures.

    Attributes:
        accuracy: of each snapshot, 0..1.
        ensemble: of the average of the probabilities of the first one, two, ... of them.
    """

    def __init__(self) -> None:
        self.accuracy: list[float] = []
        self.ensemble: list[float] = []
        self._sum: Tensor | None = None

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Take in what one more gives, (N, classes), and the labels (N,); it is seen whether these are probabilities."""
        probabilities = Output(kind_of(scores), scores.shape[1], "by their sums").answers(scores.double())
        self._sum = probabilities if self._sum is None else self._sum + probabilities
        self.accuracy.append(accuracy(scores, labels))
        self.ensemble.append(accuracy(self._sum, labels))
