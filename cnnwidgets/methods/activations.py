"""Feature maps: what every unit of every layer answers to a picture, and how many of the answers are zero."""

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
from cnnwidgets.net.progress import Cancel

ORDERS = ("index", "maximum", "mean")


@dataclass(frozen=True, repr=False)
class FeatureMaps:
    """The output of one layer for one picture.

    Attributes:
        layer: the layer's row in ``net.layers``.
        values: float32 (units, height, width), in the network's own units. A fully connected layer's output is a map of
            one position a unit; a transformer's tokens are the map that they are cut from, without class tokens and the
            like, or a single row of positions where that is not known.
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
        """The layer, the shape of its output, and what a reader should know of it."""
        return f"{self.layer.name} · {self.layer.output}{_note(self.layer)}"

    def summary(self) -> str:
        """How many values are zero, and from where to where they run, in a sentence."""
        silent = int((self.maximum <= 0).sum())
        return (
            f"{self.layer.name}: {len(self.values)} units, {self.zeros:.0%} of the values are zero, {silent} units nowhere "
            f"above zero · values from {self.values.min():.3g} to {self.values.max():.3g}"
        )

    def order(self, by: str) -> np.ndarray:
        """(units,): the units' indices sorted by ``"index"``, or falling by ``"maximum"`` or ``"mean"``."""
        if by == "index":
            return np.arange(len(self.values))
        if by not in ORDERS:
            raise ValueError(f"maps are sorted by 'index', 'maximum' or 'mean', not by {by!r}")
        return np.argsort(-getattr(self, by), kind="stable")

    @property
    def orders(self) -> dict[str, np.ndarray]:
        """All orders, by name."""
        return {by: self.order(by) for by in ORDERS}

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that make the ``values``, of ``model`` and its input ``x`` (1, C, H, W)."""
        return layer_lines(net.layers[self.layer.name])

    def __repr__(self) -> str:
        return f"<{self.layer.name}: {format_shape(self.values.shape)} values, {self.zeros:.0%} zeros>"


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
        image: whatever ``net.prepare`` takes; one picture.
        layers: names in ``net.layers``, or one; by default every layer that gives maps, a vector, a sequence or tokens.
        cancel: an object with ``is_set()``.

    Returns:
        A dict from the names given to :class:`FeatureMaps`, in execution order by default.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: several pictures, a layer without units, or values that are NaN or infinite: the first layer that has
            them is named.
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
    """The share of zeros in the output of every layer with units, for one picture: name to share, in execution order.

    One forward pass that keeps no map. After a ReLU the share is the part of the layer that did not respond.

    Raises:
        ValueError: several pictures.
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
    """The input (1, C, H, W) of exactly one picture; ValueError otherwise.

    Parameters:
        notes: a list that takes sentences on what became of the picture.
    """
    inputs = net.prepare(image, notes=notes)
    if len(inputs) != 1:
        raise ValueError(f"one picture is wanted, {len(inputs)} were given")
    return inputs


def _first_not_finite(net: BoundModel, inputs: torch.Tensor) -> str:
    """A sentence that names the first layer whose output has NaNs or infinities: the others have them from there."""
    sentence = ""

    def look(name: str, output: torch.Tensor) -> None:
        nonlocal sentence
        count = int((~torch.isfinite(output)).sum())
        if count and not sentence:
            sentence = (
                f"{count:,} of the {output.numel():,} values of {name} are NaN or infinite, and it is the first such layer"
            )

    net.run(inputs, look)
    return sentence


def _note(row: Layer) -> str:
    """What a reader should know of an output: what a position sees, or how it is no ordinary map."""
    if row.grid:
        beside = f", without {row.beside_grid} beside it" if row.beside_grid else ""
        return f" · on their grid of {format_shape(row.grid[:2])}{beside}"
    return {
        "vector": " · one value a unit",
        "sequence": " · a row of positions a unit",
        "tokens": " · tokens are no map: a row of positions a unit",
        "map, channels last": " · channels last",
    }.get(row.layout, f" · sees {row.receptive_field}")
