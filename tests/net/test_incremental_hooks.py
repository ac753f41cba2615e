"""Hooks, and layers that do more than their class says, count as part of the network wherever windows are computed."""

from __future__ import annotations

import types

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from cnnwidgets.methods import occlusion
from tests.net.networks import unchanged
from tests.net.occluding import PATCH, assert_right, picture, with_forward

WINDOWS = "exact windows in 2 of 2 convolutions"
HALF = "exact windows in 1 of 2 convolutions"
NONE = "whole maps of the folded network: it looks at the whole picture from its first layers on"

TILT = torch.linspace(0, 1, 8)


def network(setup=lambda module: None, **parts):
    parts = {"norm": nn.BatchNorm2d(4), "act": nn.ReLU(), **parts}
    return with_forward(lambda self, x: self.end(self.act(self.norm(self.conv1(x)))), setup, **parts)


def tilted(maps):
    return maps * torch.linspace(0, 1, maps.shape[3])


@pytest.mark.parametrize("name, how", [("conv1", NONE), ("norm", HALF), ("act", HALF), ("conv2", HALF), ("", WINDOWS)])
def test_a_hook_after_a_layer(name, how):
    def setup(module):
        module.get_submodule(name).register_forward_hook(
            lambda module, args, output: tilted(output) if output.ndim == 4 else output * 2
        )

    assert assert_right(network(setup)) == how


@pytest.mark.parametrize("name, how", [("conv1", NONE), ("norm", HALF), ("act", HALF), ("conv2", HALF), ("", NONE)])
def test_a_hook_before_a_layer(name, how):
    def setup(module):
        module.get_submodule(name).register_forward_pre_hook(lambda module, args: (tilted(args[0]),))

    assert assert_right(network(setup)) == how


@pytest.mark.parametrize("name", ["norm", "act", "conv2", ""])
def test_a_hook_that_acts_only_under_a_patch(name):
    clean = {}

    def act(module, args, output):
        level = output.mean((*range(1, output.ndim),), keepdim=True)
        return output + 3 * ((level - clean.setdefault(name, level[:1])).abs() > 0.02)

    net = network(lambda module: module.get_submodule(name).register_forward_hook(act))
    net.scores(picture()[None])  # the clean one first
    clean.clear()
    assert_right(net)


def test_hooks_of_a_block_with_arguments_by_name():
    def block(self, x, gain, *, offset=None):
        return self.conv(x) * gain if offset is None else self.conv(x) * gain + offset

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

        forward = block

    def setup(module):
        module.block.register_forward_pre_hook(
            lambda module, args, kwargs: ((args[0] * 2, *args[1:]), kwargs), with_kwargs=True
        )
        module.block.register_forward_hook(lambda module, args, kwargs, output: output + kwargs["offset"], with_kwargs=True)
        module.block.register_forward_hook(lambda module, args, output: None)

    net = with_forward(lambda self, x: self.end(self.block(x, 0.5, offset=1.0)), setup, block=Block())
    assert assert_right(net) == NONE


def test_hooks_never_see_what_stands_for_a_tensor():
    seen = []

    def setup(module):
        module.block.register_forward_hook(lambda module, args, output: seen.append((args[0], output)))

    net = with_forward(lambda self, x: self.end(self.block(x)), setup, block=nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU()))
    assert occlusion(net, picture(), 0, **PATCH).how == HALF
    assert seen and all(type(tensor) is torch.Tensor for pair in seen for tensor in pair)


def test_a_hook_for_every_module_leaves_no_windows():
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, args, output: tilted(output) if isinstance(module, nn.ReLU) else None
    )
    try:
        assert assert_right(network()) == "plain batches: a hook is called for every module"
    finally:
        handle.remove()
    assert assert_right(network()) == WINDOWS


def test_a_backward_hook_disturbs_nothing():
    assert assert_right(network(lambda module: module.register_full_backward_hook(lambda *args: None))) == WINDOWS


# other forward passes


class Conv(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) * TILT


class Act(nn.ReLU):
    def forward(self, x):
        return super().forward(x) * 2


class Norm(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) * 2


def test_layers_whose_class_overrides_forward():
    assert assert_right(network(act=Act(), norm=Norm(4))) == WINDOWS
    assert assert_right(network(act=Act(), norm=Norm(4), conv1=Conv(2, 4, 3))) == HALF


@pytest.mark.parametrize("name, how", [("conv1", HALF), ("norm", HALF), ("act", HALF), ("conv2", WINDOWS), ("", WINDOWS)])
def test_a_forward_pass_of_the_modules_own(name, how):
    def setup(module):
        def forward(self, x):
            output = type(self).forward(self, x)
            return output * TILT if name in ("conv1", "norm", "act") else output * 2

        part = module.get_submodule(name)
        part.forward = types.MethodType(forward, part)

    net = network(setup)
    with unchanged(net.module):
        assert assert_right(net) == how


def test_a_forward_pass_that_is_exchanged_between_two_maps():
    net = network()
    assert assert_right(net) == WINDOWS
    net.module.act.forward = lambda x: x * TILT
    assert assert_right(net) == HALF


# weights that are computed


@pytest.mark.parametrize(
    "norm",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        nn.utils.weight_norm,
        lambda conv: nn.utils.spectral_norm(conv).eval(),
        lambda conv: prune.l1_unstructured(conv, "weight", 0.3),
    ],
    ids=["weight", "spectral", "old weight", "old spectral", "pruned"],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:.*spectral_norm.*:FutureWarning")
def test_weights_that_are_computed_are_read_when_they_are_wanted(norm):
    with torch.no_grad():
        net = network(lambda module: norm(module.conv1))
    assert assert_right(net) == WINDOWS
    with torch.no_grad():
        for parameter in net.module.conv1.parameters():
            parameter.mul_(1.5)
    assert assert_right(net) == WINDOWS
