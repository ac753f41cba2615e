"""The state of a Python object: all containers that it is made of, to see whether they change, and to put them back."""

from __future__ import annotations

import functools
import logging
import types
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

MOST = 50_000
"""Containers that are looked at; what hangs below so many is no setting of a network."""

_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, range, slice, type, np.generic),
    *(types.FunctionType, types.BuiltinFunctionType, types.ModuleType, weakref.ref, logging.Logger),
    *(torch.dtype, torch.device, torch.Size, torch.memory_format, torch.layout),
)
_PLAINEST = frozenset(_PLAIN)
_APART = ("lightning", "pytorch_lightning", "threading", "_thread", "queue", "concurrent", "multiprocessing", "asyncio")
_DATA = (torch.utils.data.Dataset, torch.utils.data.DataLoader, torch.optim.Optimizer)


class State:
    """What a module was made of when this was written down: dicts, lists, sets and arrays, by reference and by value.

    Attributes:
        tensors: those that were found, parameters and buffers included, by their ids.
        apart: objects that are no part of the network though it holds them: data sets, loaders, optimizers, trainers, locks.
    """

    def __init__(self, root: nn.Module):
        self.tensors: dict[int, torch.Tensor] = {}
        self.apart: list[Any] = []
        self._now: list[Any] = []  # the containers, and what they held
        self._then: list[Any] = []
        self._by_identity: list[tuple[dict, dict]] = []
        seen, todo = {id(root)}, [root]
        while todo and len(self._now) < MOST:
            for part in self._parts(todo.pop()):
                if type(part) not in _PLAINEST and id(part) not in seen and not isinstance(part, _PLAIN):
                    seen.add(id(part))
                    todo.append(part)

    def is_same(self) -> bool:
        """Whether every container holds what it held; buffers may be other tensors, with other values."""
        if not all(_same_objects(*both) for both in self._by_identity):
            return False
        try:
            if self._now == self._then:  # of the same objects: a fiftieth of the time
                return True
        except Exception:  # tensors, arrays: == is no yes or no
            pass
        return all(map(_same, self._now, self._then))

    def put_back(self) -> None:
        """Let every container hold what it held."""
        try:
            if self._now == self._then:
                return
        except Exception:
            pass
        for now, then in zip(self._now, self._then, strict=True):
            try:
                if np.array_equal(now, then) if isinstance(now, np.ndarray) else now == then:
                    continue
            except Exception:  # other tensors
                pass
            _fill(now, then)

    def _hold(self, thing: Any) -> None:
        self._now.append(thing)
        self._then.append(thing.copy())

    def _parts(self, thing: Any) -> Iterator[Any]:
        """What an object holds. Containers are written down."""
        if isinstance(thing, torch.Tensor):
            self.tensors[id(thing)] = thing
        elif isinstance(thing, _DATA) or type(thing).__module__.partition(".")[0] in _APART:
            self.apart.append(thing)
        elif isinstance(thing, dict):
            self._hold(thing)
            yield from thing.values()
        elif isinstance(thing, (list, set, deque)):
            self._hold(thing)
            yield from thing
        elif isinstance(thing, (tuple, frozenset)):
            yield from thing
        elif isinstance(thing, np.ndarray):
            self._hold(thing)
        elif isinstance(thing, types.MethodType):
            yield thing.__self__
        elif isinstance(thing, functools.partial):
            yield from (thing.func, *thing.args, *thing.keywords.values())
        elif isinstance(thing, nn.Module) and not isinstance(thing, torch.jit.ScriptModule):
            weights = thing._parameters
            if any(weight is not None and weight.numel() == 1 for weight in weights.values()):
                self._by_identity.append((weights, weights.copy()))  # others that are equal to them would not do
            yield vars(thing)
        elif hasattr(thing, "__dict__"):
            yield vars(thing)


def _same(now: Any, then: Any) -> bool:
    if isinstance(now, np.ndarray):
        return np.array_equal(now, then)
    if isinstance(now, dict) and "training" in now and "_modules" in now:
        then["training"] = now["training"]  # a module's mode does not matter: a replica has its own
    try:
        if now == then:
            return True
    except Exception:  # tensors, arrays
        pass
    return isinstance(now, dict) and now.keys() == then.keys() and all(map(_like, now.values(), then.values()))


def _like(now: Any, then: Any) -> bool:
    if now is then:
        return True
    if isinstance(now, torch.Tensor) and isinstance(then, torch.Tensor):  # a buffer that the forward pass assigns
        return not isinstance(now, nn.Parameter)
    try:
        return isinstance(now, _PLAIN) and bool(now == then)
    except Exception:
        return False


def _same_objects(now: dict, then: dict) -> bool:
    return now.keys() == then.keys() and all(value is then[name] for name, value in now.items())


def _fill(now: Any, then: Any) -> None:
    if isinstance(now, np.ndarray):
        now[...] = then
        return
    now.clear()
    now.extend(then) if isinstance(now, (list, deque)) else now.update(then)
