"""Filters: the weights of a layer as pictures, their norms, and which of them look alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
        """Whether a filter is a colour picture: it looks at three channels, and at more than one pixel."""
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

        By similarity, neighbours look alike: the leaves of an average-linkage tree of cosine distances, its branches turned
        so that neighbours are near (Bar-Joseph, Gifford and Jaakkola 2001; SciPy's, which does not always find the
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


def _weight_in_use(net: BoundModel, row: Layer, module: nn.Module) -> torch.Tensor:
    """What a layer weighs with, where that is computed of its parameters on the way: standardized, say, or pruned."""
    found: list[torch.Tensor] = []

    def take(args: tuple, kwargs: Mapping[str, Any]) -> None:
        found.append(weight_argument(args, kwargs))

    name, number = row.weighing or ("", 0)
    with torch.no_grad(), FunctionTap(name, number, given=take):
        module(torch.zeros(1, *net.input_shape, device=net.device, dtype=net.dtype))
    return found[0]
