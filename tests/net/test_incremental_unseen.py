"""Where a score does not look, a patch changes nothing of it: not even the last digit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import occlusion
from tests.net.brute_force import lively
from tests.net.networks import Function

SIZE = 20


def parts():
    return {"conv1": nn.Conv2d(3, 8, 3), "norm": nn.BatchNorm2d(8), "conv2": nn.Conv2d(8, 4, 3)}


def maps(self, x):
    return self.conv2(F.relu(self.norm(self.conv1(x))))


def bound(function, **more):
    return cw.bind(lively(Function(function, **parts(), **more)), input_shape=(3, SIZE, SIZE))


def picture():
    return torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def corner(self, x):
    return self.head(maps(self, x)[:, :, :4, :4].flatten(1))


def narrowed(self, x):
    return self.head(F.relu(maps(self, x).narrow(2, 0, 4).narrow(3, 0, 4)).flatten(1))


def cropped(self, x):
    return self.head(maps(self, x[:, :, :8, :8]).flatten(1))


def two_corners(self, x):
    found = maps(self, x)
    return self.head((found[:, :, :4, :4] + torch.select(found[..., :4], 2, 3)[:, :, None]).flatten(1))


@pytest.mark.parametrize("function", [corner, narrowed, cropped, two_corners], ids=lambda function: function.__name__)
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_of_logits_that_see_a_corner(function, score):
    net = bound(function, head=nn.Linear(64, 10))
    assert_exactly_zero(net, (8, 8), score=score)


@pytest.mark.parametrize(
    "own, extent",
    [
        (lambda output: output[:, 2, 3, 5], (8, 10)),
        (lambda output: output[:, 2, :3, :5].sum((1, 2)), (7, 9)),
        (lambda output: output[:, :, :3, :3].amax((1, 2, 3)), (7, 7)),
    ],
    ids=["cell", "sum", "maximum"],
)
def test_of_a_function_of_a_part_of_the_output(own, extent):
    assert_exactly_zero(bound(maps), extent, target=own)


def test_of_a_unit_whose_map_sees_a_corner():
    def forward(self, x):
        left = self.conv1(x[..., :8])
        return self.head(maps(self, x).mean((2, 3))) + left.mean((1, 2, 3))[:, None]

    net = bound(forward, head=nn.Linear(4, 3))
    assert_exactly_zero(net, (SIZE, 8), unit=("conv1", 3))
    assert_exactly_zero(net, (5, 6), unit=("conv1", 3, 2, 3))  # of 3x3 windows


def assert_exactly_zero(net, extent, **options):
    """Outside a corner of (rows, columns) of the picture; inside it there are effects."""
    result = occlusion(net, picture(), patch=3, stride=1, **options)
    assert result.how.startswith(("exact windows", "whole maps"))
    outside = (result.ys[:, None] >= extent[0]) | (result.xs >= extent[1])
    assert (result.drop[outside] == 0).all()
    assert (result.drop[~outside] != 0).mean() > 0.3
