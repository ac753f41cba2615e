"""Where each function of a forward pass leaves the axes: the rules by which units, rows, columns and tokens are followed.

Each rule takes a :class:`~cnnwidgets.net.call.Call` and says what the axes of its output count. Whatever no rule knows
leaves positions in an order that may not be the picture's any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from cnnwidgets.net.axes import (
    ANYTHING,
    CHANNELS_FIRST,
    COLUMNS,
    MOVED,
    ROWS,
    UNITS,
    Axes,
    Axis,
    are_placed,
    is_units,
    map_axes,
    merged,
    moved,
    resized,
    roles,
    rows_and_columns,
    settled,
    shape_of,
    size_of,
    unknown,
    whole,
)
from cnnwidgets.net.axis_moves import (
    after_anything,
    after_expanding,
    after_joining,
    after_padding,
    after_picking,
    after_regrouping,
    after_stacking,
    after_turning,
    merged_axes,
    same,
)
from cnnwidgets.net.call import (
    ATTENTIONS,
    JOINS,
    PICKS,
    PRODUCTS,
    PROJECTING,
    REDUCTIONS,
    REGROUPS,
    REORDERS,
    SOFTMAXES,
    TURNS,
    Call,
)


def axes_after(call: Call) -> Axes:
    """What the axes of a function's output count."""
    rule = _pointwise if call.is_pointwise else _RULES.get(call.name, after_anything)
    try:
        axes = settled(rule(call))
    except LookupError:  # an index or an equation that no rule reads
        axes = after_anything(call)
    return axes if shape_of(axes) == call.output.shape else unknown(call.output.shape)


# what keeps every axis, or leaves one out


def _pointwise(call: Call) -> Axes:
    """Element by element, an axis of one element broadcast over the others."""
    return merged_axes([axes for _, axes in call.known], call.output.shape)


def _reordered(call: Call) -> Axes:
    """Positions in another order, along some dimensions."""
    axes, dims = same(call), call.dims
    return tuple(moved(axis) if number in dims else axis for number, axis in enumerate(axes))


def _reduce(call: Call) -> Axes:
    """A mean, a sum, a maximum."""
    dims = call.dims
    if call.output.ndim == call.tensor.ndim:
        return same(call)
    return tuple(axis for number, axis in enumerate(call.axes) if number not in dims)


# what gives units


def _linear(call: Call) -> Axes:
    """The last axis counts the new units; what were units before are positions of theirs."""
    return (*map(_no_units, call.axes[:-1]), whole(UNITS, call.output.shape[-1]))


def _recurrent(call: Call) -> Axes:
    return _linear(call) if call.output.shape[:-1] == call.tensor.shape[:-1] else unknown(call.output.shape)


def _convolution(call: Call, dims: int) -> Axes:
    """Units, then as many axes of positions as the convolution has."""
    before, positions = call.axes[: -dims - 1], call.axes[-dims:]
    return (*before, whole(UNITS, call.output.shape[-dims - 1]), *_positions(positions, call.output.shape[-dims:]))


def _pooling(call: Call, dims: int) -> Axes:
    before, positions = call.axes[:-dims], call.axes[-dims:]
    return (*before, *_positions(positions, call.output.shape[-dims:]))


def _positions(axes: Sequence[Axis], sizes: Sequence[int]) -> list[Axis]:
    """Axes over which windows slide: rows and columns are what they were, only fewer or more of them."""
    names = (MOVED[ROWS], MOVED[COLUMNS]) if len(axes) == 2 else (ANYTHING,) * len(axes)
    found = []
    for axis, size, name in zip(axes, sizes, names, strict=True):
        if is_units(axis):
            axis = whole(ANYTHING, size)
        elif roles(axis) == {ANYTHING}:
            axis = whole(name, size)
        found.append(axis if size_of(axis) == size else resized(axis, size))
    return found


def _resampled(call: Call) -> Axes:
    return _pooling(call, call.output.ndim - 2)


def _normalized(call: Call) -> Axes:
    """Batch, group or instance norm: where nothing else is known, the second axis counts units."""
    axes = same(call)
    if len(axes) > 1 and roles(axes[1]) == {ANYTHING} and not any(map(is_units, axes)):
        return (axes[0], whole(UNITS, call.output.shape[1]), *axes[2:])
    return axes


def _warped(call: Call) -> Axes:
    """A picture sampled at computed places."""
    return tuple(map(moved, map_axes(call.output.shape)))


def _unfold(call: Call) -> Axes:
    """``F.unfold``: the windows of a map in a row, the values of each are units."""
    if call.output.ndim != 3 or rows_and_columns(call.axes) != CHANNELS_FIRST:
        return unknown(call.output.shape)
    options = [("kernel_size", None), ("dilation", 1), ("padding", 0), ("stride", 1)]
    sizes = [call.given(position, name, default=usual) for position, (name, usual) in enumerate(options, 1)]
    by_side = zip(call.tensor.shape[-2:], *((size, size) if isinstance(size, int) else size for size in sizes), strict=True)
    sides = [(side + 2 * pad - dilate * (kernel - 1) - 1) // stride + 1 for side, kernel, dilate, pad, stride in by_side]
    rows, columns = (resized(axis, side) for axis, side in zip(call.axes[-2:], sides, strict=True))
    return (call.axes[0], whole(UNITS, call.output.shape[1]), rows + columns)


def _fold(call: Call) -> Axes:
    axes = map_axes(call.output.shape)
    return axes if are_placed(call.axes) else tuple(map(moved, axes))


# products


def _matmul(call: Call) -> Axes:
    """(..., i, k) times (..., k, j): i is what it was in the first, j what it was in the second."""
    first, second = call.factors
    if min(first.ndim, second.ndim) < 2:
        return unknown(call.output.shape)
    left, right = call.axes_of(first), call.axes_of(second)
    shape = call.output.shape
    before = merged_axes([axes[:-2] for axes in (left, right) if axes], shape[:-2])
    rows = left[-2] if left else whole(ANYTHING, shape[-2])
    columns = right[-1] if right else whole(UNITS if left and is_units(left[-1]) else ANYTHING, shape[-1])
    return (*before, rows, columns)


def _einsum(call: Call) -> Axes:
    terms, result = call.letters
    found = []
    for letter, size in zip(result, call.output.shape, strict=True):
        fitting = [axes[term.index(letter)] for term, axes, _ in terms if axes and letter in term]
        found.append(merged(fitting) if fitting else whole(UNITS, size))
    return tuple(found)


def _attention(call: Call) -> Axes:
    """The queries' positions; units are the values', or those of the layer's own last product."""
    query, _, value = call.queries_keys_values
    axes, values = call.axes_of(query), call.axes_of(value)
    before = axes[:-1] if axes else unknown(call.output.shape)[:-1]
    units = whole(UNITS, call.output.shape[-1])
    return (*before, values[-1] if values and call.name not in PROJECTING else units)


def _no_units(axis: Axis) -> Axis:
    return whole(ANYTHING, size_of(axis)) if is_units(axis) else axis


_POOLINGS = "max_pool avg_pool lp_pool adaptive_max_pool adaptive_avg_pool max_unpool".split()


def _rules(names: frozenset[str] | str, rule: Callable[[Call], Axes]) -> dict[str, Callable[[Call], Axes]]:
    return dict.fromkeys(names.split() if isinstance(names, str) else names, rule)


_RULES = {
    **_rules(SOFTMAXES | {"layer_norm", "rms_norm", "normalize", "cumsum", "cumprod", "glu", "repeat_interleave"}, same),
    **_rules("batch_norm group_norm instance_norm", _normalized),
    **_rules(REDUCTIONS, _reduce),
    **_rules(REORDERS, _reordered),
    **_rules("pad", after_padding),
    **_rules("linear", _linear),
    **_rules("lstm gru rnn_tanh rnn_relu", _recurrent),
    **_rules("conv1d conv_transpose1d", partial(_convolution, dims=1)),
    **_rules("conv2d conv_transpose2d deform_conv2d pixel_shuffle pixel_unshuffle", partial(_convolution, dims=2)),
    **_rules("conv3d conv_transpose3d", partial(_convolution, dims=3)),
    **_rules(" ".join(f"{kind}1d" for kind in _POOLINGS), partial(_pooling, dims=1)),
    **_rules(" ".join(f"{kind}2d" for kind in _POOLINGS), partial(_pooling, dims=2)),
    **_rules("max_pool2d_with_indices adaptive_max_pool2d_with_indices", partial(_pooling, dims=2)),
    **_rules("interpolate upsample", _resampled),
    **_rules("channel_shuffle native_channel_shuffle", same),
    **_rules("grid_sample grid_sampler", _warped),
    **_rules("unfold im2col", _unfold),
    **_rules("fold col2im", _fold),
    **_rules(PRODUCTS, _matmul),
    **_rules("einsum", _einsum),
    **_rules(ATTENTIONS, _attention),
    **_rules(REGROUPS, after_regrouping),
    **_rules(TURNS, after_turning),
    **_rules("expand expand_as broadcast_to", after_expanding),
    **_rules("stack", after_stacking),
    **_rules(JOINS, after_joining),
    **_rules(PICKS, after_picking),
}
