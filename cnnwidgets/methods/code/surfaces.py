"""The lines that let optimizers go down a surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnwidgets.methods.code.schedules import making
from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.schedules import title

_HEAD = """\
import torch


def loss(weights):
    x, y = weights
    return {function}


values = {{}}"""

_RUN = """\
weights = torch.tensor({start}, dtype=torch.float64, requires_grad=True)
parameters = [weights]
{making}{generator}
path = [weights.detach().clone()]
for step in range({steps}):
    (gradient,) = torch.autograd.grad(loss(weights), weights)
    weights.grad = gradient{noise}
    optimizer.step()
    path.append(weights.detach().clone())
    if not (path[-1].abs() < {far:g}).all():
        break
    scheduler.step()
values[{name!r}] = torch.stack(path)"""


def descent_lines(
    function: str,
    start: Sequence[float],
    specs: Sequence[dict[str, Any]],
    steps: int,
    noise: float,
    seed: int,
    far: float,
) -> str:
    """The lines that put the path (n + 1, 2) of each optimizer into a dict ``values``."""
    generator = f"\ngenerator = torch.Generator().manual_seed({seed})" if noise else ""
    added = f" + {noise!r} * torch.randn(2, generator=generator, dtype=torch.float64)" if noise else ""
    runs = [
        _RUN.format(
            start=[*start], making=making(settle(spec, steps)), generator=generator, steps=steps, noise=added, far=far,
            name=title(spec),
        )
        for spec in specs
    ]  # fmt: skip
    return "\n\n".join([_HEAD.format(function=function), *runs])
