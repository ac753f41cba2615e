"""What is kept of a training: its curves, in memory and in a file."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from cnnwidgets.methods import history_files
from cnnwidgets.methods.early_stopping import Stop, early_stopping
from cnnwidgets.methods.in_memory import Pictures
from cnnwidgets.methods.schedule_groups import shared
from cnnwidgets.methods.weights import Weights
from cnnwidgets.net import BoundModel, bind
from cnnwidgets.net.preprocess import Preprocess
from cnnwidgets.numbers import number, percent


@dataclass(frozen=True, eq=False)
class History:
    """The curves of one training; n steps (batches) of it and e validations.

    Attributes:
        name: the name of its schedule.
        spec: the schedule, see :func:`cnnwidgets.methods.schedule`.
        seed: the random seed.
        rates: float64 (g, n), the learning rate of each step, of each of the optimizer's g groups of parameters.
        loss: float64 (n,), the mean loss of each batch before the step.
        accuracy: float64 (n,), 0 to 1, likewise; NaN where answers are neither right nor wrong.
        ends: int64 (e,), the number of steps done at each validation: an epoch's end, and the end of the training.
        validation_loss: float64 (e,).
        validation_accuracy: float64 (e,), 0 to 1, or NaN.
        snapshot_ends: int64 (m,), the number of steps done when the rate was lowest before each restart, if it restarts.
        snapshot_accuracy: float64 (m,), of the network at each of these moments.
        ensemble_accuracy: float64 (m,), of the average of the probabilities of the first one, two, ... m of them.
        measures: what else was measured at each validation, float64 (e,) by name: the accuracy of each head, say.
        stopped: why it ended early, as in "diverged at step 7 (loss NaN)"; empty if it did not.
        weights: those of the best and the last epoch, for :meth:`module`; none of a history from a file.
    """

    name: str
    spec: dict[str, Any]
    seed: int
    rates: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    ends: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray
    snapshot_ends: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    snapshot_accuracy: np.ndarray = field(default_factory=lambda: np.empty(0))
    ensemble_accuracy: np.ndarray = field(default_factory=lambda: np.empty(0))
    measures: dict[str, np.ndarray] = field(default_factory=dict)
    stopped: str = ""
    weights: Weights = field(default=Weights(), repr=False, compare=False)

    @property
    def lr(self) -> np.ndarray:
        """float64 (n,), the rate of all groups; a ValueError if they differ."""
        return shared(self.rates, "rates")

    @property
    def epoch_loss(self) -> np.ndarray:
        """float64 (e,), the mean training loss of the steps between two validations."""
        return _means(self.loss, self.ends)

    @property
    def epoch_accuracy(self) -> np.ndarray:
        """float64 (e,), likewise."""
        return _means(self.accuracy, self.ends)

    @property
    def final_accuracy(self) -> float:
        """The last validation's; NaN before the first one."""
        return float(self.validation_accuracy[-1]) if len(self.validation_accuracy) else math.nan

    @property
    def final_loss(self) -> float:
        """The last validation's; NaN before the first one."""
        return float(self.validation_loss[-1]) if len(self.validation_loss) else math.nan

    @property
    def judged(self) -> str:
        """What the last validation says of it, in a sentence."""
        if math.isfinite(self.final_accuracy):
            return f'"{self.name}" reaches {percent(self.final_accuracy)}.'
        return f'"{self.name}" ends with a validation loss of {number(self.final_loss)}.'

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, counted from 1; 0 before there is one."""
        losses = np.where(np.isfinite(self.validation_loss), self.validation_loss, np.inf)
        return int(losses.argmin()) + 1 if len(losses) else 0

    def module(self, epoch: int | str = "best") -> nn.Module:
        """The network with the weights of an epoch, a new object at each call, in evaluation mode.

        >>> model = race.of("cosine 0.02")[0].module()

        Parameters:
            epoch: "best" by validation loss, "last", or one of these two as a number, counted from 1.

        Raises:
            ValueError: the weights of this epoch were not kept.
        """
        if not self.weights.by_epoch:
            raise ValueError(
                f"there are no weights of {self.name!r}: a file holds curves alone, and a run has weights once it is "
                f"validated"
            )
        known = {"best": self.best_epoch, "last": max(self.weights.by_epoch)}
        number = known.get(epoch, epoch) if isinstance(epoch, str) else epoch
        if number not in self.weights.by_epoch:
            kept = " and ".join(map(str, sorted(self.weights.by_epoch)))
            raise ValueError(f"epoch is {epoch!r}; expected 'best', 'last' or a number whose weights were kept: {kept}")
        return self.weights.network(int(number))

    def bound(self, epoch: int | str = "best") -> BoundModel:
        """The same, bound, with the classes and the preprocessing of the data it was trained on, where those say them.

        >>> cw.SaliencyPanel(race.of("cosine 0.02")[0].bound(), image)
        """
        module = self.module(epoch)
        data = getattr(self.weights.task and self.weights.task.loader, "dataset", None)
        if not isinstance(data, Pictures):
            return bind(module)
        channels, height, width = data.pictures.shape[1:]
        known = data.mean is not None and data.std is not None and data.scale is None
        preprocess = Preprocess((channels, height, width), tuple(data.mean or ()), tuple(data.std or ())) if known else None
        return bind(module, classes=data.classes, preprocess=preprocess, input_shape=(channels, height, width))

    def early_stopping(self, patience: int, min_delta: float = 0.0) -> Stop:
        """Where it would have stopped early, see :func:`cnnwidgets.methods.early_stopping`."""
        return early_stopping(self.validation_loss, patience, min_delta)

    def save(self, path: str | Path) -> None:
        """Write it to a ``.json`` or ``.npz`` file; or its curves alone to a ``.csv``, one row per step.

        Raises:
            ValueError: the name has another ending.
        """
        history_files.save(path, [self])

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read the first one in a file that :meth:`save`, or that of a race, has written; or Lightning's ``metrics.csv``."""
        found, _ = history_files.load(path)
        if not found:
            raise ValueError(f"{Path(path).name} holds no training histories")
        return found[0]

    def __repr__(self) -> str:
        return f"<history of {self.name}, seed {self.seed}: {len(self.loss):,} steps, {len(self.ends)} validations>"


def _means(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.array([values[start:end].mean() for start, end in itertools.pairwise([0, *ends])])
