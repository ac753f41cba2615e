"""Random numbers of one's own, for code that draws from the global generators without being asked.

A network with dropout, or a data loader that shuffles, draws from torch's global generator, which a training on another
thread may be drawing from at the same moment. To lend it and put it back would make that training's numbers come again. So
what torch draws is drawn from a generator of ours instead, on the thread that asks for it and on no other.
"""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch

from cnnwidgets.net.internals import DisableTorchFunction, OpOverload, TorchDispatchMode
from cnnwidgets.net.locks import Lock
from cnnwidgets.net.no_trace import put_back_by, uninterrupted


class OwnNumbers(TorchDispatchMode):
    """Inside, what torch draws on this thread comes from generators of ours, one for each device.

    They give the numbers that the global ones would give after ``torch.manual_seed(seed)``, and go on where they were the
    next time. The global ones go on as if nothing had been drawn.

    Parameters:
        seed: at least 0.

    Attributes:
        drew: whether anything was drawn so far.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed, self.drew = seed, False
        self._own: dict[torch.device, torch.Generator] = {}

    def state(self) -> dict[str, torch.Tensor]:
        """Where its generators stand, by device."""
        return {str(device): generator.get_state() for device, generator in self._own.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from there."""
        for name, numbers in state.items():
            device = torch.device(name)
            self._own[device] = _seeded(device, self.seed)
            self._own[device].set_state(numbers)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        way = _way(func)
        with DisableTorchFunction():  # an operator that we call again is no call of the network's
            if way is None or kwargs.get("generator") is not None:
                return func(*args, **kwargs)
            return self._draw(func, way, args, kwargs)

    def _draw(self, func: Any, way: Any, args: tuple, kwargs: dict) -> Any:
        if isinstance(way, str):  # it takes no generator
            with self:  # in inference mode some come whole that are made of others, such as dropout
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
            if not _argument(func, way, args, kwargs) or not _argument(func, "train", args, kwargs):
                return func(*args, **kwargs)
        device = _device_of(args, kwargs)
        if device.type not in ("cpu", "cuda"):
            return func(*args, **kwargs)
        self.drew = True
        own = self._own.get(device) or self._own.setdefault(device, _seeded(device, self.seed))
        if not isinstance(way, str):
            return way(*args, **{**kwargs, "generator": own})
        if func.name() == "aten::native_dropout":  # as ATen writes it for the CPU
            tensor, p, _ = args
            kept = torch.empty_like(tensor, dtype=torch.bool).bernoulli_(1 - p, generator=own)
            return tensor * kept * (1 / (1 - p) if p < 1 else 0.0), kept
        of_all = torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index or 0]
        with _LENT:
            before = of_all.get_state()
            of_all.set_state(own.get_state())
            try:
                return func(*args, **kwargs)
            finally:
                own.set_state(of_all.get_state())
                of_all.set_state(before)


_LENT = Lock()
"""Held while a global generator is lent: they are lent to one at a time."""

_CHANCES = ("dropout_p", "dropout", "p")


@cache
def _way(func: OpOverload) -> Any:
    """How an operator draws: None if it does not; the overload that takes a generator; else an argument that is 0 if not."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return None
    names = [argument.name for argument in func._schema.arguments]
    if "generator" in names:
        return func
    for other in map(func._overloadpacket.__getattr__, func._overloadpacket.overloads()):
        taken = [argument.name for argument in other._schema.arguments]
        if "generator" in taken and [name for name in taken if name != "generator"] == names:
            return other
    if "like" in func.name():  # of an older torch
        return "generator"
    return next((name for name in _CHANCES if name in names), None)


def _argument(func: OpOverload, name: str, args: tuple, kwargs: Mapping) -> Any:
    for place, argument in enumerate(func._schema.arguments):
        if argument.name == name:
            return args[place] if place < len(args) else kwargs.get(name, argument.default_value)
    return True


def _device_of(args: tuple, kwargs: Mapping) -> torch.device:
    first = next((arg for arg in (*args, *kwargs.values()) if isinstance(arg, torch.Tensor)), None)
    return first.device if first is not None else torch.device(kwargs.get("device") or "cpu")


def _seeded(device: torch.device | str, seed: int) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


class Stream:
    """All the random numbers of a piece of code that is run a part at a time: torch's, NumPy's and Python's.

    >>> stream = Stream(seed=0)
    >>> with stream.flowing():
    ...     model = Net()  # the same weights every time
    >>> with stream.flowing():
    ...     ...  # goes on where it was; outside, everybody draws what they would have drawn

    NumPy's and Python's global generators cannot be told apart by thread, so they are lent: whoever draws from them on
    another thread meanwhile draws this stream's numbers.

    Parameters:
        seed: at least 0.
        generators: further ones that are lent too: those of a data loader, say.
        alone: whether it is these only that are lent, and the global ones are left alone.
    """

    def __init__(self, seed: int, generators: Sequence[torch.Generator] = (), *, alone: bool = False):
        self._numbers = None if alone else OwnNumbers(seed)
        self._taps: list[tuple[Callable, Callable]] = [(each.get_state, each.set_state) for each in generators]
        self._states: list[Any] = [_seeded(each.device, seed).get_state() for each in generators]
        if not alone:
            self._taps += OTHERS
            self._states += _seeded_others(seed)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Inside, this thread draws this stream's numbers; afterwards the global generators are as they were."""
        with ExitStack() as stack:
            stack.enter_context(_LENT)
            before = [get() for get, _ in self._taps]
            _write(self._taps, self._states)
            try:
                if self._numbers:
                    stack.enter_context(torchs_kept())
                    stack.enter_context(self._numbers)
                yield
            finally:
                with uninterrupted():
                    self._states = [get() for get, _ in self._taps]
                    _write(self._taps, before)

    def state(self) -> dict[str, Any]:
        """Where it stands: tensors, arrays and numbers, for :meth:`restore`."""
        own = self._numbers.state() if self._numbers else {}
        return {"own": own, "lent": self._states}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of a stream of as many generators."""
        self._states = state["lent"]
        if self._numbers:
            self._numbers.restore(state["own"])


OTHERS: tuple[tuple[Callable, Callable], ...] = (
    (np.random.get_state, np.random.set_state),
    (random.getstate, random.setstate),
)
"""How to read and write the states of the generators that are not torch's."""


def _seeded_others(seed: int) -> list[Any]:
    return [np.random.RandomState(seed).get_state(), random.Random(seed).getstate()]


@contextmanager
def lent_others(seed: int) -> Iterator[Callable[[], bool]]:
    """Inside, NumPy's and Python's global generators begin with a seed; afterwards they are as they were.

    What is yielded tells whether anything has been drawn from them.
    """
    with _LENT:
        before, start = [get() for get, _ in OTHERS], _seeded_others(seed)
        with put_back_by(lambda: _write(OTHERS, before)):
            _write(OTHERS, start)
            yield lambda: pickle.dumps([get() for get, _ in OTHERS]) != pickle.dumps(start)


@contextmanager
def torchs_kept() -> Iterator[None]:
    """On the main thread, where nobody else draws meanwhile: whatever calls ``torch.manual_seed`` inside has no effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _LENT:  # else it might be put back to what was lent
        before = torch.get_rng_state()

        def put_back() -> None:
            if not torch.equal(torch.get_rng_state(), before):
                torch.set_rng_state(before)

        with put_back_by(put_back):
            yield


def _write(taps: Sequence[tuple[Callable, Callable]], states: Sequence[Any]) -> None:
    for (_, put), state in zip(taps, states, strict=True):
        put(state)
