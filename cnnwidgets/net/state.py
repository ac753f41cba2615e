"""The state of a Python object: all containers that it is made of, to see whether they change, and to put them back."""

from __future__ import annotations

import functools
import logging
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
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
_DATA = (torch.utils.data.Dataset, torch.utils.data.DataLoader, torch.optim.Optimizer)


class State:
    """What a module was made of when this was written down: dicts, lists, sets and arrays, by reference and by value.

    Attributes:
        tensors: those that were found, parameters and buffers included, by their ids.
        apart: objects that are no part of the network though it holds them: data sets, loaders, optimizers, trainers.
    """

    def __init__(self, root: nn.Module):
        self.tensors: dict[int, torch.Tensor] = {}
        self.apart: list[Any] = []
        self._held: list[tuple[Any, Any, Callable[[Any, Any], bool]]] = []
        seen, todo = {id(root)}, [root]
        while todo and len(self._held) < MOST:
            for part in self._parts(todo.pop()):
                if not isinstance(part, _PLAIN) and id(part) not in seen:
                    seen.add(id(part))
                    todo.append(part)

    def is_same(self) -> bool:
        """Whether every container holds what it held; buffers may be other tensors, with other values."""
        return all(same(now, then) for now, then, same in self._held)

    def put_back(self) -> None:
        """Let every container hold what it held."""
        for now, then, _ in self._held:
            try:
                if np.array_equal(now, then) if isinstance(now, np.ndarray) else now == then:
                    continue
            except Exception:  # tensors: == is no yes or no, so they are others
                pass
            _fill(now, then)

    def _parts(self, thing: Any) -> Iterator[Any]:
        """What an object holds. Containers are written down."""
        if isinstance(thing, torch.Tensor):
            self.tensors[id(thing)] = thing
        elif isinstance(thing, _DATA) or type(thing).__module__.startswith(("lightning", "pytorch_lightning")):
            self.apart.append(thing)
        elif isinstance(thing, dict):
            kept = thing and all(isinstance(value, (nn.Parameter, nn.Module)) for value in thing.values())
            self._held.append((thing, dict(thing), _same_objects if kept else _same))
            yield from thing.values()
        elif isinstance(thing, (list, set, deque)):
            self._held.append((thing, thing.copy(), _same))
            yield from thing
        elif isinstance(thing, (tuple, frozenset)):
            yield from thing
        elif isinstance(thing, np.ndarray):
            self._held.append((thing, thing.copy(), _same_array))
        elif isinstance(thing, types.MethodType):
            yield thing.__self__
        elif isinstance(thing, functools.partial):
            yield from (thing.func, *thing.args, *thing.keywords.values())
        elif isinstance(thing, nn.Module) and not isinstance(thing, torch.jit.ScriptModule):
            attributes = vars(thing)
            self._held.append((attributes, dict(attributes), _same_module))
            yield from attributes.values()
        elif hasattr(thing, "__dict__"):
            yield vars(thing)


def _same(now: Any, then: Any) -> bool:
    try:
        if now == then:  # of the same objects: fast
            return True
    except Exception:  # tensors, arrays: == is no yes or no
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
    """Of parameters and modules, equal ones are not enough."""
    return now.keys() == then.keys() and all(value is then[name] for name, value in now.items())


def _same_array(now: np.ndarray, then: np.ndarray) -> bool:
    return np.array_equal(now, then)


def _same_module(now: dict, then: dict) -> bool:
    """A module's attributes, its mode apart: a replica has its own."""
    then["training"] = now.get("training", True)
    return _same(now, then)


def _fill(now: Any, then: Any) -> None:
    if isinstance(now, np.ndarray):
        now[...] = then
        return
    now.clear()
    now.extend(then) if isinstance(now, (list, deque)) else now.update(then)
