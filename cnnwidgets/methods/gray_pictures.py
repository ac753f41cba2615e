"""Why a picture that should maximize something stays as it is: nothing leads from the score back to it."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnwidgets.methods.attribution import subject
from cnnwidgets.methods.objective import Measure
from cnnwidgets.net import BoundModel

UNREACHED = "no gradient reaches the picture"
"""How each reason begins."""

PROBES = 16
"""Pictures of noise that a unit is tried on, to tell a dead one from one that is only blocked."""


def why_gray(net: BoundModel, measure: Measure, x: Tensor, moved: int) -> str:
    """Why no gradient reaches a picture, and what helps.

    Parameters:
        x: (1, C, H, W), the picture as the network takes it.
        moved: the last step at which a gradient reached it; 0 for none.
    """
    since = UNREACHED + (f" since step {moved}" if moved else "")
    outputs = net.trace(x)
    for name, index in measure.units:
        if not net.layers[name].by_unit(outputs[net.layers[name].name])[:, index].any():
            return f"{since}: {_about_unit(net, name, index, x)}"
    silent = next((row.name for row in net.layers if row.name in outputs and not outputs[row.name].any()), None)
    if silent:
        return f"{since}: {silent} gives 0 everywhere for it, and 0 passes nothing on; another seed or another start helps"
    return f"{since}: the score does not change with any pixel; another start or another objective helps"


def _about_unit(net: BoundModel, name: str, index: int, x: Tensor) -> str:
    row, unit = net.layers[name], subject(None, (name, index))
    number = net.layers.names.index(row.name)
    before = net.layers[number - 1] if number else None
    is_relu = "relu" in row.kind.lower()
    helps = ["noise, another seed or a picture that excites it to start from"]
    if is_relu and before is not None and before.output_shape == row.output_shape:
        helps.insert(0, f"unit {index} of {before.name}, before the ReLU,")
    if _is_silent(net, name, index, x):
        return f"{unit} gives 0 for it and for {PROBES} pictures of noise, it may be dead; {' or '.join(helps)} may help"
    blocked = "its ReLU is closed" if is_relu else "it is closed"
    return f"{unit} gives 0 everywhere for it: {blocked}, but other pictures open it; {' or '.join(helps)} helps"


def _is_silent(net: BoundModel, name: str, index: int, x: Tensor) -> bool:
    """Whether a unit gives 0 for pictures of noise, fine and coarse."""
    draw = torch.Generator().manual_seed(0)
    fine = torch.randn(PROBES, *x.shape[1:], generator=draw)
    coarse = torch.nn.functional.interpolate(fine[..., ::8, ::8], x.shape[2:], mode="nearest")
    probes = [torch.cat([fine[::2], coarse[1::2]])[k : k + 1] for k in range(PROBES)]
    row = net.layers[name]
    return not any(row.by_unit(net.trace(probe, [name])[name])[:, index].any() for probe in probes)
