"""What a unit is wired to: the strongest weights to units of the layers before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from cnnwidgets.methods.code.connections import connection_lines
from cnnwidgets.methods.wire_walks import Step, Walk
from cnnwidgets.net import BoundModel
from cnnwidgets.net.address import UnitAddress, parted
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.wires import NOTHING, Index, Node, Wiring
from cnnwidgets.net.wiring import wiring
from cnnwidgets.numbers import number


@dataclass(frozen=True)
class Connection:
    """A connection between the unit that was asked for and another one.

    Attributes:
        layer: of the other unit, a name in ``net.layers``; None for a channel of the picture.
        unit: its number, from 0.
        weight: how much the later of the two units rises when the earlier one rises by 1 at all positions: the sum over
            the kernel, with the batch norms' gamma / sigma, and with ReLUs open. Its sign is that of the connection.
        norm: the Euclidean norm of the same kernel, in which nothing cancels; connections are ranked by it.
        mean: the mean over the kernel.
        via: the convolution or fully connected layer whose weight it is; None where a residual add joins two units of the
            same number, whose weight is 1.
        where: of each part of the kernel what it is multiplied by, and its place in the weight of ``via``.
    """

    layer: str | None
    unit: int
    weight: float
    norm: float
    mean: float
    via: str | None
    where: tuple[tuple[float, Index], ...] = field(repr=False)


@dataclass(frozen=True, repr=False)
class Connections:
    """The strongest connections of a unit.

    Attributes:
        unit: whose they are.
        before, after: to units of the layers before and after, the strongest first, at most as many as were asked for.
        layers_before, layers_after: by layer (None: the picture) how many of its units are connected.
        ends: the layers that cannot be followed, where connections end, each with the layers it reads; ``notes`` say why.
        notes: sentences on what was looked through, and on what could not be followed.
    """

    unit: UnitAddress
    before: tuple[Connection, ...]
    after: tuple[Connection, ...]
    layers_before: dict[str | None, int]
    layers_after: dict[str | None, int]
    ends: dict[str, tuple[str | None, ...]]
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What was found, in words."""
        return [
            self._sentence("before", self.before, self.layers_before),
            self._sentence("after", self.after, self.layers_after),
        ]

    def _sentence(self, side: str, found: tuple[Connection, ...], layers: dict[str | None, int]) -> str:
        whose = f"Unit {self.unit.unit} of {self.unit.layer}"
        if not found:
            return f"{whose} is connected to no unit {side} it."
        most, count = found[0], sum(layers.values())
        by = f"through {most.via}" if most.via else "through a residual add"
        return (
            f"Of {count:,} unit{'s' * (count != 1)} {side} it, {whose[:1].lower()}{whose[1:]} is connected most strongly to "
            f"{_called(most)}, {by}: norm {number(most.norm)}, sum {number(most.weight)}."
        )

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that put the kernels into ``before`` and ``after``, and their sums into ``values``."""
        return connection_lines(net, self.before, self.after)

    def __repr__(self) -> str:
        return f"<connections of {self.unit}: {' '.join(self.sentences)}>"


@checked
def connections(net: BoundModel, layer: str | UnitAddress, unit: int | None = None, k: int = 8) -> Connections:
    """The strongest connections from a unit to units of the layers before and after, in the network as it is.

    A unit answers to each unit before it through a kernel; DrawNet (Torralba) draws the strongest. The search looks through
    batch norm (its gamma / sigma of evaluation mode is in the weight), activation functions (taken as open), pooling (which
    selects or averages a unit's values), dropout, flattening, concatenation and residual adds. Units are named by the last
    layer that has them, after the activation function; pooling does not count as a layer of its own.

    >>> found = cw.methods.connections(net, net["layer3"][17])
    >>> found.before[0].layer, found.before[0].unit, found.before[0].weight

    Parameters:
        net: a bound network.
        layer, unit: a name in ``net.layers`` and the number of a unit; or an address, ``net["layer3"][17]``, alone.
        k: connections on each side.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        IndexError: the layer has no such unit.
        TypeError: no unit is given, or two are.
        ValueError: the layer has no units, or its units are no units of a map; k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected a whole number of at least 1")
    asked = parted(layer, unit)
    address = net[asked.layer][asked.unit]
    followed = wiring(net)
    wires = followed.rows.get(row := net.layers[asked.layer].name, "its input cannot be followed")
    if isinstance(wires, str):
        raise ValueError(f"the units of {row} cannot be followed: {wires}; expected a layer of maps, or of units")
    walk, wire = Walk(followed), int(wires[asked.unit])
    before, after = (_named(walk, steps) for steps in (walk.before(wire), walk.after(wire)))
    counts = [dict(Counter(layer for layer, _ in {(one.layer, one.unit) for one in side})) for side in (before, after)]
    ends = {node.row: _rows(followed, node) for node in walk.stopped.values() if node.row}
    return Connections(address, tuple(before[:k]), tuple(after[:k]), counts[0], counts[1], ends, tuple(_notes(walk)))


def _named(walk: Walk, steps: Iterable[Step]) -> list[Connection]:
    """All connections that are not 0, the strongest first; what no layer gives is noted by the walk."""
    parts: dict[tuple[str | None, int, str | None], list[tuple]] = {}
    for weights, via in steps:
        for wire, *part in zip(*weights, strict=True):
            if wire == NOTHING:
                continue
            node = walk.wiring.node(wire)
            if node.row is None and node.kind != "picture":
                walk.stopped[node.start] = node
                continue
            parts.setdefault((node.row, int(node.units[wire - node.start]), via), []).append(tuple(part))
    found = []
    for (layer, unit, via), each in parts.items():
        sums, squares, counts, scales, indices = zip(*each, strict=True)
        if any(squares):
            mean, norm = float(sum(sums) / sum(counts)), float(np.sqrt(sum(squares)))
            where = tuple(zip(map(float, scales), indices, strict=True))
            found.append(Connection(layer, unit, float(sum(sums)), norm, mean, via, where))
    return sorted(found, key=lambda one: -one.norm)


def _rows(followed: Wiring, stop: Node) -> tuple[str | None, ...]:
    """The layers that a node is given."""
    nodes = {node.start: node for node in map(followed.node, stop.reads[stop.reads != NOTHING])}
    return tuple(node.row for node in nodes.values() if node.row or node.kind == "picture")


def _notes(walk: Walk) -> Iterable[str]:
    yield "connections are ranked by the Euclidean norm of the kernel; the weight is its sum, away from the borders"
    for kind, sentence in _LOOKED_THROUGH.items():
        if kind in walk.passed:
            yield sentence
    for node in walk.stopped.values():
        yield f"connections end at {node.row or node.name}, which {node.stop or 'no layer shows'}"


_LOOKED_THROUGH = {
    "scale": "the weights include the gamma / sigma of batch norms, and constant factors",
    "open": "activation functions are taken as open: weights lead into their inputs",
    "pool": "pooling is looked through: weights hold for a unit that has the same value in the whole window",
    "add": "an add joins units of the same number with a weight of 1",
}


def _called(one: Connection) -> str:
    return f"unit {one.unit} of {one.layer}" if one.layer else f"channel {one.unit} of the picture"
