"""Following a training loop: what belongs to which step, which forward passes are a validation, what is looked at."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnwidgets.methods.monitoring_calls import Watching, first_broken
from cnnwidgets.methods.monitoring_data import Answer, Labels, Pictures, Validation, Validations, class_numbers, print_of
from cnnwidgets.methods.monitoring_losses import Losses, Told, accuracy_of, mean_of
from cnnwidgets.methods.monitoring_modes import Modes
from cnnwidgets.methods.monitoring_samples import Samples
from cnnwidgets.methods.monitoring_weights import Weights, rate
from cnnwidgets.net.trace import first_tensor

FORWARD_PASSES = 4
"""Forward passes that are looked at before a step, and in a validation, for what the pictures and the layers are like."""


TOGETHER = 16
"""Steps whose answers are judged at once."""


class Loop:
    """A training loop under way.

    Attributes:
        log: what is known of each step.
        weights, modes, losses, samples, validations, pictures, shown, labels: what is known of them; ``shown`` are the
            pictures of the validations.
        scheduled_start: how often the scheduler was stepped before.
        non_finite: the step at which the first NaN or infinity came up, "weight", "gradient", "activation", "input" or
            "loss", and the layer; in JSON's words.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer | None, scheduler: Any, every: int | None):
        self._model, self._optimizer, self._scheduler = model, optimizer, scheduler
        self._watching = Watching(model, self)
        self.weights, self.modes, self.losses = Weights(model, optimizer), Modes(model), Losses()
        self.samples, self.validations = Samples(every), Validations()
        self.pictures, self.shown, self.labels = Pictures(), Pictures(), Labels()
        self.log: list[Row] = []
        self.non_finite: dict[str, Any] | None = None
        self.ticks: Callable[[], Any] = lambda: None
        self._validation: Validation | None = None
        self._given: tuple[tuple, dict[str, Any]] = ((), {})
        self._unjudged: list[tuple[int, Told]] = []
        self._tries = 0
        self._sampling = self._by_closure = self._sampled = False
        self._thread, self._start = 0, 0.0
        self.scheduled_start = 0

    @contextmanager
    def following(self) -> Iterator[None]:
        """Inside, a training on this thread is followed; afterwards nothing is left of that."""
        self._thread, self._start = threading.get_ident(), time.perf_counter()
        self.scheduled_start = self._scheduler_epoch
        handles = []
        try:
            if self._optimizer is not None:
                handles.append(self._optimizer.register_step_pre_hook(self._before_step))
                handles.append(self._optimizer.register_step_post_hook(self._after_step))
            with self._watching.watching():
                yield
        finally:
            for handle in handles:
                handle.remove()
            self._given = ((), {})
            self.settle()
            self.close_validation()
            if self.non_finite is None and self.log and (bad := self.weights.broken()):
                self._break("weight", self._last(bad), len(self.log) - 1)

    def say(self, loss: float, accuracy: float | None) -> None:
        """The loop says what the loss of a step is; without an optimizer that is the step."""
        if self._optimizer is None:
            self.losses.say(loss, accuracy)
            self._stepping(())
            self._stepped()
        elif self.losses.is_open or not self.log:
            self.losses.say(loss, accuracy)
        else:
            self.settle()
            last = self.log[-1]
            self.log[-1] = last._replace(loss=loss, accuracy=last.accuracy if accuracy is None else accuracy)

    def validated(self, loss: float, accuracy: float | None) -> None:
        """The loop says what a validation found."""
        seen, self._validation = self._validation or Validation(), None
        self._add(loss, seen.found[1] if accuracy is None else accuracy, seen)

    def begins(self, args: tuple, kwargs: dict[str, Any], training: bool) -> bool:
        """A forward pass begins, with gradients if it is one of training; whether it is to be sampled."""
        self._given = args, kwargs
        self.losses.began(self._model.training)
        if not training:
            return False
        self.samples.began()
        self._sampling = self._tries < FORWARD_PASSES and self.samples.is_due(len(self.log))
        self._tries += self._sampling
        return self._sampling

    def looks(self, inputs: Tensor | None, training: bool) -> None:
        """What a forward pass is given that is sampled, or is one of a validation."""
        of_pictures = inputs is not None and inputs.ndim > 1
        if training:
            with self.samples.spending():
                self.modes.training()
                if inputs is not None and of_pictures:
                    self.pictures.add(inputs)
            return
        if self._validation is None:
            self._validation = Validation(active=self.modes.active())
        print_ = print_of(inputs) if inputs is not None else 0.0
        self._validation.answers.append(Answer(size_of(inputs), print=print_))
        if inputs is not None and of_pictures and len(self._validation.answers) <= FORWARD_PASSES:
            self.shown.add(inputs)

    def saw_loss(self, function: Callable, scores: Tensor, labels: Tensor, kwargs: dict[str, Any], loss: Tensor) -> None:
        """A loss function of torch was called."""
        if loss.requires_grad:
            self.losses.add(function, scores, labels, kwargs, loss)
        elif self._validation is not None and self._validation.answers[-1].loss is None:  # the first of several heads
            answer, numbers = self._validation.answers[-1], class_numbers(labels)
            answer.loss = mean_of(loss, scores, kwargs)
            answer.accuracy = accuracy_of(scores.detach(), labels, numbers, function, kwargs.get("ignore_index", -100))
            self._validation.confuse(scores.detach(), numbers)

    def saw_equal(self, sides: tuple, hits: Tensor, answer: Any) -> None:
        """Two tensors were compared without gradients: answers with labels, maybe."""
        last = self._validation.answers[-1] if self._validation is not None else None
        if self._validation is None or last is None or last.accuracy is not None or hits.shape != (last.size,):
            return
        last.accuracy = float(hits.float().mean())
        if isinstance(answer, Tensor) and answer.ndim == 2 and all(isinstance(side, Tensor) for side in sides):
            said = answer.argmax(1)
            others = [side for side in sides if side.shape == said.shape and not torch.equal(side, said)]
            self._validation.confuse(answer, class_numbers(others[0] if others else said))

    def going_back(self, loss: Tensor) -> None:
        """``backward`` is about to be called."""
        self.losses.going_back(loss)
        self._tries = 0
        if self.non_finite is None and not math.isfinite(self.losses.loss):
            self._find_broken()

    def _find_broken(self) -> None:
        """The loss is NaN or infinite: why?"""
        if bad := self.weights.broken():
            began_there = len(bad) == len(self.weights.layers) or not self.log
            return self._break("weight" if began_there else "gradient", self._last(bad), len(self.log) - bool(self.log))
        where = first_broken(self._model, *self._given)
        return self._break({None: "loss", "input": "input"}.get(where, "activation"), where if where != "input" else None)

    def _last(self, layers: list[str]) -> str:
        """The last of some layers in the forward pass; the way back meets it first."""
        order = [name.partition(":")[0] for name in self.samples.calls]
        return max(layers, key=lambda name: order.index(name) if name in order else -1)

    def _before_step(self, optimizer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """A hook of the optimizer; it must return nothing."""
        if threading.get_ident() == self._thread:
            self._stepping((*args[1:], *kwargs.values()))

    def _after_step(self, optimizer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """A hook of the optimizer; it must return nothing."""
        if threading.get_ident() == self._thread:
            self._stepped()

    @property
    def _scheduler_epoch(self) -> int:
        """How often the scheduler was stepped."""
        return int(getattr(self._scheduler, "last_epoch", 0))

    def _stepping(self, given: tuple) -> None:
        """A step is about to be made; with a closure, the forward pass and the way back are a part of it."""
        self.close_validation()
        self._by_closure = any(callable(each) for each in given)
        self._sampled = self.samples.is_due(len(self.log)) if self._by_closure else self._sampling
        self._rates = tuple(rate(group) for group in self._optimizer.param_groups) if self._optimizer else (math.nan,)
        self._scheduled = self._scheduler_epoch
        if self._sampled:
            with self._watching.aside(), self.samples.spending():
                self.weights.keep()
                if not self._by_closure:
                    self._look_at_gradients()

    def _look_at_gradients(self) -> None:
        self.weights.look()
        if self.non_finite is None and self.weights.is_broken:
            self._break("gradient", self._last(self.weights.broken(gradients=True)))

    def _stepped(self) -> None:
        if self._sampled:
            with self._watching.aside(), self.samples.spending():
                if self._by_closure:
                    self._look_at_gradients()
                calls, seconds = self._watching.sample()
                measured = self.weights.after()
            self.samples.spend(seconds)
            self.samples.add(len(self.log), measured, calls)
        told = self.losses.close()
        self.samples.stepped()
        self._sampling, seconds = False, time.perf_counter() - self._start
        size = told.size or size_of(first_tensor(self._given))
        self.log.append(Row(told.loss, math.nan, size, seconds, self._rates, self._scheduled))
        self._unjudged.append((len(self.log) - 1, told))
        if len(self._unjudged) >= TOGETHER or told.is_large:
            self.settle()
        with self._watching.stepping_aside():
            self.ticks()

    def settle(self) -> None:
        """Judge the answers of the last steps: many at once take less time than each at its own step."""
        with self._watching.aside():
            for step, told in self._unjudged:
                self.log[step] = self.log[step]._replace(accuracy=told.accuracy)
                if told.numbers is not None:
                    self.labels.add(told.numbers, told.classes)
        self._unjudged = []

    def _break(self, what: str, layer: str | None, step: int | None = None) -> None:
        self.non_finite = {"step": len(self.log) if step is None else step, "what": what, "layer": layer or ""}

    def close_validation(self) -> None:
        """What was seen without a way back is judged."""
        if others := self.losses.left():  # gradients were not turned off
            self._validation = self._validation or Validation(active=self.modes.names if others[0].training else ())
            self._validation.answers += [Answer(one.size, one.loss, one.accuracy) for one in others]
        seen, self._validation = self._validation, None
        if seen is not None and seen.says_something:
            self._add(*seen.found, seen)

    def _add(self, loss: float, known: float, seen: Validation) -> None:
        self.validations.add(len(self.log), loss, known, seen)
        self.modes.validated(seen.active)


class Row(NamedTuple):
    """What is kept of each step."""

    loss: float
    accuracy: float
    size: int
    seconds: float
    rates: tuple[float, ...]
    scheduled: int


def size_of(inputs: Tensor | None) -> int:
    """How many pictures a forward pass was given."""
    return len(inputs) if inputs is not None and inputs.ndim else 0
