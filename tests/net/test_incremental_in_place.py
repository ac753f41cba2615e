"""What writes into a tensor, and how arguments are given: windows are right, or there are none, with the reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnwidgets.methods import occlusion
from cnnwidgets.net.incremental import folding, program
from cnnwidgets.net.incremental.refusals import NoWindows
from tests.net.brute_force import lively
from tests.net.networks import unchanged
from tests.net.occluding import Parts, assert_right, picture, with_forward

WINDOWS = "exact windows in 2 of 2 convolutions"
HALF = "exact windows in 1 of 2 convolutions"
OF_A_PART = "writes into a part of network_conv1_1, which is used again"


def statement(write):
    """A forward pass in which something is written into a map, which is used on."""

    def forward(self, x):
        x = self.conv1(x)
        write(self, x)
        return self.end(x)

    return forward


def result(make):
    """A forward pass that goes on with what an operation gives."""
    return lambda self, x: self.end(make(self, self.conv1(x)))


FUNCTIONS = [
    *(getattr(F, name) for name in ("relu_", "leaky_relu_", "elu_", "selu_", "celu_", "hardtanh_")),
    *(getattr(torch, name) for name in ("relu_", "sigmoid_", "tanh_", "abs_", "neg_", "exp_", "square_", "celu_", "selu_")),
    torch.ops.aten.leaky_relu_,
]
FLAGGED = "relu leaky_relu elu selu celu hardtanh relu6 silu mish hardswish hardsigmoid"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_that_write(function):
    large_then_small(with_forward(result(lambda self, x: function(x))))
    large_then_small(with_forward(statement(lambda self, x: function(x))))


@pytest.mark.parametrize("name", FLAGGED.split())
def test_functions_that_are_told_to_write(name):
    function = getattr(F, name)
    large_then_small(with_forward(result(lambda self, x: function(x, inplace=True))))
    large_then_small(with_forward(statement(lambda self, x: function(input=x, inplace=True))))


def large_then_small(net):
    """With a large patch all maps are computed whole; a small one is pasted into the maps that are kept."""
    for patch in (8, 3):
        assert assert_right(net, patch=patch) == WINDOWS


def ipow(self, x):
    x **= 2
    x //= 0.3
    x %= 3


def ior(self, x):
    mask = x > 0
    mask |= x < -1
    mask &= x < 2
    x *= mask


def iadd(self, x):
    y = x
    y += 1
    y -= 0.5
    y *= 2
    y /= 3
    x.__iadd__(1)


def set_row(self, x):
    x[:, :, 0] = 0
    x[:, 1] = x[:, 0]


def scale_channel(self, x):
    x[:, 0] *= 2
    x[..., 2] -= 0.5


def copy_over(self, x):
    kept = torch.empty_like(x)
    kept.copy_(x)
    x.zero_().add_(kept)


@pytest.mark.parametrize(
    "write, how",
    [
        (iadd, WINDOWS),
        (lambda self, x: x.add_(1).mul_(2).clamp_(min=0), WINDOWS),
        (lambda self, x: x.detach().add_(1), WINDOWS),
        (lambda self, x: x.data.add_(1), WINDOWS),
        (lambda self, x: self.act(x), WINDOWS),
        (ipow, HALF),
        (ior, HALF),
        (set_row, HALF),
        (scale_channel, HALF),
        (copy_over, HALF),
        (lambda self, x: x.masked_fill_(x < 0, 0.5), HALF),
        (lambda self, x: x.fill_(0.5).add_(self.conv1.bias[:, None, None]).mul_(x.size(1)).add_(self.of_input), HALF),
        (
            lambda self, x: x[:, :2].relu_(),
            "plain batches: relu_ writes into a part of network_conv1_1, which is used again",
        ),
        (lambda self, x: x.flatten(1).mul_(2), f"plain batches: mul_ {OF_A_PART}"),
        (
            lambda self, x: torch.add(x, x, out=x),
            "plain batches: add writes what it finds into another tensor (out=...)",
        ),
    ],
    ids="iadd methods detach data module ipow ior set_row scale_channel copy masked fill part view out".split(),
)
def test_what_writes_into_a_map(write, how):
    def forward(self, x):
        self.of_input = self.conv1(x)
        y = self.conv1(x)
        write(self, y)
        return self.end(y)

    net = with_forward(forward, act=nn.ReLU(inplace=True))
    assert assert_right(net).replace("2 of 3", "1 of 2").replace("3 of 3", "2 of 2") == how


def test_what_writes_into_the_picture():
    def forward(self, x):
        x -= 0.5
        x.div_(2)
        x[:, :, :, 0] = 1
        return self.end(self.conv1(x))

    with unchanged((net := with_forward(forward)).module):
        assert assert_right(net).startswith("whole maps")


def test_a_part_beside_the_one_that_is_overwritten_may_be_used():
    def forward(self, x):
        first, last = self.conv1(x).chunk(2, dim=1)
        first.relu_()
        return self.end(torch.cat([first, last], 1))

    assert assert_right(with_forward(forward)) == HALF


def test_a_buffer_that_is_overwritten_for_the_score():
    def forward(self, x):
        x = self.conv1(x)
        self.scale.mul_(2)
        return self.end(x * self.scale[:, None, None])

    net = with_forward(forward, lambda module: module.register_buffer("scale", torch.ones(4)))
    with unchanged(net.module):
        assert_right(net)


def test_an_operation_that_overwrites_what_it_is_given_has_no_windows():
    """Whatever it is called: here by a module, which nothing tells from another."""

    class Doubling(nn.Module):
        def forward(self, x):
            return x.mul_(2)

    Doubling.__module__ = "torch.nn"  # so that it is not looked into
    net = with_forward(lambda self, x: self.end(self.doubling(self.conv1(x)) * 1), doubling=Doubling())
    assert assert_right(net) == "plain batches: network_doubling overwrites what it is given"


def test_a_writer_whose_maps_are_nobody_elses_needs_no_picture():
    module = lively(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Hardtanh(inplace=True)))
    graph = folding.fold(module)
    torch.testing.assert_close(graph(picture()[None]), module(picture()[None]))

    class Shared(Parts):
        def forward(self, x):
            return F.relu_(x := self.conv1(x)) + x

    shared = lively(Shared())
    with pytest.raises(NoWindows):
        folding.fold(shared)
    torch.testing.assert_close(folding.fold(shared, picture=picture()[None])(picture()[None]), shared(picture()[None]))


# arguments by their names


class Keywords(Parts):
    def __init__(self):
        super().__init__(pool=nn.MaxPool2d(2), norm=nn.BatchNorm2d(4), act=nn.ReLU(inplace=True))


def by_name(make):
    return with_forward(lambda self, x: self.end(make(self, x)), **dict(Keywords().named_children()))


@pytest.mark.parametrize(
    "make, how",
    [
        (lambda self, x: F.conv2d(input=x, weight=self.conv1.weight, bias=self.conv1.bias), WINDOWS),
        (lambda self, x: F.conv2d(weight=self.conv1.weight, stride=2, input=x), WINDOWS),
        (lambda self, x: self.pool(input=self.conv1(input=x)), WINDOWS),
        (lambda self, x: self.act(input=self.norm(input=self.conv1(input=x))), WINDOWS),
        (lambda self, x: F.max_pool2d(input=self.conv1(x), kernel_size=2), WINDOWS),
        (lambda self, x: F.avg_pool2d(input=self.conv1(x), kernel_size=2, padding=1), WINDOWS),
        (lambda self, x: torch.max_pool2d(input=self.conv1(x), kernel_size=2), WINDOWS),
        (lambda self, x: F.relu(input=self.conv1(x)), WINDOWS),
        (lambda self, x: torch.relu(input=self.conv1(x)), WINDOWS),
        (lambda self, x: F.leaky_relu(negative_slope=0.2, input=self.conv1(x)), WINDOWS),
        (lambda self, x: torch.add(input=(x := self.conv1(x)), other=F.relu(x)), WINDOWS),
        (lambda self, x: torch.add(input=(x := self.conv1(x)), other=x, alpha=2), WINDOWS),
        (lambda self, x: (x := self.conv1(x)).add(other=x).mul(other=x), WINDOWS),
        (lambda self, x: torch.cat(tensors=[(x := self.conv1(x))[:, :2], x[:, 2:] * 2], dim=1), WINDOWS),
        (lambda self, x: torch.concat([(x := self.conv1(x))[:, :2], x[:, 2:] * 2], axis=1), WINDOWS),
        (lambda self, x: torch.clamp(input=self.conv1(x), min=-0.5, max=0.5), WINDOWS),
        (lambda self, x: F.dropout(input=self.conv1(x), p=0.5, training=self.training), WINDOWS),
        (
            lambda self, x: F.batch_norm(
                input=self.conv1(x), running_mean=self.norm.running_mean, running_var=self.norm.running_var
            ),
            WINDOWS,
        ),
        (lambda self, x: self.conv1(x).view(size=(x.shape[0], 4, 8, 8)), HALF),
        (lambda self, x: self.conv1(x).reshape(shape=(-1, 4, 8, 8)), HALF),
        (lambda self, x: self.conv1(x).permute(dims=(0, 1, 3, 2)), HALF),
        (lambda self, x: torch.where(condition=(x := self.conv1(x)) > 0, input=x, other=x * 2), HALF),
    ],
)
def test_arguments_by_name(make, how):
    assert assert_right(by_name(make)) == how


def test_an_addition_by_name_is_done_by_a_convolution():
    def forward(self, x):
        return self.head(F.relu(torch.add(input=self.conv1(x), other=self.conv1(x) * 2)).amax((2, 3)))

    net = with_forward(forward)
    steps = program.Program(folding.fold(net.module), picture()[None]).steps
    assert [step.activation for step in steps if step.added] == ["relu"]


@pytest.mark.parametrize("training", [True, None])
def test_statistics_of_the_batch_are_those_of_one_picture(training):
    options = {} if training is None else {"training": training}

    def forward(self, x):
        mean, variance = (None, None) if training else (self.norm.running_mean, self.norm.running_var)
        return self.end(F.batch_norm(self.conv1(x), mean, variance, **options))

    net = with_forward(forward, norm=nn.BatchNorm2d(4))
    assert assert_right(net).startswith("one picture after the other" if training else WINDOWS)


def test_a_tensor_of_another_type_is_looked_at_as_it_is():
    net = with_forward(lambda self, x: self.end(self.conv1(x).view(torch.int32).view(dtype=torch.float32)))
    assert assert_right(net) == HALF
    result = occlusion(net, picture(), 0, patch=3, stride=2)
    assert np.isfinite(result.values).all()
