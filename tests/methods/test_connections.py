"""Connections: what autograd gives for networks whose activation functions are open, and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import cnnwidgets as cw
from cnnwidgets.methods import connections
from cnnwidgets.net.changed import Changed
from tests.net.networks import unchanged

ALL = 10_000
SIDE = 12


Open = partial(nn.LeakyReLU, 1.0)
"""An activation function that is open everywhere."""


class Net(nn.Module):
    """Whose batch norms have seen something."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.build()
        for part in self.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                for tensor, low in ((part.running_mean, -0.1), (part.running_var, 0.5), (part.weight, 0.5)):
                    nn.init.uniform_(tensor, low, low + 1)

    def build(self):
        raise NotImplementedError


class Plain(Net):
    """Batch norm in front of a ReLU, pooling, a flattened map."""

    layers = ("c1", "b1", "r1", "p1", "c2", "r2", "f", "out")

    def build(self):
        self.c1, self.b1, self.r1, self.p1 = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), Open(), nn.MaxPool2d(2)
        self.c2, self.r2 = nn.Conv2d(5, 4, 3, padding=1, stride=2, bias=False), Open()
        self.drop, self.f, self.r3, self.out = nn.Dropout(), nn.Linear(4 * 9, 6), Open(), nn.Linear(6, 3)

    def forward(self, x):
        x = self.p1(self.r1(self.b1(self.c1(x))))
        return self.out(self.r3(self.f(self.drop(self.r2(self.c2(x)).flatten(1)))))


class Residual(Net):
    """One block that adds what it was given, and one that weighs it."""

    layers = ("r0", "b0.1", "a1", "a2", "c1", "fc")

    def build(self):
        self.c0, self.r0 = nn.Conv2d(3, 6, 3, padding=1), Open()
        self.b0 = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.a1 = Open()
        self.c1, self.b1, self.m1 = nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4), Open()
        self.c2, self.b2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.down = nn.Sequential(nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4))
        self.a2, self.fc = Open(), nn.Linear(4, 3)

    def forward(self, x):
        x = self.r0(self.c0(x))
        x = self.a1(self.b0(x) + x)
        y = self.b2(self.c2(self.m1(self.b1(self.c1(x)))))
        y += self.down(x)
        return self.fc(F.adaptive_avg_pool2d(self.a2(y), 1).flatten(1))


class Branches(Net):
    """Concatenation, groups, a channel shuffle, a depthwise and a dilated convolution, a transposed one at the end."""

    layers = ("r1", "r2", "g", "d", "p", "up")

    def build(self):
        self.c1, self.r1 = nn.Conv2d(3, 2, 3, padding=1), Open()
        self.c2, self.r2 = nn.Conv2d(3, 4, 3, padding=2, dilation=2), Open()
        self.g = nn.Conv2d(6, 4, 3, padding=1, groups=2)
        self.d = nn.Conv2d(4, 8, 3, padding=1, groups=4)
        self.p, self.up = nn.Conv2d(5, 3, 1), nn.ConvTranspose2d(3, 4, 2, stride=2)

    def forward(self, x):
        x = torch.cat([F.max_pool2d(self.r2(self.c2(x)), 3, 1, 1), F.avg_pool2d(self.r1(self.c1(x)), 3, 1, 1)], 1)
        x = self.g(x)
        n, c, h, w = x.shape
        x = self.d(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))
        return self.up(self.p(x[:, [7, 0, 2, 4, 1]] * 3 - 1))


class Last(Net):
    """Units on the last axis, as in a transformer's feed-forward part."""

    layers = ("c", "up", "act", "down")

    def build(self):
        self.c = nn.Conv2d(3, 4, 3, padding=1)
        self.up, self.act, self.down = nn.Linear(4, 6), Open(), nn.Linear(6, 4)

    def forward(self, x):
        x = self.c(x).permute(0, 2, 3, 1)
        x = self.down(self.act(self.up(x)))
        return x.permute(0, 3, 1, 2)


NETS = [Plain, Residual, Branches, Last]
ASKED = [(kind, layer) for kind in NETS for layer in kind.layers]


def bind(kind):
    return cw.bind(kind().eval(), input_shape=(3, SIDE, SIDE), outputs="values" if kind in (Branches, Last) else "logits")


@contextmanager
def cut(model: nn.Module, net, names) -> Iterator[tuple[dict, dict]]:
    """Inside, no derivative goes through some layers: what each has made, and what others were given of it, are apart."""
    made: dict[str, Tensor] = {}
    given: dict[str, Tensor] = {}

    def change(name):
        def apart(output):
            made[name] = output
            given[name] = output.detach().clone().requires_grad_()
            return given[name].clone()

        return apart

    watching = [Changed(model, net.layers[name], change(name)) for name in names]
    with ExitStack() as stack:
        for each in watching:
            stack.enter_context(each.watching())
        yield made, given


def slopes(net, later: str, unit: int, earlier: str | None, names) -> np.ndarray:
    """(units, positions): derivatives of a unit's value in the middle of its map with respect to another layer's values."""
    model = net.module
    picture = (0.01 * torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))).requires_grad_()
    with cut(model, net, names) as (made, given):
        model(picture)
    maps = net.layers[later].by_unit(made[later])[0, unit]
    of = picture if earlier is None else given[earlier]
    (slope,) = torch.autograd.grad(maps[maps.shape[0] // 2, maps.shape[1] // 2], of, allow_unused=True)
    slope = torch.zeros_like(of) if slope is None else slope
    return (slope if earlier is None else net.layers[earlier].by_unit(slope))[0].flatten(1).double().numpy()


def table(side, units: int, layer: str | None) -> np.ndarray:
    """(units,): the weights with a layer's units, by all ways."""
    found = np.zeros(units)
    for one in side:
        if one.layer == layer:
            found[one.unit] += one.weight
    return found


@pytest.mark.parametrize(("kind", "layer"), ASKED, ids=lambda each: getattr(each, "__name__", each))
def test_weights_are_the_derivatives_summed_over_positions(kind, layer):
    net = bind(kind)
    count = net.layers[layer].map_shape[0]
    seen = 0
    for unit in (0, count - 1):
        with unchanged(net.module):
            found = connections(net, layer, unit, ALL)
        assert not any("end at" in note for note in found.notes)
        names = {layer, *found.layers_before, *found.layers_after} - {None}
        for before in found.layers_before:
            wanted = slopes(net, layer, unit, before, names).sum(1)
            if layer == "up" and kind is Branches:  # each position sees one number of the four: 2x2 with a stride of 2
                weight = net.module.up.weight.detach().double().numpy()
                wanted = weight[:, unit].sum((1, 2)) / 4
            np.testing.assert_allclose(table(found.before, len(wanted), before), wanted, rtol=1e-4, atol=1e-6)
            seen += 1
        for after in found.layers_after:
            of = net.layers[after].map_shape[0]
            if after == "up" and kind is Branches:
                continue
            wanted = np.array([slopes(net, after, v, layer, names)[unit].sum() for v in range(of)])
            np.testing.assert_allclose(table(found.after, of, after), wanted, rtol=1e-4, atol=1e-6)
            seen += 1
    assert seen
