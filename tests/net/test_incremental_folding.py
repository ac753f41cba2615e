"""A convolution of the folded graph gives what torch gives, however oneDNN computes it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from cnnwidgets.net.incremental.folding import Folding, fold

ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "hardswish": nn.Hardswish, "swish": nn.SiLU}
CONVOLUTIONS = {
    "one cell": {"kernel_size": 1},
    "one cell, without a bias": {"kernel_size": 1, "bias": False},
    "one cell of six": {"kernel_size": 1, "stride": (2, 3)},
    "one cell, padded": {"kernel_size": 1, "padding": 1},
    "one cell, in groups": {"kernel_size": 1, "groups": 4},
    "nine cells": {"kernel_size": 3, "padding": 1},
}


def folding(options: dict, activation: str) -> tuple[nn.Conv2d, Folding]:
    torch.manual_seed(0)
    conv = nn.Conv2d(24, 80, **options).requires_grad_(False)
    graph: fx.GraphModule = fold(nn.Sequential(conv, ACTIVATIONS[activation]()).eval())
    (folded,) = (module for module in graph.modules() if isinstance(module, Folding))
    return conv, folded


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_maps_and_crops_of_any_size_and_layout_come_out_as_from_torch(options, activation):
    conv, folded = folding(options, activation)
    act = ACTIVATIONS[activation]()
    large = torch.randn(3, 24, 15, 17)
    for maps in (large, large.contiguous(memory_format=torch.channels_last)[:, :, 2:9, 1:12], large[:1, :, :4, :5]):
        assert folded(maps).sub(act(conv(maps))).abs().max() < 1e-5
        for stride in (conv.stride, (1, 1)):
            inner = F.conv2d(maps, conv.weight, conv.bias, stride, 0, conv.dilation, conv.groups)
            assert folded.convolve(maps, (0, 0), stride).sub(act(inner)).abs().max() < 1e-5
            added = torch.randn_like(inner)
            before = added.clone()
            both = folded.convolve(maps, (0, 0), stride, added, activation)
            assert both.sub(act(inner + added)).abs().max() < 1e-5
            assert added.equal(before)  # it may be wanted again
