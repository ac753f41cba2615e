"""How far each function of a forward pass sees: the rules by which a receptive field goes from input to output.

A :class:`Field` travels with every tensor. It knows which two axes are height and width, and what one position sees. Each
rule takes its function's own arguments beside its first tensor's field, and says what the output's field is. Whatever no
rule knows sees the whole picture: never too little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import add, sub

import torch

from cnnwidgets.net.layers import Pair, ReceptiveField

CHANNELS_FIRST = (-2, -1)
CHANNELS_LAST = (-3, -2)


@dataclass(frozen=True)
class Field:
    """What a tensor's positions see. Axes count from the end; ``flattened`` is the map a flat vector was made of."""

    sees: ReceptiveField
    axes: tuple[int, int] | None = CHANNELS_FIRST
    flattened: tuple[int, int, int] | None = None


def whole_picture(size: tuple[int, int]) -> ReceptiveField:
    return ReceptiveField(size, (0, 0), (0, 0), "global")


def pixels() -> Field:
    """The field of the input itself: each position sees its own pixel."""
    return Field(ReceptiveField((1, 1), (1, 1), (0, 0), "exact"))


class FieldRules:
    """``rules(function name, tensors' fields, args, kwargs, output)`` gives the output's field.

    Parameters:
        picture: height and width of the input picture.
    """

    def __init__(self, picture: tuple[int, int]):
        self._everything = whole_picture(picture)

    def unknown(self, output: torch.Tensor, inputs: Sequence[tuple[torch.Tensor, Field]] = ()) -> Field:
        """The field after something that no rule knows: everything is seen, and axes are kept if their number is."""
        axes = next((f.axes for t, f in inputs if f.axes and t.ndim == output.ndim), None)
        if not inputs and output.ndim == 4:
            axes = CHANNELS_FIRST
        return Field(self._everything, axes)

    def __call__(self, name: str, args: tuple, kwargs: dict, inputs: list, output: torch.Tensor) -> Field:
        tensor, field = inputs[0]
        kwargs = {key: value for key, value in kwargs.items() if key not in ("input", "self", "tensors")}
        if name in _POINTWISE or (name in ("max", "min") and len(inputs) == 2):
            return self._pointwise(inputs, output)
        if name in _JOINS:
            return self._cat(inputs, output, *args[1:], **kwargs)
        rule = getattr(self, f"_{name}", None) or getattr(self, f"_{_ALIASES.get(name)}", None)
        if rule is None or len(inputs) > 1 or (field.axes is None and name != "linear"):
            return self.unknown(output, inputs)
        if name in _WINDOWS and field.axes != CHANNELS_FIRST:
            return self.unknown(output, inputs)
        try:
            return rule(tensor, field, output, *args[1:], **kwargs)
        except (AttributeError, TypeError):  # a function of the same name that takes other arguments
            return self.unknown(output, inputs)

    def _pointwise(self, inputs, output) -> Field:
        """Element by element; of several inputs, each position sees what it sees through any of them."""
        fields = [field for _, field in inputs]
        sees = fields[0].sees
        for field in fields[1:]:
            sees = self._union(sees, field.sees)
        axes = next((f.axes for t, f in inputs if f.axes and t.ndim == output.ndim and t.shape == output.shape), None)
        axes = axes or next((f.axes for t, f in inputs if f.axes and t.ndim == output.ndim), None)
        if any(f.sees.status != "global" and (f.axes != axes or _sides(t, axes) != _sides(output, axes)) for t, f in inputs):
            sees = self._everything  # one position, broadcast over all
        return Field(sees, axes, fields[0].flattened)

    def _union(self, a: ReceptiveField, b: ReceptiveField) -> ReceptiveField:
        """The smallest rectangle around both; exact where both are."""
        if "global" in (a.status, b.status) or a.step != b.step:
            return self._everything
        low = _pair(min, a.offset, b.offset)
        high = _pair(max, _pair(add, a.offset, a.size), _pair(add, b.offset, b.size))
        status = "exact" if {a.status, b.status} == {"exact"} else "bound"
        return ReceptiveField(_pair(sub, high, low), a.step, low, status)

    def _window(self, field: Field, kernel, stride, padding, dilation=1, status=None) -> Field:
        """A window that slides over the two axes: convolution and pooling."""
        kernel, stride, padding, dilation = map(_two, (kernel, stride, padding, dilation))
        sees = field.sees
        if sees.status == "global":
            return field
        reach = tuple((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
        return Field(
            ReceptiveField(
                size=tuple(s + r * t for s, r, t in zip(sees.size, reach, sees.step, strict=True)),
                step=tuple(t * s for t, s in zip(sees.step, stride, strict=True)),
                offset=tuple(o - p * t for o, p, t in zip(sees.offset, padding, sees.step, strict=True)),
                status=status or sees.status,
            ),
            field.axes,
        )

    def _conv2d(self, tensor, field, output, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Field:
        if not isinstance(weight, torch.Tensor):  # of torch.ops.quantized: packed with what else there is
            return self._window(field, weight.unpack()[0].shape[-2:], weight.stride(), weight.padding(), weight.dilation())
        kernel, dilation = weight.shape[-2:], _two(dilation)
        if padding == "same":  # torch puts the odd pixel at the end
            padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
        elif padding == "valid":
            padding = 0
        return self._window(field, kernel, stride, padding, dilation)

    def _max_pool2d(
        self,
        tensor,
        field,
        output,
        kernel_size,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
    ) -> Field:
        return self._window(field, kernel_size, stride or kernel_size, padding, dilation)

    def _lp_pool2d(self, tensor, field, output, norm_type, kernel_size, stride=None, ceil_mode=False) -> Field:
        return self._window(field, kernel_size, stride or kernel_size, 0)

    def _avg_pool2d(self, tensor, field, output, kernel_size, stride=None, padding=0, *rest, **more) -> Field:
        return self._window(field, kernel_size, stride or kernel_size, padding)

    def _adaptive_avg_pool2d(self, tensor, field, output, output_size, return_indices=False) -> Field:
        """Windows from floor(i * n / m) to ceil((i + 1) * n / m): even ones if m divides n, else up to two wider."""
        ratios = tuple(n / m for n, m in zip(tensor.shape[-2:], output.shape[-2:], strict=True))
        if output.shape[-2:] == (1, 1):
            return Field(self._everything, field.axes)
        if all(ratio.is_integer() for ratio in ratios):
            return self._window(field, tuple(map(int, ratios)), tuple(map(int, ratios)), 0)
        return self._window(field, tuple(math.ceil(r) + 2 for r in ratios), ratios, 1, status="bound")

    def _pad(self, tensor, field, output, pad, mode="constant", value=None) -> Field:
        if mode == "circular":
            return self.unknown(output, [(tensor, field)])
        left, top = pad[0], pad[2] if len(pad) > 2 else 0  # further ones pad with units or pictures
        return self._window(field, 1, 1, (top, left), status=None if mode == "constant" else "bound")

    def _cat(self, inputs, output, dim=0, *, axis=None) -> Field:
        """Side by side along the units: each unit sees what its branch sees, and the rectangle around all is a bound."""
        dim = _from_end(dim if axis is None else axis, output)
        field = self._pointwise([(t, f) for t, f in inputs if f.axes], output) if all(f.axes for _, f in inputs) else None
        if field is None or dim in (field.axes or ()):
            return self.unknown(output, inputs)
        branches = {f.sees for _, f in inputs}
        if len(branches) > 1 and field.sees.status == "exact":
            field = replace(field, sees=replace(field.sees, status="bound"))
        return field

    def _softmax(self, tensor, field, output, dim=-1, *rest, **more) -> Field:
        if dim is None:  # torch's old implicit choice
            dim = 0 if tensor.ndim in (0, 1, 3) else 1
        return Field(self._everything if _from_end(dim, tensor) in field.axes else field.sees, field.axes)

    def _batch_norm(
        self, tensor, field, output, running_mean, running_var, weight=None, bias=None, training=False, *rest, **more
    ) -> Field:
        return Field(self._everything if training or running_mean is None else field.sees, field.axes)

    def _layer_norm(self, tensor, field, output, normalized_shape, *rest, **more) -> Field:
        normalized = range(-len(normalized_shape), 0)
        return Field(self._everything if set(normalized) & set(field.axes) else field.sees, field.axes)

    def _linear(self, tensor, field, output, weight, bias=None) -> Field:
        if field.axes == CHANNELS_LAST:
            return Field(field.sees, field.axes)
        return Field(self._everything, None)

    def _reduce(self, tensor, field, output, *rest, **more) -> Field:
        """A mean, a sum, a maximum: over the units the positions stay, over positions everything is seen."""
        if output.ndim == tensor.ndim and all(output.shape[a] == tensor.shape[a] for a in field.axes):
            return Field(field.sees, field.axes)
        return self.unknown(output, [(tensor, field)])

    def _getitem(self, tensor, field, output, index) -> Field:
        """Slices take rows and columns from ``start`` on, ``step`` apart; whatever else is an index is not followed."""
        index = index if isinstance(index, tuple) else (index,)
        if output.ndim != tensor.ndim or not all(isinstance(i, slice) or i is ... for i in index):
            return self.unknown(output, [(tensor, field)])
        rest = index.index(...) if ... in index else len(index)
        slices = [*index[:rest], *[slice(None)] * (tensor.ndim - len(index) + (... in index)), *index[rest + 1 :]]
        taken = [range(*slices[axis].indices(tensor.shape[axis])) for axis in field.axes]
        return self._window(field, 1, [r.step for r in taken], [-r.start for r in taken])

    def _permute(self, tensor, field, output, *dims, **more) -> Field:
        if more or len(dims) == 1:
            dims = tuple(more.get("dims", dims and dims[0]))
        order = [_from_end(d, tensor) for d in dims]
        axes = tuple(order.index(axis) - tensor.ndim for axis in field.axes)
        return Field(field.sees, axes) if axes in (CHANNELS_FIRST, CHANNELS_LAST) else self.unknown(output)

    def _transpose(self, tensor, field, output, dim0, dim1) -> Field:
        order = list(range(-tensor.ndim, 0))
        a, b = dim0 % tensor.ndim, dim1 % tensor.ndim
        order[a], order[b] = order[b], order[a]
        return self._permute(tensor, field, output, order)

    def _reshape(self, tensor, field, output, *shape, **more) -> Field:
        """A new view: positions survive if the last two axes do (a channel shuffle), else it is a flat vector."""
        if field.axes == CHANNELS_FIRST and output.ndim > 2 and output.shape[-2:] == tensor.shape[-2:]:
            return Field(field.sees, field.axes)
        is_flat = field.axes == CHANNELS_FIRST and tensor.ndim == 4 and output.shape == (len(tensor), tensor[0].numel())
        flat = tuple(tensor.shape[1:]) if is_flat else None
        return Field(self._everything, None, flat)


_POINTWISE = frozenset(
    "relu relu6 leaky_relu prelu elu selu celu gelu silu mish sigmoid log_sigmoid tanh hardtanh hardswish hardsigmoid "
    "softplus softsign threshold clamp clip exp log sqrt rsqrt square abs neg pow sin cos erf dropout dropout2d "
    "feature_dropout alpha_dropout add sub mul div maximum minimum where addcmul lerp local_response_norm contiguous clone "
    "detach to float half double type bfloat16 fill masked_fill identity positive stochastic_depth eq ne gt ge lt le "
    "clamp_min clamp_max sign reciprocal expm1 log1p tan round floor ceil hardshrink softshrink tanhshrink rrelu "
    "quantize_per_tensor quantize_per_channel dequantize dropout1d dropout3d feature_alpha_dropout floor_divide "
    "remainder".split()
)
_JOINS = frozenset(("cat", "concat", "concatenate"))
_WINDOWS = frozenset(
    "conv2d conv2d_relu pad max_pool2d max_pool2d_with_indices avg_pool2d lp_pool2d adaptive_avg_pool2d "
    "adaptive_max_pool2d".split()
)
_ALIASES = {
    "log_softmax": "softmax", "softmin": "softmax",
    "adaptive_max_pool2d": "adaptive_avg_pool2d", "mean": "reduce", "sum": "reduce", "amax": "reduce", "amin": "reduce",
    "max": "reduce", "min": "reduce", "std": "reduce", "var": "reduce", "norm": "reduce", "split": "reduce",
    "chunk": "reduce", "conv2d_relu": "conv2d",
    "flatten": "reshape", "view": "reshape", "unflatten": "reshape", "squeeze": "reshape",
    "swapaxes": "transpose", "swapdims": "transpose", "max_pool2d_with_indices": "max_pool2d",
}  # fmt: skip


def _two(value) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list, torch.Size)) and len(value) == 2 else (_one(value),) * 2


def _one(value):
    return value[0] if isinstance(value, (tuple, list)) else value


def _sides(tensor: torch.Tensor, axes: tuple[int, int]) -> list[int]:
    return [tensor.shape[axis] for axis in axes]


def _pair(function, a: Pair, b: Pair) -> Pair:
    return function(a[0], b[0]), function(a[1], b[1])


def _from_end(dim: int, tensor: torch.Tensor) -> int:
    return dim % tensor.ndim - tensor.ndim
