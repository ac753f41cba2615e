"""A stack of equal layers, to see what depth does to a signal; and what becomes of its deviation in a very wide one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cnnwidgets.methods.initialization import InitialWeights
from cnnwidgets.net.arguments import checking, is_whole, one_of
from cnnwidgets.samples.stacks import ACTIVATIONS

DEEPEST, WIDEST = 50, 2000

BELL = np.linspace(-10, 10, 8001)
"""Where a normal variable is looked at, in deviations, for an expected value."""


class LinearLayer(nn.Module):
    """Weights, a batch norm where one is wanted, and an activation; what comes in is added where it is residual."""

    def __init__(self, size: int, width: int, activation: str, batch_norm: bool, residual: bool):
        super().__init__()
        self.linear = nn.Linear(size, width)
        self.norm = nn.BatchNorm1d(width) if batch_norm else nn.Identity()
        self.activation = ACTIVATIONS[activation]()
        self.residual = residual and size == width

    def forward(self, x: Tensor) -> Tensor:
        found = self.activation(self.norm(self.linear(x)))
        return x + found if self.residual else found


class LinearStack(nn.Module):
    """Equal linear layers one after the other: ``layer1``, ``layer2``, …, and a linear ``head`` that gives scores.

    >>> LinearStack(activation="relu", depth=20, batch_norm=True)

    Parameters:
        size: numbers of a picture, 1,024 for the digits.
        classes: scores of the head.
        activation: a name in :data:`cnnwidgets.samples.stacks.ACTIVATIONS`.
        depth, width: how many layers, and units of each.
        batch_norm: whether the weighted sums of each layer are normalized over the batch.
        residual: whether each layer of as many inputs as units adds its input to what it gives.

    Raises:
        ValueError: there is no such activation, or a number is out of range.
    """

    @checking("size", "classes", "depth", "width")
    def __init__(
        self,
        size: int = 1024,
        classes: int = 10,
        *,
        activation: str = "tanh",
        depth: int = 10,
        width: int = 500,
        batch_norm: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        one_of("activation", activation, ACTIVATIONS)
        most = {"size": 10**6, "classes": 10**5, "depth": DEEPEST, "width": WIDEST}
        for name, value in {"size": size, "classes": classes, "depth": depth, "width": width}.items():
            if not is_whole(value) or not 1 <= value <= most[name]:
                raise ValueError(f"{name} is {value!r}; expected a whole number from 1 to {most[name]:,}")
        self.options = {"size": size, "classes": classes, "activation": activation, "depth": depth, "width": width}
        self.options |= {"batch_norm": batch_norm, "residual": residual}
        sizes = [size, *[width] * depth]
        self.names = [f"layer{k + 1}" for k in range(depth)]
        for name, before, after in zip(self.names, sizes, sizes[1:], strict=False):
            self.add_module(name, LinearLayer(before, after, activation, batch_norm, residual))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for name in self.names:
            x = getattr(self, name)(x)
        return self.head(x)


def expected_std(images: Tensor, rows: Sequence[InitialWeights], activation: str) -> np.ndarray:
    """The deviation of the values in each layer of a plain stack, were its layers infinitely wide.

    The weighted sums of a layer are then normal, for a picture whose values have a mean square q of variance
    fan_in · Var(w) · q; the next q is the mean square of what the activation makes of that (Poole et al. 2016). With
    identity it is q · fan_in · Var(w): a third of it for uniform ±1/√fan_in, all of it for Xavier between equal layers.

    Parameters:
        images: (N, …), what goes in.
        rows: what :func:`initial_weights` gives of the stack's layers, without the head.
        activation: a name in :data:`cnnwidgets.samples.stacks.ACTIVATIONS`.

    Returns:
        float64 (layers,); NaN from the first layer whose weights are kept, or all the same but for 0.
    """
    function = ACTIVATIONS[activation]()
    weight = np.exp(-(BELL**2) / 2) / math.sqrt(2 * math.pi) * (BELL[1] - BELL[0])
    square = images.flatten(1).double().square().mean(1).numpy()  # (N,)
    found: list[float] = []
    for row in rows:
        variance = math.nan if row.mean else row.variance
        sums = np.sqrt(row.fan_in * variance * square)[:, None] * BELL
        with torch.no_grad():
            values = function(torch.from_numpy(sums)).numpy()
        mean, square = values @ weight, values**2 @ weight
        found.append(float(np.sqrt(np.maximum(0, square.mean() - mean.mean() ** 2))))
    return np.array(found)
