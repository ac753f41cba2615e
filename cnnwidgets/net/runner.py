"""What is run in the place of a network, and what one look at it has told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.net.layers import Layers
from cnnwidgets.net.locks import ITSELF
from cnnwidgets.net.mentions import mentions_random
from cnnwidgets.net.no_trace import uninterrupted
from cnnwidgets.net.randomness import OwnNumbers, lent_others, torchs_kept
from cnnwidgets.net.replica import Borrowed, CannotReplicate, Replica, replicate
from cnnwidgets.net.survey import survey

CANCEL: ContextVar[Any] = ContextVar("cancel", default=None)
"""An object with ``is_set()`` that ends a look, too, which a request takes that finds the network changed."""

SEED = 0
"""Of a network that draws random numbers: every pass draws the same ones."""


@dataclass(frozen=True)
class Runner:
    """A network's double (or the network itself, where it has none), and what a look at it has told.

    Attributes:
        double: what is run.
        shape: (C, H, W) of the input that it was looked at with.
        layers: the layer table.
        draws: whether the forward pass draws torch's random numbers, in evaluation mode.
        draws_others: whether it draws NumPy's or Python's, or seeds a generator.
    """

    double: Replica | Borrowed
    shape: tuple[int, ...]
    layers: Layers
    draws: bool
    draws_others: bool

    @property
    def about_draws(self) -> str:
        """A sentence for the reader on a network that draws; empty of all others."""
        if not (self.draws or self.draws_others):
            return ""
        first = f" (first in {self.layers.drawing})" if self.layers.drawing else ""
        return (
            f"the network draws random numbers when it answers, in evaluation mode too{first}: every pass here draws the "
            "same ones, so this is one draw of many"
        )

    def is_current(self, original: nn.Module) -> bool:
        """Whether all of this still is true of a network."""
        return self.double.is_current(original)

    def with_snapshot(self, original: nn.Module) -> Runner:
        """The same with a copy of the weights: changes of the network's own do not reach it."""
        with ITSELF, uninterrupted():
            return self if isinstance(self.double, Borrowed) else replace(self, double=Replica(original, snapshot=True))

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        """Inside, the module that is yielded may be run; no other thread runs that one, and Ctrl-C waits."""
        with self.double.waited_for, uninterrupted(), ExitStack() as stack:  # a wait for a lock can be interrupted
            module = stack.enter_context(self.double.running())
            if self.draws_others:
                stack.enter_context(lent_others(SEED))
                stack.enter_context(torchs_kept())
            if self.draws:
                stack.enter_context(OwnNumbers(SEED))
            yield module


def look(original: nn.Module, picture: torch.Tensor) -> Runner:
    """Make a network's double, run it once on a picture (1, C, H, W), and tell what is seen."""
    with ITSELF, uninterrupted():
        double = replicate(original)
        try:
            return _look(double, picture)
        except CannotReplicate as reason:  # it was a double only in part
            return _look(Borrowed(original, reason), picture)


def _look(double: Replica | Borrowed, picture: torch.Tensor) -> Runner:
    numbers = OwnNumbers(SEED)
    alone = threading.current_thread() is threading.main_thread()
    with double.running() as module, torchs_kept():
        lent = lent_others(SEED) if alone or mentions_random(module) else nullcontext(lambda: False)
        with lent as have_moved:
            with numbers:
                layers = survey(module, picture, double.foreign, CANCEL.get(), lambda: numbers.drew)
            draws_others = have_moved()
    return Runner(double, tuple(picture.shape[1:]), layers, numbers.drew, draws_others)
