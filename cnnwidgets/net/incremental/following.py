"""Tracing of a forward pass that asks for sizes: two small batches of pictures go along, and answer."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.proxy import Attribute, TraceError

from cnnwidgets.net.incremental.tracing import Tracer, Value, version
from cnnwidgets.net.trace import tensors_in

BATCHES = (2, 3)
"""What differs between batches of so many pictures depends on how many there are; what does not is the size of a map."""


class Followed(Value):
    """What stands for a value, with that value for either batch.

    Attributes:
        values: one of each batch.
        varies: whether it depends on the pictures.
    """

    values: tuple[Any, ...]
    varies: bool
    tracer: Follower

    def __getattr__(self, name: str) -> Any:
        if name == "values":
            raise AttributeError(name)
        if callable(getattr(self.values[0], name)):
            return Attribute(self, name)
        return self.tracer.create_proxy("call_function", getattr, (self, name), {})

    def __int__(self) -> int:
        return int(self.tracer.known(self))

    def __index__(self) -> int:
        return self.tracer.known(self).__index__()

    def __float__(self) -> float:
        return float(self.tracer.known(self))

    def __format__(self, spec: str) -> str:
        return format(self.values[0], spec)


class Follower(Tracer):
    """Answers what a forward pass asks for of tensors besides their values; what it asks of buffers, with their values too.

    Buffers are values of the graph, so that the forward pass may assign them.

    Parameters:
        picture: (1, C, H, W), for size, type and device.
    """

    def __init__(self, picture: Tensor):
        super().__init__()
        draws, (_, *size) = torch.Generator().manual_seed(0), picture.shape
        self._batches = tuple(
            torch.randn(count, *size, generator=draws).to(picture.device, picture.dtype) for count in BATCHES
        )
        self._is_running = False
        self._all_vary = False

    @property
    def is_elsewhere(self) -> bool:
        return self._is_running or super().is_elsewhere

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> Any:
        found = super().create_args_for_root(root_fn, is_module, concrete_args)
        for path, part in self.root.named_modules():
            if self.is_leaf_module(part, path) or isinstance(part, torch.jit.ScriptModule):
                continue
            for held in (part._buffers, vars(part)):
                for name, tensor in [*held.items()]:
                    if isinstance(tensor, Tensor):
                        del held[name]
                        vars(part)[name] = self._kept(f"{path}.{name}".lstrip("."), tensor)
        return found

    def create_arg(self, a: Any) -> Any:
        return a.node if type(a) is Followed else super().create_arg(a)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return Followed(node, self)

    def create_proxy(self, kind: str, target: Any, args: tuple, kwargs: dict[str, Any], *rest: Any, **more: Any) -> Any:
        proxy: Any = super().create_proxy(kind, target, args, kwargs, *rest, **more)
        if kind == "placeholder":
            proxy.values, proxy.varies = self._batches, True
        elif kind == "get_attr":
            proxy.values, proxy.varies = (self._part(target),) * 2, self._all_vary
        else:
            taken = [*_followed((args, kwargs))]
            proxy.varies = self._all_vary or any(value.varies for value in taken)
            constants = [tensor for value in taken if not value.varies for tensor in tensors_in(value.values)]
            before = [*map(version, constants)]
            proxy.values = tuple(self._run(kind, target, args, kwargs, which) for which in range(len(BATCHES)))
            self._all_vary |= proxy.varies and [*map(version, constants)] != before
            return self._answer(proxy, kind, target, args)
        return proxy

    def _kept(self, path: str, tensor: Tensor) -> Any:
        proxy: Any = super().create_proxy("get_attr", path, (), {})
        proxy.values, proxy.varies = tuple(tensor.detach().clone() for _ in BATCHES), False
        return proxy

    def _run(self, kind: str, target: Any, args: tuple, kwargs: dict[str, Any], which: int) -> Any:
        given, named = _values((args, kwargs), which)
        self._is_running = True
        try:
            if kind == "call_method":
                return getattr(given[0], target)(*given[1:], **named)
            return (self._part(target) if kind == "call_module" else target)(*given, **named)
        finally:
            self._is_running = False

    def _part(self, path: str) -> Any:
        part: Any = self.root
        for name in path.split("."):
            part = vars(part).get(name, part._modules.get(name, part._parameters.get(name, part._buffers.get(name))))
        return part

    def _answer(self, proxy: Any, kind: str, target: Any, args: tuple) -> Any:
        """What stands for a value; where that is a size, or depends on no picture and is not a tensor, itself."""
        first, second = proxy.values
        if (kind == "call_method" and target in _SIZES) or (target is getattr and args[1] in _SIZES):
            if first == second:
                return first
            if not isinstance(first, tuple):
                return proxy
            return tuple(a if a == b else proxy[k] for k, (a, b) in enumerate(zip(first, second, strict=True)))
        return first if not proxy.varies and isinstance(first, _PLAIN) else proxy

    # what a forward pass asks

    def isinstance(self, value: Any, kinds: Any) -> bool:
        return isinstance(value.values[0] if type(value) is Followed else value, kinds)

    def iter(self, obj: Any) -> Iterator:
        return (obj[k] for k in range(len(obj)))

    def len(self, obj: Any) -> int:
        first, second = map(len, obj.values)
        return first if first == second else self.refuse("it asks how many pictures there are")

    def to_bool(self, obj: Any) -> bool:
        frame = inspect.currentframe()
        asking = frame and frame.f_back and frame.f_back.f_back
        if obj.varies and asking and _is_assertion(asking):
            return bool(obj.values[0])
        return bool(self.known(obj))

    def known(self, obj: Any) -> Any:
        """The value, of what does not depend on the pictures."""
        if obj.varies:
            self.refuse("it branches on values")
        return obj.values[0]


def _followed(given: Any) -> Iterator[Any]:
    """What stands for values in arguments."""
    if type(given) is Followed:
        yield given
    elif isinstance(given, (tuple, list)):
        for value in given:
            yield from _followed(value)
    elif isinstance(given, dict):
        yield from _followed([*given.values()])
    elif isinstance(given, slice):
        yield from _followed((given.start, given.stop, given.step))


def _values(given: Any, which: int) -> Any:
    """Arguments with the values of one of the batches."""
    if type(given) is Followed:
        return given.values[which]
    if isinstance(given, fx.Proxy):
        raise TraceError("it hands on a method of a tensor")
    if isinstance(given, (tuple, list)):
        values = [_values(value, which) for value in given]
        return type(given)(*values) if hasattr(given, "_fields") else type(given)(values)
    if isinstance(given, dict):
        return {name: _values(value, which) for name, value in given.items()}
    if isinstance(given, slice):
        return slice(*(_values(value, which) for value in (given.start, given.stop, given.step)))
    return given


def _is_assertion(frame: FrameType) -> bool:
    """Whether a frame asks for a truth value in order to assert it."""
    code = [*dis.get_instructions(frame.f_code)]
    here = next(number for number, instruction in enumerate(code) if instruction.offset == frame.f_lasti)
    return any(
        instruction.opname == "LOAD_ASSERTION_ERROR" or instruction.argrepr == "AssertionError"
        for instruction in code[here + 1 : here + 3]
    )


_SIZES = frozenset(
    (
        *("shape", "size", "ndim", "dim", "ndimension", "numel", "nelement", "dtype", "device", "layout", "is_cuda"),
        *("is_floating_point", "is_complex", "requires_grad"),
    )
)
_PLAIN = (bool, int, float, str, type(None), torch.dtype, torch.device)
