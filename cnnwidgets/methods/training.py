"""Training, as a lecture writes it: one pass over the data, a record a step. Everything that trains here uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from cnnwidgets.methods.schedule_groups import rate_of, shared

Loss = Callable[[Tensor, Tensor], Tensor]
"""Scores (N, classes) and labels (N,) to their mean loss."""


class Scheduler(Protocol):
    """One of ``torch.optim.lr_scheduler``, or what is stepped like one."""

    def step(self) -> Any: ...


class Step(NamedTuple):
    """What happened in a step.

    Attributes:
        loss, accuracy: the mean loss of the batch before the step, and its share of right answers, 0..1.
        rates: the learning rate of each of the optimizer's groups.
        size: of the batch.
    """

    loss: float
    accuracy: float
    rates: tuple[float, ...]
    size: int

    @property
    def lr(self) -> float:
        """The rate of all groups; a ValueError if they differ."""
        return float(shared(np.array(self.rates), "rates"))


class Evaluation(NamedTuple):
    """A network on a data set: mean loss, accuracy (0..1), and the scores (N, classes) and labels (N,) they come from."""

    loss: float
    accuracy: float
    scores: Tensor
    labels: Tensor


def train(
    model: nn.Module,
    loader: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: Scheduler | None = None,
    *,
    criterion: Loss = F.cross_entropy,
) -> Iterator[Step]:
    """Train a model for one pass over a loader, and tell of every step.

    >>> for epoch in range(epochs):
    ...     losses += [step.loss for step in train(model, loader, optimizer)]
    ...     print(evaluate(model, others).accuracy)
    ...     scheduler.step()

    A seed, checkpoints, early stopping: a line of yours in this loop. A scheduler that is given is stepped after every
    batch; one that counts epochs you step yourself.

    Parameters:
        model: gives scores (N, classes); it is put into training mode, and it trains.
        loader: gives batches: pictures (N, C, H, W) and labels (N,).
    """
    device = next(model.parameters()).device
    model.train()
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        scores = model(images)
        loss = criterion(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates = tuple(rate_of(group) for group in optimizer.param_groups)
        if scheduler is not None:
            scheduler.step()
        yield Step(loss.item(), accuracy(scores, labels), rates, len(labels))


def evaluate(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]], *, criterion: Loss = F.cross_entropy) -> Evaluation:
    """What a model in evaluation mode makes of a data set; afterwards its modules are in the modes they were in.

    Raises:
        ValueError: the loader is empty.
    """
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            found = [(model(images.to(device)), labels.to(device)) for images, labels in loader]
    finally:
        for module, training in modes:
            module.training = training
    if not found:
        raise ValueError("there is nothing to evaluate on: the loader is empty")
    scores, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Evaluation(criterion(scores, labels).item(), accuracy(scores, labels), scores, labels)


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """The fraction of the labels that the highest score names."""
    return (scores.argmax(1) == labels).double().mean().item()
