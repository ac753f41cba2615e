"""Feature maps: how every unit of every layer responds to a picture, and how many of the responses are zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.code.layers import layer_lines
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.pictures import not_finite
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number, percent

ORDERS = ("index", "maximum", "mean")


@dataclass(frozen=True, repr=False, eq=False)
class FeatureMaps:
    """The output of one layer for one picture.

    Attributes:
        layer: the layer's row in ``net.layers``.
        values: float32 (units, height, width), as the network computes them. A fully connected layer has one position per
            unit. A transformer's tokens are laid out as the picture's patches, without class and other extra tokens; where
            that layout is not known, they are one row of positions.
    """

    layer: Layer
    values: np.ndarray

    @cached_property
    def maximum(self) -> np.ndarray:
        """(units,): the largest value of each map."""
        return self.values.max((1, 2))

    @cached_property
    def mean(self) -> np.ndarray:
        """(units,): the mean value of each map."""
        return self.values.mean((1, 2))

    @cached_property
    def zeros(self) -> float:
        """The share of values that are exactly 0, between 0 and 1."""
        return float((self.values == 0).mean())

    @property
    def title(self) -> str:
        """The layer, the shape of its output, and what each position sees."""
        return f"{self.layer.name} · {self.layer.output}{_note(self.layer)}"

    def summary(self) -> str:
        """A sentence on the layer, and the range of its values on a second line.

        A unit that is nowhere above zero is called silent, not dead: another picture may wake it.
        """
        units = f"{self.layer.name} · {_counted(len(self.values), 'unit')}"
        low, high = float(self.values.min()), float(self.values.max())
        span = f"alues from {number(low)} to {number(high)}"
        if low < 0:
            return f"{units}, v{span}\n{percent(self.zeros)} of the values are zero"
        silent = int((self.maximum <= 0).sum())
        say = f"{silent:,} silent for this picture" if silent else "none silent"
        return f"{units}, {say}, {percent(self.zeros)} zeros\nV{span}"

    def order(self, by: str) -> np.ndarray:
        """(units,): the units' indices, sorted by ``"index"``, or with the largest ``"maximum"`` or ``"mean"`` first."""
        if by == "index":
            return np.arange(len(self.values))
        if by not in ORDERS:
            raise ValueError(f"expected an order 'index', 'maximum' or 'mean', got {by!r}")
        return np.argsort(-getattr(self, by), kind="stable")

    @property
    def orders(self) -> dict[str, np.ndarray]:
        """All orders, by name."""
        return {by: self.order(by) for by in ORDERS}

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that compute ``values`` from ``model`` and its input ``x`` (1, C, H, W)."""
        return layer_lines(net.layers[self.layer.name])

    def __repr__(self) -> str:
        return f"<{self.layer.name}: {format_shape(self.values.shape)} values, {percent(self.zeros)} zeros>"


@checked
def activations(
    net: BoundModel, image: Any, layers: Iterable[str] | str | None = None, *, cancel: Cancel | None = None
) -> dict[str, FeatureMaps]:
    """The feature maps of one picture, layer by layer, from a single forward pass.

    >>> maps = cw.methods.activations(net, "cat.jpg", ["layer1.0.relu"])
    >>> maps["layer1.0.relu"].values.shape
    (64, 56, 56)

    Parameters:
        net: a bound network.
        image: one picture, in any form that ``net.prepare`` takes.
        layers: a name in ``net.layers``, or several; by default every layer whose output is maps, a vector, a sequence or
            tokens.
        cancel: an object with ``is_set()``.

    Returns:
        A dict from layer name to :class:`FeatureMaps`, in the order of ``layers``; by default in execution order.

    Raises:
        KeyError: there is no such layer; the message suggests similar names.
        ValueError: there are several pictures, a layer has no units, or values are NaN or infinite; the message names the
            first layer that has such values.
        Cancelled: cancel was set.
    """
    inputs = one_picture(net, image)
    if isinstance(layers, str):
        layers = [layers]
    table = net.layers
    names = [row.name for row in table.with_units] if layers is None else list(layers)
    rows = {name: table[name] for name in names}
    for row in rows.values():
        _ = row.map_shape  # raises the sentence for a layer without units, before the network runs
    outputs = net.trace(inputs, names, cancel=cancel)
    if not all(bool(torch.isfinite(output).all()) for output in outputs.values()):
        raise ValueError(_first_not_finite(net, inputs))
    return {name: FeatureMaps(rows[name], rows[name].by_unit(outputs[name])[0].numpy()) for name in names}


@checked
def zero_shares(net: BoundModel, image: Any, *, cancel: Cancel | None = None) -> dict[str, float]:
    """The share of zeros in the output of every layer with units, for one picture: layer name to share, in execution order.

    Takes one forward pass and keeps no maps. After a ReLU, it is the share of positions that did not respond.

    Raises:
        ValueError: there are several pictures.
        Cancelled: cancel was set.
    """
    inputs = one_picture(net, image)
    wanted = {row.name for row in net.layers.with_units}
    shares: dict[str, float] = {}

    def count(name: str, output: torch.Tensor) -> None:
        if name in wanted:
            shares[name] = 1 - int(torch.count_nonzero(output)) / output.numel()

    net.run(inputs, count, cancel=cancel)
    return shares


def one_picture(net: BoundModel, image: Any, notes: list[str] | None = None) -> torch.Tensor:
    """Prepare exactly one picture, as the network's input (1, C, H, W).

    Parameters:
        notes: a list to which sentences on how the picture was changed are added.

    Raises:
        ValueError: there are several pictures, or none.
    """
    inputs = net.prepare(image, notes=notes)
    if len(inputs) != 1:
        raise ValueError(f"expected one picture, got {len(inputs)}")
    return inputs


def _first_not_finite(net: BoundModel, inputs: torch.Tensor) -> str:
    """A sentence that names the first layer whose output has NaNs or infinities; later layers inherit them."""
    sentence = ""

    def look(name: str, output: torch.Tensor) -> None:
        nonlocal sentence
        if not sentence and (said := not_finite(output, name)):
            sentence = f"{said}; no earlier layer has any"

    net.run(inputs, look)
    return sentence


def _note(row: Layer) -> str:
    """What each position of an output sees, or what its positions are where it is not an ordinary map."""
    if row.grid:
        without = f", without {_counted(row.beside_grid, 'extra token')}" if row.beside_grid else ""
        return f" · laid out as {format_shape(row.grid[:2])} patches{without}"
    return {
        "vector": " · one value per unit",
        "sequence": " · one row of positions per unit",
        "tokens": " · tokens, not a map: one row of positions per unit",
        "map, channels last": " · channels last",
    }.get(row.layout, f" · receptive field {row.receptive_field}")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
