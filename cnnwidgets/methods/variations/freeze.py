"""``freeze=``: layers whose weights stay as they are."""

from __future__ import annotations

from typing import Any

from torch import nn

from cnnwidgets.net.layers import nearest


def settle(given: Any) -> list[str]:
    """A list of names; a TypeError if they are none."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"freeze is {given!r}; expected names of layers, or of their beginnings, such as ['conv', 'fc1']")
    return [*names]


def apply(network: nn.Module, names: list[str]) -> None:
    """Let the weights whose names begin so require no gradient.

    Raises:
        ValueError: there is no such layer, or nothing is left to train.
    """
    weights = dict(network.named_parameters())
    for name in names:
        found = [weight for other, weight in weights.items() if other.startswith(name)]
        if not found:
            layers = [*dict.fromkeys(other.rpartition(".")[0] or other for other in weights)]
            raise ValueError(f"no layer's name begins with {name!r}.{nearest(name, layers)} There are: {', '.join(layers)}")
        for weight in found:
            weight.requires_grad_(False)
    if not any(weight.requires_grad for weight in weights.values()):
        raise ValueError(f"nothing is left to train: {', '.join(names)} is all of {type(network).__name__}")
