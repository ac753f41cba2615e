"""What each function makes of the wires that go into it: it moves them, passes them on one by one, or weighs them.

The labels of a tensor have its shape, and hold for each value the number of the wire that it is on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from cnnwidgets.net.call import JOINS, PICKS, REGROUPS, TURNS
from cnnwidgets.net.wires import NOTHING, Kernels, Same


class Stop(Exception):
    """A function that is not followed; says why, in words that go with its name."""


@dataclass(frozen=True, eq=False)
class Made:
    """A node that a function makes.

    Attributes:
        kind, links: as of :class:`Node`.
        labels: those of the output, the node's wires being numbered from 0 on.
        count: number of wires.
    """

    kind: str
    links: tuple[Same | Kernels, ...]
    labels: Tensor
    count: int


@dataclass(frozen=True, eq=False)
class Asked:
    """A call whose output's wires are asked for.

    Attributes:
        function, name: the function itself, and its plain name.
        args, kwargs: what it was given.
        labels: by the tensors' ids; None of those that do not depend on the picture.
        output: the first tensor that it gave.
    """

    function: Any
    name: str
    args: tuple
    kwargs: Mapping[str, Any]
    labels: Mapping[int, Tensor | None]
    output: Tensor

    def given(self, position: int, *names: str, default: Any = None) -> Any:
        """An argument by its position or its name."""
        if len(self.args) > position:
            return self.args[position]
        return next((self.kwargs[name] for name in names if name in self.kwargs), default)

    def of(self, value: Any) -> Tensor | None:
        """The labels of an argument; None of what does not depend on the picture."""
        return self.labels.get(id(value)) if isinstance(value, Tensor) else None

    @property
    def data(self) -> Tensor:
        """The labels of the only tensor that depends on the picture.

        Raises:
            Stop: there are several.
        """
        known = [labels for labels in self.labels.values() if labels is not None]
        if len(known) != 1:
            raise Stop("joins several tensors in a way that is not followed")
        return known[0]


def after(call: Asked) -> Made | list[Tensor]:
    """The node that a function makes; or, of one that only moves values, the labels of its outputs.

    Raises:
        Stop: it is not followed.
    """
    if call.name in _PASSES:
        return [call.data]
    if call.name in _MOVES:
        return _moved(call)
    if call.name in _ACTIVATIONS:
        return _onward("open", call, call.data)
    if rule := _RULES.get(call.name):
        return rule(call)
    raise Stop("is not a function that is followed")


def compact(labels: Tensor) -> Tensor:
    """The same labels, stored once along the axes on which they are all alike."""
    for dim, size in enumerate(labels.shape):
        if size > 1 and labels.stride(dim) and bool((labels == (first := labels.narrow(dim, 0, 1))).all()):
            labels = first.expand(labels.shape)
    return labels


def once(labels: Tensor) -> Tensor:
    """Labels without their repetitions along axes on which they are stored once."""
    for dim, stride in enumerate(labels.stride()):
        if not stride:
            labels = labels.narrow(dim, 0, 1)
    return labels


def _moved(call: Asked) -> list[Tensor]:
    def label(value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        labels = call.of(value)
        return torch.full(value.shape, NOTHING) if labels is None else labels.contiguous()

    try:
        args, kwargs = tree_map(label, (call.args, dict(call.kwargs)))
        found = call.function(*args, **kwargs)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise Stop("moves values in a way that is not followed") from error
    return [compact(each) for each in ((found,) if isinstance(found, Tensor) else found)]


# one by one


def _onward(kind: str, call: Asked, labels: Tensor, scales: Tensor | float = 1.0) -> Made:
    """Each wire goes on, multiplied by what there is for each value."""
    if labels.shape != call.output.shape:
        raise Stop("changes the shape of its input")
    wires, places = torch.unique(once(labels), return_inverse=True)
    places = places.expand(labels.shape)
    return Made(kind, (Same(wires.numpy(), _by_wire(scales, places, len(wires))),), places, len(wires))


def _by_wire(scales: Tensor | float, places: Tensor, count: int) -> np.ndarray:
    if not isinstance(scales, Tensor):
        return np.full(count, float(scales))
    each = scales.detach().double().cpu().expand(places.shape)
    found = torch.zeros(count, dtype=torch.double)
    found[places.flatten()] = each.flatten()
    if (found[places] != each).any():
        raise Stop("multiplies a unit by different numbers at different positions")
    return found.numpy()


def _batch_norm(call: Asked) -> Made:
    mean, variance, weight = call.given(1, "running_mean"), call.given(2, "running_var"), call.given(3, "weight")
    if call.given(5, "training", default=False) or mean is None:
        raise Stop("normalizes by statistics of the picture")
    scales = (1.0 if weight is None else weight.double()) / (variance.double() + call.given(7, "eps", default=1e-5)).sqrt()
    return _onward("scale", call, call.data, scales.reshape(-1, *[1] * (call.output.ndim - 2)))


def _plus(call: Asked) -> Made:
    first, second = call.given(0, "input", "self"), call.given(1, "other")
    alpha = call.given(2, "alpha", default=1) * (-1 if call.name in ("sub", "rsub") else 1)
    factors = (alpha, 1) if call.name == "rsub" else (1, alpha)
    known = [(labels, factor) for value, factor in zip((first, second), factors, strict=True)
             if (labels := call.of(value)) is not None]  # fmt: skip
    if len(known) == 1:  # and a constant
        return _onward("scale", call, known[0][0], float(known[0][1]))
    if any(labels.shape != call.output.shape for labels, _ in known):
        raise Stop("adds one value to all positions of a map")
    both = torch.broadcast_tensors(*(once(labels) for labels, _ in known))
    pairs, places = torch.unique(torch.stack([each.flatten() for each in both]), dim=1, return_inverse=True)
    links = [
        Same(wires.numpy(), np.full(len(wires), float(factor))) for wires, (_, factor) in zip(pairs, known, strict=True)
    ]
    return Made("add", tuple(links), places.reshape(both[0].shape).expand(call.output.shape), pairs.shape[1])


def _times(call: Asked) -> Made:
    first, second = call.given(0, "input", "self"), call.given(1, "other")
    if call.of(first) is not None and call.of(second) is not None:
        raise Stop("multiplies two results, so that its factors depend on the picture")
    factor = second if call.of(first) is not None else first
    if call.name == "div" and factor is first:
        raise Stop("divides by values that depend on the picture")
    scales = factor if isinstance(factor, Tensor) else torch.tensor(float(factor))
    return _onward("scale", call, call.data, 1 / scales.double() if call.name == "div" else scales)


def _negative(call: Asked) -> Made:
    return _onward("scale", call, call.data, -1.0)


# over positions


def _at_places(call: Asked, labels: Tensor, scale: float = 1.0) -> Made:
    """A unit's values are pooled, or its map is enlarged or gets a border."""
    places = labels.ndim - 2
    if labels.ndim < 3 or labels.ndim != call.output.ndim or not _alike(labels, range(-places, 0)):
        raise Stop("reduces more than the positions of a map")
    return _onward(
        "pool", call, labels.flatten(-places)[..., :1].unflatten(-1, (1,) * places).expand(call.output.shape), scale
    )


def _pooled(call: Asked) -> Made:
    if call.kwargs.get("divisor_override") or len(call.args) > 6:
        raise Stop("divides by a number other than the size of its window")
    return _at_places(call, call.data)


def _padded(call: Asked) -> Made:
    pad, places = list(call.given(1, "pad")), call.data.ndim - 2
    beyond = pad[2 * places :]  # on the axis of units, as in residual blocks of option A
    labels = torch.nn.functional.pad(call.data, [0] * 2 * places + beyond, value=NOTHING) if any(beyond) else call.data
    return _at_places(call, compact(labels))


def _reduced(call: Asked) -> Made:
    labels, dims = call.data, call.given(1, "dim", "axis")
    if dims is None or isinstance(dims, Tensor):
        raise Stop("reduces all values to one")
    kept = bool(call.given(2, "keepdim", default=False))
    most, least = torch.amax(labels, dims, keepdim=kept), torch.amin(labels, dims, keepdim=kept)
    if (most != least).any():
        raise Stop("combines several units")
    return _onward("pool", call, compact(most), labels.numel() / most.numel() if call.name == "sum" else 1.0)


def _alike(labels: Tensor, dims: Sequence[int]) -> bool:
    """Whether labels do not change along some axes."""
    return all(bool((labels == labels.narrow(dim, 0, 1)).all()) for dim in dims)


# weights


def _weighed(call: Asked) -> Made:
    labels, weight = call.of(call.given(0, "input")), call.given(1, "weight")
    if not isinstance(weight, Tensor) or weight.is_quantized:
        raise Stop("has packed weights")
    if call.of(weight) is not None or labels is None:
        raise Stop("has weights that depend on the picture")
    axis = -1 if call.name == "linear" else 1
    if labels.ndim != (weight.ndim if axis == 1 else labels.ndim):
        raise Stop("reads an input without a batch axis")
    if not _alike(labels, [dim for dim in range(labels.ndim) if dim != axis % labels.ndim]):
        raise Stop("reads values of different units side by side")
    inputs = labels.movedim(axis, 0).flatten(1)[:, 0].numpy()
    is_transposed = call.name.startswith("conv_transpose")
    groups, kernels, share = _grouped(call, weight.detach(), is_transposed)
    count = kernels.shape[0] * kernels.shape[1]
    shape = [count if dim == axis % labels.ndim else 1 for dim in range(labels.ndim)]
    places = torch.arange(count).reshape(shape).expand(call.output.shape)
    return Made("kernels", (Kernels(kernels, inputs.reshape(groups, -1), share, is_transposed),), places, count)


def _grouped(call: Asked, weight: Tensor, is_transposed: bool) -> tuple[int, Tensor, float]:
    """Number of groups, weight (groups, outputs, inputs, kernel), and the share of a kernel that one position sees."""
    if call.name == "linear":
        return 1, weight[None, ..., None], 1.0
    if not is_transposed:
        groups = call.given(6, "groups", default=1)
        return groups, weight.flatten(2).unflatten(0, (groups, -1)), 1.0
    groups, stride = call.given(6, "groups", default=1), call.given(3, "stride", default=1)
    strides = stride if isinstance(stride, Sequence) and len(stride) > 1 else [np.ravel(stride)[0]] * (weight.ndim - 2)
    return groups, weight.flatten(2).unflatten(0, (groups, -1)).transpose(1, 2), 1 / math.prod(strides)


_PASSES = frozenset(
    "contiguous clone detach to float half double type type_as bfloat16 identity positive data dropout dropout1d dropout2d "
    "dropout3d feature_dropout alpha_dropout feature_alpha_dropout stochastic_depth drop_path requires_grad".split()
)
"""They change nothing, in evaluation mode."""
_MOVES = PICKS | REGROUPS | TURNS | JOINS | frozenset(
    "stack flip roll expand expand_as repeat index_select channel_shuffle native_channel_shuffle pixel_shuffle "
    "pixel_unshuffle".split()
)  # fmt: skip
_ACTIVATIONS = frozenset(
    "relu relu6 leaky_relu prelu elu selu celu gelu silu mish sigmoid log_sigmoid logsigmoid tanh hardtanh hardswish "
    "hardsigmoid softplus softsign threshold clamp clip clamp_min clamp_max hardshrink softshrink tanhshrink rrelu".split()
)
_RULES: dict[str, Callable[[Asked], Made]] = {
    "batch_norm": _batch_norm,
    **dict.fromkeys(("add", "sub", "rsub"), _plus),
    **dict.fromkeys(("mul", "div"), _times),
    "neg": _negative,
    **dict.fromkeys(
        [f"{kind}_pool{n}d" for n in (1, 2, 3) for kind in ("max", "avg", "adaptive_avg", "adaptive_max")], _pooled
    ),
    **dict.fromkeys([f"max_pool{n}d_with_indices" for n in (1, 2, 3)], _pooled),
    **dict.fromkeys(("interpolate", "upsample"), _pooled),
    "pad": _padded,
    **dict.fromkeys(("mean", "sum", "amax", "max"), _reduced),
    **dict.fromkeys([f"conv{kind}{n}d" for n in (1, 2, 3) for kind in ("", "_transpose")], _weighed),
    "linear": _weighed,
}
