"""The global random generators, left as they were by whoever borrows them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

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
