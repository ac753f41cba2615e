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
from torch.overrides import TorchFunctionMode

from cnnwidgets.net.internals import DisableTorchFunction
from cnnwidgets.net.layers import Ending, Layer
from cnnwidgets.net.places import Place, SingleViews, versions
from cnnwidgets.net.telling import ACTIVATIONS, before_activation
from cnnwidgets.net.trace import first_tensor, tensors_in


class Graph:
    """One forward pass; made by :meth:`BoundModel.graph`.

    Attributes:
        inputs: (N, C, H, W), what gradients are taken of by default.
        output: what the network gave; None where the pass ends at the layers.
        before: (N, K) what goes into the softmax or sigmoid that the network ends in; None where that cannot be had.
        maps: by layer name its output as it was when it was made, (N, units, height, width).
    """

    def __init__(
        self, module: nn.Module, inputs: Tensor, layers: Mapping[str, Layer], ending: Ending, *, to_end: bool = True
    ):
        self.inputs = inputs.requires_grad_()
        self._layers, self._to_end = dict(layers), to_end
        try:
            self._run(module, ending)
        except RuntimeError as error:
            if "returns multiple views" not in str(error):  # of a function such as chunk, with an in-place one on them
                raise
            with SingleViews():
                self._run(module, ending)

    def _run(self, module: nn.Module, ending: Ending) -> None:
        self.maps: dict[str, Tensor] = {}
        self._places: dict[str, Place] = {}
        given: list[Tensor] = []

        def take(args: tuple, kwargs: Mapping[str, Any]) -> None:
            if (argument := first_tensor((args, kwargs))) is not None:
                given.append(argument.clone())  # which an in-place function overwrites

        copy = self.inputs.clone()  # which the network may overwrite
        with ExitStack() as taps:
            for name, row in self._layers.items():
                taps.enter_context(tapped(module, row.source, partial(self._keep, name)))
            if ending.operation in ACTIVATIONS:
                taps.enter_context(FunctionTap(ending.function, ending.number, given=take))
            try:
                self.output = module(copy)
            except _Reached:
                self.output = None
        for place in self._places.values():
            place.settle()
        self.before = before_activation(ending, given[0] if given else None, self.output, len(self.inputs))
        if missing := [name for name in self._layers if name not in self.maps]:
            raise RuntimeError(f"this picture takes a different path through the network: {missing[0]} was not run")

    def gradient(self, score: Tensor, layer: str | None = None, *, last: bool = False) -> Tensor:
        """The gradient of a score, a single number, with respect to the input or to one of ``maps``, in its shape.

        All zeros where no path of differentiable operations leads from there to the score.

        Parameters:
            last: whether the graph may be given up meanwhile, which saves memory and time.
        """
        found, place = None, None if layer is None else self._places.get(layer)
        if layer is None and score.requires_grad:
            (found,) = torch.autograd.grad(score, self.inputs, retain_graph=not last, allow_unused=True)
        elif place is not None and score.requires_grad:
            found = place.gradient(score, retain=not last)
        if found is None:
            return torch.zeros_like(self.inputs if layer is None else self.maps[layer])
        return found if layer is None else self._layers[layer].by_unit(found)

    def _keep(self, name: str, output: Tensor, was_written: bool) -> None:
        """An in-place function that comes later changes neither the copy nor the place in the graph."""
        with DisableTorchFunction():  # what is called here is no call of the network's that a tap should count
            copy = output.dequantize() if output.is_quantized else output.clone()
            self.maps[name] = self._layers[name].by_unit(copy)
            if output.requires_grad:
                self._places[name] = Place(output, was_written)
        if not self._to_end and len(self.maps) == len(self._layers):
            raise _Reached


class _Reached(BaseException):
    """Ends a pass behind its last layer; the network's own ``except Exception`` lets it through."""


@contextmanager
def tapped(module: nn.Module, source: tuple[str, str, int], keep: Keep) -> Iterator[None]:
    """Inside, ``keep`` gets the output of one call, which the layer table names by its source."""
    how, name, number = source
    thread = threading.get_ident()
    if how == "function":
        with FunctionTap(name, number, keep=keep):
            yield
        return
    calls, before = 0, [0]

    def note(part: nn.Module, args: tuple) -> None:
        if threading.get_ident() == thread:  # and not of a cell that runs the same module
            before[:] = versions([*tensors_in(args)])

    def hook(part: nn.Module, args: tuple, output: Any) -> None:
        nonlocal calls
        if threading.get_ident() == thread:
            calls += 1
            tensor = first_tensor(output)
            if calls == number and tensor is not None:
                keep(tensor, versions([*tensors_in(args)]) != before)

    tapped = dict(module.named_modules())[name]
    handles = nn.Module.register_forward_pre_hook(tapped, note), nn.Module.register_forward_hook(tapped, hook)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


Keep = Callable[[Tensor, bool], None]
"""Gets what a call has given, and whether the call has written to its arguments."""


class FunctionTap(TorchFunctionMode):
    """Shows what the n-th call of a function is given, ``given(args, kwargs)``, and the first tensor that it gives."""

    def __init__(
        self,
        name: str,
        number: int,
        *,
        given: Callable[[tuple, Mapping[str, Any]], None] | None = None,
        keep: Keep | None = None,
    ):
        super().__init__()
        self._name, self._number, self._given, self._keep = name, number, given, keep
        self._count: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        self._count[name] += 1
        if name != self._name or self._count[name] != self._number:
            return func(*args, **kwargs)
        if self._given:
            with DisableTorchFunction():  # no call of the network's, as in Graph._keep
                self._given(args, kwargs)
        arguments = [*tensors_in((args, kwargs))]
        before = versions(arguments)
        output = func(*args, **kwargs)
        tensor = first_tensor(output)
        if self._keep and tensor is not None:
            self._keep(tensor, versions(arguments) != before)
        return output
