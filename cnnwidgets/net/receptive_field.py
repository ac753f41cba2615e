"""How far each function of a forward pass sees: the rules by which a receptive field goes from input to output.

A :class:`Field` travels with every tensor. It knows what the tensor's axes count, and what one position of a map sees. Each
rule says what the positions of the output see. Whatever no rule knows sees the whole picture: never too little.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from operator import add, sub
from typing import Any

import numpy as np
import torch

from cnnwidgets.net.axes import (
    CHANNELS_FIRST,
    COLUMNS,
    ROWS,
    Axes,
    are_placed,
    has_places,
    map_axes,
    roles,
    rows_and_columns,
    shape_of,
    unknown,
)
from cnnwidgets.net.axis_rules import axes_after
from cnnwidgets.net.call import JOINS, PICKS, REDUCTIONS, REGROUPS, REORDERS, SOFTMAXES, TURNS, Call
from cnnwidgets.net.layers import Pair, ReceptiveField
from cnnwidgets.net.spans import Span
from cnnwidgets.net.trail import Trail, Trails


@dataclass(frozen=True)
class Field:
    """What is known of a tensor.

    Attributes:
        sees: what each position sees, on whatever axes the positions are.
        axes: what its axes count.
        trail: what it was made of, position by position; None if its positions do not lie in the picture.
        is_share: whether a softmax gave it.
    """

    sees: ReceptiveField
    axes: Axes = ()
    trail: Trail | None = None
    is_share: bool = False


@dataclass(frozen=True)
class Mirrored(ReceptiveField):
    """Behind a mirrored border: the field of a regular grid, and what each position along rows and columns really sees."""

    spans: tuple[Span, Span] = dataclasses.field(kw_only=True, compare=False, repr=False)

    @property
    def plain(self) -> ReceptiveField:
        """The field of the grid."""
        return ReceptiveField(self.size, self.step, self.offset, self.status)

    @property
    def bound(self) -> ReceptiveField:
        """The smallest boxes on the grid's steps that hold what every position sees."""
        grids = zip(self.spans, self.offset, self.step, self.size, strict=True)
        beyond = [span.excess(*grid) for span, *grid in grids]
        before, after = zip(*beyond, strict=True)
        size = _pair(add, self.size, _pair(add, before, after))
        return ReceptiveField(size, self.step, _pair(sub, self.offset, before), "bound")


def whole_picture(size: tuple[int, int]) -> ReceptiveField:
    return ReceptiveField(size, (0, 0), (0, 0), "global")


def pixels(picture: torch.Tensor) -> Field:
    """The field of the input itself: each position sees its own pixel."""
    return Field(ReceptiveField((1, 1), (1, 1), (0, 0), "exact"), map_axes(picture.shape), Trail("picture"))


class FieldRules:
    """``rules(call, tensors' fields)`` gives the output's field.

    Parameters:
        picture: height and width of the input picture.
    """

    def __init__(self, picture: tuple[int, int]):
        self.everything = whole_picture(picture)
        self.trails = Trails()

    def of_unknown_origin(self, tensor: torch.Tensor, axes: Axes | None = None) -> Field:
        """Of what no function that was seen has made or written to: where nothing is known, four axes are those of maps."""
        fallback = map_axes(tensor.shape) if tensor.ndim == 4 else unknown(tensor.shape)
        return Field(self.everything, axes if axes and shape_of(axes) == tensor.shape else fallback)

    def __call__(self, call: Call, fields: Sequence[Field]) -> Field:
        axes = axes_after(call)
        sees = self._sees(call, fields, axes) if are_placed(axes) else self.everything
        shares = [tensor for (tensor, _), field in zip(call.known, fields, strict=True) if field.is_share]
        trail = self.trails.after(call, [field.trail for field in fields], shares, axes)
        is_product = call.summed_axes(call.tensor) is not None
        still_shares = any(tensor.numel() == call.output.numel() for tensor in shares) and not is_product
        return Field(sees, axes, trail, call.name == "softmax" or still_shares)

    def _sees(self, call: Call, fields: Sequence[Field], axes: Axes) -> ReceptiveField:
        sees = fields[0].sees
        if call.is_pointwise:
            return self._pointwise(fields, axes)
        if call.name in JOINS:
            return self._cat(call, fields, axes)
        if sees.status == "global" or len(fields) > 1:
            return self.everything
        if call.name in REGROUPS | TURNS:
            return sees
        if call.name == "batch_norm":
            running, training = call.given(1, "running_mean"), call.given(5, "training", default=False)
            return self.everything if training or running is None else sees
        if call.name in _ALONG_DIMENSIONS:
            return self.everything if any(has_places(call.axes[dim]) for dim in call.dims) else sees
        if call.name in PICKS:
            return self._picked(call, sees)
        rule = getattr(self, f"_{_ALIASES.get(call.name, call.name)}", None) if call.name in _WINDOWS else None
        if rule is None or rows_and_columns(call.axes) != CHANNELS_FIRST:
            return self.everything
        kwargs = {key: value for key, value in call.kwargs.items() if key not in ("input", "self")}
        try:
            return rule(sees, call, *call.args[1:], **kwargs)
        except (AttributeError, TypeError):  # a function of the same name that takes other arguments
            return self.everything

    def _pointwise(self, fields: Sequence[Field], axes: Axes) -> ReceptiveField:
        """Element by element; of several inputs, each position sees what it sees through any of them."""
        sees = fields[0].sees
        for field in fields[1:]:
            sees = self._union(sees, field.sees)
        if any(field.sees.status != "global" and not _lie_alike(field.axes, axes) for field in fields):
            return self.everything  # one position, broadcast over all
        return sees

    def _union(self, a: ReceptiveField, b: ReceptiveField) -> ReceptiveField:
        """The smallest rectangle around both; exact where both are."""
        if "global" in (a.status, b.status) or a.step != b.step:
            return self.everything
        low = _pair(min, a.offset, b.offset)
        high = _pair(max, _pair(add, a.offset, a.size), _pair(add, b.offset, b.size))
        status = "exact" if {a.status, b.status} == {"exact"} else "bound"
        found = ReceptiveField(_pair(sub, high, low), a.step, low, status)
        if not (isinstance(a, Mirrored) or isinstance(b, Mirrored)):
            return found
        counts = [len(span.lows) for span in next(each for each in (a, b) if isinstance(each, Mirrored)).spans]
        both = zip(self._spans(a, counts), self._spans(b, counts), strict=True)
        return _mirrored(found, [one.or_of(other) for one, other in both])

    def _spans(self, sees: ReceptiveField, counts: Sequence[int]) -> tuple[Span, Span]:
        """What each of so many rows and columns of positions sees."""
        if isinstance(sees, Mirrored):
            return sees.spans
        grids = zip(sees.offset, sees.step, sees.size, counts, self.everything.size, strict=True)
        rows, columns = (Span.regular(offset, step, size, count, int(side)) for offset, step, size, count, side in grids)
        return rows, columns

    def _window(
        self, sees: ReceptiveField, call: Any, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, status: Any = None
    ) -> ReceptiveField:
        """A window that slides over rows and columns: convolution and pooling."""
        kernel, stride, padding, dilation = map(_two, (kernel, stride, padding, dilation))
        reach = tuple((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
        found = ReceptiveField(
            size=tuple(s + r * t for s, r, t in zip(sees.size, reach, sees.step, strict=True)),
            step=tuple(t * s for t, s in zip(sees.step, stride, strict=True)),
            offset=tuple(o - p * t for o, p, t in zip(sees.offset, padding, sees.step, strict=True)),
            status=status or sees.status,
        )
        if not isinstance(sees, Mirrored):
            return found
        axes = zip(sees.spans, kernel, stride, padding, dilation, call.output.shape[-2:], strict=True)
        return _mirrored(found, [span.windows(k, s, p, d, count) for span, k, s, p, d, count in axes])

    def _conv2d(
        self,
        sees: ReceptiveField,
        call: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: Any = 1,
    ) -> ReceptiveField:
        if not isinstance(weight, torch.Tensor):  # of torch.ops.quantized: packed with what else there is
            kernel = weight.unpack()[0].shape[-2:]
            return self._window(sees, call, kernel, weight.stride(), weight.padding(), weight.dilation())
        kernel, dilation = weight.shape[-2:], _two(dilation)
        if padding == "same":  # torch puts the odd pixel at the end
            padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
        elif padding == "valid":
            padding = 0
        return self._window(sees, call, kernel, stride, padding, dilation)

    def _max_pool2d(
        self,
        sees: ReceptiveField,
        call: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: Any = False,
        return_indices: Any = False,
    ) -> ReceptiveField:
        return self._window(sees, call, kernel_size, stride or kernel_size, padding, dilation)

    def _lp_pool2d(
        self, sees: ReceptiveField, call: Any, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: Any = False
    ) -> ReceptiveField:
        return self._window(sees, call, kernel_size, stride or kernel_size, 0)

    def _avg_pool2d(
        self,
        sees: ReceptiveField,
        call: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        *rest: Any,
        **more: Any,
    ) -> ReceptiveField:
        return self._window(sees, call, kernel_size, stride or kernel_size, padding)

    def _adaptive_avg_pool2d(
        self, sees: ReceptiveField, call: Any, output_size: Any, return_indices: Any = False
    ) -> ReceptiveField:
        """Windows from floor(i * n / m) to ceil((i + 1) * n / m): even ones if m divides n, else up to two wider."""
        ratios = tuple(n / m for n, m in zip(call.tensor.shape[-2:], call.output.shape[-2:], strict=True))
        if call.output.shape[-2:] == (1, 1):
            return self.everything
        if all(ratio.is_integer() for ratio in ratios):
            return self._window(sees, call, tuple(map(int, ratios)), tuple(map(int, ratios)), 0)
        plain = sees.plain if isinstance(sees, Mirrored) else sees
        found = self._window(plain, call, tuple(math.ceil(r) + 2 for r in ratios), ratios, 1, status="bound")
        if not isinstance(sees, Mirrored):
            return found
        axes = zip(sees.spans, ratios, call.output.shape[-2:], strict=True)
        return _mirrored(found, [span.at(_adapted(ratio, count)) for span, ratio, count in axes])

    def _pad(self, sees: ReceptiveField, call: Any, pad: Any, mode: str = "constant", value: Any = None) -> ReceptiveField:
        if mode == "circular":
            return self.everything
        left, right, top, bottom = (*pad, 0, 0)[:4]  # further ones pad with units or pictures
        if mode == "constant":
            return self._window(sees, call, 1, 1, (top, left))
        plain = sees.plain if isinstance(sees, Mirrored) else sees
        borders = zip(self._spans(sees, call.tensor.shape[-2:]), ((top, bottom), (left, right)), strict=True)
        found = self._window(plain, call, 1, 1, (top, left), status="bound")
        return _mirrored(found, [span.bordered(*border, mode) for span, border in borders])

    def _cat(self, call: Call, fields: Sequence[Field], axes: Axes) -> ReceptiveField:
        """Side by side along the units: each unit sees what its branch sees, and the rectangle around all is a bound."""
        dim = call.given(1, "dim", "axis", default=0) % len(axes)
        if has_places(axes[dim]):  # tokens beside those of a grid, which see what they saw
            on_grid = [field.sees for field in fields if has_places(field.axes[dim])]
            return on_grid[0] if len(on_grid) == 1 else self.everything
        sees = self._pointwise(fields, axes)
        branches = {field.sees for field in fields}
        return replace(sees, status="bound") if len(branches) > 1 and sees.status == "exact" else sees

    def _picked(self, call: Call, sees: ReceptiveField) -> ReceptiveField:
        """Slices take rows and columns from ``start`` on, ``step`` apart; whatever else is an index is not followed."""
        starts, steps, counts = [0, 0], [1, 1], [0, 0]
        for dim, taken in call.picks:
            if dim is None or not has_places(call.axes[dim]):
                continue
            if not isinstance(taken, range):
                return self.everything
            for side, role in enumerate((ROWS, COLUMNS)):
                if roles(call.axes[dim]) == {role}:
                    starts[side], steps[side], counts[side] = taken.start, taken.step, len(taken)
        plain = sees.plain if isinstance(sees, Mirrored) else sees
        found = self._window(plain, call, 1, steps, [-start for start in starts])
        if not isinstance(sees, Mirrored):
            return found
        axes = zip(sees.spans, steps, starts, counts, strict=True)
        return _mirrored(found, [span.windows(1, step, -start, 1, count) for span, step, start, count in axes])


_WINDOWS = frozenset(
    "conv2d pad max_pool2d max_pool2d_with_indices avg_pool2d lp_pool2d adaptive_avg_pool2d adaptive_max_pool2d".split()
)
_ALIASES = {"adaptive_max_pool2d": "adaptive_avg_pool2d", "max_pool2d_with_indices": "max_pool2d"}
_ALONG_DIMENSIONS = (
    SOFTMAXES | REDUCTIONS | REORDERS | frozenset("linear layer_norm rms_norm normalize glu cumsum cumprod".split())
)


def _mirrored(sees: ReceptiveField, spans: Sequence[Span]) -> Mirrored:
    return Mirrored(sees.size, sees.step, sees.offset, "bound", spans=(spans[0], spans[1]))


def _adapted(ratio: float, count: int) -> np.ndarray:
    """The positions of each window of an adaptive pooling; -1 beyond its end."""
    firsts, ends = (np.floor(np.arange(count) * ratio + 1e-9), np.ceil(np.arange(1, count + 1) * ratio - 1e-9))
    found = firsts[:, None] + np.arange(int((ends - firsts).max(initial=0)))
    return np.where(found < ends[:, None], found, -1).astype(int)


def _lie_alike(some: Axes, all_axes: Axes) -> bool:
    """Whether positions are on the same axes of two tensors, as many of them: neither is broadcast."""
    pairs = zip_longest(reversed(some), reversed(all_axes), fillvalue=())
    return all(one == other for one, other in pairs if has_places(one) or has_places(other))


def _two(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list, torch.Size)) and len(value) == 2 else (_one(value),) * 2


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) else value


def _pair(function: Any, a: Pair, b: Pair) -> Pair:
    return function(a[0], b[0]), function(a[1], b[1])
