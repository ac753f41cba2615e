"""Connections: what autograd gives for networks whose activation functions are open, and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given as drawn
from hypothesis import settings
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

    def build(self): ...


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


class Attends(Net):
    """Tokens that look at each other."""

    def build(self):
        self.embed, self.attend = nn.Conv2d(3, 4, 4, stride=4), nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        return self.head(self.attend(x, x, x)[0]).mean(1)


class Gated(Net):
    """Squeeze and excitation."""

    def build(self):
        self.c1, self.squeeze, self.c2 = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 4), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x):
        x = self.c1(x)
        x = x * self.squeeze(x.mean((2, 3))).sigmoid()[:, :, None, None]
        return self.c2(x).mean((2, 3))


class Normed(Net):
    """A group norm, which asks the picture for its scale."""

    def build(self):
        self.c1, self.norm, self.c2 = nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x):
        return self.c2(self.norm(self.c1(x)).relu()).mean((2, 3))


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


def edges(net, layer: str) -> tuple[dict, dict]:
    """The weights of all units of a layer with those before and after: {(earlier, later, via): weight}."""
    before, after = {}, {}
    for unit in range(net.layers[layer].map_shape[0]):
        found = connections(net, layer, unit, ALL)
        before |= {((one.layer, one.unit), (layer, unit), one.via): one.weight for one in found.before}
        after |= {((layer, unit), (one.layer, one.unit), one.via): one.weight for one in found.after}
    return before, after


def test_what_is_before_one_unit_has_that_unit_after_it():
    net = cw.load("scenes")
    layers = ["layer1.1.relu:2", "layer2.0.relu", "layer2.0.relu:2"]
    sides = [edges(net, layer) for layer in layers]
    before = {pair: weight for side, _ in sides for pair, weight in side.items() if pair[0][0] in layers}
    after = {pair: weight for _, side in sides for pair, weight in side.items() if pair[1][0] in layers}
    assert before.keys() == after.keys()
    assert len(before) == 16 * 32 + 16 * 32 + 32 * 32
    for pair, weight in before.items():
        assert weight == pytest.approx(after[pair], rel=1e-9)


def test_by_hand():
    net = bind(Plain)
    m = net.module
    gain = (m.b1.weight / (m.b1.running_var + m.b1.eps).sqrt()).detach().double()
    kernels = (m.c1.weight.detach().double() * gain[:, None, None, None])[2]
    for one in connections(net, net["r1"][2]).before:
        kernel = kernels[one.unit]
        assert one.layer is None and one.via == "c1"
        assert one.weight == pytest.approx(kernel.sum().item()) and one.mean == pytest.approx(kernel.mean().item())
        assert one.norm == pytest.approx(kernel.norm().item())
    flat = m.f.weight.detach().double().reshape(6, 4, 9)  # a unit's nine positions lie side by side
    for one in connections(net, "f", 5).before:
        assert (one.layer, one.via) == ("r2", "f")
        assert one.weight == pytest.approx(flat[5, one.unit].sum().item())
        assert one.norm == pytest.approx(flat[5, one.unit].norm().item())
    norms = [one.norm for one in connections(net, "f", 5, 3).before]
    assert norms == sorted(flat[5].norm(dim=1).tolist(), reverse=True)[:3]


def test_an_add_joins_the_same_unit_with_a_weight_of_1():
    found = connections(bind(Residual), "a1", 4, ALL)
    (joined,) = [one for one in found.before if one.via is None]
    assert (joined.layer, joined.unit, joined.weight, joined.norm) == ("r0", 4, 1.0, 1.0)
    assert found.layers_before == {"r0": 6} and "an add joins units of the same number with a weight of 1" in found.notes


def test_a_depthwise_and_a_grouped_convolution_join_only_their_own():
    net = bind(Branches)
    assert {(one.layer, one.unit) for one in connections(net, "g", 3, ALL).before} == {("r2", 3), ("r1", 0), ("r1", 1)}
    assert [(one.layer, one.unit) for one in connections(net, "d", 2, ALL).before] == [("g", 2)]  # 0 2 1 3, two from each


@drawn(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), unique=True, max_size=20))
@settings(deadline=None, max_examples=20)
def test_a_weight_of_0_is_no_connection(gone):
    net = bind(Residual)
    before = {(one.unit, unit) for unit in range(4) for one in connections(net, "m1", unit, ALL).before}
    assert len(before) == 24
    with torch.no_grad():
        for later, earlier in gone:
            net.module.c1.weight[later, earlier] = 0
    left = {(one.unit, unit) for unit in range(4) for one in connections(net, "m1", unit, ALL).before}
    assert before - left == {(earlier, later) for later, earlier in gone}
    after = {(unit, one.unit) for unit in range(6) for one in connections(net, "a1", unit, ALL).after if one.via == "c1"}
    assert after == left


@pytest.mark.parametrize(
    ("kind", "layer", "sentence"),
    [
        (Attends, "attend", "connections end at attend, which is not a function that is followed"),
        (Attends, "embed", "connections end at attend, which is not a function that is followed"),
        (Gated, "c1", "connections end at mul, which multiplies two results, so that its factors depend on the picture"),
        (Normed, "norm", "connections end at norm, which is not a function that is followed"),
        (Normed, "c1", "connections end at norm, which is not a function that is followed"),
    ],
)
def test_what_cannot_be_followed_is_said(kind, layer, sentence):
    found = connections(bind(kind), layer, 1)
    assert sentence in found.notes


def test_behind_what_cannot_be_followed_there_are_connections_again():
    net = bind(Gated)
    found = connections(net, "c2", 1, ALL)
    assert found.layers_before == {"mul": 4}
    weights = net.module.c2.weight.detach().double().sum((2, 3))
    assert table(found.before, 4, "mul") == pytest.approx(weights[1].numpy())
    assert table(connections(net, "mul", 2, ALL).after, 3, "mean:2") == pytest.approx(0)
    assert table(connections(net, "mul", 2, ALL).after, 3, "c2") == pytest.approx(weights[:, 2].numpy())


def test_a_view_that_mixes_units_is_no_map_of_theirs():
    class Mixed(Net):
        def build(self):
            self.c1, self.c2, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(1, 2, 3, padding=1), nn.Linear(2, 3)

        def forward(self, x):
            return self.fc(self.c2(self.c1(x).reshape(len(x), 1, 2 * SIDE, 2 * SIDE)).mean((2, 3)))

    found = connections(bind(Mixed), "fc", 1)
    assert (
        not found.before and "connections end at conv2d, which reads values of different units side by side" in found.notes
    )


def test_a_shortcut_with_zeros_for_new_units():
    class Padded(Net):
        def build(self):
            self.c1, self.r1, self.c2, self.r2 = nn.Conv2d(3, 2, 3, padding=1), Open(), nn.Conv2d(2, 4, 3, padding=1), Open()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            x = self.r1(self.c1(x))
            return self.fc(self.r2(self.c2(x) + F.pad(x, (0, 0, 0, 0, 1, 1))).mean((2, 3)))

    net = bind(Padded)
    joined = {unit: [one.unit for one in connections(net, "r2", unit).before if one.via is None] for unit in range(4)}
    assert joined == {0: [], 1: [0], 2: [1], 3: []}


def test_an_in_place_relu_is_looked_through():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(2 * 64, 3))
    found = connections(cw.bind(model, input_shape=(3, SIDE, SIDE)), "2", 1, ALL)
    assert found.layers_before == {"1": 4} and found.layers_after == {"4": 3}


@pytest.mark.parametrize(("kind", "layer"), ASKED, ids=lambda each: getattr(each, "__name__", each))
def test_the_lines_give_the_weights_and_norms_again(kind, layer):
    net = bind(kind)
    found = connections(net, layer, 1, 5)
    scope = {"model": net.module, "preprocess": None}
    exec(found.code(net).replace("model = ...  # your network", ""), scope)
    for name, side, values in zip(("before", "after"), (found.before, found.after), scope["values"], strict=True):
        np.testing.assert_allclose(values, [one.weight for one in side], rtol=1e-6)
        assert [pair[:2] for pair in scope[name]] == [(one.layer, one.unit) for one in side]
        norms = [kernel.norm().item() for _, _, kernel in scope[name]]
        shares = [0.25 if kind is Branches and one.via == "up" else 1 for one in side]  # of a kernel that a position sees
        np.testing.assert_allclose(norms, [share * one.norm for share, one in zip(shares, side, strict=True)], rtol=1e-6)


def test_what_does_not_fit_is_told():
    net = bind(Plain)
    for unit in (-1, 5):
        with pytest.raises(IndexError, match=f"c1 has no unit {unit}; expected 0 to 4, got {unit}"):
            connections(net, "c1", unit)
    with pytest.raises(KeyError, match="no layer 'c3'"):
        connections(net, "c3", 0)
    with pytest.raises(ValueError, match="k is 0; expected a whole number of at least 1"):
        connections(net, "c1", 0, 0)
    with pytest.raises(ValueError, match="the units of flatten cannot be followed: each is one position of a map, or"):
        connections(net, "flatten", 3)


MODELS = [
    "resnet18",
    "densenet121",
    "googlenet",
    "mobilenet_v2",
    "shufflenet_v2_x0_5",
    "alexnet",
    "squeezenet1_0",
    "mnasnet0_5",
]


@pytest.mark.parametrize("name", MODELS)
def test_every_convolution_of_a_known_network_has_all_its_inputs(name):
    import torchvision

    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(weights=None, **options).eval()
    net = cw.bind(model, input_shape=(3, 64, 64))
    rows = [row for row in net.layers if row.kind in ("Conv2d", "Linear")]
    for row in rows[:: max(1, len(rows) // 6)]:
        module = model.get_submodule(row.name)
        found = connections(net, row.name, 0, ALL)
        inputs = module.in_channels // module.groups if row.kind == "Conv2d" else None
        assert not found.notes or not any("end at" in note for note in found.notes)
        assert len(found.before) == (inputs or len(found.before)) and found.before
        wanted = module.weight[0].detach().double()
        assert sum(one.weight for one in found.before) == pytest.approx(wanted.sum().item(), abs=1e-6)
        assert sum(one.norm**2 for one in found.before) == pytest.approx((wanted**2).sum().item())
