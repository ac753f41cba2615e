"""Following each unit through a forward pass: which weights join it to which other one.

Every tensor is accompanied by its labels, of the same shape, which hold for each value the number of the wire that it is on.
What only moves values is run on the labels, too, whatever it is: a channel shuffle or a flattened map cannot be mistaken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.layers import Layer
from cnnwidgets.net.survey import own_tensors, version_of
from cnnwidgets.net.trace import Calls, tensors_in
from cnnwidgets.net.wire_rules import Asked, Stop, after, once
from cnnwidgets.net.wires import NOTHING, Node, Wiring

_NONE = np.zeros(0, int)


def wiring(net: BoundModel) -> Wiring:
    """How a network's units are wired, found by one forward pass for a blank picture."""
    table = net.layers
    with net.running() as module, torch.no_grad():
        picture = torch.zeros(1, *net.input_shape, device=net.device, dtype=net.dtype)
        calls = Follow(module, picture, {row.name: row for row in table.with_units})
        with calls.watching():
            module(picture)
    return Wiring(calls.nodes, calls.rows)


class Follow(Calls):
    """Labels every tensor of a forward pass with the wires that its values are on.

    Parameters:
        layers: those with units, by name.

    Attributes:
        nodes, rows: see :class:`Wiring`.
    """

    def __init__(self, module: nn.Module, picture: Tensor, layers: dict[str, Layer]) -> None:
        super().__init__(module, visit=lambda name, output: None)
        self._layers = layers
        self.nodes: list[Node] = []
        self.rows: dict[str, np.ndarray | str] = {}
        self._labels = WeakTensorKeyDictionary()  # tensor to (labels, its version); None of what depends on no picture
        for part in module.modules():
            for tensor in own_tensors(part):
                self._set(tensor, None)
        self._set(picture, self._begin("picture", picture, 1))
        self.nodes[0].units = np.arange(self.nodes[0].count)

    def sees_arguments(self, args: tuple, kwargs: dict) -> None:
        """Keep what is known of the arguments, which the function may overwrite."""
        given = [tensor for tensor in tensors_in((args, kwargs)) if tensor.is_floating_point()]
        self._given = {id(tensor): self._known(tensor) for tensor in given}

    def _saw_output(self, func: Any, args: tuple, kwargs: dict, output: Any) -> None:
        self._func = func
        super()._saw_output(func, args, kwargs, output)

    def saw_function(self, name: str, args: tuple, kwargs: dict, output: Any) -> None:
        made = [tensor for tensor in tensors_in(args[0] if name == "setitem" else output) if tensor.is_floating_point()]
        if all(labels is None for labels in self._given.values()):
            for tensor in made:
                self._set(tensor, None)
        elif made:
            for tensor, labels in zip(made, self._after(name, args, kwargs, made), strict=True):
                self._set(tensor, labels)

    def _after(self, name: str, args: tuple, kwargs: dict, made: list[Tensor]) -> list[Tensor]:
        try:
            found = after(Asked(self._func, name, args, kwargs, self._given, made[0]))
        except Stop as stop:
            known = [once(labels).flatten() for labels in self._given.values() if labels is not None]
            reads = torch.cat(known).unique().numpy()
            return [self._stopped(made[0], str(stop), reads), *(self._stopped(tensor, str(stop)) for tensor in made[1:])]
        if isinstance(found, list):
            return found
        node = self._new(Node(found.kind, name, self._next, found.count, found.links))
        return [(once(found.labels) + node.start).expand(found.labels.shape)]

    def saw_call(self, name: str, kind: str | nn.Module, output: Tensor) -> None:
        """A layer has given its output: its units have names from now on."""
        layer, labels = self._layers.get(name), self._known(output)
        if layer is None or labels is None:
            return
        node = self._node(int(labels.flatten()[0]))
        if node is not None and node.kind == "stop" and node.row is None:  # now it is known on which axis its units are
            axis = output.ndim - 1 if layer.layout in ("tokens", "map, channels last") else 1
            labels = self._begin("stop", output, axis, node.stop, node.reads)
            self._set(output, labels)
            node.reads = _NONE
        units = layer.by_unit(labels).flatten(2)[0]
        wires = units[:, 0].numpy()
        known = wires[wires != NOTHING]
        if (units != units[:, :1]).any() or len(np.unique(known)) < len(known):
            self.rows[name] = "each is one position of a map, or computed from what is not followed"
            return
        self.rows[name] = wires
        node = self._node(wires.min())
        if node is not None and node.row is None and np.array_equal(np.sort(wires), node.start + np.arange(node.count)):
            node.row, node.units = name, np.argsort(wires)

    def _set(self, tensor: Tensor, labels: Tensor | None) -> None:
        self._labels[tensor] = labels, version_of(tensor)

    def _known(self, tensor: Tensor) -> Tensor | None:
        """A tensor's labels; None of what does not depend on the picture."""
        labels, version = self._labels.get(tensor, (None, None))
        if version != version_of(tensor):
            labels = self._stopped(tensor, "reads what an unseen function has computed")
            self._set(tensor, labels)
        return labels

    def _begin(self, kind: str, tensor: Tensor, axis: int, stop: str = "", reads: np.ndarray = _NONE) -> Tensor:
        """The labels of a tensor that has a new wire for each number along an axis."""
        node = self._new(Node(kind, self._function, self._next, tensor.shape[axis], stop=stop, reads=reads))
        shape = [-1 if dim == axis else 1 for dim in range(tensor.ndim)]
        return (node.start + torch.arange(node.count)).reshape(shape).expand(tensor.shape)

    def _stopped(self, tensor: Tensor, why: str, reads: np.ndarray = _NONE) -> Tensor:
        """The labels of a tensor of which nothing is known: it has one wire until a layer tells its units."""
        node = self._new(Node("stop", self._function, self._next, 1, stop=why, reads=reads))
        return torch.tensor(node.start).expand(tensor.shape)

    @property
    def _next(self) -> int:
        """The number of the next new wire."""
        return self.nodes[-1].start + self.nodes[-1].count if self.nodes else 0

    def _new(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def _node(self, wire: int) -> Node | None:
        number = int(np.searchsorted([node.start for node in self.nodes], wire, side="right")) - 1
        return None if wire == NOTHING else self.nodes[number]
