"""The signal in a network before it is trained, and after."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.code.signals import signal_lines
from cnnwidgets.methods.initialization import (
    InitialWeights,
    Spec,
    initial_weights,
    initialization_code,
    settle,
)
from cnnwidgets.methods.lr_finder import endless
from cnnwidgets.methods.parts import ask
from cnnwidgets.methods.signals import Signal, signal
from cnnwidgets.methods.stacks import LinearStack, expected_std
from cnnwidgets.methods.tasks import Task, Trainable
from cnnwidgets.methods.variations import vary
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.items import read_batch
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number, percent

AT_ONCE = 5
"""Training steps between two reports."""


@dataclass(frozen=True, eq=False)
class Signals:
    """The signal in a network before training, and after some steps of it.

    Attributes:
        before, after: the signal; after is None until it has trained, and if none was asked for.
        expected: float64 (layers,), the deviation of the activations before training if the layers of a plain stack were
            infinitely wide, see :func:`cnnwidgets.methods.stacks.expected_std`; NaN of other networks.
        losses: float64 (steps,), of each training step.
        weights: what the layers' weights were made by.
        settings: what it was computed with.
    """

    before: Signal
    after: Signal | None
    expected: np.ndarray
    losses: np.ndarray
    weights: tuple[InitialWeights, ...]
    settings: dict[str, Any]

    @property
    def summary(self) -> str:
        """The finding, and facts in lines below it."""
        if self.after is None:
            return "\n".join([self.before.finding, *self.before.facts])
        before, after, count = self.before, self.after, len(self.losses)
        steps = f"{count} step{'s' * (count != 1)}"
        if self.diverged:
            first = f"The training diverges: after {steps} the loss is {number(self.losses[-1])}."
        else:
            right = f", and {percent(after.accuracy)} of the batch is right" if np.isfinite(after.accuracy) else ""
            first = f"After {steps} the loss is {number(after.loss)} ({number(before.loss)} before){right}."
        return "\n".join([first, f"Before: {before.finding}", f"After: {after.finding}", *after.facts])

    def code(self, task: Trainable | None) -> str:
        """Plain PyTorch lines that put the deviation of the activations in each layer into ``values``.

        Parameters:
            task: what was looked at: None for a stack; a sample's name; or a task or network of your own, whose loaders the
                reader fills in.
        """
        return signal_lines(task, self.settings["initialization"], set(self.before.functions), self.settings)

    @property
    def diverged(self) -> bool:
        """Whether a loss of the training was not finite; it ended there."""
        return not np.isfinite(self.losses).all()


@checked
def signals(
    task: Task,
    init: Spec = "keep",
    *,
    steps: int = 0,
    lr: float = 0.01,
    momentum: float = 0.9,
    seed: int = 0,
    on_update: OnUpdate[Signals] | None = None,
    cancel: Cancel | None = None,
) -> Signals:
    """The signal in a network that was initialized anew, before it is trained by SGD, and after.

    >>> stack = cw.methods.vary(cw.methods.task("digits"), model={"builder": "linear_stack", "depth": 10})
    >>> cw.methods.signals(stack, "uniform").before.activations.std[[0, 4, 9]]

    Parameters:
        task: the network and its data; both stay as they are. The first batch of the training loader is looked at.
        init: the scheme of the weights, see :func:`initialize`.
        steps: batches to train on; 0 for none.
        lr, momentum: of the SGD.
        seed: of the weights and the order of the batches.
        on_update: called with partial :class:`Signals` and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError, TypeError, ValueError: as :func:`initialize` and :func:`signal` do, or the loader is empty.
        Cancelled: cancel was set.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}; expected a whole number of at least 0")
    settled = settle(init)
    task = vary(task, init=settled)
    model, stream = task.stream(seed)
    with stream.flowing():
        batch = next(iter(task.loader), None)
    if batch is None:
        raise ValueError("there is nothing to look at: the training loader gives no batch")
    look = partial(signal, images=read_batch(batch)[0], labels=read_batch(batch)[1], criterion=task.criterion, seed=seed)
    ask(cancel)
    weights = tuple(initial_weights(model, settled))
    before = look(model)
    expected = np.full(len(before.layers), np.nan)
    stack: dict[str, Any] | None = model.options if isinstance(model, LinearStack) else None
    if stack and not stack["batch_norm"] and not stack["residual"]:
        expected = expected_std(read_batch(batch)[0], weights[:-1], stack["activation"])
    settings: dict[str, Any] = {"initialization": initialization_code(model, settled), "stack": stack}
    settings |= {"steps": steps, "lr": lr, "momentum": momentum, "seed": seed}
    now = Signals(before, None, expected, np.empty(0), weights, settings)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    training, losses = endless(task, model, optimizer), list[float]()
    while len(losses) < steps and not now.diverged:
        ask(cancel)
        if on_update:
            on_update(now, len(losses) / steps)
        with stream.flowing():
            losses += [step.loss for step in itertools.islice(training, min(AT_ONCE, steps - len(losses)))]
        now = replace(now, losses=np.array(losses))
    return replace(now, after=look(model)) if steps else now
