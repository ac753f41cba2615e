"""What can be gathered on a way over a data set: the confusion matrix, and the statistics of a layer's units."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch

from cnnwidgets.methods.batches import Batch
from cnnwidgets.net import Layer
from cnnwidgets.net.arguments import checked

CHUNK = 2**22
"""Values of a layer that are converted to float64 at once."""


@dataclass(frozen=True, repr=False)
class ConfusionMatrix:
    """How often pictures of each class were taken for each.

    Attributes:
        counts: int64 (classes, classes): the rows are the labels, the columns the most probable classes. A network with
            one output has two classes, negative and, above a probability of a half, positive.
    """

    counts: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of labeled pictures that are right, between 0 and 1; NaN if there are none."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts) / total) if total else float("nan")

    def __repr__(self) -> str:
        return f"<confusion of {len(self.counts)} classes: {self.accuracy:.2%} of {self.counts.sum():,} right>"


class Confusion:
    """Counts labels against predictions; pictures without a label do not count. The result is a :class:`ConfusionMatrix`.

    Raises:
        ValueError: the network gives no probabilities, or a label is beyond its classes.
    """

    def __init__(self) -> None:
        self.classes = 0
        self.pairs = np.zeros((0, 2), np.int64)  # of a batch: what travels is small, however many classes there are
        self.counts = np.zeros((0, 0), np.int64)

    def update(self, batch: Batch) -> None:
        answers = answers_of(batch)
        self.classes = answers.shape[1]
        pairs = np.stack([batch.labels, answers.argmax(1).numpy()], 1)
        self.pairs = np.concatenate([self.pairs, pairs[batch.labels >= 0]])

    def merge(self, other: Confusion) -> None:
        self.classes = max(self.classes, other.classes)
        counts = self.counts if self.counts.size else np.zeros((self.classes, self.classes), np.int64)
        np.add.at(counts, tuple(np.concatenate([self.pairs, other.pairs]).T), 1)
        if other.counts.size:
            counts += other.counts
        self.counts, self.pairs = counts, self.pairs[:0]

    def result(self) -> ConfusionMatrix:
        whole = copy.deepcopy(self)
        whole.merge(Confusion())
        return ConfusionMatrix(whole.counts)


def answers_of(batch: Batch) -> torch.Tensor:
    """(n, classes): the probability of each class.

    Raises:
        ValueError: it gives no probabilities, or a label is beyond its classes.
    """
    if batch.scores is None:
        raise ValueError("the network gives no tensor (N, classes): there are no classes to count")
    if not batch.output.has_probabilities:
        raise ValueError(f"{batch.output.sentence}: there are no classes to count")
    answers = batch.output.answers(batch.scores)
    classes = answers.shape[1]
    for i, label in zip(batch.indices[batch.labels >= classes], batch.labels[batch.labels >= classes], strict=True):
        raise ValueError(f"picture {i} has the label {label}: the network has {classes} classes, numbered from 0")
    return answers


@dataclass(frozen=True, repr=False)
class UnitStatistics:
    """What the units of a layer answer to a data set, over all pictures and positions.

    Attributes:
        layer: the layer's row in ``net.layers``.
        values: number of values of each unit.
        mean, variance, maximum: float64 (units,), in the network's own units; the variance is that of the values as they
            are, divided by their number.
        zeros: float64 (units,), the share of values that are exactly 0. A unit with a share of 1 is dead.
    """

    layer: Layer
    values: int
    mean: np.ndarray
    variance: np.ndarray
    maximum: np.ndarray
    zeros: np.ndarray

    def __repr__(self) -> str:
        return f"<{self.layer.name}: {len(self.mean)} units, {self.values:,} values each, {self.zeros.mean():.0%} zeros>"


class ActivationStatistics:
    """Mean, variance, maximum and share of zeros of every unit of a layer; the result is a :class:`UnitStatistics`.

    Parts are merged by the formula of Chan, Golub and LeVeque (1979), which does not lose digits as sums of squares do.

    Parameters:
        layer: a row of ``net.layers``.

    Raises:
        TypeError: it is something else, such as a layer's name.
        ValueError: the layer has no units.
    """

    @checked
    def __init__(self, layer: Layer) -> None:
        units = layer.map_shape[0]
        self.layer, self.layers = layer, [layer.name]
        self.values = 0
        self.mean, self.deviations = np.zeros(units), np.zeros(units)
        self.maximum, self.zeros = np.full(units, -np.inf), np.zeros(units, np.int64)

    def update(self, batch: Batch) -> None:
        values = self.layer.by_unit(batch.outputs[self.layer.name]).flatten(2)
        for some in values.split(max(1, CHUNK // values[0].numel())):
            part = ActivationStatistics(self.layer)
            part.values = len(some) * some.shape[2]
            variance, mean = torch.var_mean(some.double(), (0, 2), correction=0)
            part.mean, part.deviations = mean.numpy(), (part.values * variance).numpy()
            part.maximum = some.amax((0, 2)).double().numpy()
            part.zeros = (some == 0).sum((0, 2)).numpy()
            self.merge(part)

    def merge(self, other: ActivationStatistics) -> None:
        values = self.values + other.values
        if not other.values:
            return
        apart = other.mean - self.mean
        self.deviations = self.deviations + other.deviations + apart**2 * (self.values * other.values / values)
        self.mean = self.mean + apart * (other.values / values)
        self.maximum = np.maximum(self.maximum, other.maximum)
        self.zeros = self.zeros + other.zeros
        self.values = values

    def result(self) -> UnitStatistics:
        values = self.values
        return UnitStatistics(
            self.layer, values, self.mean.copy(), self.deviations / values, self.maximum.copy(), self.zeros / values
        )

    def state(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "layer"}

    def restore(self, state: dict) -> None:
        vars(self).update(state)
