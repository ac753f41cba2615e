"""The lines that take the kernels of a unit's connections out of the network's weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnwidgets.methods.code.text import tidy
from cnnwidgets.net import BoundModel

if TYPE_CHECKING:
    from cnnwidgets.methods.connections import Connection

_WEIGHT = """\

def weight(name):
    owner, _, attribute = name.rpartition(".")
    return getattr(model.get_submodule(owner), attribute).detach().double()
"""


def connection_lines(net: BoundModel, before: Sequence[Connection], after: Sequence[Connection]) -> str:
    """The lines that put kernels into ``before`` and ``after``, and their sums into ``values``, two lists of numbers."""
    lists = (
        [f"{name} = [  # layer, unit, kernel", *(f"    {_row(net, one)}," for one in side), "]"]
        for name, side in (("before", before), ("after", after))
    )
    sums = "values = [[kernel.sum().item() for _, _, kernel in side] for side in (before, after)]"
    return tidy("\n".join(["import torch", net.code, _WEIGHT, *(line for each in lists for line in each), sums]))


def _row(net: BoundModel, one: Connection) -> str:
    """Layer, unit and kernel as Python writes them; an add has a kernel of one number."""
    if one.via is None:
        return f"({one.layer!r}, {one.unit}, torch.tensor([{one.weight!r}]))"
    name = net.layers[one.via].weight
    parts = [f"{scale!r} * weight({name!r})[{', '.join(map(_number, index))}].flatten()" for scale, index in one.where]
    kernel = parts[0] if len(parts) == 1 else f"torch.cat([{', '.join(parts)}])"
    return f"({one.layer!r}, {one.unit}, {kernel})"


def _number(along: list[int]) -> str:
    """The numbers along an axis: one of them, or a slice where they lie side by side."""
    if len(along) == 1:
        return str(along[0])
    is_slice = along == list(range(along[0], along[-1] + 1))
    return f"{along[0]}:{along[-1] + 1}" if is_slice else str(along)
