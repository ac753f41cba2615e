"""Filters: the weights of a layer as pictures, their norms, and which of them look alike."""

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

DEAD = 1e-3
"""A filter whose norm is below this part of the layer's median norm is called dead."""

ORDERS = ("index", "norm", "similarity")
"""What filters can be sorted by."""


class Kernels(NamedTuple):
    """Kernels of one filter: ``values`` float32 (k, height, width), a title for each of them, and a caption for all."""

    values: np.ndarray
    titles: list[str]
    caption: str


@dataclass(frozen=True, repr=False)
class Filters:
    """The weights of one layer.

    Attributes:
        layer: the layer's row in ``net.layers``.
        values: float32 (filters, channels, height, width). A fully connected layer's rows have the shape of the map whose
            values they weigh (the templates of a linear classifier), or (1, 1, inputs) where the input is no map.
        transposed: number of groups of a transposed convolution, whose weight is stored by input channel; 0 for others.
    """

    layer: Layer
    values: np.ndarray
    transposed: int = 0

    @property
    def in_color(self) -> bool:
        """Whether a filter is a color picture: it looks at three channels, and at more than one pixel."""
        return self.values.shape[1] == 3 and self.values[0, 0].size > 1

    @cached_property
    def norms(self) -> np.ndarray:
        """(filters,): the Euclidean norm of each filter."""
        return np.linalg.norm(self._rows, axis=1)

    @property
    def dead(self) -> np.ndarray:
        """(filters,) bool: filters that are zero, or a thousand times weaker than the layer's median filter."""
        return self.norms <= DEAD * np.median(self.norms)

    def cosine(self, filter: int) -> np.ndarray:
        """(filters,): the cosine of the angle between one filter and each; 0 for filters that are zero."""
        return self._unit_rows @ self._unit_rows[filter]

    def alike(self, filter: int, k: int = 5) -> list[tuple[int, float]]:
        """The k filters most like one filter, as (index, cosine), the most similar first, itself left out."""
        cosines = self.cosine(filter)
        others = [int(i) for i in np.argsort(-cosines, kind="stable") if i != filter]
        return [(i, float(cosines[i])) for i in others[:k]]

    def order(self, by: str) -> np.ndarray:
        """(filters,): the filters' indices sorted by ``"index"``, by falling ``"norm"`` or by ``"similarity"``.

        By similarity, neighbors look alike: the leaves of an average-linkage tree of cosine distances, its branches turned
        so that neighbors are near (Bar-Joseph, Gifford and Jaakkola 2001; SciPy's, which does not always find the
        smallest sum of distances: scipy issue 11227).
        """
        match by:
            case "index":
                return np.arange(len(self.values))
            case "norm":
                return np.argsort(-self.norms, kind="stable")
            case "similarity":
                return self._by_similarity
        raise ValueError(f"filters are sorted by 'index', 'norm' or 'similarity', not by {by!r}")

    def first(self, most: int) -> tuple[int, dict[str, np.ndarray]]:
        """How many of the first filters have at most so many weights together, and the orders of these, by name.

        There is at least one. By similarity only all filters have an order.
        """
        count = min(len(self.values), max(1, most // self.values[0].size))
        possible = ORDERS if count == len(self.values) else ORDERS[:2]
        return count, {by: order[order < count] for by in possible for order in [self.order(by)]}

    def pictures(self, channel: int = -1, count: int | None = None) -> tuple[np.ndarray, list[int]]:
        """The filters as pictures of one input channel, or of all for -1; the first ``count``, or all of them.

        First layers are in color; other filters have their channels side by side, in order, in a picture near a square;
        weights of an input that is no map are the pixels of one.

        Returns:
            float32 (filters, height, width), or (filters, height, width, 3) in color; and of pictures made of parts
            [rows, columns, parts]: the size of a part and their number, else an empty list.

        Raises:
            ValueError: there is no such channel.
        """
        values, channels = self.values[:count], self.values.shape[1]
        if channel >= channels:
            raise ValueError(
                f"there is no channel {channel}: {self.layer.name} has {channels}, numbered from 0; -1 shows all"
            )
        if values.shape[1:3] == (1, 1) and values.shape[3] > 1:
            return tiled(values.reshape(len(values), -1, 1, 1))
        if channel >= 0 or channels == 1:
            return values[:, max(channel, 0)], []
        return (values.transpose(0, 2, 3, 1), []) if self.in_color else tiled(values)

    def kernels(self, filter: int, channel: int = -1) -> Kernels:
        """A filter's kernel for one input channel; for -1 its three colors, or the three kernels with the largest norms."""
        each = self.values[filter]
        if each.shape[:2] == (1, 1):
            each = each.reshape(-1, 1, 1)
        norms = np.linalg.norm(each.reshape(len(each), -1), axis=1)
        if channel >= 0:
            chosen = [channel]
        else:
            chosen = [0, 1, 2] if self.in_color else np.argsort(-norms, kind="stable")[:3].tolist()
        some = channel < 0 and len(chosen) < len(each)
        which = f" (the {len(chosen)} strongest of {len(each)} channels)" if some else ""
        dead = " · dead: next to zero beside the layer's other filters" if self.dead[filter] else ""
        names = ["red", "green", "blue"] if self.in_color else [f"channel {c}" for c in range(len(each))]
        titles = [f"{names[c]}, norm {norms[c]:.2g}" for c in chosen]
        return Kernels(each[chosen], titles, f"norm {self.norms[filter]:.3g}{which}{dead}")

    @property
    def title(self) -> str:
        """The layer's name and kind, and the shape of a filter."""
        return f"{self.layer.name} · {self.layer.kind}, {format_shape(self.values.shape[1:])}"

    def classes(self, net: BoundModel) -> list[str]:
        """The classes whose scores the filters give, one each; none where they are of a layer inside the network."""
        is_last = self.layer.name == net.layers.weighted[-1].name and len(self.values) == len(net.classes)
        return [net.class_name(index) for index in range(len(self.values))] if is_last else []

    def summary(self, shown: int | None = None) -> str:
        """The number of filters, their shape, and how many are dead; ``shown``: how many of them are shown."""
        count, dead = len(self.values), int(self.dead.sum())
        parts = [f"{self.layer.name}: {count} filters of {format_shape(self.values.shape[1:])} weights"]
        if shown is not None and shown < count:
            parts.append(f"the first {shown} are shown")
        if self.layer.input_map:
            parts.append("each row is drawn as the map that it weighs")
        return " · ".join([*parts, f"{dead} dead" if dead else "none dead"])

    def code(self, net: BoundModel, channel: int = -1) -> str:
        """The plain PyTorch lines that put the filters, of one input channel or of all for -1, into ``values``."""
        owner, _, attribute = str(self.layer.weight).rpartition(".")
        part = f"model.get_submodule({owner!r})" if owner else "model"
        lines = [net.code, f"values = {part}.{attribute}.detach()"]
        if self.transposed:
            lines.append(f"values = values.unflatten(0, ({self.transposed}, -1)).transpose(1, 2).flatten(0, 1)")
        lines.append(f"values = values.reshape{self.values.shape}  # filters, channels, height, width")
        if channel >= 0:
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

    A weight that is computed of the parameters on the way (standardized, normalized, pruned) is shown as it is then.

    >>> cw.methods.filters(net, "conv1").values.shape
    (64, 3, 7, 7)

    Parameters:
        net: a bound network.
        layer: a name in ``net.layers``; by default the first layer that has filters.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: the layer has no filters, the network has none at all, or weights are NaN or infinite.
    """
    if layer is None:
        if not net.layers.weighted:
            raise ValueError(f"{net.name} has no layer with filters: no two-dimensional convolution, no linear layer")
        layer = net.layers.weighted[0].name
    row = net.layers[layer]
    if row.weight is None:
        has = ", ".join(other.name for other in net.layers.weighted[:3])
        raise ValueError(f"{row.name} is a {row.kind}: it has no filters; {has}, ... have")
    owner_name, _, attribute = row.weight.rpartition(".")
    with net.running() as module:  # spectral normalization in training mode takes a step whenever it is asked for the weight
        owner = module.get_submodule(owner_name)
        weight: Any = _weight_in_use(net, row, module) if row.weighing else weight_of(owner, attribute)
        weight = weight.detach().to("cpu", torch.float32, copy=True)
    check_finite(weight, f"the weight of {row.name}, {format_shape(weight.shape)},")
    transposed = 0
    if isinstance(owner, nn.ConvTranspose2d) or row.kind == "conv_transpose2d":  # (inputs, outputs / groups, height, width)
        transposed = row.output_shape[0] // weight.shape[1]
        weight = weight.unflatten(0, (transposed, -1)).transpose(1, 2).flatten(0, 1)
    if weight.ndim == 2:
        weight = weight.reshape(len(weight), *(row.input_map or (1, 1, weight.shape[1])))
    return Filters(row, np.ascontiguousarray(weight.numpy()), transposed)


def layer_with_filters(net: BoundModel, layer: str) -> Layer:
    """The row of a layer that has filters; of one that has none (a ReLU, say) that of the last one before it that has.

    Where there is none before it either, the layer's own row.

    Raises:
        KeyError: there is no such layer; names like it are offered.
    """
    row = net.layers[layer]
    before = net.layers[: net.layers.names.index(row.name)]
    return row if row.weight else next((other for other in reversed(before) if other.weight), row)


def tiled(values: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Maps made of parts, laid side by side: (maps, parts, rows, columns) to (maps, height, width) and
    [rows, columns, parts].

    The parts fill a square from left to right and top to bottom; what remains of it is 0.
    """
    count, parts, rows, columns = values.shape
    across = int(np.ceil(np.sqrt(parts)))
    down = -(-parts // across)
    canvas = np.zeros((count, down * across, rows, columns), values.dtype)
    canvas[:, :parts] = values
    canvas = canvas.reshape(count, down, across, rows, columns).swapaxes(2, 3)
    return canvas.reshape(count, down * rows, across * columns), [rows, columns, parts]


def _weight_in_use(net: BoundModel, row: Layer, module: nn.Module) -> torch.Tensor:
    """What a layer weighs with, where that is computed of its parameters on the way: standardized, say, or pruned."""
    found: list[torch.Tensor] = []

    def take(args: tuple, kwargs: Mapping[str, Any]) -> None:
        found.append(weight_argument(args, kwargs))

    name, number = row.weighing or ("", 0)
    with torch.no_grad(), FunctionTap(name, number, given=take):
        module(torch.zeros(1, *net.input_shape, device=net.device, dtype=net.dtype))
    return found[0]
