"""The graph of a network's forward pass, as ``torch.fx`` finds it. Nothing that tracing touches stays as it made it."""

from __future__ import annotations

import inspect
import operator
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError

from cnnwidgets.net.incremental.hooks import After, Before, is_hooked, is_own
from cnnwidgets.net.incremental.refusals import NoWindows, cannot_follow
from cnnwidgets.net.locks import TRACING
from cnnwidgets.net.state import State

IN_PLACE = tuple("iadd isub imul itruediv ifloordiv imod ipow imatmul iand ior ixor ilshift irshift".split())
"""Names of Python's operators that write into their first operand."""

NETWORK = "network"
"""Of a traced graph: where the network lies in it."""


class Whole(nn.Module):
    """A network as a part of the module that is traced: what the forward pass is called with is one picture, and no more.

    So arguments that have defaults, or go by a star, are what they are when anybody else calls the network; hooks of the
    network itself, and a forward pass of its own, are followed too.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Any:
        return self.network(picture)


def graph_of(network: nn.Module, tracer: Tracer) -> fx.GraphModule:
    """The forward pass as a graph, whose modules are the network's own; raises whatever stands in the way."""
    whole = Whole(network)
    with untouched(network), TRACING:
        graph = tracer.trace(whole)
    if tracer.refused:  # and the forward pass has caught that
        raise tracer.refused
    return fx.GraphModule(whole, graph)


def names_writing(kind: str, target: Any) -> bool:
    """Whether a node is, by its name, a method or a function that writes into its first argument."""
    if kind not in ("call_method", "call_function"):
        return False
    name = short_name(target)
    return name.strip("_") in ("setitem", *IN_PLACE) or (name.endswith("_") and not name.startswith("_"))


def short_name(target: Any) -> str:
    """Of a method or a function; without what tells several forms of the same apart."""
    return (target if isinstance(target, str) else getattr(target, "__name__", "")).partition(".")[0]


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Whatever is done to a network inside is undone; NoWindows if values of its tensors have been overwritten."""
    state = State(network)
    kept = [tensor for tensor in state.tensors.values() if not isinstance(tensor, nn.Parameter)]
    values = [(tensor, version(tensor), tensor.detach().clone()) for tensor in kept]
    try:
        yield
    finally:
        state.put_back()
        overwritten = [(tensor, value) for tensor, seen, value in values if version(tensor) != seen]
        with torch.no_grad():
            for tensor, value in overwritten:
                tensor.resize_(value.shape).copy_(value)
    if overwritten:
        raise NoWindows("its forward pass overwrites what it keeps")


def version(tensor: Tensor) -> int:
    """How often a tensor has been overwritten."""
    return 0 if tensor.is_inference() else tensor._version


class Value(fx.Proxy):
    """What stands for a value while a forward pass is traced; what writes into it is written down too."""

    tracer: Tracer

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "data":
            self.tracer.refuse("it gives a tensor other data")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        return self.tracer.len(self)


def _writing(function: Callable) -> Callable:
    def write(self: Value, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return write


for _name in IN_PLACE:
    setattr(Value, f"__{_name}__", _writing(getattr(operator, _name)))


class Tracer(fx.Tracer):
    """Follows one thread: while it works, ``torch.fx`` patches ``nn.Module`` for all of them.

    Hooks are called when the graph runs, never with what only stands for a value.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self._kinds = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
        self._casting = self._casts()
        self._is_open = True
        self.refused: NoWindows | None = None

    def _casts(self) -> list[torch.dtype | None]:
        """What autocast casts to, on each kind of device."""
        return [torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None for kind in self._kinds]

    def refuse(self, why: str) -> NoReturn:
        """Give up, whatever the forward pass makes of the error."""
        self.refused = cannot_follow(why)
        raise self.refused

    def trace(self, root: Whole, concrete_args: dict[str, Any] | None = None) -> fx.Graph:  # type: ignore[override]
        try:
            with self._answering(root):
                return super().trace(root, concrete_args)
        finally:
            self._is_open = False  # what comes later, from a Value that somebody has kept, is no part of the graph

    @contextmanager
    def _answering(self, root: Whole) -> Iterator[None]:
        """Inside, forward passes that ask ``isinstance`` ask the tracer; of everything but a Value it says what it is."""
        forwards = [inspect.unwrap(type(part).forward) for part in root.network.modules()]
        spaces = {id(space): space for forward in forwards if (space := getattr(forward, "__globals__", None))}
        asking = [space for space in spaces.values() if "isinstance" not in space and _is_of_users(space)]
        for space in asking:
            space["isinstance"] = self.isinstance
        try:
            yield
        finally:
            for space in asking:
                del space["isinstance"]

    def isinstance(self, value: Any, kinds: Any) -> bool:
        if issubclass(type(value), fx.Proxy):
            self.refuse("it asks what kind of value it has")
        return isinstance(value, kinds)

    @property
    def is_elsewhere(self) -> bool:
        """Whether a call comes from a thread that is not traced."""
        return threading.get_ident() != self._thread

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        if not self._is_open:
            raise TraceError("a forward pass was traced, and is over")
        if self._casts() != self._casting:
            self.refused = NoWindows("it computes under autocast")
            raise self.refused
        return super().create_node(*args, **kwargs)

    def create_proxy(self, kind: str, target: Any, args: tuple, *rest: Any, **more: Any) -> Any:
        if args and issubclass(type(args[0]), Tensor) and names_writing(kind, target):
            self.refuse("it writes into a tensor that no picture has given")
        return super().create_proxy(kind, target, args, *rest, **more)

    def to_bool(self, obj: Any) -> bool:
        self.refuse("it branches on values")

    def iter(self, obj: Any) -> Iterator:
        self.refuse("it goes over the parts of a tensor")

    def len(self, obj: Any) -> int:
        self.refuse("it asks for the length of a tensor")

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return Value(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) and not is_own(m)

    def call_module(self, m: nn.Module, forward: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        if self.is_elsewhere:
            return forward(*args, **kwargs)
        if self.is_leaf_module(m, "") or not is_hooked(m):
            return super().call_module(m, m.forward, args, kwargs)
        args, kwargs = self._seen_before(m, args, kwargs)
        output = super().call_module(m, m.forward, args, kwargs)
        return self._call_hooks("after", After(m), (output, args, kwargs)) if m._forward_hooks else output

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return attr_val if self.is_elsewhere else super().getattr(attr, attr_val, parameter_proxy_cache)

    def _seen_before(self, m: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """The arguments as they come from the hooks; those that stand for no value are taken to stay what they are."""
        if not m._forward_pre_hooks:
            return args, kwargs
        given = [*args, *kwargs.values()]
        found = self._call_hooks("before", Before(m, tuple(kwargs)), tuple(given))
        given = [found[k] if isinstance(value, fx.Proxy) else value for k, value in enumerate(given)]
        return tuple(given[: len(args)]), dict(zip(kwargs, given[len(args) :], strict=True))

    def _call_hooks(self, name: str, hooks: nn.Module, args: tuple) -> Any:
        name = self.get_fresh_qualname(f"_hooks_{name}")
        self.root.add_module(name, hooks)
        return self.create_proxy("call_module", name, args, {})


def _is_of_users(space: dict[str, Any]) -> bool:
    return not str(space.get("__name__")).startswith(("torch.", "cnnwidgets."))
