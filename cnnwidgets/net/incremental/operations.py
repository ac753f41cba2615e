"""Which operations of a graph act on a window of a map as they do on the whole map, and how."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from cnnwidgets.net.incremental.convolution import Folding
from cnnwidgets.net.incremental.geometry import Slide
from cnnwidgets.net.incremental.hooks import computes_as


@dataclass(frozen=True)
class Sliding:
    """A convolution or a pooling: a cell of its output sees a window of cells.

    Attributes:
        rows, columns: how the window moves.
        fill: the value of the padding.
        whole: the operation, of a whole map; if it can add, of what is added to its output and the activation too.
        inner: the operation without padding, of a part of the padded map.
        factor: (1, 1, height, width) that the output of ``inner`` is multiplied with; None for none.
        work: multiply-adds of one output cell.
        adds: whether maps can be added to its output in the same go.
        cells: the operation of the cells that it sees, side by side, if an output cell sees one and others see none.
    """

    rows: Slide
    columns: Slide
    fill: float
    whole: Callable[..., Tensor]
    inner: Callable[..., Tensor]
    factor: Tensor | None
    work: float
    adds: bool = False
    cells: Callable[..., Tensor] | None = None


def sliding(node: fx.Node, module: Any, constant: Callable[[Any], Any], size: Any, out: Any) -> Sliding | None:
    """The node as a sliding operation, or None.

    Parameters:
        module: what the node calls, if that is a module.
        constant: gives the value of an argument that does not depend on the picture.
        size, out: shapes (1, C, H, W) of its input and output.
    """
    if computes_as(module, (nn.Conv2d, Folding)) and module.padding_mode == "zeros":
        options = module.stride, module.padding, module.dilation, module.groups
        folding = module if isinstance(module, Folding) else None
        return _convolution(module.weight, module.bias, *options, size, out, folding)
    if node.op == "call_function" and node.target is F.conv2d:
        given = dict(zip(_CONVOLUTION, node.args, strict=False)) | node.kwargs
        given.pop("input")
        usual = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        return _convolution(**{name: constant(value) for name, value in (usual | given).items()}, size=size, out=out)
    if computes_as(module, (nn.MaxPool2d,)) and not module.return_indices:
        return _max_pool(module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode, size, out)
    if computes_as(module, (nn.AvgPool2d,)):
        divisor = module.divisor_override
        return _average_pool(
            module.kernel_size, module.stride, module.padding, module.ceil_mode, module.count_include_pad, divisor, size, out
        )
    if node.op == "call_function" and node.target in (F.max_pool2d, torch.max_pool2d):
        given = dict(zip(_MAX_POOL, node.args, strict=False)) | node.kwargs
        given.pop("input")
        if given.pop("return_indices", False):
            return None
        return _max_pool(**{"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False} | given, size=size, out=out)
    if node.op == "call_function" and node.target is F.avg_pool2d:
        given = dict(zip(_AVERAGE_POOL, node.args, strict=False)) | node.kwargs
        given.pop("input")
        usual = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
        return _average_pool(**usual | given, size=size, out=out)
    return None


def is_pointwise(node: fx.Node, module: Any) -> bool:
    """Whether a cell of the output depends on the same cell of the inputs alone, over all channels."""
    match node.op:
        case "call_module":
            if computes_as(module, (nn.BatchNorm2d,)):
                return module.running_mean is not None and not module.training
            return computes_as(module, _POINTWISE_MODULES)
        case "call_method":
            return node.target in _POINTWISE_METHODS or (node.target == "unsqueeze" and _argument(node, 1, "dim") == 1)
        case "call_function" if node.target in _JOINING:
            return _argument(node, 1, "dim", _argument(node, 1, "axis", 0)) in (1, -3)
        case "call_function" if node.target is operator.getitem:
            return isinstance(node.args[1], tuple) and len(node.args[1]) == 2 and node.args[1][0] == slice(None)
        case "call_function" if node.target is getattr:
            return bool(node.args[1] == "data")
        case "call_function" if node.target in _WHILE_TRAINING:
            return _argument(node, *_WHILE_TRAINING[node.target]) is False
        case "call_function":
            return node.target in _POINTWISE or (node.target is torch.unsqueeze and _argument(node, 1, "dim") == 1)
    return False


def is_made_anew(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether the memory of a node's output is sure to be nobody else's."""
    match node.op:
        case "call_module":
            return computes_as(module, _POINTWISE_MODULES - _PASSING_ON | _ANEW)
        case "call_method":
            return node.target in _POINTWISE_METHODS - {"contiguous", "float", "detach"}
        case "call_function":
            return node.target in _POINTWISE or node.target in _JOINING or node.target in _SLIDING
    return False


def passes_on(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether the memory of a node's output is its own, or that of one of its inputs."""
    return computes_as(module, _PASSING_ON) if node.op == "call_module" else node.op in ("call_function", "call_method")


def is_addition(node: fx.Node) -> bool:
    """Whether the node adds two tensors."""
    adds = node.target in (operator.add, torch.add) if node.op == "call_function" else node.target == "add"
    two = len(node.args) == 2 and all(isinstance(value, fx.Node) for value in node.args)
    return node.op in ("call_function", "call_method") and adds and two and not node.kwargs


def keeps_cells(node: fx.Node, constant: Tensor) -> bool:
    """Whether a constant that a pointwise operation takes is the same for every cell."""
    return constant.numel() == 1 or constant.shape[-2:] == (1, 1) or node.target is F.batch_norm


def _convolution(
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    size: Any,
    out: Any,
    folding: Folding | None = None,
) -> Sliding:
    stride, dilation = _pair(stride), _pair(dilation)
    kernel = tuple(weight.shape[2:])
    if padding == "same":
        before = dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
    else:
        before = _pair(0 if padding == "valid" else padding)

    def convolve(padding: Any, stride: Any = stride) -> Any:
        if folding is not None:
            return lambda x, *adding: folding.convolve(x, padding, stride, *adding)
        return lambda x: F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    rows, columns = _slides(kernel, stride, before, dilation, size, out)
    adds = folding is not None and not folding.kept
    padding = padding if isinstance(padding, str) else _pair(padding)
    cells = convolve((0, 0), (1, 1)) if kernel == (1, 1) and max(stride) > 1 and not any(before) else None
    return Sliding(rows, columns, 0.0, convolve(padding), convolve((0, 0)), None, float(weight.numel()), adds, cells)


def _max_pool(kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any, size: Any, out: Any) -> Sliding:
    kernel, before, dilation = _pair(kernel_size), _pair(padding), _pair(dilation)
    stride = _pair(stride or kernel)
    rows, columns = _slides(kernel, stride, before, dilation, size, out)
    return Sliding(
        rows,
        columns,
        -torch.inf,
        lambda x: F.max_pool2d(x, kernel, stride, before, dilation, ceil_mode),
        lambda x: F.max_pool2d(x, kernel, stride, 0, dilation),
        None,
        float(out[1] * kernel[0] * kernel[1]),
    )


def _average_pool(
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor_override: Any,
    size: Any,
    out: Any,
) -> Sliding:
    kernel, before = _pair(kernel_size), _pair(padding)
    stride = _pair(stride or kernel)
    rows, columns = _slides(kernel, stride, before, (1, 1), size, out)
    cells = kernel[0] * kernel[1]
    factor = None
    if divisor_override is None and (max(before) or ceil_mode):  # the divisor is not the same everywhere
        counted = F.pad(
            torch.ones(1, 1, *size[2:]), (before[1], before[1], before[0], before[0]), value=float(count_include_pad)
        )
        missing = [max(0, slide.after - slide.padding) for slide in (columns, rows)]
        counted = F.pad(counted, (0, missing[0], 0, missing[1]))
        factor = cells / F.avg_pool2d(counted, kernel, stride, divisor_override=1)[:, :, : out[2], : out[3]]
        factor = None if bool((factor == 1).all()) else factor
    return Sliding(
        rows,
        columns,
        0.0,
        lambda x: F.avg_pool2d(x, kernel, stride, before, ceil_mode, count_include_pad, divisor_override),
        lambda x: F.avg_pool2d(x, kernel, stride, divisor_override=divisor_override),
        factor,
        float(out[1] * cells),
    )


def _slides(kernel: Any, stride: Any, padding: Any, dilation: Any, size: Any, out: Any) -> list[Slide]:
    return [Slide(kernel[k], stride[k], padding[k], dilation[k], size[2 + k], out[2 + k]) for k in range(2)]


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def _argument(node: fx.Node, place: int, name: str, usual: Any = None) -> Any:
    return node.kwargs.get(name, node.args[place] if len(node.args) > place else usual)


_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_MAX_POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE_POOL = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")

_POINTWISE_MODULES = frozenset(
    (
        *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout),
        *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
        *(nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Softsign, nn.Tanhshrink),
        *(nn.Threshold, nn.Hardshrink, nn.Softshrink, nn.LocalResponseNorm, nn.Softmax2d, nn.ChannelShuffle),
    )
)

_NAMES = "relu relu6 leaky_relu elu selu celu gelu silu mish softplus sigmoid logsigmoid hardsigmoid tanh hardtanh hardswish"
_ARITHMETIC = (
    "add sub mul div true_divide neg abs pow sqrt exp log square clamp clamp_min clamp_max maximum minimum relu sigmoid tanh"
)
_POINTWISE_METHODS = frozenset((*_ARITHMETIC.split(), "contiguous", "clone", "float", "detach"))
_POINTWISE = frozenset(
    (
        *(getattr(F, name) for name in _NAMES.split()),
        *(getattr(torch, name) for name in _ARITHMETIC.split()),
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.pow),
        *(F.local_response_norm, F.threshold, F.softsign),
    )
)
_WHILE_TRAINING: dict[Any, tuple[int, str, bool]] = {
    F.dropout: (2, "training", True),
    F.dropout2d: (2, "training", True),
    F.batch_norm: (5, "training", False),
}
"""Functions that act on single cells unless they train: where they are told, by what name, and what they do if not."""

_JOINING = frozenset((torch.cat, torch.concat, torch.concatenate))
_SLIDING = frozenset((F.conv2d, F.max_pool2d, torch.max_pool2d, F.avg_pool2d))
_PASSING_ON = frozenset(
    (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.ChannelShuffle)
)
_ANEW = frozenset((nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.Linear, nn.MaxPool2d, nn.AvgPool2d))
