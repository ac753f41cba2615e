"""A convolution of the folded graph: it does what follows it too."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


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

    def reset_parameters(self) -> None:
        """Its weights are given: none are drawn."""

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


_APART = {
    "none": lambda x: x,
    "relu": F.relu_,
    "hardswish": lambda x: F.hardswish(x, True),
    "swish": lambda x: F.silu(x, True),
}


def _has_onednn() -> bool:
    """Whether this torch has all that is used of oneDNN, none of which it documents."""
    operations = ("_convolution_pointwise", "_linear_pointwise", "_reorder_linear_weight")
    found = all(hasattr(torch.ops.mkldnn, name) for name in operations)
    return torch.backends.mkldnn.is_available() and found and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")


_HAS_ONEDNN = _has_onednn()


def fused(conv: nn.Conv2d, norm: Any, kept: bool) -> Folding:
    """A convolution that does what follows it too: batch norm with running statistics."""
    bias: Any = conv.bias
    weight, bias = fuse_conv_bn_weights(
        conv.weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return convolution(conv, weight.detach(), bias.detach(), kept)


def convolution(like: Any, weight: torch.Tensor, bias: torch.Tensor | None, kept: bool = False) -> Folding:
    shape = like.in_channels, like.out_channels, like.kernel_size, like.stride, like.padding, like.dilation, like.groups
    conv = Folding(*shape, bias=False, device="meta")
    conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
    conv.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    conv.kept = kept
    return conv
