"""Where axes go when no value changes: reshaped, turned, repeated, joined, or only some of the positions taken."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import torch

from cnnwidgets.net.axes import (
    ANYTHING,
    TOKENS,
    UNITS,
    Axes,
    Axis,
    Grid,
    grid_of,
    is_units,
    merged,
    moved,
    regrouped,
    resized,
    roles,
    size_of,
    tokens,
    unknown,
    whole,
)
from cnnwidgets.net.call import Call


def after_anything(call: Call) -> Axes:
    """Of what no rule knows: axes count what they did, but no position is sure to be where it was."""
    like = next((axes for tensor, axes in call.known if tensor.ndim == call.output.ndim), None)
    if like is None:
        return unknown(call.output.shape)
    return tuple(moved(axis) for axis in fitted(like, call.output))


def same(call: Call) -> Axes:
    """The first tensor's own axes, whatever their number of positions."""
    return fitted(call.axes, call.output)


def fitted(axes: Axes, output: torch.Tensor) -> Axes:
    """The same axes, some of them longer or shorter."""
    if len(axes) != output.ndim:
        return unknown(output.shape)
    sizes = zip(axes, output.shape, strict=True)
    return tuple(axis if size_of(axis) == size else resized(axis, size) for axis, size in sizes)


def merged_axes(found: Sequence[Axes], shape: Sequence[int]) -> Axes:
    """The axes of tensors that are laid over each other, broadcast to a shape."""
    axes = []
    for number, size in enumerate(shape, -len(shape)):
        fitting = [each[number] for each in found if len(each) >= -number and size_of(each[number]) == size]
        axes.append(merged(fitting) if fitting else whole(ANYTHING, size))
    return tuple(axes)


def after_regrouping(call: Call) -> Axes:
    return regrouped(call.axes, call.output.shape)


def after_turning(call: Call) -> Axes:
    """Torch itself says in which order the axes are: a tensor of sides 1, 2, 3, ... is turned, too."""
    probe = torch.empty(tuple(range(1, call.tensor.ndim + 1)), device="meta")
    options = {name: value for name, value in call.kwargs.items() if name != "input"}
    turned = getattr(probe, call.name)
    turned = turned if isinstance(turned, torch.Tensor) else turned(*call.args[1:], **options)
    return tuple(call.axes[size - 1] for size in turned.shape)


def after_expanding(call: Call) -> Axes:
    """Repeated over axes that had one element, or that were not there; ``expand_as`` names them."""
    first, *others = merged_axes([axes for _, axes in call.known], call.output.shape)
    return (unknown(call.output.shape)[0] if roles(first) == {ANYTHING} else first, *others)


def after_stacking(call: Call) -> Axes:
    dim = call.given(1, "dim", "axis", default=0) % call.output.ndim
    shape = [size for number, size in enumerate(call.output.shape) if number != dim]
    axes = merged_axes([axes for _, axes in call.known], shape)
    return (*axes[:dim], whole(ANYTHING, call.output.shape[dim]), *axes[dim:])


def after_padding(call: Call) -> Axes:
    """With a border: tokens put before or behind others are beside their grid."""
    axes, sides = list(same(call)), call.given(1, "pad")
    for number in range(min(len(sides) // 2, len(axes))):
        old, size = call.axes[-1 - number], call.output.shape[-1 - number]
        if len(roles(old)) > 1 or TOKENS in roles(old):
            axes[-1 - number] = _beside(grid_of(old), size, *sides[2 * number : 2 * number + 2])
    return tuple(axes)


def after_joining(call: Call) -> Axes:
    """Side by side: units are more units; tokens beside those of one grid leave them on it."""
    dim = call.given(1, "dim", "axis", default=0) % call.output.ndim
    size = call.output.shape[dim]
    axes = list(merged_axes([axes for _, axes in call.known], call.output.shape))
    along = [axes[dim] for _, axes in call.known if axes[dim : dim + 1]]
    grids = [(tensor, grid) for tensor, axes in call.known if (grid := grid_of(axes[dim]))]
    if any(map(is_units, along)):
        axes[dim] = whole(UNITS, size)
    elif len(grids) == 1:
        owner, grid = grids[0]
        before = takewhile(lambda tensor: tensor is not owner, call.tensors)
        front = sum(tensor.shape[dim] for tensor in before if tensor.ndim == len(axes))
        axes[dim] = _beside(grid, size, front)
    else:
        axes[dim] = moved(resized(along[0], size)) if len(set(map(_only_role, along))) == 1 else whole(ANYTHING, size)
    return tuple(axes)


def _beside(grid: Grid | None, size: int, before: int, behind: int = 0) -> Axis:
    """Tokens of a grid with others before and behind them."""
    if grid is None or min(before, behind) < 0:
        return whole(ANYTHING, size)
    rows, columns, first = grid
    return tokens(size, (rows, columns, first + before))


def after_picking(call: Call) -> Axes:
    """Only some positions taken: of an axis, a slice; of others, one, which leaves no axis."""
    left = [(dim, taken) for dim, taken in call.picks if not isinstance(taken, int)]
    found = []
    for (dim, taken), size in zip(left, call.output.shape, strict=True):
        if dim is None:
            found.append(whole(ANYTHING, size))
        elif taken is None:
            found.append(moved(resized(call.axes[dim], size)))
        else:
            found.append(sliced(call.axes[dim], taken))
    return tuple(found)


def sliced(axis: Axis, taken: range) -> Axis:
    """The axis of some of its positions: tokens are still on their grid if all that lie on it are taken."""
    if len(taken) == size_of(axis):
        return axis
    if grid := grid_of(axis):
        rows, columns, first = grid
        if taken.step == 1 and taken.start <= first and first + rows * columns <= taken.stop:
            return tokens(len(taken), (rows, columns, first - taken.start))
    return resized(axis, len(taken))


def _only_role(axis: Axis) -> str:
    return next(iter(roles(axis))) if len(roles(axis)) == 1 else ANYTHING
