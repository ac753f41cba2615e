"""A network as a graph of operations that change nothing in place, with batch norm folded into the convolutions."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from cnnwidgets.net.incremental.convolution import Folding, convolution, fused
from cnnwidgets.net.incremental.following import Follower
from cnnwidgets.net.incremental.hooks import compute_weights, computes_as, refuse_hooks_of_all
from cnnwidgets.net.incremental.in_place import out_of_place
from cnnwidgets.net.incremental.refusals import NoWindows, cannot_follow, first_line
from cnnwidgets.net.incremental.tracing import NETWORK, Tracer, graph_of


@torch.no_grad()
def fold(module: nn.Module, keep: frozenset[str] = frozenset(), picture: Tensor | None = None) -> fx.GraphModule:
    """The same function as a graph: out of place, batch norm folded, convolutions channels-last. For evaluation mode.

    The module itself is left alone: what is changed is a copy, everything else is shared.

    Parameters:
        keep: names of modules whose outputs must not be folded away.
        picture: (1, C, H, W), any one that the network takes: more forward passes can be followed with it.

    Returns:
        The graph; the ``meta["module"]`` of a node is the name of the module whose output it gives.

    Raises:
        NotTraceable: the forward pass branches on values.
        NoWindows: it uses a tensor after overwriting it.
    """
    if isinstance(module, nn.DataParallel):
        module = module.module
    refuse_hooks_of_all()
    compute_weights(module)
    folded = traced(module, picture)
    for node in folded.graph.nodes:
        if node.op == "call_module":
            node.meta["module"] = str(node.target).removeprefix(NETWORK).lstrip(".")
        _place_arguments(node, module_of(folded, node))
    out_of_place(folded, picture)
    for node in folded.graph.nodes:
        if node.op == "call_method" and node.target == "view" and not isinstance(node.args[1], torch.dtype):
            node.target = "reshape"  # which maps with their channels last allow too
    _fold_batch_norm(folded, keep)
    folded.graph.eliminate_dead_code()
    folded.delete_all_unused_submodules()
    folded.recompile()
    return folded


def traced(module: nn.Module, picture: Tensor | None) -> fx.GraphModule:
    """The forward pass as a graph, as it is; with a picture more forward passes can be followed."""
    try:
        return graph_of(module, Tracer())
    except Exception as error:  # whatever code of the user's makes of what stands for a tensor
        if picture is None:
            raise _refusal(error) from error
    try:
        return graph_of(module, Follower(picture))
    except Exception as error:
        raise _refusal(error) from error


def _refusal(error: Exception) -> NoWindows:
    return error if isinstance(error, NoWindows) else cannot_follow(first_line(error))


def _place_arguments(node: fx.Node, module: nn.Module | None) -> None:
    """Give by position what windows look for there: the tensor that an operation is of, and what is added to it."""
    args, kwargs = node.args, dict(node.kwargs)
    if not kwargs:
        return
    if module is not None:
        given = inspect.signature(module.forward).bind(*args, **kwargs)
        node.args, node.kwargs = given.args, given.kwargs
        return
    if not args and not kwargs.keys() & _BEFORE_INPUT:
        args = tuple(kwargs.pop(name) for name in ("input", "tensors", "self") if name in kwargs)[:1]
    if len(args) == 1 and "other" in kwargs:
        args = *args, kwargs.pop("other")
    if node.op == "call_method" and node.target == "view":
        args = *args, *kwargs.values()  # a size or a dtype
        kwargs = {}
    node.args, node.kwargs = args, kwargs


def module_of(graph: nn.Module, node: fx.Node) -> nn.Module | None:
    """The module that a node calls; None if it calls something else."""
    return graph.get_submodule(str(node.target)) if node.op == "call_module" else None


def _fold_batch_norm(folded: fx.GraphModule, keep: frozenset[str]) -> None:
    for node in list(folded.graph.nodes):
        module: Any = module_of(folded, node)
        if computes_as(module, (nn.Conv2d,)) and module.padding_mode == "zeros":
            bias = None if module.bias is None else module.bias.detach()
            own = convolution(module, module.weight.detach(), bias, kept=node.meta["module"] in keep)
            node.target = _add(folded, node, own)
            continue
        before = node.all_input_nodes[0] if len(node.all_input_nodes) == 1 else None
        conv = module_of(folded, before) if before is not None else None
        if before is None or not isinstance(conv, Folding) or conv.kept or len(before.users) > 1:
            continue
        if computes_as(module, (nn.BatchNorm2d,)) and module.running_mean is not None and not module.training:
            folded.add_submodule(str(before.target), fused(conv, module, kept=node.meta["module"] in keep))
        elif activation := activation_of(node, module):
            conv.activation, conv.kept = activation, True
        else:
            continue
        before.meta["module"] = node.meta.get("module")
        node.replace_all_uses_with(before)
        folded.graph.erase_node(node)


def activation_of(node: fx.Node, module: nn.Module | None) -> str | None:
    """What :class:`Folding` calls the activation that a node computes, or None."""
    if node.op == "call_function":
        return "relu" if node.target in (F.relu, torch.relu) else None
    return _ACTIVATIONS.get(type(module)) if computes_as(module, _ACTIVATIONS) else None


def _add(folded: fx.GraphModule, node: fx.Node, module: nn.Module) -> str:
    """Put a module of the node's own into the graph; returns its name."""
    name = f"own_{node.name}"
    folded.add_submodule(name, module)
    return name


_ACTIVATIONS: dict[Any, str] = {nn.ReLU: "relu", nn.Hardswish: "hardswish", nn.SiLU: "swish"}

_BEFORE_INPUT = {"condition", "sorted_sequence"}
"""What a few functions of torch have for a first argument though they have an ``input`` too."""
