"""A forward pass that keeps its graph, so that many scores of it can be differentiated, one after the other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from cnnwidgets.net.layers import Ending, Layer
from cnnwidgets.net.telling import ACTIVATIONS, before_activation
from cnnwidgets.net.trace import first_tensor


class Graph:
    """One forward pass; made by :meth:`BoundModel.graph`.

    Attributes:
        inputs: (N, C, H, W), what gradients are taken of by default.
        output: what the network gave.
        before: (N, K) what goes into the softmax or sigmoid that the network ends in; None where that cannot be had.
        maps: by layer name its output as it was when it was made, (N, units, height, width).
    """

    def __init__(self, module: nn.Module, inputs: Tensor, layers: Mapping[str, Layer], ending: Ending):
        self.inputs = inputs.requires_grad_()
        self.maps: dict[str, Tensor] = {}
        self._layers = dict(layers)
        self._edges: dict[str, GradientEdge] = {}
        given: list[Tensor] = []
        copy = inputs.clone()  # which the network may overwrite
        with ExitStack() as taps:
            for name, row in layers.items():
                taps.enter_context(_tapped(module, row.source, partial(self._keep, name)))
            if ending.operation in ACTIVATIONS:
                taps.enter_context(_FunctionTap(ending.function, ending.number, given=given.append))
            self.output = module(copy)
        self.before = before_activation(ending, given[0] if given else None, self.output, len(inputs))
        if missing := [name for name in layers if name not in self.maps]:
            raise RuntimeError(f"this picture takes another path through the network: {missing[0]} was not run")

    def gradient(self, score: Tensor, layer: str | None = None, *, last: bool = False) -> Tensor:
        """The gradient of a score, a single number, with respect to the input or to one of ``maps``, in its shape.

        All zeros where no path of differentiable operations leads from there to the score.

        Parameters:
            last: whether the graph may be given up meanwhile, which saves memory and time.
        """
        source = self.inputs if layer is None else self._edges.get(layer)
        found = None
        if source is not None and score.requires_grad:
            (found,) = torch.autograd.grad(score, source, retain_graph=not last, allow_unused=True)
        if found is None:
            return torch.zeros_like(self.inputs if layer is None else self.maps[layer])
        return found if layer is None else self._layers[layer].by_unit(found)

    def _keep(self, name: str, output: Tensor) -> None:
        """An in-place function that comes later changes neither the copy nor the place in the graph."""
        with torch._C.DisableTorchFunction():  # what is called here is no call of the network's that a tap should count
            self.maps[name] = self._layers[name].by_unit(output.clone())
        if output.requires_grad:
            self._edges[name] = get_gradient_edge(output)


@contextmanager
def _tapped(module: nn.Module, source: tuple[str, str, int], keep: Callable[[Tensor], None]) -> Iterator[None]:
    """Inside, ``keep(output)`` gets the output of the call that is to be found at a source of the layer table."""
    how, name, number = source
    thread = threading.get_ident()
    if how == "function":
        with _FunctionTap(name, number, keep=keep):
            yield
        return
    calls = 0

    def hook(part: nn.Module, args: tuple, output: Any) -> None:
        nonlocal calls
        if threading.get_ident() == thread:  # and not of a cell that runs the same module
            calls += 1
            tensor = first_tensor(output)
            if calls == number and tensor is not None:
                keep(tensor)

    handle = nn.Module.register_forward_hook(dict(module.named_modules())[name], hook)
    try:
        yield
    finally:
        handle.remove()


class _FunctionTap(TorchFunctionMode):
    """Shows a copy of what the n-th call of a function was given, and its output."""

    def __init__(self, name: str, number: int, *, given: Callable | None = None, keep: Callable | None = None):
        super().__init__()
        self._name, self._number, self._given, self._keep = name, number, given, keep
        self._count: Counter[str] = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        self._count[name] += 1
        if name != self._name or self._count[name] != self._number:
            return func(*args, **(kwargs or {}))
        argument = first_tensor((args, kwargs)) if self._given else None
        if self._given and argument is not None:
            with torch._C.DisableTorchFunction():  # no call of the network's, as in Graph._keep
                self._given(argument.clone())  # which an in-place function overwrites
        output = func(*args, **(kwargs or {}))
        tensor = first_tensor(output)
        if self._keep and tensor is not None:
            self._keep(tensor)
        return output
