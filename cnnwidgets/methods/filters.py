"""Filters: the weights of a layer as pictures, their norms, and which filters are similar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform
from torch import nn

from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.graph import FunctionTap
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.pictures import check_finite
from cnnwidgets.net.survey import weight_argument, weight_of
from cnnwidgets.numbers import number

DEAD = 1e-3
"""A filter is called dead if its norm is at most this fraction of the layer's median norm."""

ORDERS = ("index", "norm", "similarity")
"""The orders of filters."""


class Kernels(NamedTuple):
    """Kernels of one filter: ``values`` float32 (kernels, height, width), one title per kernel, and one caption."""

    values: np.ndarray
    titles: list[str]
    caption: str


@dataclass(frozen=True, repr=False)
class Filters:
    """The weights of one layer.

    Attributes:
        layer: the layer's row in ``net.layers``.
        values: float32 (filters, channels, height, width). A row of a fully connected layer has the shape of the map that
            it weights (for a linear classifier, a template per class), or (1, 1, inputs) if the input is not a map.
        transposed: the number of groups of a transposed convolution, which stores its weight by input channel; else 0.
    """

    layer: Layer
    values: np.ndarray
    transposed: int = 0

    @property
    def in_color(self) -> bool:
        """Whether filters can be shown in color: they have three input channels and more than one pixel."""
        return self.values.shape[1] == 3 and self.values[0, 0].size > 1

    @cached_property
    def norms(self) -> np.ndarray:
        """(filters,): the Euclidean norm of each filter."""
        return np.linalg.norm(self._rows, axis=1)

    @property
    def dead(self) -> np.ndarray:
        """(filters,) bool: filters that are zero, or at least a thousand times weaker than the layer's median filter."""
        return self.norms <= DEAD * np.median(self.norms)

    def cosine(self, filter: int) -> np.ndarray:
        """(filters,): the cosine similarity of one filter to each; 0 for filters that are zero."""
        return self._unit_rows @ self._unit_rows[filter]

    def alike(self, filter: int, k: int = 5) -> list[tuple[int, float]]:
        """The k nearest filters of one filter, as (index, cosine similarity), the nearest first, without itself."""
        cosines = self.cosine(filter)
        others = [int(i) for i in np.argsort(-cosines, kind="stable") if i != filter]
        return [(i, float(cosines[i])) for i in others[:k]]

    def order(self, by: str) -> np.ndarray:
        """(filters,): the filters' indices, sorted by ``"index"``, by ``"norm"`` (largest first) or by ``"similarity"``.

        By similarity, similar filters lie side by side: they are the leaves of an average-linkage tree of cosine distances
        whose branches are turned to bring neighbors close (Bar-Joseph, Gifford and Jaakkola 2001). SciPy's ordering does
        not always reach the smallest sum of distances (scipy issue 11227).
        """
        match by:
            case "index":
                return np.arange(len(self.values))
            case "norm":
                return np.argsort(-self.norms, kind="stable")
            case "similarity":
                return self._by_similarity
        raise ValueError(f"expected an order 'index', 'norm' or 'similarity', got {by!r}")

    def first(self, most: int) -> tuple[int, dict[str, np.ndarray]]:
        """How many filters, from the first, have at most ``most`` weights together, and their orders by name.

        It is at least one. The order by similarity exists only for all filters together.
        """
        count = min(len(self.values), max(1, most // self.values[0].size))
        possible = ORDERS if count == len(self.values) else ORDERS[:2]
        return count, {by: order[order < count] for by in possible for order in [self.order(by)]}

    def pictures(self, channel: int | None = None, count: int | None = None) -> tuple[np.ndarray, list[int]]:
        """The filters as pictures.

        The filters of a first layer are in color. Others have their channels side by side, row by row, in a nearly square
        picture. Weights of an input that is not a map are the pixels of such a picture.

        Parameters:
            channel: the input channel to show; None for all channels.
            count: how many filters, from the first; None for all.

        Returns:
            float32 (filters, height, width), or (filters, height, width, 3) in color; and, for pictures made of parts,
            [rows, columns, parts], the size and the number of the parts, else an empty list.

        Raises:
            ValueError: there is no such channel.
        """
        values, channels = self.values[:count], self.values.shape[1]
        if channel is not None and not 0 <= channel < channels:
            raise ValueError(f"there is no channel {channel}: {self.layer.name} has {channels}, numbered from 0")
        if values.shape[1:3] == (1, 1) and values.shape[3] > 1:
            return tiled(values.reshape(len(values), -1, 1, 1))
        if channel is not None or channels == 1:
            return values[:, channel or 0], []
        return (values.transpose(0, 2, 3, 1), []) if self.in_color else tiled(values)

    def kernels(self, filter: int, channel: int | None = None) -> Kernels:
        """A filter's kernel for one input channel; for None its three colors, or its three kernels of largest norm."""
        each = self.values[filter]
        if each.shape[:2] == (1, 1):
            each = each.reshape(-1, 1, 1)
        norms = np.linalg.norm(each.reshape(len(each), -1), axis=1)
        caption = f"Norm {number(self.norms[filter])}."
        if channel is not None:
            chosen = [channel]
        elif self.in_color:
            chosen = [0, 1, 2]
        else:
            chosen = np.argsort(-norms, kind="stable")[:3].tolist()
            if len(chosen) < len(each):
                caption += f" Shown: its {len(chosen)} strongest input channels of {len(each)}."
        if self.dead[filter]:
            caption += " Dead: nearly zero, compared with the layer's other filters."
        names = ["red", "green", "blue"] if self.in_color else [f"channel {c}" for c in range(len(each))]
        return Kernels(each[chosen], [f"{names[c]}, norm {number(norms[c], 2)}" for c in chosen], caption)

    @property
    def title(self) -> str:
        """The layer's name and kind, and the shape of a filter."""
        return f"{self.layer.name} · {self.layer.kind}, {format_shape(self.values.shape[1:])}"

    def classes(self, net: BoundModel) -> list[str]:
        """The class that each filter scores; empty unless it is the network's last layer."""
        is_last = self.layer.name == net.layers.weighted[-1].name and len(self.values) == len(net.classes)
        return [net.class_name(index) for index in range(len(self.values))] if is_last else []

    def summary(self, shown: int | None = None) -> str:
        """A sentence on the number of filters, their shape and how many are dead; a second line says what is shown.

        Parameters:
            shown: how many of the filters are shown; None for all.
        """
        count, dead = len(self.values), int(self.dead.sum())
        each = f"{format_shape(self.values.shape[1:])} weights"
        filters = f"{count:,} filters, {each} each" if count > 1 else f"1 filter, {each}"
        lines = [f"{self.layer.name} · {filters}, {f'{dead:,} dead' if dead else 'none dead'}"]
        if shown is not None and shown < count:
            lines.append(f"Only the first {shown:,} are shown.")
        if self.layer.input_map:
            lines.append("Each row of the weight matrix is drawn as the map that it weights.")
        return "\n".join(lines)

    def code(self, net: BoundModel, channel: int | None = None) -> str:
        """Plain PyTorch lines that put the filters into ``values``: one input channel, or all of them for None."""
        owner, _, attribute = str(self.layer.weight).rpartition(".")
        part = f"model.get_submodule({owner!r})" if owner else "model"
        lines = [net.code, f"values = {part}.{attribute}.detach()"]
        if self.transposed:
            lines.append(f"values = values.unflatten(0, ({self.transposed}, -1)).transpose(1, 2).flatten(0, 1)")
        lines.append(f"values = values.reshape{self.values.shape}  # filters, channels, height, width")
        if channel is not None:
            lines.append(f"values = values[:, {channel}]")
        return "\n".join(lines)

    @cached_property
    def _by_similarity(self) -> np.ndarray:
        count = len(self.values)
        if count < 3:
            return np.arange(count)
        distances = np.clip(1 - self._unit_rows @ self._unit_rows.T, 0, 2)
        np.fill_diagonal(distances, 0)
        distances = squareform((distances + distances.T) / 2, checks=False)
        tree = linkage(distances, "average")
        if count <= 512:  # the ordering takes cubic time: 0.3 s for 512 filters, 20 s for 2048
            tree = optimal_leaf_ordering(tree, distances)
        return leaves_list(tree)

    def __repr__(self) -> str:
        return f"<{self.layer.name}: {len(self.values)} filters of {format_shape(self.values.shape[1:])} weights>"

    @property
    def _rows(self) -> np.ndarray:
        return self.values.reshape(len(self.values), -1)

    @cached_property
    def _unit_rows(self) -> np.ndarray:
        return self._rows / np.maximum(self.norms, np.finfo(np.float32).tiny)[:, None]


@checked
def filters(net: BoundModel, layer: str | None = None) -> Filters:
    """The filters of a convolution or a fully connected layer, as the network uses them.

    If the network computes the weight from its parameters (standardized, normalized, pruned), that weight is returned.

    >>> cw.methods.filters(net, "conv1").values.shape
    (64, 3, 7, 7)

    Parameters:
        net: a bound network.
        layer: a name in ``net.layers``; by default the first layer that has filters.

    Raises:
        KeyError: there is no such layer; the message suggests similar names.
        ValueError: the layer or the whole network has no filters, or weights are NaN or infinite.
    """
    if layer is None:
        if not net.layers.weighted:
            raise ValueError(
                f"{net.name} has no layer with filters: neither a two-dimensional convolution nor a linear layer"
            )
        layer = net.layers.weighted[0].name
    row = net.layers[layer]
    if row.weight is None:
        has = ", ".join(other.name for other in net.layers.weighted[:3])
        raise ValueError(f"{row.name} is a {row.kind} and has no filters; layers with filters: {has}, …")
    owner_name, _, attribute = row.weight.rpartition(".")
    with net.running() as module:  # spectral normalization in training mode takes a step whenever it is asked for the weight
        owner = module.get_submodule(owner_name)
        weight: Any = _weight_in_use(net, row, module) if row.weighing else weight_of(owner, attribute)
        weight = weight.detach().to("cpu", torch.float32, copy=True)
    check_finite(weight, f"the weight of {row.name} ({format_shape(weight.shape)})")
    transposed = 0
    if isinstance(owner, nn.ConvTranspose2d) or row.kind == "conv_transpose2d":  # (inputs, outputs / groups, height, width)
        transposed = row.output_shape[0] // weight.shape[1]
        weight = weight.unflatten(0, (transposed, -1)).transpose(1, 2).flatten(0, 1)
    if weight.ndim == 2:
        weight = weight.reshape(len(weight), *(row.input_map or (1, 1, weight.shape[1])))
    return Filters(row, np.ascontiguousarray(weight.numpy()), transposed)


def layer_with_filters(net: BoundModel, layer: str) -> Layer:
    """The row of a layer; if it has no filters, such as a ReLU, the row of the nearest layer before it that has.

    If no layer before it has filters, its own row.

    Raises:
        KeyError: there is no such layer; the message suggests similar names.
    """
    row = net.layers[layer]
    before = net.layers[: net.layers.names.index(row.name)]
    return row if row.weight else next((other for other in reversed(before) if other.weight), row)


def tiled(values: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Lay the parts of each map side by side: (maps, parts, rows, columns) to (maps, height, width) and
    [rows, columns, parts].

    The parts fill a nearly square picture from left to right and top to bottom; the rest of it is 0.
    """
    count, parts, rows, columns = values.shape
    across = int(np.ceil(np.sqrt(parts)))
    down = -(-parts // across)
    canvas = np.zeros((count, down * across, rows, columns), values.dtype)
    canvas[:, :parts] = values
    canvas = canvas.reshape(count, down, across, rows, columns).swapaxes(2, 3)
    return canvas.reshape(count, down * rows, across * columns), [rows, columns, parts]


def _weight_in_use(net: BoundModel, row: Layer, module: nn.Module) -> torch.Tensor:
    """The weight that a layer uses where the network computes it from parameters, such as a standardized one."""
    found: list[torch.Tensor] = []

    def take(args: tuple, kwargs: Mapping[str, Any]) -> None:
        found.append(weight_argument(args, kwargs))

    name, number = row.weighing or ("", 0)
    with torch.no_grad(), FunctionTap(name, number, given=take):
        module(torch.zeros(1, *net.input_shape, device=net.device, dtype=net.dtype))
    return found[0]
