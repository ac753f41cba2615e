"""A scheme's weights are those of torch.nn.init by hand, with the variance that the closed form says."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnwidgets.methods import INITIALIZATIONS, Parameter, initial_weights, initialize
from cnnwidgets.methods.initialization import initialization_code, settle
from cnnwidgets.methods.initialization_schemes import fans

RANDOM = ["normal", "uniform", "xavier", "kaiming", "orthogonal"]

LAYERS = {
    "linear": lambda: nn.Linear(300, 200),
    "wide": lambda: nn.Linear(40, 900),
    "1d": lambda: nn.Conv1d(30, 40, 5),
    "2d": lambda: nn.Conv2d(12, 50, 3),
    "3d": lambda: nn.Conv3d(6, 20, 3),
    "groups": lambda: nn.Conv2d(40, 80, 3, groups=4),
    "transposed": lambda: nn.ConvTranspose2d(24, 40, 3),
}


class Net(nn.Sequential):
    """Two convolutions with a batch norm, a part with a group norm, and a linear layer."""

    def __init__(self):
        body = nn.Sequential(nn.Conv2d(8, 8, 3, groups=2, bias=False), nn.GroupNorm(2, 8), nn.ReLU())
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), body, nn.Flatten(), nn.Linear(32, 4))


def trained() -> Net:
    """A network in which nothing is as new."""
    net = Net()
    with torch.no_grad():
        for value in net.state_dict().values():
            value.add_(1)
    return net


def state(net: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("scheme", ["normal", "uniform", "xavier", "kaiming"])
def test_the_variance_is_that_of_the_closed_form_but_for_the_sampling_error(layer, scheme):
    module = LAYERS[layer]()
    torch.manual_seed(1)
    initialize(module, scheme)
    (row,) = initial_weights(module, scheme)
    n = module.weight.numel()
    fourth = 9 / 5 if scheme == "uniform" else 3  # E w^4 / variance^2
    bound = 5 * math.sqrt((fourth - 1) / n)  # five standard errors of the mean of w^2
    assert abs(module.weight.square().mean().item() / row.variance - 1) < bound
    assert abs(module.weight.mean().item()) < 5 * math.sqrt(row.variance / n)
    assert module.bias.eq(0).all() and row.mean == 0


def test_fans_are_those_of_torch_and_of_what_a_unit_sees():
    for make in LAYERS.values():
        weight = make().weight
        assert fans(tuple(weight.shape)) == nn.init._calculate_fan_in_and_fan_out(weight)
    unit = nn.Conv2d(40, 80, 3, groups=4, bias=False)
    x = torch.zeros(1, 40, 3, 3, requires_grad=True)
    (seen,) = torch.autograd.grad(unit(x)[0, 0, 0, 0], x)
    assert (seen != 0).sum() == fans(tuple(unit.weight.shape))[0] == 90


@pytest.mark.parametrize(
    ("scheme", "options", "variance", "formula"),
    [
        ("zero", {}, 0, "0"),
        ("equal", {"value": 0.5}, 0, "0"),
        ("normal", {"std": 0.02}, 4e-4, "0.02²"),
        ("uniform", {}, 1 / 600, "1 / (3 · 200)"),
        ("uniform", {"gain": 3.0}, 9 / 600, "3² / (3 · 200)"),
        ("xavier", {}, 2 / 250, "2 / (200 + 50)"),
        ("kaiming", {}, 2 / 200, "1.414² / 200"),
        ("kaiming", {"gain": 1, "mode": "fan_out"}, 1 / 50, "1 / 50"),
        ("orthogonal", {"gain": 2.0}, 4 / 200, "2² / max(50, 200)"),
    ],
)
def test_closed_forms_of_a_linear_layer_of_200_inputs_and_50_units(scheme, options, variance, formula):
    (row,) = initial_weights(nn.Linear(200, 50), {"scheme": scheme, **options})
    assert row.variance == pytest.approx(variance, rel=1e-12)
    assert (row.fan_in, row.fan_out) == (200, 50)
    assert row.formula == formula


BY_HAND = {
    ("zero",): lambda w: nn.init.zeros_(w),
    ("equal", "value", 0.3): lambda w: nn.init.constant_(w, 0.3),
    ("normal",): lambda w: nn.init.normal_(w, 0.0, 0.01),
    ("normal", "std", 1.0): lambda w: nn.init.normal_(w),
    ("xavier",): lambda w: nn.init.xavier_normal_(w),
    ("xavier", "gain", 5 / 3): lambda w: nn.init.xavier_normal_(w, nn.init.calculate_gain("tanh")),
    ("kaiming",): lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    ("kaiming", "mode", "fan_out"): lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    ("kaiming", "gain", 1.0): lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"),
    ("orthogonal", "gain", 2.0): lambda w: nn.init.orthogonal_(w, 2.0),
}


@pytest.mark.parametrize("how", BY_HAND)
def test_all_weights_have_the_bits_of_torch_s_functions_by_hand(how):
    scheme, *pair = how
    net, mine = trained(), trained()
    torch.manual_seed(7)
    initialize(net, scheme, **{pair[0]: pair[1]} if pair else {})
    torch.manual_seed(7)
    for part in (mine[0], mine[3][0], mine[5]):
        BY_HAND[how](part.weight)
    for part in (mine[0], mine[5]):
        nn.init.zeros_(part.bias)
    for norm in (mine[1], mine[3][1]):
        nn.init.ones_(norm.weight)
        nn.init.zeros_(norm.bias)
    mine[1].reset_running_stats()
    assert state(net) == state(mine)


def test_uniform_has_the_weights_of_torch_s_own_default():
    torch.manual_seed(3)
    found = nn.Linear(64, 48, bias=False)  # whose bias would not be 0
    initialize(found, "uniform")
    torch.manual_seed(3)
    nn.Linear(64, 48, bias=False)
    mine = nn.Linear(64, 48, bias=False)
    torch.testing.assert_close(found.weight, mine.weight, rtol=1e-6, atol=0)


@pytest.mark.parametrize("layer", LAYERS)
def test_orthogonal_rows_or_columns_have_length_gain_and_no_overlap(layer):
    module = LAYERS[layer]().double()
    initialize(module, "orthogonal", gain=1.5)
    matrix = module.weight.detach().flatten(1)
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    torch.testing.assert_close(short @ short.T, 2.25 * torch.eye(len(short), dtype=torch.float64), rtol=0, atol=1e-12)
    (row,) = initial_weights(module, {"scheme": "orthogonal", "gain": 1.5})
    assert matrix.square().mean().item() == pytest.approx(row.variance, rel=1e-12)  # exact: their lengths are


def test_zero_and_equal_weights_are_exact():
    net = trained()
    initialize(net, "equal", value=0.25)
    assert all(part.weight.eq(0.25).all() for part in (net[0], net[3][0], net[5]))
    initialize(net, "zero")
    assert all(part.weight.eq(0).all() for part in (net[0], net[3][0], net[5]))


@pytest.mark.parametrize("scheme", RANDOM)
def test_a_seed_decides_the_weights(scheme):
    found = []
    for seed in (0, 0, 1):
        net = Net()
        torch.manual_seed(seed)
        initialize(net, scheme)
        found.append(state(net))
    assert found[0] == found[1] != found[2]


def test_the_longest_name_says_a_layer_s_scheme_and_keep_leaves_all_as_it_is():
    net = trained()
    before = state(net)
    torch.manual_seed(2)
    initialize(net, "keep", by_layer={"3": "kaiming", "3.0": "zero", "5": {"scheme": "equal", "value": 2}})
    assert net[3][0].weight.eq(0).all() and net[5].weight.eq(2).all()
    assert net[3][1].weight.eq(1).all()  # the norm of a part that is set
    changed = {name for name, value in state(net).items() if value != before[name]}
    assert changed == {"3.0.weight", "3.1.weight", "3.1.bias", "5.weight", "5.bias"}
    rows = initial_weights(net, {"scheme": "keep", "by_layer": {"3": "kaiming", "3.0": "zero"}})
    assert [(row.layer, row.scheme) for row in rows] == [("0", "keep"), ("3.0", "zero"), ("5", "keep")]
    assert math.isnan(rows[0].variance)


@pytest.mark.parametrize(
    "spec",
    [
        *({"scheme": name} for name in INITIALIZATIONS),
        {"scheme": "uniform", "gain": 0.7},
        {"scheme": "kaiming", "gain": 1.0, "mode": "fan_out"},
        {"scheme": "zero", "by_layer": {"": "uniform", "5": "keep"}},
        {"scheme": "xavier", "by_layer": {"3": "keep", "3.0": "orthogonal", "5": {"scheme": "normal", "std": 2.0}}},
    ],
)
def test_the_lines_give_the_same_weights(spec):
    found = trained()
    mine = copy.deepcopy(found)
    torch.manual_seed(5)
    initialize(found, **spec)
    torch.manual_seed(5)
    lines = initialization_code(mine, spec)
    assert "cw." not in lines and "_" + "NormBase" not in lines
    exec(lines, {"model": mine})
    assert state(found) == state(mine)


@given(
    st.sampled_from(sorted(INITIALIZATIONS)),
    st.fixed_dictionaries({}, optional={"5": st.sampled_from(RANDOM), "3": st.just({"scheme": "equal", "value": 0.1})}),
    st.floats(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_a_settled_spec_settles_to_itself_also_after_json(scheme, by_layer, number):
    name = next(iter(INITIALIZATIONS[scheme].parameters), None)
    settled = settle({"scheme": scheme, "by_layer": by_layer, **({name: number} if name else {})})
    assert settle(settled) == settled == json.loads(json.dumps(settled))


def test_what_is_shared_frozen_or_without_bias_is_set_as_well():
    one = nn.Linear(6, 6, bias=False).requires_grad_(False)
    initialize(nn.Sequential(one, nn.ReLU(), one), "equal", value=3)
    assert one.weight.eq(3).all() and not one.weight.requires_grad and one.weight.grad is None


def test_a_compiled_network_has_the_names_of_its_own():
    net = torch.compile(nn.Sequential(nn.Linear(2, 2)))
    initialize(net, "keep", by_layer={"0": "zero"})
    assert net.state_dict()["_orig_mod.0.weight"].eq(0).all()


def lazy() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(4))


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))


WRONG = {
    "no such scheme": (
        Net,
        {"scheme": "kaimin"},
        ValueError,
        "scheme is 'kaimin'; expected one of 'zero', 'equal', .*'kaiming'",
    ),
    "no scheme": (Net, {"scheme": 3}, TypeError, "scheme is 3; expected a text"),
    "no such parameter": (Net, {"scheme": "zero", "gain": 1}, TypeError, "zero has no parameter 'gain'. It has none"),
    "another's parameter": (Net, {"scheme": "normal", "gain": 1}, TypeError, "normal has no parameter 'gain'. It has: std"),
    "out of range": (Net, {"scheme": "normal", "std": -1}, ValueError, "std is -1; expected a number from 0 to 100"),
    "no number": (Net, {"scheme": "xavier", "gain": "big"}, ValueError, "gain is 'big'; expected a number from 0 to 100"),
    "no mode": (Net, {"scheme": "kaiming", "mode": "in"}, ValueError, "mode is 'in'; expected one of 'fan_in', 'fan_out'"),
    "no such layer": (
        lambda: nn.ModuleDict({"conv1": nn.Conv2d(1, 1, 1)}),
        {"scheme": "zero", "by_layer": {"conv2": "zero"}},
        KeyError,
        "the network has no 'conv2'. Did you mean 'conv1'?",
    ),
    "no layer with weights": (Net, {"scheme": "zero", "by_layer": {"2": "zero"}}, ValueError, "2 has no weights to set"),
    "no dict": (Net, {"scheme": "zero", "by_layer": "conv1"}, TypeError, "by_layer is 'conv1'; expected a dict"),
    "a dict in a dict": (
        Net,
        {"scheme": "zero", "by_layer": {"3": {"scheme": "zero", "by_layer": {"0": "zero"}}}},
        TypeError,
        r"by_layer\['3'\] has a by_layer of its own; expected a scheme",
    ),
    "nothing to set": (nn.ReLU, {"scheme": "zero"}, ValueError, "the network has no linear layer and no convolution"),
    "lazy": (lazy, {"scheme": "zero"}, ValueError, "the weight of 1 has no size yet: run the network once on a batch"),
    "weight norm": (normed, {"scheme": "zero"}, ValueError, "the weight of 1 is no parameter of it, but computed from"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_told_before_anything_is_changed(what):
    make, spec, kind, sentence = WRONG[what]
    net = make()
    before = [value.clone() for value in net.parameters() if not nn.parameter.is_lazy(value)]
    with pytest.raises(kind, match=sentence):
        initialize(net, **spec)
    for value, was in zip([value for value in net.parameters() if not nn.parameter.is_lazy(value)], before, strict=True):
        assert torch.equal(value, was)


def test_each_scheme_has_a_title_a_line_and_parameters_with_a_range():
    assert list(INITIALIZATIONS) == ["zero", "equal", "normal", "uniform", "xavier", "kaiming", "orthogonal", "keep"]
    for scheme in INITIALIZATIONS.values():
        assert scheme.title and scheme.help.endswith(".")
        for name, row in scheme.parameters.items():
            assert isinstance(row, Parameter) and row.check(name, row.default) == row.default


def test_layers_of_size_0_are_left_alone():
    net = nn.Linear(0, 3)
    initialize(net, "uniform")
    assert np.array_equal(net.bias.detach(), np.zeros(3))
