"""A network's occlusion map beside the loop over covered pictures."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import occlusion
from tests.net.brute_force import answers, lively
from tests.net.networks import Function

PATCH = {"patch": 3, "stride": 2}


def bound(function, size=10, **parts):
    return cw.bind(lively(Function(function, **parts)), input_shape=(2, size, size))


def picture(size=10):
    return torch.randn(2, size, size, generator=torch.Generator().manual_seed(1))


def assert_right(net, target=0, **options) -> str:
    """Occlusion's values are those of the loop, in which every picture is seen by a network that has seen no other.

    Returns:
        How they were found.
    """
    image = picture(net.input_shape[1])
    own = copy.deepcopy(net.module)
    result = occlusion(net, image, target, score="value" if callable(target) else "logit", **PATCH | options)
    fill = image.mean((1, 2), keepdim=True).expand_as(image)

    def score(pictures):
        output = copy.deepcopy(own).eval()(pictures.clone())
        return target(output)[:, None] if callable(target) else output

    wanted = answers(score, image, fill, torch.ones(result.patch, dtype=torch.bool), result.ys, result.xs)
    assert np.ptp(wanted[..., 0]) > 1e-3 * np.abs(wanted).max()  # the patch matters
    assert np.abs(result.values - wanted[..., 0]).max() <= 1e-5 * np.abs(wanted).max()
    return result.how


class Parts(nn.Module):
    """Two convolutions and a head; what a test adds; and a forward pass as the test writes it."""

    def __init__(self, **parts: nn.Module):
        super().__init__()
        self.conv1, self.conv2, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)
        for name, part in parts.items():
            setattr(self, name, part)

    def end(self, x):
        return self.head(F.relu(self.conv2(F.relu(x))).amax((2, 3)))


def with_forward(forward, setup=lambda module: None, **parts):
    """A bound network with a forward pass of any signature."""
    module = lively(type("Net", (Parts,), {"forward": forward})(**parts))
    setup(module)
    return cw.bind(module.eval(), input_shape=(2, 10, 10))


def asserting(self, x):
    """A forward pass with assertions, which in a module of tests pytest would write anew."""
    x = self.conv1(x)
    assert torch.isfinite(x).all(), f"expected numbers, got {x}"
    assert not torch.isnan(x).any()
    return self.end(x)
