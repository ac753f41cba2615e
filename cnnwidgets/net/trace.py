"""Seeing every call of a forward pass: which module or function, in what order, with what result.

``nn.Module`` hooks alone miss ``F.relu``, ``+`` and ``torch.cat``. Here they only say which module is being run; what it
computes is seen by a ``torch.overrides.TorchFunctionMode``, which modules and functions, in-place or not, pass alike.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

from cnnwidgets.net.layers import Layer, Layers
from cnnwidgets.net.no_trace import no_trace
from cnnwidgets.net.receptive_field import CHANNELS_FIRST, CHANNELS_LAST, Field, FieldRules, pixels


class Cancelled(Exception):
    """The computation was cancelled; the network is as it was before."""


Visit = Callable[[str, torch.Tensor], None]


class Calls(TorchFunctionMode):
    """Names every call of a forward pass and shows its output to ``visit(name, output)`` before the next one runs.

    A call is a ``torch.nn`` module, or a function outside of one. The output is the live tensor: an in-place function that
    comes later overwrites it, so whoever keeps it copies it.
    """

    def __init__(self, module: nn.Module, visit: Visit, cancel=None):
        super().__init__()
        self.visit, self.cancel = visit, cancel
        self._names = {part: name for name, part in module.named_modules()}
        self._scope: list[str] = []
        self._leaf: nn.Module | None = None
        self._thread = threading.get_ident()
        self._aside = False
        self._function = ""
        self._count: Counter[tuple[str, str]] = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
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

    def _saw_output(self, func, args: tuple, kwargs: dict, output) -> None:
        name, tensor = function_name(func), first_tensor(output)
        self._function = getattr(func, "__name__", name)
        self._count["function", self._function] += 1
        if name == "setitem" or (tensor is not None and name not in _LOOKS_ONLY):
            self.saw_function(name, args, kwargs, output)
            if self._leaf is None and tensor is not None and tensor.is_floating_point() and name not in _NOTHING_NEW:
                self.saw_call(self._numbered(".".join(filter(None, (*self._scope[-1:], name)))), name, tensor)

    def sees_arguments(self, args: tuple, kwargs: dict) -> None:
        """A function is about to run."""

    def saw_function(self, name: str, args: tuple, kwargs: dict, output) -> None:
        """A function has run, inside a module or outside of one."""

    def saw_call(self, name: str, kind: str | nn.Module, output: torch.Tensor) -> None:
        """A call that makes a row has run."""
        self.visit(name, output)

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

    def _leave(self, module: nn.Module, args: tuple, output) -> None:
        if self._leaf not in (None, module) or self._is_foreign():
            return
        leaf, self._leaf = self._leaf, None
        with self._stepping_aside():
            self._saw_module(leaf, self._scope.pop(), output)

    def _saw_module(self, leaf: nn.Module | None, name: str, output) -> None:
        tensor = first_tensor(output)
        if tensor is None:  # the forward pass raised, or gives no tensor
            return
        if leaf is None:
            self.saw_block(name, tensor)
        elif tensor.is_floating_point():
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


class Survey(Calls):
    """Writes the layer table during one forward pass."""

    def __init__(self, module: nn.Module, picture: torch.Tensor, cancel=None):
        super().__init__(module, visit=lambda name, output: None, cancel=cancel)
        self.rows: list[Layer] = []
        self.ends: dict[str, str] = {}
        self._owners = {id(p): name for name, p in module.named_parameters()}
        self._unused = {id(p): p.numel() for p in module.parameters()}
        self._fields = WeakTensorKeyDictionary()  # tensor to (field, the tensor's version at that time)
        for part in module.modules():
            for tensor in _own_tensors(part):
                self._set_field(tensor, _CONSTANT)
        self._set_field(picture, pixels())
        self._made: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._rules = FieldRules(tuple(picture.shape[-2:]))
        weights = ((part, getattr(part, "weight", None)) for part in self._names)
        self._weight_axes = {part: weight.ndim for part, weight in weights if isinstance(weight, torch.Tensor)}
        self._batch = picture.shape[0]
        self._macs = MacCounter()
        self._parameters: list[int] = []
        self._flattened: tuple[int, int, int] | None = None

    def _set_field(self, tensor: torch.Tensor, field: Field) -> None:
        self._fields[tensor] = field, _version(tensor)

    def _field_of(self, tensor: torch.Tensor) -> Field:
        """What a tensor sees: the whole picture if its origin is unknown (a custom function, a write through a view)."""
        field, version = self._fields.get(tensor, (None, None))
        if field is None or version != _version(tensor):
            field = self._rules.unknown(tensor)
            self._set_field(tensor, field)
        return field

    def sees_arguments(self, args, kwargs):
        tensors = _tensors((args, {**kwargs, "out": None}))
        self._arguments = [(tensor, self._field_of(tensor)) for tensor in tensors]

    def saw_function(self, name, args, kwargs, output):
        self._parameters += [id(tensor) for tensor, _ in self._arguments if id(tensor) in self._owners]
        inputs = [(tensor, field) for tensor, field in self._arguments if field is not _CONSTANT and name not in _BLANK]
        if not inputs:
            for made in args[:1] if name == "setitem" else _tensors(output):
                self._set_field(made, _CONSTANT)
        elif name != "setitem":
            self._flattened = inputs[0][1].flattened
            for made in _tensors(output):
                self._set_field(made, self._rules(name, args, kwargs, inputs, made))

    def saw_call(self, name, kind, output):
        field = self._field_of(output)
        if field is _CONSTANT:  # of parameters alone: its costs are the next row's
            return
        macs, self._macs.macs = self._macs.macs, 0
        used, self._parameters = self._parameters, []
        flattened, self._flattened = self._flattened, None
        if isinstance(kind, nn.Module):
            owner, axes = self._names[kind], self._weight_axes.get(kind)
            source = ("module", owner, self._count["module", owner])
            used = [*used, *(id(p) for p in kind.parameters())]
            path, kind = f"{owner}.weight".lstrip("."), type_before_parametrizations(kind).__name__
        else:
            source = ("function", self._function, self._count["function", self._function])
            path, axes = None, None
            if kind in ("conv2d", "conv_transpose2d", "linear"):
                path = next((self._owners[p] for p in used), None)
                axes = path and self._parameter(path).ndim
        layout = _layout(output, field, self._batch)
        is_filter = axes in (2, 4) and kind != "Embedding"
        self.rows.append(
            Layer(
                name=name,
                kind=kind,
                output_shape=tuple(output.shape[1:] if output.shape[:1] == (self._batch,) else output.shape),
                parameters=sum(self._unused.pop(p, 0) for p in used),
                macs=macs // self._batch,
                receptive_field=field.sees if layout.startswith("map") else None,
                layout=layout,
                weight=path if is_filter else None,
                weighs=flattened if is_filter and axes == 2 else None,
                source=source,
            )
        )
        self._made[output] = name

    def _parameter(self, path: str) -> nn.Parameter | None:
        owner, _, attribute = path.rpartition(".")
        module = next(m for m, name in self._names.items() if name == owner)
        return getattr(module, attribute)

    def saw_block(self, name, output):
        if output in self._made:
            self.ends[name] = self._made[output]

    @contextmanager
    def watching(self):
        with super().watching(), self._macs:
            yield


class MacCounter(TorchDispatchMode):
    """Adds up multiply-adds by the formulas of ``torch.utils.flop_counter`` (which counts each as two FLOPs)."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():  # an operator that we call again is no call of the network's
            output = func(*args, **kwargs)
        flops = flop_registry.get(func._overloadpacket)
        if flops:
            self.macs += flops(*args, **kwargs, out_val=output) // 2
        return output


def survey(module: nn.Module, picture: torch.Tensor, cancel=None) -> Layers:
    """The layer table of a module for a picture (1, C, H, W), by running it once."""
    with no_trace(module), torch.no_grad():
        picture = picture.clone()
        calls = Survey(module, picture, cancel)
        with calls.watching():
            module(picture)
    return Layers(calls.rows, calls.ends)


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


def function_name(func) -> str:
    """The operation's plain name: ``add`` for ``torch.add``, ``+``, ``+=``, ``add_``; ``max_pool2d`` for its helper."""
    name = getattr(func, "__name__", "function")
    bare = name.strip("_")
    if name.startswith("__") and name.endswith("__"):
        return _OPERATORS.get(bare) or _OPERATORS.get(bare[1:]) or bare
    return bare


def first_tensor(output) -> torch.Tensor | None:
    return next(_tensors(output), None)


def _tensors(value) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def _own_tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from _tensors((module._parameters, module._buffers))
    yield from (value for value in vars(module).values() if isinstance(value, torch.Tensor))


def _version(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _layout(tensor: torch.Tensor, field: Field, batch: int) -> str:
    if tensor.shape[:1] != (batch,):
        return "other"
    if tensor.ndim == 4 and field.axes == CHANNELS_FIRST:
        return "map"
    if tensor.ndim == 4 and field.axes == CHANNELS_LAST:
        return "map, channels last"
    return {2: "vector", 3: "tokens"}.get(tensor.ndim, "other")


_CONSTANT = object()
_OPERATORS = {name: name for name in "add sub mul matmul pow neg abs getitem".split()} | {"truediv": "div", "rdiv": "div"}
_LOOKS_ONLY = frozenset(("get", "set", "size", "stride", "dim", "item", "is_contiguous", "shape"))
_BLANK = frozenset(
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full new_tensor".split()
)
_NOTHING_NEW = frozenset(("contiguous", "clone", "detach", "to", "float", "type", "requires_grad", "data"))
