"""Watching a user's own training: what is recorded of it, and how the loop is followed without a line in it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnwidgets.methods.checkpoint_folder import CheckpointWriter
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.monitoring_calls import Statistics
from cnnwidgets.methods.monitoring_loop import Loop
from cnnwidgets.methods.records import Record
from cnnwidgets.methods.schedule_groups import kind_of, recorded
from cnnwidgets.methods.training import Scheduler
from cnnwidgets.net.arguments import checked, is_number, said

TOLD = 0.5
"""Seconds between two updates, at least; more where an update takes long."""


@checked
def monitor(
    model: nn.Module,
    loader: Iterable[Any] | None = None,
    optimizer: Optimizer | None = None,
    *,
    scheduler: Scheduler | None = None,
    epochs: int | None = None,
    every: int | None = None,
    checkpoints: str | Path | None = None,
    checkpoint_steps: int | None = None,
    on_update: Callable[[Monitor], Any] | None = None,
) -> Monitor:
    """Watch a training loop, whatever it looks like.

    >>> with cw.methods.monitor(model, loader, optimizer) as m:
    ...     for epoch in range(10):
    ...         for images, labels in loader:
    ...             loss = F.cross_entropy(model(images), labels)
    ...             optimizer.zero_grad()
    ...             loss.backward()
    ...             optimizer.step()
    >>> print(m.record.report())
    >>> print(cw.methods.diagnose(m.record).summary)

    A step is a step of the optimizer. Its loss is what ``backward`` was called on, the sum if that happened several times;
    its accuracy comes from the scores and labels that the loss function of torch saw. Forward passes without gradients
    between two steps are a validation: their loss and accuracy come from the loss function likewise, or from a comparison
    such as ``model(images).argmax(1) == labels``. :meth:`Monitor.step`, :meth:`Monitor.validate` and :meth:`Monitor.epoch`
    say it outright, and then count.

    The network, the optimizer and the random numbers stay as they would be without it.

    Parameters:
        model: what trains. Everything happens on the thread that enters the block.
        loader: what gives the batches; its length says how many make an epoch. Nothing is read from it.
        optimizer: one of ``torch.optim``; None where ``m.step(loss)`` is called in each step.
        scheduler: of the learning rate, if there is one: whether it is stepped in the right place is told with it alone.
        epochs: how many there will be, to tell the time left and what is left of the schedule.
        every: sample each k-th step; by default as often as
            :data:`~cnnwidgets.methods.monitoring_samples.BUDGET` allows.
        checkpoints: a folder for the weights as they are at the start, along the training and at its end, a safetensors
            file each; 16 at most, evenly spaced. :func:`cnnwidgets.methods.evolution` takes the folder.
        checkpoint_steps: steps between two of them, until there are too many; by default an epoch, if the loader's length
            or :meth:`Monitor.epoch` tells it, or else 100 steps.
        on_update: called with the monitor now and then, twice a second at most, and at the end.

    Raises:
        TypeError, ValueError: an argument is none of these, the loader is empty, or the folder holds other checkpoints.
    """
    if isinstance(loader, Sized) and len(loader) == 0:
        raise ValueError("the training loader is empty: it gives no batch")
    if any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in model.modules()):
        raise ValueError("a compiled network shows nothing of its inside: expected the network before torch.compile")
    for name, value in (("epochs", epochs), ("every", every), ("checkpoint_steps", checkpoint_steps)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; expected a whole number of at least 1")
    epoch_steps = len(loader) if isinstance(loader, Sized) else None
    writer = None if checkpoints is None else CheckpointWriter(model, checkpoints, checkpoint_steps, epoch_steps)
    return Monitor(model, loader, optimizer, scheduler, epochs, every, writer, on_update)


class Monitor:
    """Follows a training inside its ``with`` block; what :func:`monitor` gives.

    Attributes:
        checkpoints: what keeps checkpoints of it; None if none are wanted.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: Iterable[Any] | None,
        optimizer: Optimizer | None,
        scheduler: Any,
        epochs: int | None,
        every: int | None,
        checkpoints: CheckpointWriter | None,
        on_update: Callable[[Monitor], Any] | None,
    ):
        self._model, self._optimizer, self._scheduler = model, optimizer, scheduler
        self._epochs, self.checkpoints, self._on_update = epochs, checkpoints, on_update
        self._epoch_steps = len(loader) if isinstance(loader, Sized) else None
        self._epoch_ends: list[int] = []
        self._loop = Loop(model, optimizer, scheduler, every)
        self._stack: ExitStack | None = None
        self._next_tell = 0.0

    def __enter__(self) -> Monitor:
        if self._stack is not None:
            raise RuntimeError("this monitor has been used: make a new one for each training")
        self._stack = ExitStack()
        self._loop.ticks = self._tick
        if self.checkpoints is not None:
            self.checkpoints.keep(0)
        self._stack.enter_context(self._loop.following())
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._stack is not None
        self._stack.close()
        if self.checkpoints is not None:
            self.checkpoints.keep(len(self._loop.log))
        if self._on_update is not None:
            self._on_update(self)

    def step(self, loss: Tensor | float, accuracy: float | None = None) -> None:
        """Say the loss of a step, and its accuracy (0 to 1), in place of what was seen.

        Where the monitor has no optimizer this is the step; call it after the weights have changed.

        Raises:
            TypeError: the loss is no number.
        """
        self._loop.say(_number("loss", loss), None if accuracy is None else _number("accuracy", accuracy))

    def validate(self, loss: Tensor | float, accuracy: float | None = None) -> None:
        """Say what a validation found, in place of what was seen of it.

        Raises:
            TypeError: the loss is no number.
        """
        self._loop.validated(_number("loss", loss), None if accuracy is None else _number("accuracy", accuracy))

    def epoch(self) -> None:
        """Say that an epoch has ended."""
        self._loop.close_validation()
        self._epoch_ends.append(len(self._loop.log))
        if self.checkpoints is not None:
            self.checkpoints.epoch(len(self._loop.log))

    def _tick(self) -> None:
        """A step was made."""
        steps = len(self._loop.log)
        if self._epoch_steps and steps % self._epoch_steps == 0:
            self._epoch_ends.append(steps)
        if self.checkpoints is not None:
            self.checkpoints.step(steps)
        now = time.perf_counter()
        if self._on_update is not None and now >= self._next_tell:
            self._on_update(self)
            took = time.perf_counter() - now
            self._next_tell = now + max(TOLD, 20 * took)

    @property
    def history(self) -> History:
        """The curves so far."""
        loop, own = self._loop, self._optimizer
        loop.settle()
        log = loop.log
        ends = loop.validations.ends or [*dict.fromkeys(self._epoch_ends)]
        found = np.array(loop.validations.found or [(math.nan, math.nan)] * len(ends), float).reshape(-1, 2)
        rates = np.array([row.rates for row in log], float).T if log else np.empty((1, 0))
        spec = recorded(own, rates, self._model) if own is not None and log else {"kind": "recorded"}
        return History(
            "your training",
            spec,
            0,
            rates=rates,
            loss=np.array([row.loss for row in log], float),
            accuracy=np.array([row.accuracy for row in log], float),
            ends=np.array(ends, np.int64),
            validation_loss=found[:, 0],
            validation_accuracy=found[:, 1],
        )

    @property
    def record(self) -> Record:
        """All that is known so far."""
        loop, log = self._loop, self._loop.log
        loop.settle()
        samples, calls = loop.samples.all, loop.samples.calls
        layers = in_order(loop.weights.layers, calls)
        return Record(
            self.history,
            sizes=np.array([row.size for row in log], np.int64),
            seconds=np.array([row.seconds for row in log], float),
            samples=np.array([sample.step for sample in samples], np.int64),
            layers=tuple(layers),
            gradient=loop.weights.by_layer([sample.measured.gradient for sample in samples], layers),
            weight=loop.weights.by_layer([sample.measured.weight for sample in samples], layers),
            update=loop.weights.by_layer([sample.measured.update for sample in samples], layers),
            cosine=np.array([sample.measured.cosine for sample in samples], float),
            calls=tuple(calls),
            kinds=tuple(calls.values()),
            **{what: loop.samples.table(what) for what in Statistics._fields},
            inputs=loop.pictures.table(),
            validation_inputs=loop.shown.table(),
            prints=np.array(loop.validations.prints, float),
            labels=loop.labels.first(),
            counts=loop.labels.counts,
            confusion=loop.validations.confusion,
            facts={
                "parameters": loop.weights.rows(),
                "modes": loop.modes.facts(),
                "first": loop.losses.first,
                "non_finite": loop.non_finite,
                "scheduler": type(self._scheduler).__name__ if self._scheduler is not None else "",
                "scheduled": [row.scheduled for row in log] if self._scheduler is not None else [],
                "scheduled_start": loop.scheduled_start,
                "validation_sizes": loop.validations.sizes,
                "horizon": horizon(self._scheduler),
                "optimizer": kind_of(self._optimizer) if self._optimizer is not None else "",
                "epochs": self._epochs,
                "epoch_steps": self._epoch_steps,
            },
        )


def horizon(scheduler: Any) -> int | None:
    """How many steps a scheduler is made for; None if it is for no number of them."""
    known = [getattr(scheduler, name, None) for name in ("total_steps", "T_max", "total_iters")]
    return next((int(each) for each in known if each), None)


def in_order(layers: list[str], calls: Iterable[str]) -> list[str]:
    """Layers in the order of the forward pass; those that are not in it, where they are defined."""
    place: dict[str, int] = {}
    for k, name in enumerate(calls):
        place.setdefault(name.partition(":")[0], k)
    keys, last = {}, -1
    for layer in layers:
        last = place.get(layer, last)
        keys[layer] = last
    return sorted(layers, key=keys.__getitem__)


def _number(name: str, value: Any) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    if isinstance(value, float) or is_number(value):
        return float(value)
    raise TypeError(f"{name} is {said(value)}; expected a number, or a tensor of one")
