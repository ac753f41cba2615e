"""What a training is shown: pictures, labels and their order; and what a validation finds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

MOST_LABELS = 50_000
"""Labels that are kept in their order."""

MOST_CLASSES = 1_000
"""Beyond which no confusion is kept."""


class Pictures:
    """Least, largest, mean and deviation of each channel, over all batches that were added."""

    def __init__(self) -> None:
        self._count, self._sums, self._ends = 0, np.empty((2, 0)), np.empty((2, 0))

    def add(self, inputs: Tensor) -> None:
        """(N, C, ...) or (N, features), which is one channel."""
        if not (inputs.is_floating_point() or inputs.dtype == torch.uint8) or not inputs.numel():
            return  # words, say
        values = inputs.detach().float()
        rows = values.transpose(0, 1).flatten(1) if values.ndim > 2 else values.reshape(1, -1)
        least, largest = torch.aminmax(rows, dim=1)
        sums = np.stack([rows.sum(1, dtype=torch.float64).cpu(), rows.double().square().sum(1).cpu()])
        ends = np.stack([least.cpu(), largest.cpu()])
        if self._count and self._sums.shape != sums.shape:
            return  # pictures of another kind
        if self._count:
            sums, ends = (
                sums + self._sums,
                np.stack([np.minimum(ends[0], self._ends[0]), np.maximum(ends[1], self._ends[1])]),
            )
        self._count, self._sums, self._ends = self._count + rows.shape[1], sums, ends

    def table(self) -> np.ndarray:
        """float64 (4, c); c is 0 if there were none."""
        if not self._count:
            return np.empty((4, 0))
        mean, square = self._sums / self._count
        return np.stack([*self._ends, mean, np.sqrt(np.maximum(0, square - mean**2))])


class Labels:
    """Class numbers, as they come."""

    def __init__(self) -> None:
        self._first: list[np.ndarray] = []
        self._new: list[np.ndarray] = []
        self._kept, self._classes = 0, 0
        self._counts = np.zeros(0, np.int64)

    def add(self, numbers: np.ndarray, classes: int) -> None:
        """Take in the class numbers of a batch."""
        self._classes = classes
        self._new.append(numbers)
        if self._kept < MOST_LABELS:
            self._first.append(numbers)
            self._kept += len(numbers)
        if len(self._new) > 200:
            self._count()

    def _count(self) -> None:
        new = np.concatenate([self._counts[:0], *self._new])
        self._new = []
        counts = np.bincount(new[new >= 0], minlength=max(self._classes, len(self._counts)))
        counts[: len(self._counts)] += self._counts
        self._counts = counts.astype(np.int64)

    @property
    def counts(self) -> np.ndarray:
        """int64 (k,): how many there were of each class."""
        self._count()
        return self._counts

    def first(self) -> np.ndarray:
        """int64 (m,), in their order."""
        return np.concatenate(self._first)[:MOST_LABELS] if self._first else np.zeros(0, np.int64)


def class_numbers(labels: Tensor) -> np.ndarray | None:
    """int64 (N,): the class of each picture; None if the labels do not say one."""
    if labels.ndim == 2 and labels.shape[1] > 1 and bool((labels.sum(1) - 1).abs().max() < 1e-3):
        labels = labels.argmax(1)
    whole = labels.ndim == 1 and not labels.is_floating_point() and not labels.is_complex()
    return labels.cpu().numpy().astype(np.int64) if whole else None  # a copy: they are the user's


@dataclass
class Answer:
    """What is known of a forward pass in a validation; None where nothing is."""

    size: int
    loss: float | None = None
    accuracy: float | None = None
    print: float = 0.0


@dataclass
class Validation:
    """The forward passes without gradient between two steps."""

    answers: list[Answer] = field(default_factory=list)
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    active: tuple[str, ...] = ()

    def confuse(self, scores: Tensor, numbers: np.ndarray | None) -> None:
        """Count answers by label, if there are classes."""
        if numbers is None or scores.ndim != 2 or not 1 < (classes := scores.shape[1]) <= MOST_CLASSES:
            return
        fits = (numbers >= 0) & (numbers < classes)
        pairs = numbers[fits] * classes + scores.argmax(1).cpu().numpy()[fits]
        counts = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        self.confusion = counts if self.confusion.shape != counts.shape else self.confusion + counts

    @property
    def says_something(self) -> bool:
        """Whether there is a loss or an accuracy in it."""
        return any(answer.loss is not None or answer.accuracy is not None for answer in self.answers)

    @property
    def found(self) -> tuple[float, float]:
        """The mean loss and accuracy of all pictures; NaN where no batch says it."""
        return _weighted(self.answers, "loss"), _weighted(self.answers, "accuracy")

    @property
    def print(self) -> float:
        """A number that the pictures alone determine, in any order."""
        return math.fsum(answer.print for answer in self.answers)


class Validations:
    """All validations of a training, each after some steps."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.found: list[tuple[float, float]] = []
        self.prints: list[float] = []
        self.sizes: list[int] = []
        self.confusion = np.zeros((0, 0), np.int64)

    def add(self, step: int, loss: float, accuracy: float, seen: Validation) -> None:
        """Add one; of two after the same step the later counts."""
        if self.ends and self.ends[-1] == step:
            for each in (self.ends, self.found, self.prints, self.sizes):
                each.pop()
        self.ends.append(step)
        self.found.append((loss, accuracy))
        self.prints.append(seen.print)
        self.sizes.append(sum(answer.size for answer in seen.answers))
        self.confusion = seen.confusion if seen.confusion.size else self.confusion


def _weighted(answers: list[Answer], name: str) -> float:
    known = [(value, answer.size) for answer in answers if (value := getattr(answer, name)) is not None]
    return sum(value * size for value, size in known) / sum(size for _, size in known) if known else math.nan


def print_of(inputs: Tensor) -> float:
    """A number that the pictures (N, ...) determine, whose sum over batches is the same in any order of the pictures."""
    if inputs.is_complex() or inputs.dtype == torch.bool:
        return 0.0
    summed = inputs.detach().sum(0, dtype=torch.float64).flatten().cpu().numpy()
    return float(summed @ np.cos(np.arange(len(summed)) * 0.7 + 1.0))  # mirrored pictures give another one
