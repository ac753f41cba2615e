"""What carries a unit's values through a network: wires, the nodes at which they end and begin, and the weights between.

A wire is one unit's values at all positions, numbered through the whole network. A call that computes is a Node, and
has a wire for each unit that it gives; one that only moves values (a view, a slice, a concatenation, dropout) makes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

NOTHING = -1
"""The wire of what does not depend on the picture."""

Index = tuple[list[int], ...]
"""Numbers along each of the first axes of a weight."""


class Weights(NamedTuple):
    """The weights between one wire and some others, a row each.

    Attributes:
        wires: int64 (n,), the others.
        sums: float64 (n,), the sum over the kernel: by how much the later one rises, where the earlier one rises by 1 at
            all positions.
        squares: float64 (n,), the sum of the squares.
        counts: int64 (n,), the number of weights.
        scales: float64 (n,), what the layer's own weights are multiplied by.
        indices: (n,), where they are in the layer's own weight.
    """

    wires: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    counts: np.ndarray
    scales: np.ndarray
    indices: list[Index]

    def scaled(self, by: np.ndarray | float) -> Weights:
        """The same, all multiplied."""
        return self._replace(sums=self.sums * by, squares=self.squares * np.square(by), scales=self.scales * by)

    def where(self, kept: np.ndarray) -> Weights:
        """Some of them."""
        arrays = {name: getattr(self, name)[kept] for name in Weights._fields[:-1]}
        return Weights(**arrays, indices=[self.indices[k] for k in np.flatnonzero(kept)])

    def at(self, wires: np.ndarray) -> Weights:
        """The same weights, of other wires."""
        return self._replace(wires=wires)


@dataclass(frozen=True, eq=False)
class Same:
    """Wires that go on, one to one.

    Attributes:
        sources: int64 (units,), the wire that goes on in each.
        scales: float64 (units,), what it is multiplied by.
    """

    sources: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True, eq=False)
class Kernels:
    """A convolution's or a fully connected layer's weight.

    Attributes:
        weight: (groups, units / groups, inputs / groups, size of a kernel).
        sources: int64 (groups, inputs / groups), the wire of each input; behind a flattened map several have the same one.
        share: how much of a kernel one position sees: 1, but of a transposed convolution 1 / the product of its strides.
        is_transposed: whether the layer's own weight has the inputs first.
    """

    weight: Tensor
    sources: np.ndarray
    share: float = 1.0
    is_transposed: bool = False

    def into(self, unit: int) -> Weights:
        """The weights from each wire into a unit."""
        group, row = divmod(unit, self.weight.shape[1])
        kernels = self.weight[group, row].double().cpu().numpy()
        wires, places = np.unique(self.sources[group], return_inverse=True)
        sums, squares = (np.bincount(places, part.sum(1), len(wires)) for part in (kernels, kernels**2))
        counts = np.bincount(places, minlength=len(wires)) * kernels.shape[1]
        columns = np.split(np.argsort(places, kind="stable"), np.cumsum(np.bincount(places))[:-1])
        indices = [self._index(group, row, each) for each in columns]
        found = Weights(wires, self.share * sums, squares, counts, np.full(len(wires), self.share), indices)
        return found.where(wires != NOTHING)

    def out_of(self, wire: int, start: int) -> Weights:
        """The weights from a wire into each unit, whose wires are numbered from ``start`` on."""
        found = []
        for group, sources in enumerate(self.sources):
            columns = np.flatnonzero(sources == wire)
            if len(columns):
                kernels = self.weight[group][:, torch.from_numpy(columns)].double().cpu().flatten(1).numpy()
                count = len(kernels)
                wires, counts = start + group * count + np.arange(count), np.full(count, kernels.shape[1])
                indices = [self._index(group, row, columns) for row in range(count)]
                sums, squares = self.share * kernels.sum(1), (kernels**2).sum(1)
                found.append(Weights(wires, sums, squares, counts, np.full(count, self.share), indices))
        return joined(found)

    def _index(self, group: int, row: int, columns: np.ndarray) -> Index:
        """Where in the layer's own weight the weights of a row are."""
        _, rows, inputs, _ = self.weight.shape
        if self.is_transposed:
            return (group * inputs + columns).tolist(), [row]
        return [group * rows + row], columns.tolist()


def joined(some: Sequence[Weights]) -> Weights:
    """All of several weights."""
    arrays = {name: np.concatenate([getattr(one, name) for one in some]) for name in Weights._fields[:-1]}
    return Weights(**arrays, indices=[index for one in some for index in one.indices])


@dataclass(eq=False)
class Node:
    """A call that computes something, and the wires that begin there.

    Attributes:
        kind: ``"picture"``, ``"kernels"``, ``"scale"`` (a batch norm, a constant factor), ``"open"`` (an activation
            function), ``"pool"``, ``"add"`` or ``"stop"``.
        name: the function's.
        start, count: its wires.
        links: what it is made of: :class:`Kernels`, or :class:`Same`, several of an add.
        stop: why it is not followed, in words that go with its name.
        reads: int64, the wires that it is given, where it is not followed.
        row: the layer that gives its wires, one a unit; None where there is none.
        units: int64 (count,), the wires' numbers in that layer.
    """

    kind: str
    name: str
    start: int
    count: int
    links: tuple[Same | Kernels, ...] = ()
    stop: str = ""
    reads: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    row: str | None = None
    units: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    @property
    def kernels(self) -> Kernels:
        """Of a node of this kind."""
        (link,) = self.links
        assert isinstance(link, Kernels)
        return link

    def same(self, number: int = 0) -> Same:
        """One of its links, where it has none of kernels."""
        link = self.links[number]
        assert isinstance(link, Same)
        return link

    def sources(self, wire: int) -> list[tuple[int, float]]:
        """The wires that go on in a wire, and what each is multiplied by."""
        place, links = wire - self.start, map(self.same, range(len(self.links)))
        return [(int(link.sources[place]), float(link.scales[place])) for link in links]


@dataclass(frozen=True, eq=False)
class Wiring:
    """How a network's units are wired.

    Attributes:
        nodes: in the order of their wires.
        rows: by layer int64 (units,), the wire of each unit; of one that cannot be followed a sentence says why.
    """

    nodes: list[Node]
    rows: dict[str, np.ndarray | str]

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.array([node.start for node in self.nodes])

    @cached_property
    def _readers(self) -> dict[int, list[tuple[Node, int]]]:
        """By a node's start, the nodes that read one of its wires, each with the number of its link."""
        found: dict[int, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for number, link in enumerate(node.links):
                wires = link.sources[link.sources != NOTHING]
                for read in np.unique(np.searchsorted(self._starts, wires, side="right") - 1):
                    found.setdefault(self.nodes[read].start, []).append((node, number))
        return found

    def node(self, wire: int) -> Node:
        """The node at which a wire begins."""
        return self.nodes[int(np.searchsorted(self._starts, wire, side="right")) - 1]

    def readers(self, node: Node) -> list[tuple[Node, int]]:
        """The nodes that read a node's wires, each with the number of its link."""
        return self._readers.get(node.start, [])

    def stops(self, wire: int) -> list[Node]:
        """The nodes that read a wire and are not followed."""
        return [node for node in self.nodes if wire in node.reads]
