"""What is behind a layer, as a function of its output: the rest of a forward pass without what comes before it."""

from __future__ import annotations

from torch import Tensor, fx, nn

from cnnwidgets.net.graph import tapped
from cnnwidgets.net.incremental.folding import traced
from cnnwidgets.net.incremental.hooks import compute_weights, refuse_hooks_of_all
from cnnwidgets.net.incremental.in_place import out_of_place
from cnnwidgets.net.incremental.refusals import NoWindows
from cnnwidgets.net.layers import Layer


class Tail:
    """A forward pass in two parts. What the second one reads beside the layer's output, such as a shortcut, is kept, too.

    Parameters:
        module: a network's double.
        layer: its row in the layer table.
        inputs: (N, C, H, W), any that the network takes.

    Attributes:
        before: of the inputs; gives the layer's output, and whatever else is read behind it.
        behind: of these; gives the network's output, and writes into nothing that it gets.

    Raises:
        NoWindows: the forward pass cannot be followed, or overwrites what is used again, or has no call for the layer.
    """

    def __init__(self, module: nn.Module, layer: Layer, inputs: Tensor):
        self.module = module
        refuse_hooks_of_all()
        compute_weights(module)
        graph = traced(module, inputs[:1])
        node = _node_of(graph, module, layer, inputs[:1])
        out_of_place(graph, inputs[:1])
        self.before, self.behind = _parted(graph, node)


def _node_of(graph: fx.GraphModule, module: nn.Module, layer: Layer, picture: Tensor) -> fx.Node:
    """Which call of the graph is that of a layer."""
    found: list[Tensor] = []
    interpreter = fx.Interpreter(graph)
    interpreter.args_iter = iter((picture.clone(),))
    with tapped(module, layer.source, lambda output, was_written: found.append(output)):
        for node in graph.graph.nodes:
            interpreter.env[node] = interpreter.run_node(node)
            if found:
                if interpreter.env[node] is found[0]:
                    return node
                break
    raise NoWindows(f"its graph has no call that gives the output of {layer.name}")


def _parted(graph: fx.GraphModule, layer: fx.Node) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The calls up to a node, with all that does not depend on its value; and those behind it, down to the output."""
    nodes = [*graph.graph.nodes]
    behind = {layer, nodes[-1]}
    for node in nodes:
        if not behind.isdisjoint(node.all_input_nodes):
            behind.add(node)
    read = [layer, *(node for node in nodes if node not in behind and not behind.isdisjoint(node.users))]
    first, second = fx.Graph(), fx.Graph()
    mine: dict[fx.Node, fx.Node] = {}
    for node in nodes:
        if node is layer or node not in behind:
            mine[node] = first.node_copy(node, mine.__getitem__)
    first.output(tuple(mine[node] for node in read))
    mine = {node: second.placeholder(node.name) for node in read}
    for node in nodes:
        if node is not layer and node in behind:
            mine[node] = second.node_copy(node, mine.__getitem__)
    before = fx.GraphModule(graph, first)
    before.graph.eliminate_dead_code()  # what is behind the layer's position, and read by nothing behind the layer
    before.recompile()
    return before, fx.GraphModule(graph, second)
