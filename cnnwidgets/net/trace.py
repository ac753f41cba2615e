"""Seeing every call of a forward pass: which module or function, in what order, with what result.

``nn.Module`` hooks alone miss ``F.relu``, ``+`` and ``torch.cat``. Here they only say which module is being run; what it
computes is seen by a ``torch.overrides.TorchFunctionMode``, which modules and functions, in-place or not, pass alike.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.overrides import TorchFunctionMode

from cnnwidgets.net.progress import Cancel


class Cancelled(Exception):
    """The computation was cancelled; the network is as it was before.

    Attributes:
        partial: what was found until then, or None.
    """

    def __init__(self, message: str = "cancelled", partial: Any = None):
        super().__init__(message)
        self.partial = partial


Visit = Callable[[str, torch.Tensor], None]


class Calls(TorchFunctionMode):
    """Names every call of a forward pass and shows its output to ``visit(name, output)`` before the next one runs.

    A call is a ``torch.nn`` module, or a function outside of one. The output is the live tensor: an in-place function that
    comes later overwrites it, so whoever keeps it copies it.
    """

    def __init__(self, module: nn.Module, visit: Visit, cancel: Cancel | None = None):
        super().__init__()
        self.visit, self.cancel = visit, cancel
        self._names = {part: name for name, part in module.named_modules()}
        self._scope: list[str] = []
        self._leaf: nn.Module | None = None
        self._thread = threading.get_ident()
        self._aside = False
        self._function = ""
        self._count: Counter[tuple[str, str]] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if self._aside:
            return func(*args, **kwargs)
        if self._leaf is None:
            self._ask()
        self.sees_arguments(args, kwargs)
        output = func(*args, **kwargs)
        with self._stepping_aside():
            self._saw_output(func, args, kwargs, output)
        return output

    def _saw_output(self, func: Any, args: tuple, kwargs: dict, output: Any) -> None:
        name, tensor = function_name(func), first_tensor(output)
        self._function = getattr(func, "__name__", name)
        self._count["function", self._function] += 1
        if name == "setitem" or (tensor is not None and name not in _LOOKS_ONLY):
            self.saw_function(name, args, kwargs, output)
            if self._leaf is None and tensor is not None and _has_values(tensor) and name not in _NOTHING_NEW:
                self.saw_call(self._numbered(".".join(filter(None, (*self._scope[-1:], name)))), name, tensor)

    def sees_arguments(self, args: tuple, kwargs: dict) -> None:
        """A function is about to run."""

    def saw_function(self, name: str, args: tuple, kwargs: dict, output: Any) -> None:
        """A function has run, inside a module or outside of one."""

    def saw_call(self, name: str, kind: str | nn.Module, output: torch.Tensor) -> None:
        """A call that makes a row has run."""
        self.visit(name, output.dequantize() if output.is_quantized else output)

    def saw_block(self, name: str, output: torch.Tensor) -> None:
        """A module made of several calls has run."""

    def _numbered(self, name: str) -> str:
        self._count["row", name] += 1
        number = self._count["row", name]
        return name if number == 1 else f"{name}:{number}"

    def _ask(self) -> None:
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("cancelled")

    @contextmanager
    def _stepping_aside(self) -> Iterator[None]:
        """What runs inside (a visitor that reduces a map, say) is no part of the forward pass."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False

    def _is_foreign(self) -> bool:
        """Whether a hook was called by a visitor, or by another thread that runs the same module."""
        return self._aside or threading.get_ident() != self._thread

    def _enter(self, module: nn.Module, args: tuple) -> None:
        if self._leaf is not None or self._is_foreign():
            return
        self._scope.append(self._names[module])
        self._count["module", self._names[module]] += 1
        if is_leaf(module):
            self._leaf = module
            self._ask()

    def _leave(self, module: nn.Module, args: tuple, output: Any) -> None:
        if self._leaf not in (None, module) or self._is_foreign():
            return
        leaf, self._leaf = self._leaf, None
        with self._stepping_aside():
            self._saw_module(leaf, self._scope.pop(), output)

    def _saw_module(self, leaf: nn.Module | None, name: str, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is None:  # the forward pass raised, or gives no tensor
            return
        if leaf is None:
            self.saw_block(name, tensor)
        elif _has_values(tensor):
            self.saw_call(self._numbered(name or type(leaf).__name__.lower()), leaf, tensor)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, the module's forward passes are seen; afterwards it has the hooks that it had before."""
        handles = []
        try:
            for module in self._names:  # by nn.Module's own methods: a ScriptModule hides them, but calls its hooks
                handles.append(nn.Module.register_forward_pre_hook(module, self._enter, prepend=True))
                handles.append(nn.Module.register_forward_hook(module, self._leave, always_call=True))
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()


def is_leaf(module: nn.Module) -> bool:
    """Whether a module makes one row: torch's own, or derived from one of torch's and made of no others."""
    if isinstance(module, torch.jit.ScriptModule):
        return True
    if isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.DataParallel)):
        return False
    kind = type_before_parametrizations(module)
    if kind.__module__.startswith(("torch.nn.", "torch.ao.nn.")):
        return True
    torchs = [c for c in kind.__mro__ if c.__module__.startswith("torch.nn.") and c is not nn.Module]
    return bool(torchs) and not any(True for _ in module.children())


def function_name(func: Any) -> str:
    """The operation's plain name: ``add`` for ``torch.add``, ``+``, ``add_``; ``max_pool2d`` for its helper, ``mT``."""
    name = getattr(func, "__name__", "function")
    if name == "__get__":
        return getattr(getattr(func, "__self__", None), "__name__", "get")
    bare = name.strip("_")
    if name.startswith("__") and name.endswith("__"):
        return _OPERATORS.get(bare) or _OPERATORS.get(bare[1:]) or bare
    return bare


def _has_values(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds real numbers; those that quantized integers stand for are real ones, too."""
    return tensor.is_floating_point() or tensor.is_quantized


def first_tensor(output: Any) -> torch.Tensor | None:
    return next(tensors_in(output), None)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in whatever a module or a function gives: tuples, lists, mappings and dataclasses, one in another."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_in(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name, None))


_OPERATORS = {name: name for name in "add sub mul matmul pow neg abs getitem".split()} | {"truediv": "div", "rdiv": "div"}
_LOOKS_ONLY = frozenset(("get", "set", "size", "stride", "dim", "item", "is_contiguous", "shape", "grad"))
_NOTHING_NEW = frozenset("contiguous clone detach to float type requires_grad data T mT H mH real imag".split())
