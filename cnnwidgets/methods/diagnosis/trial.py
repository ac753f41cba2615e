"""What can be tried with a network and its data, on a copy: some steps under a monitor; and whether it over-fits a few."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import SGD, Adam, Optimizer

from cnnwidgets.methods.criteria import accuracy, fit_labels, scores_of
from cnnwidgets.methods.monitoring import monitor
from cnnwidgets.methods.monitoring_weights import Weights
from cnnwidgets.methods.records import Record
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training import train
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.items import describe, read, read_batch
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.net.trace import Cancelled
from cnnwidgets.numbers import number, percent

BATCHES = 8
"""Batches that a trial trains on."""

RATE = 1e-3
"""Its rate: the weights move, and little."""

RATES = (1e-3, 1e-4, 1e-2)
"""At which a few pictures are learned, one after the other until that succeeds."""

TOLD = 10
"""Steps between two updates."""

ITEMS = 8
"""Validation pictures that are read twice."""


def try_one(task: Task, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Scores and labels of the first batch, which go into the loss, as that takes them.

    Raises:
        TypeError, ValueError, RuntimeError, IndexError: they do not fit; or the loss is no number, or has no gradient.
    """
    model, stream = task.stream(seed)
    with stream.flowing():
        model.train()
        images, labels = first_pictures(task.loader, 1, whole_batch=True)
        scores = scores_of(model(images))
        labels = fit_labels(scores, labels, task.criterion)
        loss = task.criterion(scores, labels)
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise ValueError(f"the criterion gives {describe(loss)}; expected one number, the mean loss of the batch")
    if not loss.requires_grad:
        raise ValueError("the loss has no gradient: on its way something is detached, turned into numbers or an argmax")
    return scores.detach(), labels


def probe(task: Task, optimizer: Optimizer | None = None, *, seed: int = 0) -> Record:
    """A few steps of a copy of a task's network, under a monitor: what its layers, its data and its first loss are like.

    Parameters:
        optimizer: the user's own, to say what it holds; it makes no step.

    Raises:
        TypeError, ValueError, RuntimeError, IndexError: the loader gives no batch, or as :func:`try_one` does.
    """
    try_one(task, seed)
    model, stream = task.stream(seed)
    own = SGD([each for each in model.parameters() if each.requires_grad], lr=RATE)
    with stream.flowing(), monitor(model, task.loader, own, every=1) as m:
        for _ in train(model, itertools.islice(task.loader, BATCHES), own, criterion=task.criterion):
            pass
        model.eval()
        with torch.no_grad():
            for images, labels in _pairs(itertools.islice(task.validation_loader, BATCHES)):
                scores = scores_of(model(images))
                task.criterion(scores, fit_labels(scores, labels, task.criterion))
        varies = _varies(task.validation_loader)
    known = m.record
    rows = known.facts["parameters"]
    if optimizer is not None and isinstance(task.model, nn.Module):
        theirs = {row["name"]: row for row in Weights(task.model, optimizer).rows()}
        rows = [row | {name: theirs[row["name"]][name] for name in ("group", "decay", "rate")} for row in rows]
    facts = known.facts | {"probe": True, "parameters": rows, "modes": None, "epoch_steps": None}
    facts |= {"optimizer": type(optimizer).__name__ if optimizer is not None else ""}
    facts |= {} if varies is None else {"validation_varies": varies}
    return replace(known, facts=facts, prints=np.empty(0), confusion=np.empty((0, 0), np.int64))


@dataclass(frozen=True)
class OverFit:
    """Whether a network learns a few pictures by heart.

    Attributes:
        loss: float64 (n,), at each step.
        accuracy: of all of them after the last step, 0 to 1; NaN where answers are neither right nor wrong.
        pictures: how many there were.
        succeeded: whether the loss fell below a hundredth of what it was, or of what scores of zero have, since a network
            that is trained begins low; below a tenth, where all answers are right.
    """

    loss: np.ndarray
    accuracy: float
    pictures: int
    succeeded: bool

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        path = f"from {number(self.loss[0])} to {number(self.loss[-1])} in {len(self.loss):,} steps"
        if self.succeeded and len(self.loss) == 1:
            return f"It knows {self.pictures} pictures by heart already: their loss is {number(self.loss[0])}."
        if self.succeeded:
            return f"It learns {self.pictures} pictures by heart: the loss falls {path}."
        right = f", {percent(self.accuracy)} right" if math.isfinite(self.accuracy) else ""
        return f"It cannot even learn {self.pictures} pictures by heart: the loss goes {path}{right}."


@checked
def over_fit(
    task: Task,
    *,
    pictures: int = 20,
    steps: int = 300,
    seed: int = 0,
    on_update: OnUpdate[OverFit] | None = None,
    cancel: Cancel | None = None,
) -> OverFit:
    """Try to learn a few pictures by heart, on a copy, without dropout and weight decay.

    A network that cannot do this will not learn more (A. Karpathy, "A recipe for training neural networks", 2019). Adam
    trains at rates of 1e-3, and then, if that was not enough, 1e-4 and 1e-2; it ends as soon as the loss is small enough.

    Parameters:
        pictures: how many.
        steps: at each rate, at most.
        on_update: called now and then with what is known so far and the fraction done.

    Raises:
        ValueError: the loader gives no batch.
        Cancelled: cancel was set.
    """
    best: OverFit | None = None
    for k, rate in enumerate(RATES):

        def tell(losses: list[float], count: int, before: int = k) -> None:
            if on_update is not None and len(losses) % TOLD == 0:
                partial = OverFit(np.array(losses), math.nan, count, succeeded=False)
                on_update(partial, (before + len(losses) / steps) / len(RATES))

        found = _by_heart(task, rate, pictures, steps, seed, tell, cancel)
        best = found if best is None or found.succeeded or found.loss[-1] < best.loss[-1] else best
        if best.succeeded:
            break
    assert best is not None
    return best


def _by_heart(
    task: Task,
    rate: float,
    pictures: int,
    steps: int,
    seed: int,
    tell: Callable[[list[float], int], None],
    cancel: Cancel | None,
) -> OverFit:
    model, stream = task.stream(seed)
    with stream.flowing():
        images, labels = first_pictures(task.loader, pictures)
        model.train()
        for part in model.modules():
            if isinstance(part, _DropoutNd):
                part.p = 0.0
            elif isinstance(part, _NormBase):
                part.momentum = 0.5
        optimizer = Adam([each for each in model.parameters() if each.requires_grad], lr=rate)
        losses: list[float] = []
        for _ in range(steps):
            if cancel is not None and cancel.is_set():
                raise Cancelled("cancelled")
            scores = scores_of(model(images))
            fitted = fit_labels(scores, labels, task.criterion)
            loss = task.criterion(scores, fitted)
            losses.append(float(loss.detach()))
            if len(losses) == 1:
                enough = 0.01 * max(losses[0], float(task.criterion(torch.zeros_like(scores), fitted)))
            if not math.isfinite(losses[-1]) or losses[-1] < enough:
                break
            tell(losses, len(images))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right = accuracy(scores.detach(), fitted, task.criterion)
    return OverFit(np.array(losses), right, len(images), losses[-1] < (10 * enough if right == 1 else enough))


def first_pictures(loader: Iterable[Any], count: int, *, whole_batch: bool = False) -> tuple[Tensor, Tensor]:
    """The first pictures of a loader, and their labels; or all of the batches that they come in.

    Raises:
        ValueError: it gives none.
    """
    found: list[tuple[Tensor, Tensor]] = []
    for images, labels in _pairs(loader):
        found.append((images, labels))
        if sum(len(each) for each, _ in found) >= count:
            break
    if not found:
        raise ValueError("there is nothing to train on: the training loader gives no batch")
    images, labels = (torch.cat(parts)[: None if whole_batch else count] for parts in zip(*found, strict=True))
    return images, labels


def _pairs(batches: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    yield from map(read_batch, batches)


def _varies(loader: Any) -> bool | None:
    """Whether a loader's data set gives another picture when it is asked again; None if it cannot be asked."""
    dataset = getattr(loader, "dataset", None)
    if dataset is None or not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        return None
    for k in range(min(ITEMS, len(dataset))):
        first, second = (read(dataset[k]).image for _ in range(2))
        if not isinstance(first, Tensor) or not isinstance(second, Tensor):
            return None
        if first.shape != second.shape or not torch.equal(first, second):
            return True
    return False
