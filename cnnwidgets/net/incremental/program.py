"""What of a network's graph can be computed window by window, found for one size of input."""

from __future__ import annotations

import operator
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from cnnwidgets.net.incremental.folding import activation_of, module_of
from cnnwidgets.net.incremental.geometry import Intervals, around, tidy
from cnnwidgets.net.incremental.hooks import After, Before, is_hooked
from cnnwidgets.net.incremental.operations import Sliding, is_addition, is_pointwise, keeps_cells, sliding
from cnnwidgets.net.incremental.refusals import MixesPictures, NoWindows
from cnnwidgets.net.incremental.tracing import version
from cnnwidgets.net.trace import tensors_in

if TYPE_CHECKING:
    from cnnwidgets.net.incremental.routes import Route

CELL = 24.0
"""Multiply-adds that take as long as reading and writing one value."""


@dataclass(eq=False)
class Step:
    """One call of the graph.

    Attributes:
        kind: what a patch in the picture makes of it:
            "constant": nothing, it does not depend on the picture;
            "picture": the input itself;
            "sliding", "pointwise": windows of a map change;
            "shape": it asks only for a tensor's shape;
            "whole": anything; it is computed of whole maps.
        inputs: the steps that it takes values of.
        shape: of its output for one picture; () for what is not a tensor.
        added: of a sliding step, the one whose maps are added to its output, and ...
        activation: ... what comes after that.
        number: of the steps with windows, which one; -1 for the others.
        last: steps that nobody needs after this one.
    """

    node: fx.Node
    kind: str
    inputs: list[Step]
    shape: tuple[int, ...]
    sliding: Sliding | None = None
    added: Step | None = None
    activation: str = "none"
    number: int = -1
    last: list[Step] = field(default_factory=list)

    @property
    def windowed(self) -> bool:
        return self.kind in ("picture", "sliding", "pointwise")

    @property
    def live(self) -> list[Step]:
        """The inputs that depend on the picture."""
        return [step for step in self.inputs if step.kind != "constant"]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its maps."""
        return self.shape[-2], self.shape[-1]

    @property
    def channels(self) -> int:
        return self.shape[1] if len(self.shape) == 4 else 1

    @property
    def numbers(self) -> int:
        """How many numbers its output is, for one picture."""
        return prod(self.shape[1:])

    @property
    def work(self) -> float:
        """Multiply-adds of one cell, what its memory costs included."""
        return CELL * self.channels + (self.sliding.work if self.sliding else 0.0)


class Program:
    """The steps of a folded network, in order.

    Attributes:
        graph: the folded network.
        steps: its calls.
        convolutions: those that are convolutions, whether with windows or without.
        windowed: those of which windows can be computed.
        outputs: the steps that the network's output is made of.
        frontier: windowed steps that something takes whole maps of.
        selections: steps without windows that take a part of a map as it is.
        constants: the values of the steps that do not depend on the picture.
        hooked: whether hooks of the user see, or change, what is computed; they may mix pictures in ways that seldom show.
        proven: for what patches windows were seen to give the scores of whole pictures, and how much those changed.
        routes: what was found for batches of positions; kept here for the next picture.
    """

    def __init__(self, graph: fx.GraphModule, picture: Tensor):
        self.graph = graph
        self.constants: dict[Step, Any] = {}
        self._of: dict[fx.Node, Step] = {}
        for node, value in self.values(picture):
            if node.op != "output":
                self._take(node, value)
        self.steps = list(self._of.values())
        self._result = next(node for node in graph.graph.nodes if node.op == "output")
        self.outputs = [self._of[node] for node in self._result.all_input_nodes]
        self.convolutions = [step for step in self.steps if _convolves(step.node, module_of(graph, step.node))]
        self._join_additions()
        self.windowed = [step for step in self.steps if step.windowed]
        for number, step in enumerate(self.windowed):
            step.number = number
        last = {used: step for step in self.steps for used in step.live}
        for used, step in last.items():
            if used not in self.outputs:
                step.last.append(used)
        self.hooked = any(isinstance(part, (Before, After)) or is_hooked(part) for part in graph.modules())
        self.proven: dict[tuple, list[float]] = {}
        self.frontier = {used for step in self.steps if step.kind == "whole" for used in step.live if used.windowed}
        self.frontier.update(step for step in self.outputs if step.windowed)
        self.selections = {
            step for step in self.steps if step.kind == "whole" and step.shape[:1] == (1,) and _selects(step.node)
        }
        self.routes: OrderedDict[tuple, Route] = OrderedDict()
        self._axes: dict[tuple[int, int], Axis] = {}

    def values(self, picture: Tensor) -> Iterator[tuple[fx.Node, Any]]:
        """Every node and its value for one picture, in order; what no later node needs is let go.

        Raises:
            NoWindows: a node overwrites what it is given: maps that are kept would not stay as they are.
        """
        interpreter = fx.Interpreter(self.graph)
        interpreter.args_iter = iter((picture,))
        needed = {node: len(node.users) for node in self.graph.graph.nodes}
        for node in self.graph.graph.nodes:
            given = [*tensors_in([interpreter.env[used] for used in node.all_input_nodes])]
            before = [*map(version, given)]
            interpreter.env[node] = interpreter.run_node(node)
            if [*map(version, given)] != before:
                raise NoWindows(f"{node.name} overwrites what it is given")
            yield node, interpreter.env[node]
            for used in node.all_input_nodes:
                needed[used] -= 1
                if not needed[used]:
                    del interpreter.env[used]

    @property
    def whole_numbers(self) -> int:
        """How many numbers the steps without windows hold at once at most, for one picture."""
        held = {step: step.numbers for step in self.frontier}
        most = sum(held.values())
        for step in self.steps:
            if step.kind == "whole":
                held[step] = step.numbers
                most = max(most, sum(held.values()))
                for used in step.last:
                    held.pop(used, None)
        return most

    def output(self, value: Callable[[Step], Any]) -> Any:
        """The network's output, with ``value(step)`` for what it is made of: a tensor, or a tuple or dict of them."""
        return map_arg(self._result.args[0], lambda node: value(self._of[node]))

    def step(self, node: fx.Node) -> Step:
        return self._of[node]

    def axis(self, which: int, length: int) -> Axis:
        """Where a patch of so many rows (for axis 0) or columns (for axis 1) reaches."""
        if (which, length) not in self._axes:
            self._axes[which, length] = Axis(self.windowed, which, length)
        return self._axes[which, length]

    def _take(self, node: fx.Node, value: object) -> None:
        shape = tuple(value.shape) if isinstance(value, Tensor) else ()
        step = Step(node, "whole", [self._of[used] for used in node.all_input_nodes], shape)
        if node.op == "placeholder" and not any(other.kind == "picture" for other in self._of.values()):
            step.kind = "picture"
        elif not step.live:
            step.kind = "constant"
            self.constants[step] = value
        elif _asks_shape(node):
            step.kind = "shape"
        elif isinstance(value, Tensor) and not value.ndim and any(used.shape for used in step.live):
            raise MixesPictures(f"{node.name} is one number of all pictures of a batch")
        elif shape and all(used.windowed for used in step.live):
            self._find_windows(step)
        self._of[node] = step

    def _find_windows(self, step: Step) -> None:
        node, (first, *others) = step.node, step.live
        module = module_of(self.graph, node)

        def constant(value: Any) -> Any:
            return self.constants[self._of[value]] if isinstance(value, fx.Node) else value

        if not others and len(first.shape) == len(step.shape) == 4 and node.args[0] is first.node:
            step.sliding = sliding(node, module, constant, first.shape, step.shape)
        if step.sliding:
            step.kind = "sliding"
        elif is_pointwise(node, module) and len(step.shape) in (3, 4):
            constants = [self.constants[used] for used in step.inputs if used.kind == "constant"]
            same_size = all(used.size == step.size and len(used.shape) == len(first.shape) for used in step.live)
            if same_size and all(isinstance(value, Tensor) and keeps_cells(node, value) for value in constants):
                step.kind = "pointwise"

    def _join_additions(self) -> None:
        """Let a convolution do the addition of a residual block, and the activation after it, on the way.

        Windows are small and many: to read and write them again takes longer than to add.
        """
        users = Counter([used for step in self.steps for used in step.live] + self.outputs)
        for step in self.steps:
            if step.kind != "pointwise":
                continue
            activation = activation_of(step.node, module_of(self.graph, step.node))
            for before in step.live:
                if users[before] > 1 or not before.sliding:
                    continue
                if activation and before.added and before.activation == "none":
                    step.added, step.activation, step.inputs = before.added, activation, before.inputs
                elif before.sliding.adds and not before.added and self._is_sum(step):
                    (step.added,) = (used for used in step.live if used is not before)
                    step.inputs = [before.live[0], step.added]
                else:
                    continue
                step.kind, step.sliding = "sliding", before.sliding
                self.steps = [other for other in self.steps if other is not before]
                break

    def _is_sum(self, step: Step) -> bool:
        """Whether a step adds maps of the same shape."""
        return is_addition(step.node) and len(step.live) == 2 and all(used.shape == step.shape for used in step.live)


class Axis:
    """Along rows or columns: where in every map a patch reaches, for every place it can have.

    Attributes:
        first, end: int (steps with windows, places): the interval that changes; empty where first >= end.
    """

    def __init__(self, steps: list[Step], which: int, length: int):
        size = steps[0].size[which]
        self._offset = length - 1
        places = np.arange(-self._offset, size)
        found: list[Intervals] = []
        for step in steps:
            if step.kind == "picture":
                found.append(tidy((np.maximum(places, 0), np.minimum(places + length, size))))
                continue
            changed = [found[used.number] for used in step.live]
            if step.sliding:
                changed[0] = (step.sliding.rows, step.sliding.columns)[which].reach(changed[0])
            found.append(around(changed))
        self.first, self.end = (np.stack(part) for part in zip(*found, strict=True))

    def changed(self, places: np.ndarray) -> Intervals:
        """The intervals (steps with windows, positions) for patches that begin at some rows or columns."""
        return self.first[:, places + self._offset], self.end[:, places + self._offset]


def _convolves(node: fx.Node, module: nn.Module | None) -> bool:
    return node.target is F.conv2d or isinstance(module, nn.Conv2d)


def _selects(node: fx.Node) -> bool:
    return node.target in _SELECT


_SELECT = (operator.getitem, torch.narrow, torch.select, torch.index_select, "narrow", "select", "index_select")


def _asks_shape(node: fx.Node) -> bool:
    if node.op == "call_function":
        return node.target is getattr and node.args[1] in ("shape", "ndim", "dtype", "device")
    return node.op == "call_method" and node.target in ("size", "dim")
