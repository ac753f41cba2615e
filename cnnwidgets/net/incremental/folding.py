"""A network as a graph of operations that change nothing in place, with batch norm folded into the convolutions."""

from __future__ import annotations

import copy
import inspect
import operator
import threading
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cnnwidgets.net.locks import TRACING


class NoWindows(RuntimeError):
    """Windows of maps cannot be used for a network, or would give wrong scores; the message says why."""


class NotTraceable(NoWindows):
    """A forward pass that ``torch.fx`` cannot follow: it may branch on values."""


def fold(module: nn.Module, keep: frozenset[str] = frozenset()) -> fx.GraphModule:
    """The same function as a graph: out of place, batch norm folded, convolutions channels-last. For evaluation mode.

    The module itself is left alone: what is changed is a copy, everything else is shared.

    Parameters:
        keep: names of modules whose outputs must not be folded away.

    Returns:
        The graph; the ``meta["module"]`` of a node is the name of the module whose output it gives.

    Raises:
        NotTraceable: the forward pass branches on values.
        NoWindows: it uses a tensor after overwriting it.
    """
    if isinstance(module, nn.DataParallel):
        module = module.module
    tracer, attributes = _Tracer(), set(vars(module))
    try:
        with TRACING:
            graph = tracer.trace(module)
        folded = fx.GraphModule(module, graph)
    except Exception as error:
        raise NotTraceable(f"torch.fx cannot follow its forward pass ({first_line(error)})") from error
    finally:
        for name in vars(module).keys() - attributes:  # torch.fx keeps constant tensors in the module that it traces
            delattr(module, name)
    for node in graph.nodes:
        if node.op == "call_module":
            node.meta["module"] = node.target
        elif node.op == "call_method" and node.target == "view":
            node.target = "reshape"  # which maps with their channels last allow too
    _out_of_place(folded)
    _fold_batch_norm(folded, keep)
    folded.graph.eliminate_dead_code()
    folded.delete_all_unused_submodules()
    folded.recompile()
    return folded


def module_of(graph: nn.Module, node: fx.Node) -> nn.Module | None:
    """The module that a node calls; None if it calls something else."""
    return graph.get_submodule(str(node.target)) if node.op == "call_module" else None


class _Tracer(fx.Tracer):
    """Follows one thread: while it works, ``torch.fx`` patches ``nn.Module`` for all of them."""

    def __init__(self):
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(self, m, forward, args, kwargs):
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr, attr_val, parameter_proxy_cache):
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def _out_of_place(folded: fx.GraphModule) -> None:
    order = {node: number for number, node in enumerate(folded.graph.nodes)}
    for node in folded.graph.nodes:
        if not _make_out_of_place(node, folded):
            continue
        overwritten = node.args[0]
        if any(order[user] > order[node] for user in overwritten.users):
            raise NoWindows(f"{overwritten.name} is used again after {node.name} has overwritten it")


def _make_out_of_place(node: fx.Node, folded: fx.GraphModule) -> bool:
    """Whether the node was in-place, which it is no longer."""
    match node.op:
        case "call_module":
            module: Any = module_of(folded, node)
            if not getattr(module, "inplace", False):
                return False
            module = copy.copy(module)
            module.inplace = False
            node.target = _add(folded, node, module)
        case "call_method":
            method = str(node.target)
            if not method.endswith("_") or method.startswith("__"):
                return False
            node.target = method[:-1]
        case "call_function" if callable(node.target):
            name = getattr(node.target, "__name__", "")
            if node.target in _OUT_OF_PLACE:
                node.target = _OUT_OF_PLACE[node.target]
            elif name.endswith("_") and not name.startswith("_") and hasattr(torch, name[:-1]):
                node.target = getattr(torch, name[:-1])
            elif not _clear_flag(node, node.target):
                return False
        case _:
            return False
    return True


def _clear_flag(node: fx.Node, function: Callable) -> bool:
    """Whether the function was called with ``inplace=True``, which it is no longer."""
    try:
        given = inspect.signature(function).bind(*node.args, **node.kwargs)
    except (TypeError, ValueError):  # built-in functions tell no signature, and have no such flag
        return False
    if not given.arguments.get("inplace", False):
        return False
    given.arguments["inplace"] = False
    node.args, node.kwargs = given.args, given.kwargs
    return True


def _fold_batch_norm(folded: fx.GraphModule, keep: frozenset[str]) -> None:
    for node in list(folded.graph.nodes):
        module = module_of(folded, node)
        if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
            bias = None if module.bias is None else module.bias.detach()
            own = _convolution(module, module.weight.detach(), bias, kept=node.target in keep)
            node.target = _add(folded, node, own)
            continue
        before = node.all_input_nodes[0] if len(node.all_input_nodes) == 1 else None
        conv = module_of(folded, before) if before is not None else None
        if before is None or not isinstance(conv, Folding) or conv.kept or len(before.users) > 1:
            continue
        if type(module) is nn.BatchNorm2d and module.running_mean is not None:
            folded.add_submodule(str(before.target), _fused(conv, module, kept=node.target in keep))
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
    return _ACTIVATIONS.get(type(module))


class Folding(nn.Conv2d):
    """A convolution of the folded graph, with the activation after it.

    On the CPU oneDNN keeps its weights in the order that it works in; ``torch.nn.functional`` would bring them into that
    order at every call, which for one picture takes as long as the convolution.

    Attributes:
        activation: ``"none"`` or one that oneDNN computes on the way.
        kept: whether what follows must not be folded into it.
    """

    activation = "none"
    kept = False
    _packed: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolve(x, self.padding, self.stride)

    def convolve(
        self,
        x: torch.Tensor,
        padding: Any,
        stride: tuple[int, ...],
        added: torch.Tensor | None = None,
        activation: str | None = None,
    ) -> torch.Tensor:
        """With another padding and stride; with maps of its output's shape added, and an activation after that."""
        activation = activation or self.activation
        if isinstance(padding, str) or x.device.type != "cpu" or x.dtype != torch.float32 or not _HAS_ONEDNN:
            output = F.conv2d(x, self.weight, self.bias, stride, padding, self.dilation, self.groups)
            return _APART[activation](output if added is None else output + added)
        if self.kernel_size == (1, 1) and self.groups == 1 and not any(self.padding):
            return self._multiply(x[:, :, :: stride[0], :: stride[1]], added, activation)
        options = list(padding), list(stride), list(self.dilation), self.groups
        if self._packed is None:
            reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            self._packed = reorder(self.weight.to_mkldnn(), *options, list(x.shape))
        convolve = torch.ops.mkldnn._convolution_pointwise
        if added is None:
            return convolve(x, self._packed, self.bias, *options, activation, [], "")
        if activation == "relu":
            return convolve.binary(x, added, self._packed, self.bias, *options, "add", 1.0, "relu", [], "")
        return _APART[activation](convolve.binary(x, added, self._packed, self.bias, *options, "add", 1.0, None, [], ""))

    def _multiply(self, x: torch.Tensor, added: torch.Tensor | None, activation: str) -> torch.Tensor:
        """A convolution that sees one cell at a time, as a product of matrices: channels of all cells by weights.

        oneDNN wants a convolution's weights in an order that depends on the size of the maps, which differs from window to
        window, and bringing them from one order into another takes longer than the convolution. A product has one order.
        """
        if self._packed is None:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.flatten(1).contiguous())
        cells, multiply = x.permute(0, 2, 3, 1), torch.ops.mkldnn._linear_pointwise
        rows = cells.flatten(0, 2)
        if added is None:
            output = multiply(rows, self._packed, self.bias, activation, [], "")
        else:
            others = added.permute(0, 2, 3, 1).flatten(0, 2)
            output = _APART[activation](multiply.binary(rows, others, self._packed, self.bias, "add"))
        return output.unflatten(0, cells.shape[:3]).permute(0, 3, 1, 2)


_ACTIVATIONS: dict[Any, str] = {nn.ReLU: "relu", nn.Hardswish: "hardswish", nn.SiLU: "swish"}
_APART = {
    "none": lambda x: x,
    "relu": F.relu_,
    "hardswish": lambda x: F.hardswish(x, True),
    "swish": lambda x: F.silu(x, True),
}
_OPERATIONS = ("_convolution_pointwise", "_linear_pointwise", "_reorder_linear_weight")
_HAS_ONEDNN = torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATIONS)


def _fused(conv: nn.Conv2d, norm: Any, kept: bool) -> Folding:
    """A convolution that does what follows it too: batch norm with running statistics."""
    bias: Any = conv.bias
    weight, bias = fuse_conv_bn_weights(
        conv.weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return _convolution(conv, weight.detach(), bias.detach(), kept)


def _convolution(like: Any, weight: torch.Tensor, bias: torch.Tensor | None, kept: bool = False) -> Folding:
    shape = like.in_channels, like.out_channels, like.kernel_size, like.stride, like.padding, like.dilation, like.groups
    conv = Folding(*shape, bias=False, device="meta")
    conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
    conv.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    conv.kept = kept
    return conv


def _add(folded: fx.GraphModule, node: fx.Node, module: nn.Module) -> str:
    """Put a module of the node's own into the graph; returns its name."""
    name = f"own_{node.name}"
    folded.add_submodule(name, module)
    return name


def first_line(error: Exception) -> str:
    """The first sentence of what an error says, without the full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].rstrip(".")


_OUT_OF_PLACE = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}
