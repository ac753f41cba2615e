"""From a unit along its wire to the next units: those that it is computed from, and those computed from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cnnwidgets.net.wires import NOTHING, Kernels, Node, Weights, Wiring


class Step(NamedTuple):
    """Connections of a wire with others, by one layer's weight.

    Attributes:
        weights: to each of the others.
        via: the layer whose weight it is; None of an add, whose weight is 1.
    """

    weights: Weights
    via: str | None


class Walk:
    """Goes along the wires of a network, and remembers what it went through.

    Attributes:
        passed: the kinds of nodes that were looked through.
        stopped: the nodes that could not be followed.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.passed: set[str] = set()
        self.stopped: dict[int, Node] = {}

    def before(self, wire: int, scale: float = 1.0, joined: bool = False) -> Iterator[Step]:
        """The steps from what a wire is made of.

        Parameters:
            scale: what it is multiplied by on the way to where one asks.
            joined: whether an add is on that way: then what has gone through an activation function is another unit.
        """
        if wire == NOTHING:
            return
        node = self.wiring.node(wire)
        if node.kind == "kernels":
            yield self._read(node.kernels.into(wire - node.start).scaled(scale), node.row)
        elif node.kind in ("scale", "pool") or (node.kind in ("open", "add") and not joined):
            self.passed.add(node.kind)
            for source, factor in node.sources(wire):
                yield from self.before(source, scale * factor, joined or node.kind == "add")
        elif joined:
            yield self._read(_one(wire, scale), None)
        elif node.kind == "stop":
            self.stopped[node.start] = node

    def _read(self, weights: Weights, via: str | None) -> Step:
        """A step from the layers that are read: looking through pooling."""
        found = [self._origin(int(wire)) for wire in weights.wires]
        wires, scales = (np.array(each) for each in zip(*found, strict=True)) if found else (weights.wires, 1.0)
        return Step(weights.scaled(scales).at(wires), via)

    def _origin(self, wire: int) -> tuple[int, float]:
        scale = 1.0
        while wire != NOTHING and (node := self.wiring.node(wire)).links and self._is_looked_through(node):
            self.passed.add(node.kind)
            ((wire, factor),) = node.sources(wire)
            scale *= factor
        return wire, scale

    def _is_looked_through(self, node: Node) -> bool:
        return node.kind == "pool" or (node.row is None and node.kind in ("scale", "open"))

    def after(self, wire: int, scale: float = 1.0) -> Iterator[Step]:
        """The steps to what is made of a wire.

        Parameters:
            scale: what it is multiplied by on the way from where one asks.
        """
        for node, number in self.wiring.readers(self.wiring.node(wire)):
            link = node.links[number]
            if not (link.sources == wire).any():
                continue
            if isinstance(link, Kernels):
                yield Step(self._settled(node, link.out_of(wire, node.start).scaled(scale)), node.row)
                continue
            self.passed.add(node.kind)
            for place in np.flatnonzero(link.sources == wire):
                factor = scale * link.scales[place]
                if node.kind == "add":
                    yield Step(self._settled(node, _one(node.start + place, factor)), None)
                else:
                    yield from self.after(node.start + int(place), factor)
        self.stopped |= {node.start: node for node in self.wiring.stops(wire)}

    def _settled(self, node: Node, weights: Weights) -> Weights:
        """Weights into a node, as those into the last layer after it with the same units, up to its activation function."""
        found = weights
        while node.kind != "open" and (reader := self._only_reader(node)):
            node, number = reader
            same = node.same(number)
            order = np.argsort(same.sources, kind="stable")
            places = order[np.searchsorted(same.sources[order], weights.wires)]
            weights = weights.scaled(same.scales[places]).at(node.start + places)
            self.passed.add(node.kind)
            found = weights if node.row is not None else found
        return found

    def _only_reader(self, node: Node) -> tuple[Node, int] | None:
        """What alone reads a node, and all of it, if its units are the same."""
        readers = self.wiring.readers(node)
        if len(readers) != 1 or self.wiring.stops(node.start):
            return None
        reader, number = readers[0]
        is_same = reader.kind in ("scale", "open", "add")
        mine = node.start + np.arange(node.count)
        counts = np.isin(reader.links[number].sources, mine)
        is_whole = counts.sum() == node.count == len(np.unique(reader.links[number].sources[counts]))
        return (reader, number) if is_same and is_whole else None


def _one(wire: int, weight: float) -> Weights:
    """A single weight."""
    return Weights(np.array([wire]), np.array([weight]), np.array([weight**2]), np.array([1]), np.array([weight]), [()])
