"""The layer table, written during one forward pass: shapes, parameters, multiply-adds, receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

from cnnwidgets.net.axes import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    Axes,
    Grid,
    flattened_map,
    grid_of,
    is_units,
    rows_and_columns,
)
from cnnwidgets.net.call import Call
from cnnwidgets.net.internals import DisableTorchFunction, TorchDispatchMode
from cnnwidgets.net.layers import Ending, Layer, Layers, ReceptiveField
from cnnwidgets.net.progress import Cancel
from cnnwidgets.net.receptive_field import Field, FieldRules, Mirrored, pixels, whole_picture
from cnnwidgets.net.replica import CannotReplicate
from cnnwidgets.net.telling import ACTIVATIONS, describe
from cnnwidgets.net.trace import Calls, first_tensor, tensors_in
from cnnwidgets.net.trail import Trail


def survey(
    module: nn.Module,
    picture: torch.Tensor,
    foreign: Mapping[int, torch.Tensor],
    cancel: Cancel | None = None,
    has_drawn: Callable[[], bool] = lambda: False,
) -> Layers:
    """The layer table of a module for a picture (1, C, H, W), by running it once.

    Parameters:
        has_drawn: whether random numbers were drawn so far.

    Raises:
        Cancelled: cancel was set.
        CannotReplicate: it computes with one of the foreign tensors (by their ids): it is no double.
    """
    picture = picture.clone()
    calls = Survey(module, picture, foreign, cancel, has_drawn)
    with torch.no_grad(), calls.watching():
        output = module(picture)
    return calls.finish(output)


class Survey(Calls):
    """Writes the layer table during one forward pass."""

    def __init__(
        self,
        module: nn.Module,
        picture: torch.Tensor,
        foreign: Mapping[int, torch.Tensor],
        cancel: Cancel | None,
        has_drawn: Callable[[], bool],
    ):
        super().__init__(module, visit=lambda name, output: None, cancel=cancel)
        self._foreign, self._has_drawn, self._drawing = foreign, has_drawn, ""
        self._rows: list[Layer] = []
        self._trails: list[Trail | None] = []  # of the rows
        self._ends: dict[str, str] = {}
        self._owners = {id(p): name for name, p in module.named_parameters()}
        self._unused = {id(p): p.numel() for p in module.parameters()}
        self._fields = WeakTensorKeyDictionary()  # tensor to (field, the tensor's version at that time)
        for part in module.modules():
            for tensor in own_tensors(part):
                self._set_field(tensor, _CONSTANT)
        self._set_field(picture, pixels(picture))
        self._made: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._last: WeakTensorKeyDictionary = WeakTensorKeyDictionary()  # tensor to (last operation, the tensor's version)
        self._rules = FieldRules((picture.shape[-2], picture.shape[-1]))
        weights = ((part, weight_of(part)) for part in self._names)
        self._weight_axes = {part: weight.ndim for part, weight in weights if weight is not None}
        self._batch = picture.shape[0]
        self._macs = MacCounter()
        self._parameters: list[int] = []
        self._input_axes: Axes = ()
        self._weighing: tuple[str, int] | None = None

    def _set_field(self, tensor: torch.Tensor, field: Field) -> None:
        self._fields[tensor] = field, version_of(tensor)

    def _field_of(self, tensor: torch.Tensor) -> Field:
        """What a tensor sees: the whole picture if its origin is unknown (a custom function, a write through a view)."""
        field, version = self._fields.get(tensor, (None, None))
        if field is None or version != version_of(tensor):
            field = self._rules.of_unknown_origin(tensor, field.axes if field else None)
            self._set_field(tensor, field)
        return field

    def sees_arguments(self, args: tuple, kwargs: dict) -> None:
        tensors = [*tensors_in((args, {**kwargs, "out": None}))]
        if any(id(tensor) in self._foreign for tensor in tensors):
            raise CannotReplicate("its forward pass reaches the network from outside, through a closure or a global name")
        self._arguments = [(tensor, self._field_of(tensor)) for tensor in tensors]

    def saw_function(self, name: str, args: tuple, kwargs: dict, output: Any) -> None:
        self._follow_ending(name, args, output)
        self._parameters += [id(tensor) for tensor, _ in self._arguments if id(tensor) in self._owners]
        if name in _WEIGHING and isinstance(weight := weight_argument(args, kwargs), torch.Tensor):
            self._weighing = (
                None if id(weight) in self._owners else (self._function, self._count["function", self._function])
            )
        inputs = [(tensor, field) for tensor, field in self._arguments if field is not _CONSTANT and name not in _BLANK]
        if not inputs:
            for made in args[:1] if name == "setitem" else tensors_in(output):
                self._set_field(made, _CONSTANT)
        elif name != "setitem":
            self._input_axes = inputs[0][1].axes
            tensors, known = [tensor for tensor, _ in self._arguments], [(tensor, field.axes) for tensor, field in inputs]
            for made in tensors_in(output):
                call = Call(_FUSED.get(name, name), args, kwargs, tensors, known, made)
                self._set_field(made, self._rules(call, [field for _, field in inputs]))

    def _follow_ending(self, name: str, args: tuple, output: Any) -> None:
        """Note what may be the last operation of the forward pass; what only reshapes or casts a tensor keeps its note."""
        made, found = first_tensor(output), self._operation(_ENDINGS.get(name, name), args)
        if made is not None and found:
            self._last[made] = found, version_of(made)

    def _operation(self, name: str, args: tuple) -> tuple[str, str, int] | None:
        """What a call is at the end of a network, by itself or with what it was given."""
        if name in ACTIVATIONS or name in ("linear", "logsumexp"):
            return name, self._function, self._count["function", self._function]
        before = [self._last_operation(each) for each in args if isinstance(each, torch.Tensor)]
        if name in _RESHAPES and before:
            return before[0]
        if name in _HARDLY_ANYTHING and len(before) == 1:
            return before[0] if before[0] and before[0][0] in ACTIVATIONS else None
        written = [(_WRITTEN[name, last[0]], *last[1:]) for last in before if last and (name, last[0]) in _WRITTEN]
        return written[0] if written else None

    def _last_operation(self, tensor: torch.Tensor) -> tuple[str, str, int] | None:
        found, version = self._last.get(tensor, (None, None))
        return found if version == version_of(tensor) else None

    def ending(self, output: Any) -> Ending:
        """How the forward pass has ended."""
        what = describe(output)
        if not isinstance(output, torch.Tensor):
            return Ending(None, "", "", 0, what)
        last = self._last_operation(output)
        return Ending(tuple(output.shape), *(last if last and last[0] != "logsumexp" else ("", "", 0)), what)

    def saw_call(self, name: str, kind: str | nn.Module, output: torch.Tensor) -> None:
        field = self._field_of(output)
        if field is _CONSTANT:  # of parameters alone: its costs are the next row's
            return
        if not self._drawing and self._has_drawn():
            self._drawing = name
        macs, self._macs.macs = self._macs.macs, 0
        used, self._parameters = self._parameters, []
        flattened = flattened_map(self._input_axes[-1]) if self._input_axes else None
        self._input_axes = ()
        weighing, self._weighing = self._weighing, None
        if isinstance(kind, nn.Module):
            owner, axes = self._names[kind], self._weight_axes.get(kind)
            source = ("module", owner, self._count["module", owner])
            used = [*used, *(id(p) for p in kind.parameters())]
            path, kind = f"{owner}.weight".lstrip("."), type_before_parametrizations(kind).__name__
        else:
            source = ("function", self._function, self._count["function", self._function])
            path, axes = None, None
            if kind in _WEIGHING:
                path = next((self._owners[p] for p in used), None)
                axes = self._parameter(path).ndim if path else None
        layout, grid = _layout(output, field.axes, self._batch)
        is_filter = axes in (2, 4) and kind != "Embedding"
        self._rows.append(
            Layer(
                name=name,
                kind=kind,
                output_shape=tuple(output.shape[1:] if output.shape[:1] == (self._batch,) else output.shape),
                parameters=sum(self._unused.pop(p, 0) for p in used),
                macs=macs // self._batch,
                receptive_field=self._sees(field) if layout.startswith("map") else None,
                layout=layout,
                grid=grid,
                weight=path if is_filter else None,
                input_map=flattened if is_filter and axes == 2 else None,
                source=source,
                weighing=weighing if is_filter else None,
                leads_to="output",
            )
        )
        self._trails.append(field.trail)
        self._made[output] = name

    def finish(self, output: Any) -> Layers:
        """The table, now that it is known what became of each row's positions."""
        for tensor in tensors_in(output):
            if trail := self._field_of(tensor).trail:
                trail.mark("read")
        pairs = zip(self._rows, self._trails, strict=True)
        rows = [replace(row, leads_to=self._rules.trails.leads_to(trail)) if trail else row for row, trail in pairs]
        return Layers(rows, self._ends, self.ending(output), self._drawing)

    def _sees(self, field: Field) -> ReceptiveField:
        """What a map's position sees; a map on its side has no rectangle for it."""
        upright = rows_and_columns(field.axes) in (CHANNELS_FIRST, CHANNELS_LAST)
        sees = field.sees if upright else self._rules.everything
        return sees.bound if isinstance(sees, Mirrored) else sees

    def _parameter(self, path: str) -> nn.Parameter:
        owner, _, attribute = path.rpartition(".")
        module = next(m for m, name in self._names.items() if name == owner)
        return getattr(module, attribute)

    def saw_block(self, name: str, output: Any) -> None:
        if output in self._made:
            self._ends[name] = self._made[output]

    @contextmanager
    def watching(self) -> Iterator[None]:
        with super().watching(), self._macs:
            yield


class MacCounter(TorchDispatchMode):
    """Adds up multiply-adds by the formulas of ``torch.utils.flop_counter`` (which counts each as two FLOPs)."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        with DisableTorchFunction():  # an operator that we call again is no call of the network's
            output = func(*args, **kwargs)
        flops = flop_registry.get(func._overloadpacket)
        if flops:
            self.macs += flops(*args, **kwargs, out_val=output) // 2
        elif func.namespace == "quantized" and func._opname.startswith(("conv", "linear")):
            self.macs += output.numel() * args[1].unpack()[0][0].numel()
        return output


def weight_of(part: nn.Module, name: str = "weight") -> torch.Tensor | None:
    """A module's weight; of a quantized one, whose integers are packed, as the numbers that they stand for."""
    weight = getattr(part, name, None)
    if callable(weight) and part.__class__.__module__.startswith("torch.ao.nn"):
        weight = weight()
    if not isinstance(weight, torch.Tensor):
        return None
    return weight.dequantize() if weight.is_quantized else weight


def weight_argument(args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """What a convolution or a linear function was given as its weight."""
    return kwargs.get("weight", args[1] if len(args) > 1 else None)


def own_tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from tensors_in((module._parameters, module._buffers))
    yield from (value for value in vars(module).values() if isinstance(value, torch.Tensor))


def version_of(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _layout(tensor: torch.Tensor, axes: Axes, batch: int) -> tuple[str, Grid | None]:
    """What the axes of a batch's output are, and where tokens or the positions of a sequence lie."""
    if tensor.shape[:1] != (batch,) or not 2 <= tensor.ndim <= 4:
        return "other", None
    if tensor.ndim == 2:
        return "vector", None
    if tensor.ndim == 4:
        match sorted(rows_and_columns(axes) or ()):
            case [-2, -1]:
                return "map", None
            case [-3, -2]:
                return "map, channels last", None
        return "other", None
    match is_units(axes[1]), is_units(axes[2]):
        case False, True:
            return "tokens", grid_of(axes[1])
        case True, False:
            return "sequence", grid_of(axes[2])
    return "other", None


_ENDINGS = {"special_softmax": "softmax", "special_log_softmax": "log_softmax", "special_expit": "sigmoid"}
_WRITTEN = {
    ("log", "softmax"): "log_softmax",
    ("log", "sigmoid"): "log_sigmoid",
    ("sub", "logsumexp"): "log_softmax",  # z - z.logsumexp(1)
}
"""What an operation makes of what went before it: ``torch.log(softmax(z))``."""
_HARDLY_ANYTHING = frozenset("add clamp clip clamp_min clamp_max nan_to_num".split())
"""With numbers, so that no logarithm of 0 is taken: whether it changes anything is looked at later."""
_CONSTANT = Field(whole_picture((0, 0)))  # known by identity: what does not depend on the picture
_FUSED = {f"{name}_relu": name for name in ("conv2d", "linear", "add", "mul", "cat")}  # of torch.ops.quantized
_WEIGHING = frozenset(("conv2d", "conv_transpose2d", "linear"))
_RESHAPES = frozenset(
    "view reshape flatten unflatten squeeze unsqueeze contiguous clone getitem to float double half bfloat16 type".split()
)
_BLANK = frozenset(
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full new_tensor".split()
)
