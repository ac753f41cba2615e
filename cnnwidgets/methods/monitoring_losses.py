"""Which loss belongs to a step: what ``backward`` is called on, and which calls of a loss function it is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from cnnwidgets.net.layers import format_shape

NEAR = 64
"""Nodes of autograd's graph around a loss in which the loss functions that it is made of are sought."""


@dataclass
class Seen:
    """A call of a loss function whose result has a gradient."""

    number: int
    forward: int
    training: bool
    size: int
    value: Tensor
    summed: bool
    accuracy: float
    numbers: np.ndarray | None
    classes: int

    @property
    def loss(self) -> float:
        """The mean loss of a picture."""
        return float(self.value.mean()) / (self.size if self.summed else 1)


@dataclass
class Told:
    """What is known of a step; NaN, 0 or None where nothing is."""

    loss: float = math.nan
    accuracy: float = math.nan
    size: int = 0
    numbers: np.ndarray | None = None
    classes: int = 0


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

    def add(
        self,
        function: Callable,
        scores: Tensor,
        labels: Tensor,
        numbers: np.ndarray | None,
        kwargs: dict[str, Any],
        loss: Tensor,
        accuracy: float,
    ) -> None:
        """A loss function was called."""
        self._number += 1
        size = len(scores) if scores.ndim else 1
        classes = scores.shape[1] if scores.ndim > 1 else 1
        if loss.grad_fn is not None:
            _notes(loss.grad_fn)[_MARK] = self._number
        where = self._number, self._forward, self._training
        summed = kwargs.get("reduction") == "sum"
        self._pending.append(Seen(*where, size, loss.detach(), summed, accuracy, numbers, classes))
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
        parts = [*heads.values()]
        size = sum(each.size for each in parts)
        told = Told(self.loss if self._went_back else math.nan, math.nan, size)
        if size:
            told.accuracy = sum(each.accuracy * each.size for each in parts) / size
            numbers = [each.numbers for each in parts if each.numbers is not None]
            told.numbers = numbers[0] if len(numbers) == 1 else np.concatenate(numbers) if numbers else None
            told.classes = parts[0].classes
        if self._said is not None:
            told.loss, said = self._said
            told.accuracy = told.accuracy if said is None else said
        self._trained, self._said, self._went_back, self.loss = [], None, False, 0.0
        return told


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
