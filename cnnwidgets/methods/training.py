"""Training, as a lecture writes it: one pass over the data, a record a step. Everything that trains here uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from cnnwidgets.methods.criteria import Loss, OwnLoss, accuracy, fit_labels, scores_of
from cnnwidgets.methods.schedule_groups import rate_of, shared
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.items import read_batch


class Scheduler(Protocol):
    """One of ``torch.optim.lr_scheduler``, or what is stepped like one."""

    def step(self) -> Any: ...


class Step(NamedTuple):
    """What happened in a step.

    Attributes:
        loss, accuracy: the mean loss of the batch before the step, and its accuracy as
            :func:`cnnwidgets.methods.criteria.accuracy` counts it: 0..1, or NaN.
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
    """A network on a data set: mean loss, accuracy, and the scores (N, classes, ...) and labels (N, ...) they come from.

    The accuracy is that of :func:`cnnwidgets.methods.criteria.accuracy`: 0..1, or NaN.
    """

    loss: float
    accuracy: float
    scores: Tensor
    labels: Tensor


@checked
def train(
    model: nn.Module,
    loader: Iterable[Any],
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
        model: gives scores, see :func:`cnnwidgets.methods.criteria.scores_of`; it is put into training mode, and it trains.
        loader: gives batches of pictures (N, C, H, W) and labels: pairs, triples, or dicts with names such as ``"image"``
            and ``"label"``; see :func:`cnnwidgets.net.items.read_batch`.
        criterion: scores and labels to their mean loss. A loss of torch's gets labels of its type and shape, see
            :func:`cnnwidgets.methods.criteria.fit_labels`.

    Raises:
        TypeError: a batch has no labels, or the network gives no scores.
        ValueError: the labels are none for this criterion; the sentence says which criterion they are for.
    """
    device = next(model.parameters()).device
    own = criterion.backward if isinstance(criterion, OwnLoss) else None
    model.train()
    for batch in loader:
        scores, labels = _scores_and_labels(model, batch, device, criterion)
        loss = criterion(scores, labels)
        optimizer.zero_grad()
        if own is None:
            loss.backward()
        else:
            own(loss, model)
            loss = loss.sum()
        optimizer.step()
        rates = tuple(rate_of(group) for group in optimizer.param_groups)
        if scheduler is not None:
            scheduler.step()
        yield Step(loss.item(), accuracy(scores, labels, criterion), rates, len(labels))


@checked
def evaluate(model: nn.Module, loader: Iterable[Any], *, criterion: Loss = F.cross_entropy) -> Evaluation:
    """What a model in evaluation mode makes of a data set; afterwards its modules are in the modes they were in.

    Parameters: see :func:`train`.

    Raises:
        TypeError: as :func:`train` does.
        ValueError: as :func:`train` does, or the loader is empty.
    """
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            found = [_scores_and_labels(model, batch, device, criterion) for batch in loader]
    finally:
        for module, training in modes:
            module.training = training
    if not found:
        raise ValueError("there is nothing to evaluate on: the loader is empty")
    scores, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Evaluation(criterion(scores, labels).item(), accuracy(scores, labels, criterion), scores, labels)


def _scores_and_labels(model: nn.Module, batch: Any, device: torch.device, criterion: Loss) -> tuple[Tensor, Tensor]:
    """What a model says of a batch, and what the batch says of itself, as the criterion takes it."""
    images, labels = (part.to(device) for part in read_batch(batch))
    scores = scores_of(model(images))
    return scores, fit_labels(scores, labels, criterion)
