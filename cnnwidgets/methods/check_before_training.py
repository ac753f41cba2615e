"""The list to go through before a training: shapes, first loss, a few pictures by heart, gradients, data, memory, time."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD

from cnnwidgets.methods.criteria import Loss
from cnnwidgets.methods.diagnosis.data import runs
from cnnwidgets.methods.diagnosis.diagnose import diagnose
from cnnwidgets.methods.diagnosis.losses import expected
from cnnwidgets.methods.diagnosis.symptom import Diagnosis
from cnnwidgets.methods.diagnosis.trial import OverFit, over_fit, probe, try_one
from cnnwidgets.methods.records import Record
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training import train
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number

LINES: dict[str, tuple[str, ...]] = {
    "first loss": (
        *("NaN or infinity", "softmax before cross-entropy", "scores without log-softmax"),
        *("first loss is not ln(classes)", "summed loss"),
    ),
    "gradients": (
        *("zero initialization", "equal initialization", "no gradient", "exploding gradients", "vanishing gradients"),
        *("dead ReLUs", "saturated units"),
    ),
    "pictures": (
        "inputs in [0, 255]",
        "other preprocessing at test time",
        "augmentation on validation",
        "inputs not centered",
    ),
    "classes": ("labels shifted or permuted", "imbalance"),
    "order": ("unshuffled data",),
}
"""Lines of the list, and the symptoms that each of them looks for."""

MARKS = {"fine": "✓", "hint": "·", "doubtful": "!", "wrong": "✗", "unknown": "?"}
VERDICTS = {1: "hint", 2: "doubtful", 3: "wrong"}
"""By the severity of a finding."""

STEPS = 6
"""Steps that are timed."""


@dataclass(frozen=True)
class Check:
    """A line of the list.

    Attributes:
        name: what was checked.
        verdict: "fine", "hint", "doubtful", "wrong", or "unknown" if it could not be checked.
        figure: what was found, with numbers.
        remedy: what to do about it; empty if it is fine.
    """

    name: str
    verdict: str
    figure: str
    remedy: str = ""


@dataclass(frozen=True)
class Checklist:
    """What was checked before a training.

    Attributes:
        checks: the lines, in order.
    """

    checks: tuple[Check, ...]

    def named(self, name: str) -> Check:
        """The line of this name; a KeyError if it was not checked."""
        return {check.name: check for check in self.checks}[name]

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.verdict != "wrong" for check in self.checks)

    @property
    def summary(self) -> str:
        """What is wrong, in a sentence; then one line for each check."""
        lines = [f"{MARKS[one.verdict]} {one.name}: {one.figure} {one.remedy}".rstrip() for one in self.checks]
        return "\n".join([self._finding, *lines])

    @property
    def _finding(self) -> str:
        for verdict, what in (("wrong", "Not ready to train"), ("doubtful", "Ready to train, with a doubt")):
            if some := [check for check in self.checks if check.verdict == verdict]:
                return f"{what}: {some[0].figure}"
        return "Ready to train: nothing wrong was found."


@checked
def check_before_training(
    model: nn.Module | Task,
    loader: Iterable[Any] | None = None,
    *,
    validation_loader: Iterable[Any] | None = None,
    criterion: Loss = F.cross_entropy,
    seed: int = 0,
    on_update: OnUpdate[Checklist] | None = None,
    cancel: Cancel | None = None,
) -> Checklist:
    """Go through the list that spares a wasted training, on a copy of the network.

    >>> print(cw.methods.check_before_training(model, loader).summary)

    Everything but the time is the same for the same seed. After A. Karpathy, "A recipe for training neural networks", 2019.

    Parameters:
        model: a network, or a task, which has its own loaders and criterion.
        loader, validation_loader: of batches of pictures and labels.
        seed: of the order of the batches, and of dropout.
        on_update: called with the list so far and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        ValueError: there is no loader, or it gives no batch.
        Cancelled: cancel was set.
    """
    if isinstance(model, nn.Module):
        if loader is None:
            raise ValueError("a network of your own needs a training loader that gives batches of pictures and labels")
        model = Task(model, loader, loader if validation_loader is None else validation_loader, criterion)
    checks: list[Check] = []

    def add(check: Check) -> None:
        checks.append(check)
        if on_update is not None:
            on_update(Checklist(tuple(checks)), len(checks) / (len(LINES) + 3))

    try:
        scores, labels = try_one(model, seed)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        if "gives no batch" in str(error):
            raise
        add(Check("shapes", "wrong", f"{str(error).rstrip('.')}.", "Run one batch through network and loss by hand."))
        return Checklist(tuple(checks))
    add(Check("shapes", "fine", f"scores {_shape(scores)}, labels {_shape(labels)}."))
    record = probe(model, seed=seed)
    found = diagnose(record)
    for name in LINES:
        add(_line(name, record, found))
    add(_by_heart(over_fit(model, seed=seed, cancel=cancel)))
    add(_cost(model, seed))
    return Checklist(tuple(checks))


def _line(name: str, record: Record, found: Diagnosis) -> Check:
    for finding in found.findings:
        if finding.name in LINES[name]:
            return Check(name, VERDICTS[finding.severity], finding.sentence, finding.remedy)
    if not {*LINES[name]} & {*found.judged}:
        return Check(name, "unknown", "nothing is known of it.")
    return Check(name, "fine", FINE[name](record))


def _first_loss(record: Record) -> str:
    first, known = record.facts["first"], expected(record)
    if known is None:
        return f"{number(record.history.loss[0])}."
    return f"{number(first['loss'])}, and guessing gives {number(known)}."


def _gradients(record: Record) -> str:
    norms = np.median(record.gradient, 0)
    return f"all {len(norms)} layers get one, with norms from {number(norms.min())} to {number(norms.max())}."


def _pictures(record: Record) -> str:
    least, largest, mean, deviation = record.inputs
    ranges = f"values from {number(least.min())} to {number(largest.max())}"
    return f"{ranges}, mean {number(mean.mean(), 2)}, deviation {number(deviation.mean(), 2)}."


def _classes(record: Record) -> str:
    counts = record.counts
    total = f"{counts.sum():,} labels looked at"
    return f"{len(counts)} classes with {counts.min():,} to {counts.max():,} of the {total}."


def _order(record: Record) -> str:
    mean, chance = (number(len(record.labels) / count, 2) for count in runs(record.labels))
    return f"runs of {mean} pictures of one class; {chance} is chance."


FINE = {"first loss": _first_loss, "gradients": _gradients, "pictures": _pictures, "classes": _classes, "order": _order}


def _by_heart(found: OverFit) -> Check:
    remedy = "" if found.succeeded else "Look for a mistake in labels, loss or network; or the network is too small."
    return Check("by heart", "fine" if found.succeeded else "wrong", found.summary, remedy)


def _cost(task: Task, seed: int) -> Check:
    """How long an epoch takes, and how much memory a step; under SGD with momentum."""
    model, stream = task.stream(seed)
    optimizer = SGD([each for each in model.parameters() if each.requires_grad], lr=0.0, momentum=0.9)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with stream.flowing():
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            batches = itertools.islice(task.loader, 1)
            size = next(iter(train(model, batches, optimizer, criterion=task.criterion))).size
        start = time.perf_counter()
        times = []
        for _ in train(model, itertools.islice(task.loader, STEPS), optimizer, criterion=task.criterion):
            now = time.perf_counter()
            times.append(now - start)
            start = now
    weights = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in model.parameters()}
    maps = sum(size for place, size in kept.items() if place not in weights)
    memory = f"{number((maps + 3 * sum(weights.values())) / 2**20)} MB for a step of {size} pictures with SGD and momentum"
    each = float(np.median(times)) if times else math.nan
    if isinstance(task.loader, Sized):
        return Check("cost", "fine", f"{number(each * len(task.loader), 2)} s an epoch, {memory}.")
    return Check("cost", "fine", f"{number(each, 2)} s a step, {memory}.")


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))
