"""What the weights of a network are before it is trained, by a scheme's name, and what they are by its closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from cnnwidgets.methods.code.initialization import initialization_lines
from cnnwidgets.methods.initialization_schemes import INITIALIZATIONS, fans
from cnnwidgets.net.arguments import checked, checking, one_of, said
from cnnwidgets.net.layers import UnknownLayer, format_shape, nearest
from cnnwidgets.net.replica import uncompiled

WEIGHTED: tuple[type[nn.Module], ...] = (nn.Linear, nn.modules.conv._ConvNd)
"""Modules whose weights are set, and whose biases become zero."""

NORMS: tuple[Any, ...] = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
"""Modules that become as new: weight 1, bias 0, no statistics yet."""
NORMS += (nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()

Spec: TypeAlias = str | dict[str, Any]
"""A scheme's name; or a dict with its name as ``"scheme"`` and what else :func:`initialize` takes."""


@dataclass(frozen=True)
class InitialWeights:
    """What the weights of a layer are before training.

    Attributes:
        layer: its name in the network.
        shape: of the weight: (out, in, …), of a transposed convolution (in, out, …).
        scheme: a name in :data:`INITIALIZATIONS`.
        settings: the values of the scheme's parameters.
    """

    layer: str
    shape: tuple[int, ...]
    scheme: str
    settings: dict[str, Any]

    @property
    def fan_in(self) -> int:
        return fans(self.shape)[0]

    @property
    def fan_out(self) -> int:
        return fans(self.shape)[1]

    @property
    def mean(self) -> float:
        """Expected; NaN for weights that are kept."""
        return self.settings["value"] if self.scheme == "equal" else math.nan if self.scheme == "keep" else 0.0

    @property
    def variance(self) -> float:
        """Expected, in closed form; NaN for weights that are kept."""
        return INITIALIZATIONS[self.scheme].variance(self.shape, self.settings)

    @property
    def formula(self) -> str:
        """The variance with its numbers: ``2 / (500 + 500)``."""
        words = INITIALIZATIONS[self.scheme].formula
        fan = {"fan_in": self.fan_in, "fan_out": self.fan_out}
        put = {**fan, "fan": fan[self.settings.get("mode", "fan_in")], "std": self.settings.get("std")}
        put |= {"gain": self.settings.get("gain"), "rows": self.shape[0], "columns": math.prod(self.shape[1:])}
        if put["gain"] == 1:
            words = words.replace("gain² · ", "").replace("gain²", "1")
        for name in sorted(put, key=len, reverse=True):
            words = words.replace(name, f"{put[name]:.4g}" if isinstance(put[name], float) else str(put[name]))
        return words


def settle(spec: Spec) -> dict[str, Any]:
    """A scheme with all its values, checked: ``"scheme"``, its parameters, and ``"by_layer"`` where there is one.

    >>> settle("xavier")
    {'scheme': 'xavier', 'gain': 1.0}

    Raises:
        TypeError: it is neither a name nor a dict, or has a parameter that its scheme does not have; similar names are
            offered.
        ValueError: there is no such scheme, or a value is out of range.
    """
    if isinstance(spec, str):
        spec = {"scheme": spec}
    if not isinstance(spec, dict):
        raise TypeError(f"an initialization is {said(spec)}; expected the name of a scheme, or a dict with a 'scheme'")
    scheme = one_of("scheme", spec.get("scheme"), INITIALIZATIONS)
    given = {name: value for name, value in spec.items() if name not in ("scheme", "by_layer") and value is not None}
    table = INITIALIZATIONS[scheme].parameters
    for name in given:
        if name not in table:
            has = f"It has: {', '.join(table)}" if table else "It has none"
            raise TypeError(f"{scheme} has no parameter {name!r}.{nearest(str(name), [*table])} {has}")
    settled = {"scheme": scheme} | {name: row.check(name, given.get(name, row.default)) for name, row in table.items()}
    by_layer = spec.get("by_layer")
    if by_layer is None:
        return settled
    if not isinstance(by_layer, Mapping):
        raise TypeError(f"by_layer is {said(by_layer)}; expected a dict from a layer's name to its scheme")
    return settled | {"by_layer": {name: _of_layer(name, one) for name, one in by_layer.items()}}


def _of_layer(name: str, spec: Spec) -> dict[str, Any]:
    if isinstance(spec, dict) and spec.get("by_layer"):
        raise TypeError(f"by_layer[{name!r}] has a by_layer of its own; expected a scheme")
    return settle(spec)


@checking("gain", "std", "value", "mode")
def initialize(
    module: nn.Module,
    scheme: str,
    *,
    gain: float | None = None,
    std: float | None = None,
    value: float | None = None,
    mode: str | None = None,
    by_layer: Mapping[str, Spec] | None = None,
) -> None:
    """Give a network the weights that a scheme says. **It changes the network itself.**

    >>> cw.methods.initialize(model, "xavier")
    >>> cw.methods.initialize(model, "kaiming", by_layer={"fc": {"scheme": "normal", "std": 0.01}})

    Linear layers and convolutions get new weights, layer after layer in the order of ``named_modules``, and biases of zero;
    norms get weight 1, bias 0 and no statistics. Anything else (embeddings, recurrent layers) stays as it is. Random numbers
    are drawn from torch's global generator, by the functions of ``torch.nn.init``.

    Parameters:
        module: the network.
        scheme: a name in :data:`INITIALIZATIONS`: "zero", "equal", "normal", "uniform", "xavier", "kaiming", "orthogonal";
            "keep" for all layers that ``by_layer`` does not name.
        gain: of uniform, xavier, orthogonal (1) and kaiming (√2).
        std: of normal (0.01).
        value: of equal (0.01).
        mode: of kaiming: "fan_in" or "fan_out".
        by_layer: schemes of single layers, or of all that are in a part: by the name of the layer or of the part. The
            longest name counts.

    Raises:
        KeyError: by_layer names what the network does not have; similar names are offered.
        TypeError: a scheme has no such parameter.
        ValueError: there is no such scheme, a value is out of range, the network has no layer to set, or a layer's weight
            has no size yet (lazy) or is computed from other parameters (weight norm, pruning). Nothing has been changed.
    """
    given = {"scheme": scheme, "gain": gain, "std": std, "value": value, "mode": mode, "by_layer": by_layer}
    settled = settle(given)
    rows = {row.layer: row for row in initial_weights(module, settled)}
    with torch.no_grad():
        for name, part in uncompiled(module).named_modules():
            if name in rows and rows[name].scheme != "keep":
                row = rows[name]
                if part.weight.numel():
                    INITIALIZATIONS[row.scheme].fill(part.weight, row.settings)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
            elif isinstance(part, NORMS) and _scheme_of(name, settled)["scheme"] != "keep":
                part.reset_parameters()


@checked
def initial_weights(module: nn.Module, spec: Spec) -> list[InitialWeights]:
    """What :func:`initialize` makes of each layer, with the variance in closed form; nothing is changed.

    >>> [row.formula for row in initial_weights(nn.Linear(500, 100), "uniform")]
    ['1 / (3 · 500)']

    Raises: as :func:`initialize`.
    """
    settled = settle(spec)
    layers = dict(_layers(module))
    if not layers:
        raise ValueError("there is nothing to set: the network has no linear layer and no convolution")
    parts = [name for name, _ in uncompiled(module).named_modules()]
    for name in settled.get("by_layer", ()):
        if name not in parts:
            raise UnknownLayer(f"the network has no {name!r}.{nearest(str(name), parts)}")
        if not any(_within(layer, name) for layer in layers):
            raise ValueError(f"{name} has no weights to set: expected a linear layer, a convolution, or what holds one")
    return [
        InitialWeights(name, shape, found["scheme"], {key: value for key, value in found.items() if key != "scheme"})
        for name, shape in layers.items()
        for found in [_scheme_of(name, settled)]
    ]


def initialization_code(module: nn.Module, spec: Spec) -> str:
    """The plain PyTorch lines that give a network of this structure, ``model``, the same weights, in place."""
    initial_weights(module, spec)  # whatever cannot be set is told
    return initialization_lines(uncompiled(module), settle(spec), WEIGHTED, NORMS)


def _scheme_of(layer: str, settled: dict[str, Any]) -> dict[str, Any]:
    """The scheme of a layer: that of the longest name that it is in."""
    by_layer = settled.get("by_layer", {})
    names = [name for name in by_layer if _within(layer, name)]
    return by_layer[max(names, key=len)] if names else {name: each for name, each in settled.items() if name != "by_layer"}


def _within(layer: str, name: str) -> bool:
    return not name or layer == name or layer.startswith(f"{name}.")


def _layers(module: nn.Module) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and weight's shape of each layer whose weights are set."""
    for name, part in uncompiled(module).named_modules():
        if not isinstance(part, WEIGHTED):
            continue
        told, weight = name or type(part).__name__, part._parameters.get("weight")
        if isinstance(weight, nn.parameter.UninitializedParameter):
            raise ValueError(f"the weight of {told} has no size yet: run the network once on a batch")
        if weight is None:
            raise ValueError(f"the weight of {told} is no parameter of it, but computed from others: it cannot be set")
        if weight.ndim < 2:
            raise ValueError(f"the weight of {told} is {format_shape(weight.shape)}; expected at least two axes")
        yield name, tuple(weight.shape)
