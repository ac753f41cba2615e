"""The global random generators, left as they were by whoever borrows them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Generators:
    """The states of the global generators: torch's (CPU and every CUDA device in use), NumPy's and Python's.

    On the main thread nothing else runs meanwhile, and every generator that has moved is put back. On another thread, a
    panel's, somebody's training may be drawing numbers in a cell: to put torch's back would make those numbers come again.
    There torch's are put back only if the network itself drew from them. (Who draws from NumPy's or Python's cannot be
    noticed: they are put back wherever they moved.)
    """

    def __init__(self) -> None:
        self._alone = threading.current_thread() is threading.main_thread()
        self._drawing = _SeesDrawing()
        torchs: list[tuple[Callable, Callable, Callable]] = [(torch.get_rng_state, torch.set_rng_state, torch.equal)]
        if torch.cuda.is_initialized():
            torchs.append((torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all, _all_equal))
        others: list[tuple[Callable, Callable, Callable]] = [
            (np.random.get_state, np.random.set_state, lambda a, b: a[2:] == b[2:] and np.array_equal(a[1], b[1])),
            (random.getstate, random.setstate, tuple.__eq__),
        ]
        self._torchs, self._others = ([(get(), get, put, same) for get, put, same in some] for some in (torchs, others))

    def watched(self) -> AbstractContextManager:
        """Inside, what the network draws is noticed (where that matters: it costs some microseconds an operation)."""
        return nullcontext() if self._alone else self._drawing

    def put_back(self) -> None:
        ours = self._torchs if self._alone or self._drawing.drew else []
        for state, get, put, same in (*ours, *self._others):
            if not same(get(), state):
                put(state)


class _SeesDrawing(TorchDispatchMode):
    """Notices operations that draw random numbers, which torch tags."""

    drew = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.drew |= torch.Tag.nondeterministic_seeded in func.tags
        with torch._C.DisableTorchFunction():  # an operator that we call again is no call of the network's
            return func(*args, **(kwargs or {}))


def _all_equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, a, b))


class Stream:
    """Random numbers of one's own for code that draws from the global generators, which are lent to it for a while.

    >>> stream = Stream(seed=0)
    >>> with stream.flowing():
    ...     model = Net()  # the same weights every time
    >>> with stream.flowing():
    ...     ...  # goes on where it was; outside, everybody draws what they would have drawn

    Parameters:
        seed: at least 0.
        generators: a list of further ones that are lent too: those of a data loader, say.
        alone: whether it is these only that are lent. Whoever draws from the global ones on another thread while they are
            lent draws this stream's numbers.
    """

    _lent = threading.RLock()
    """The generators are lent to one at a time."""

    def __init__(self, seed: int, generators: Sequence[torch.Generator] = (), *, alone: bool = False):
        self._taps: list[tuple[Callable, Callable]] = [(each.get_state, each.set_state) for each in generators]
        self._states: list[Any] = [torch.Generator(each.device).manual_seed(seed).get_state() for each in generators]
        if alone:
            return
        self._taps += [
            (torch.get_rng_state, torch.set_rng_state),
            (np.random.get_state, np.random.set_state),
            (random.getstate, random.setstate),
        ]
        first = torch.Generator().manual_seed(seed).get_state()
        self._states += [first, np.random.RandomState(seed).get_state(), random.Random(seed).getstate()]
        if torch.cuda.is_initialized():
            self._taps.append((torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
            devices = range(torch.cuda.device_count())
            self._states.append([torch.Generator(f"cuda:{k}").manual_seed(seed).get_state() for k in devices])

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Inside, the global generators give this stream's numbers; afterwards they are as they were."""
        with self._lent:
            before = self._read()
            self._write(self._states)
            try:
                yield
            finally:
                self._states = self._read()
                self._write(before)

    def _read(self) -> list[Any]:
        return [get() for get, _ in self._taps]

    def _write(self, states: list[Any]) -> None:
        for (_, put), state in zip(self._taps, states, strict=True):
            put(state)
