"""Whether the code of a network mentions NumPy's or Python's random numbers.

Who draws from these generators cannot be seen, and they cannot be lent to one thread alone: so they are lent only to a
network whose code says that it may draw.
"""

from __future__ import annotations

import random
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

_GLOBALS = (random.random.__self__, np.random.rand.__self__)  # type: ignore[attr-defined]
"""The generators that the functions of these modules draw from."""


def mentions_random(module: nn.Module) -> bool:
    """Whether a method, function or hook that a module is made of, or one that these call by name, draws such numbers."""
    seen: set[types.CodeType] = set()
    todo = [function for part in module.modules() for function in _functions(part)]
    while todo:
        function = todo.pop()
        if function.__code__ in seen or (function.__module__ or "").startswith(("torch.", "torchvision.")):
            continue
        seen.add(function.__code__)
        names = set(_names(function.__code__))
        cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
        for value in (*(function.__globals__[name] for name in names & function.__globals__.keys()), *cells):
            if value is random or value is np.random or _draws(value):
                return True
            if value is np and "random" in names:
                return True
            todo += [value] if isinstance(value, types.FunctionType) else []
    return False


def _functions(part: nn.Module) -> Iterator[types.FunctionType]:
    if part.__class__.__module__.startswith("torch.nn."):
        classes: tuple[type, ...] = ()
    else:
        classes = part.__class__.__mro__
    hooks = [hook for name, held in vars(part).items() if name.endswith("_hooks") for hook in held.values()]
    for value in (*(value for kind in classes for value in vars(kind).values()), *vars(part).values(), *hooks):
        value = getattr(value, "__func__", value)
        if isinstance(value, types.FunctionType):
            yield value


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _draws(value: Any) -> bool:
    owner = getattr(value, "__self__", None)
    return any(owner is one for one in _GLOBALS)  # by identity: an array, asked whether it is equal, gives an array
