"""Which loss belongs to a step: what ``backward`` is called on, and which calls of a loss function it is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from cnnwidgets.methods.criteria import accuracy
from cnnwidgets.methods.monitoring_data import class_numbers
from cnnwidgets.net.layers import format_shape

NEAR = 64
"""Nodes of autograd's graph around a loss in which the loss functions that it is made of are sought."""


NUMBERED = frozenset((functional.cross_entropy, functional.nll_loss, functional.multi_margin_loss))
"""Losses of classes that are given by their numbers."""


@dataclass
class Seen:
    """A call of a loss function whose result has a gradient."""

    number: int
    forward: int
    training: bool
    function: Callable
    scores: Tensor
    labels: Tensor
    value: Tensor
    summed: bool
    ignored: int

    @property
    def size(self) -> int:
        return len(self.scores) if self.scores.ndim else 1

    @property
    def loss(self) -> float:
        """The mean loss of a picture."""
        return float(self.value.mean()) / (self.size if self.summed else 1)

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """The classes of the labels."""
        return class_numbers(self.labels)

    @property
    def accuracy(self) -> float:
        """0 to 1, or NaN."""
        return accuracy_of(self.scores, self.labels, self.numbers, self.function, self.ignored)


@dataclass
class Told:
    """What is known of a step: its loss, and the calls of loss functions that it is made of, one for each forward pass."""

    loss: float
    parts: list[Seen]
    said: float | None = None

    @property
    def size(self) -> int:
        return sum(each.size for each in self.parts)

    @property
    def is_large(self) -> bool:
        """Whether it should not be kept for long."""
        return sum(each.scores.numel() for each in self.parts) > LARGE

    @property
    def accuracy(self) -> float:
        """0 to 1; NaN where nothing is right or wrong."""
        if self.said is not None or not self.parts:
            return math.nan if self.said is None else self.said
        return sum(each.accuracy * each.size for each in self.parts) / max(1, self.size)

    @property
    def numbers(self) -> np.ndarray | None:
        """The classes of the labels, of all parts; None if they say none."""
        known = [each.numbers for each in self.parts if each.numbers is not None]
        return np.concatenate(known) if known else None

    @property
    def classes(self) -> int:
        scores = self.parts[0].scores
        return scores.shape[1] if scores.ndim > 1 else 1


class Losses:
    """The losses since the last step.

    Attributes:
        first: facts about the first loss of all, in JSON's words.
        loss: the sum of what ``backward`` was called on.
    """

    def __init__(self) -> None:
        self.first: dict[str, Any] = {}
        self.loss = 0.0
        self._pending: list[Seen] = []
        self._trained: list[Seen] = []
        self._said: tuple[float, float | None] | None = None
        self._forward = self._number = 0
        self._went_back = self._training = False

    @property
    def is_open(self) -> bool:
        """Whether ``backward`` was called, or a loss was seen, since the last step."""
        return self._went_back or bool(self._pending)

    def began(self, training: bool) -> None:
        """A forward pass begins, in training mode or not."""
        self._forward += 1
        self._training = training

    def add(self, function: Callable, scores: Tensor, labels: Tensor, kwargs: dict[str, Any], loss: Tensor) -> None:
        """A loss function was called."""
        self._number += 1
        if loss.grad_fn is not None:
            _notes(loss.grad_fn)[_MARK] = self._number
        where = self._number, self._forward, self._training
        told = loss.detach(), kwargs.get("reduction") == "sum", kwargs.get("ignore_index", -100)
        self._pending.append(Seen(*where, function, scores.detach(), labels.clone(), *told))  # a loader may use them again
        if not self.first:
            self.first = _facts(function, scores.detach(), labels, kwargs, mean_of(loss, scores, kwargs))

    def going_back(self, loss: Tensor) -> None:
        """``backward`` is called on a loss: some of the calls belong to the step."""
        value = float(loss.detach()) if loss.numel() == 1 else math.nan
        self.loss = self.loss + value if self._went_back else value
        self._went_back = True
        used = self._pending
        if len({each.forward for each in used}) > 1:
            near = set(_marks(loss))
            last = used[-1].forward
            used = [each for each in used if (each.number in near if near else each.forward == last)]
        self._trained += used
        forwards = {each.forward for each in used}
        self._pending = [each for each in self._pending if each.forward not in forwards]

    def left(self) -> list[Seen]:
        """The calls from which no way back was taken, one for each forward pass; once."""
        first: dict[int, Seen] = {}
        for each in self._pending:
            first.setdefault(each.forward, each)
        self._pending = []
        return [*first.values()]

    def say(self, loss: float, accuracy: float | None) -> None:
        """The loop says what the loss of the step to come is."""
        self._said = loss, accuracy

    def close(self) -> Told:
        """The step was made."""
        heads: dict[int, Seen] = {}
        for each in self._trained:
            heads.setdefault(each.forward, each)  # the first of several heads
        told = Told(self.loss if self._went_back else math.nan, [*heads.values()])
        if self._said is not None:
            told.loss, told.said = self._said
        self._trained, self._said, self._went_back, self.loss = [], None, False, 0.0
        return told


LARGE = 2**18
"""Scores of a step that are judged at once."""

_MARK = "seen by a monitor"


def mean_of(loss: Tensor, scores: Tensor, kwargs: dict[str, Any]) -> float:
    """The mean loss of a picture, whatever the reduction."""
    if loss.numel() != 1 or kwargs.get("reduction") == "none":
        return float(loss.detach().mean())
    return float(loss.detach()) / (len(scores) if kwargs.get("reduction") == "sum" and scores.ndim else 1)


def _facts(function: Callable, scores: Tensor, labels: Tensor, kwargs: dict[str, Any], loss: float) -> dict[str, Any]:
    """What the very first loss was made of."""
    rows = scores.flatten(1) if scores.ndim == 2 else scores.movedim(1, -1).flatten(0, -2) if scores.ndim > 2 else None
    sums = bool(rows is not None and ((rows >= 0).all() and ((rows.sum(1) - 1).abs() < 1e-3).all()))
    logs = bool(rows is not None and (rows <= 0).all() and ((rows.exp().sum(1) - 1).abs() < 1e-3).all())
    return {
        "function": getattr(function, "__name__", str(function)),
        "loss": loss if math.isfinite(loss) else None,
        "classes": scores.shape[1] if scores.ndim > 1 else 1,
        "reduction": kwargs.get("reduction", "mean"),
        "smoothing": float(kwargs.get("label_smoothing") or 0.0),
        "scores": format_shape(scores.shape),
        "labels": format_shape(labels.shape),
        "deviation": float(scores.float().std()) if scores.numel() > 1 else 0.0,
        "probabilities": sums,
        "log_probabilities": logs,
        "within_0_1": bool(scores.numel() and (scores >= 0).all() and (scores <= 1).all()),
    }


def _marks(loss: Tensor) -> Iterator[int]:
    """The numbers of the loss functions near a loss in autograd's graph."""
    todo = [loss.grad_fn]
    for node in todo:
        if node is None:
            continue
        if _MARK in _notes(node):
            yield _notes(node)[_MARK]
        elif len(todo) < NEAR:
            todo += [each for each, _ in node.next_functions]


def _notes(node: Any) -> dict[Any, Any]:
    """What a node of autograd's graph takes with it until it is dropped."""
    return node.metadata


def accuracy_of(scores: Tensor, labels: Tensor, numbers: np.ndarray | None, function: Callable, ignored: int) -> float:
    """The accuracy of a batch, 0 to 1; NaN where nothing is right or wrong."""
    if numbers is not None and scores.shape[:1] == numbers.shape and scores.ndim == 2 and function in NUMBERED:
        counts = numbers != ignored  # the same as below, in a third of the time
        right = (scores.argmax(1).cpu().numpy() == numbers) & counts
        return np.count_nonzero(right) / total if (total := np.count_nonzero(counts)) else math.nan
    try:
        return accuracy(scores, labels, function)
    except (TypeError, ValueError, RuntimeError, IndexError):  # what the loss function takes in its own way
        return math.nan
