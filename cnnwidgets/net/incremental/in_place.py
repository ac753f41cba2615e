"""A graph whose operations write into nothing that somebody else reads: a map that is kept must stay as it is."""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from cnnwidgets.net.incremental.operations import is_made_anew, passes_on
from cnnwidgets.net.incremental.refusals import NoWindows
from cnnwidgets.net.incremental.tracing import IN_PLACE, names_writing
from cnnwidgets.net.trace import tensors_in


def out_of_place(graph: fx.GraphModule, picture: Tensor | None) -> None:
    """Let every operation that writes into a tensor give a new one instead, which whatever comes later takes.

    Parameters:
        picture: (1, C, H, W); with it the graph is run where only that tells which tensors share their memory.

    Raises:
        NoWindows: a part of what is overwritten, or something that it is a part of, is used again.
    """
    writing = {node: target for node in graph.graph.nodes if (target := _overwritten(node, graph)) is not None}
    sharing: dict[fx.Node, list[fx.Node]] = {}
    if not all(_is_private(target, node, writing, graph) for node, target in writing.items()):
        sharing = _sharing(graph, writing, picture)
    order = {node: number for number, node in enumerate(graph.graph.nodes)}
    renewed: dict[fx.Node, list[fx.Node]] = {}  # what a node's value was in the end, after each that wrote into it
    for node in writing:
        _make_out_of_place(node, graph)
        later = {user for user, number in order.items() if number > order[node]}
        for same in sharing.get(node, ()):
            for now in renewed.setdefault(same, [same]):
                now.replace_all_uses_with(node, later.__contains__)
            renewed[same].append(node)


def _overwritten(node: fx.Node, graph: fx.GraphModule) -> fx.Node | None:
    """What a node writes into; None if it gives something new, or a view."""
    if node.kwargs.get("out") is not None:
        raise NoWindows(f"{node.name} writes what it finds into another tensor (out=...)")
    if not _writes(node, graph):
        return None
    if not node.args or not isinstance(node.args[0], fx.Node):
        raise NoWindows(f"{node.name} writes into several tensors")
    return node.args[0]


def _writes(node: fx.Node, graph: fx.GraphModule) -> bool:
    match node.op:
        case "call_module":
            return bool(getattr(graph.get_submodule(str(node.target)), "inplace", False))
        case "call_method" | "call_function":
            return names_writing(node.op, node.target) or (node.op == "call_function" and _is_flagged(node))
    return False


def _is_private(node: fx.Node, reader: fx.Node, writing: dict[fx.Node, fx.Node], graph: fx.GraphModule) -> bool:
    """Whether nobody but one reader reads the memory of a node's output: it was made for it, or is of what was."""
    if [*node.users] != [reader]:
        return False
    if node in writing:
        return _is_private(writing[node], node, writing, graph)
    module = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    if node.op == "placeholder" or is_made_anew(node, module):
        return True
    if not passes_on(node, module):
        return False
    return all(_is_private(used, node, writing, graph) for used in node.all_input_nodes)


def _sharing(graph: fx.GraphModule, writing: dict[fx.Node, fx.Node], picture: Tensor | None) -> dict[fx.Node, list[fx.Node]]:
    """Of every node that writes: the nodes whose value is the very tensor that it writes into."""
    if picture is None:
        raise NoWindows("it writes into tensors that may be used again")
    interpreter = fx.Interpreter(graph)
    interpreter.args_iter = iter((picture.clone(memory_format=torch.contiguous_format),))
    nodes = [*graph.graph.nodes]
    order = {node: number for number, node in enumerate(nodes)}
    last = {node: max((order[user] for user in node.users), default=-1) for node in nodes}
    values: dict[fx.Node, Any] = interpreter.env
    kept: dict[int, Tensor] = {}
    for node in nodes:
        if node.op == "get_attr":
            value = interpreter.run_node(node)
            values[node] = kept.setdefault(id(value), value.detach().clone()) if isinstance(value, Tensor) else value
    found: dict[fx.Node, list[fx.Node]] = {}
    for node in nodes:
        if node in writing and isinstance(values[writing[node]], Tensor):
            read = {other: value for other, value in values.items() if last[other] > order[node]}
            found[node] = [*_same(node, writing[node], values[writing[node]], read)]
        if node.op != "get_attr":
            values[node] = interpreter.run_node(node)
        for used in node.all_input_nodes:
            if last[used] <= order[node]:
                values.pop(used, None)
    return found


def _same(node: fx.Node, target: fx.Node, overwritten: Tensor, read: dict[fx.Node, Any]) -> Iterator[fx.Node]:
    """Those of the values that are read later that are the very tensor which a node overwrites."""
    for other, value in read.items():
        for tensor in tensors_in(value):
            if tensor is value and _place(tensor) == _place(overwritten):
                yield other
            elif _overlap(tensor, overwritten) and not _is_put_back(node, target, other):
                raise NoWindows(f"{node.name} writes into a part of {other.name}, which is used again")


def _is_put_back(node: fx.Node, target: fx.Node, whole: fx.Node) -> bool:
    """Whether what a node makes of a part is then put into the place of that part, as by ``x[:, 0] *= 2``."""
    puts = [user for user in node.users if user.target is operator.setitem]
    taken = target.op == "call_function" and target.target is operator.getitem and target.args[0] is whole
    return taken and any(put.args == (whole, target.args[1], node) and put is node.next for put in puts)


def _place(tensor: Tensor) -> tuple:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Whether tensors may have memory in common: the stretches from their first to their last number meet."""
    if one.device != other.device or not one.numel() or not other.numel():
        return False
    (begin, end), (start, stop) = _stretch(one), _stretch(other)
    return begin < stop and start < end


def _stretch(tensor: Tensor) -> tuple[int, int]:
    last = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size()


def _make_out_of_place(node: fx.Node, graph: fx.GraphModule) -> None:
    match node.op:
        case "call_module":
            module: Any = copy.copy(graph.get_submodule(str(node.target)))
            module.inplace = False
            node.target = f"own_{node.name}"
            graph.add_submodule(node.target, module)
        case "call_method":
            name = str(node.target)
            if name in _DUNDERS:
                node.op, node.target = "call_function", _DUNDERS[name]
            elif callable(getattr(Tensor, name[:-1], None)) and name not in _OTHERS:
                node.target = name[:-1]
            else:
                node.op, node.target, node.args = "call_function", _written, (name, *node.args)
        case "call_function":
            function: Any = node.target
            name = getattr(function, "__name__", "")
            plain = getattr(F, name[:-1], None) or getattr(torch, name[:-1], None)
            if function in _OPERATORS:
                node.target = _OPERATORS[function]
            elif function is operator.setitem:
                node.target = _with_item
            elif not names_writing(node.op, function):
                _clear_flag(node)
            elif callable(plain):
                node.target = plain
            else:
                raise NoWindows(f"{node.name} writes into what it is given")


def _is_flagged(node: fx.Node) -> bool:
    if "inplace" not in node.kwargs and True not in node.args:
        return False
    given = _given(node)
    return given is not None and bool(given.arguments.get("inplace", False))


def _clear_flag(node: fx.Node) -> None:
    given = _given(node)
    assert given
    given.arguments["inplace"] = False
    node.args, node.kwargs = given.args, given.kwargs


def _given(node: fx.Node) -> inspect.BoundArguments | None:
    function: Any = node.target
    try:
        return inspect.signature(function).bind(*node.args, **node.kwargs)
    except (TypeError, ValueError):  # built-in functions tell no signature, and have no such flag
        return None


def _written(name: str, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """What a tensor becomes when a method writes into it."""
    tensor = tensor.clone()
    getattr(tensor, name)(*args, **kwargs)
    return tensor


def _with_item(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """What a tensor becomes with something put in a place of it."""
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


_OTHERS = frozenset(("bernoulli_", "resize_", "requires_grad_"))
"""Methods whose namesakes without the underscore do something else."""

_OPERATORS = {
    getattr(operator, name): getattr(operator, {"iand": "and_", "ior": "or_"}.get(name, name[1:])) for name in IN_PLACE
}
_DUNDERS: dict[str, Callable] = {f"__{function.__name__}__": plain for function, plain in _OPERATORS.items()}
_DUNDERS["__setitem__"] = _with_item
