"""A forward pass that keeps its graph: gradients equal finite differences, maps are not falsified, no trace is left."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnwidgets.net import bind
from tests.net.brute_force import lively
from tests.net.networks import Function, Residual, unchanged


def residual(**options):
    return lively(Residual()).to(**options)


def image(**options):
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1), **options)


def test_the_gradient_of_the_input_equals_finite_differences():
    model = residual(dtype=torch.float64)
    net, x, step = bind(model, input_shape=(3, 8, 8)), image(), 1e-5
    with net.graph(x) as passed:
        found = passed.gradient(passed.output[0, 2])
    assert found.dtype == torch.float64
    for place in [(0, 0, 0), (1, 3, 4), (2, 7, 7)]:
        moved = torch.zeros_like(x, dtype=torch.float64)
        moved[(0, *place)] = step
        with torch.no_grad():
            slope = (model(x.double() + moved) - model(x.double() - moved))[0, 2] / (2 * step)
        assert found[(0, *place)].item() == pytest.approx(slope.item(), rel=1e-6)


@pytest.mark.parametrize("layer", ["conv1", "bn1", "relu", "conv2", "add", "relu:2", "add:2", "relu:3", "cat"])
def test_the_gradient_of_a_layer_is_of_its_output_before_anything_overwrites_it(layer):
    model = residual(dtype=torch.float64)
    net, x, step = bind(model, input_shape=(3, 8, 8)), image(), 1e-5
    with net.graph(x, [layer]) as passed:
        found, maps = passed.gradient(passed.output[0, 1], layer), passed.maps[layer].detach()
    assert torch.equal(maps.float(), net.trace(x, [layer])[layer].float())
    moved = torch.zeros_like(maps)
    moved[0, 1, 3, 2] = step
    more, less = (_with_output(net, x, layer, sign * moved) for sign in (1, -1))
    assert found[0, 1, 3, 2].item() == pytest.approx((more - less).item() / (2 * step), rel=1e-6, abs=1e-12)


def _with_output(net, x, layer, change):
    """The score when the layer's output is changed where it is made."""

    def look(name, output):
        if name == layer:
            output += change

    scores = []
    net.run(x, lambda name, output: (look(name, output), scores.append(output)))
    return scores[-1][0, 1]


def test_any_value_of_any_layer_is_a_score():
    net, x = bind(residual(), input_shape=(3, 8, 8)), image()
    with net.graph(x, ["relu", "conv2"]) as passed:
        found = passed.gradient(passed.maps["relu"][0, 2, 4, 5])
    expected = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(F.relu(net.module.bn1(net.module.conv1(expected)))[0, 2, 4, 5], expected)
    assert torch.allclose(found, expected)
    outside = found.clone()
    outside[:, :, 3:6, 4:7] = 0
    assert not outside.any()  # the receptive field of a 3x3 convolution


def test_keeping_one_layer_does_not_shift_the_count_of_anothers_calls():
    parts = {"first": nn.Conv2d(3, 4, 3), "last": nn.Linear(144, 2)}
    net = bind(Function(lambda self, x: self.last((2 * self.first(x)).reshape(1, -1)), **parts), input_shape=(3, 8, 8))
    with net.graph(image(), ["first", "reshape"]) as passed:
        assert torch.equal(passed.maps["reshape"].flatten(), 2 * passed.maps["first"].flatten())


def test_what_a_score_does_not_depend_on_has_a_gradient_of_zeros():
    net = bind(
        Function(lambda self, x: self.last((x > 0).float().mean((2, 3))), last=nn.Linear(3, 2)), input_shape=(3, 4, 4)
    )
    with net.graph(torch.ones(1, 3, 4, 4)) as passed:
        assert not passed.gradient(passed.output[0, 0]).any()


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_does_not_matter_what_mode_the_caller_is_in(around):
    net, x = bind(residual(), input_shape=(3, 8, 8)), image()
    with net.graph(x, ["relu"]) as passed:
        expected = passed.gradient(passed.output[0, 0])
    with around(), net.graph(x.clone(), ["relu"]) as passed:
        assert torch.equal(passed.gradient(passed.output[0, 0]), expected)


def test_frozen_parameters_change_nothing_and_stay_frozen():
    model = residual()
    net, x = bind(model, input_shape=(3, 8, 8)), image()
    with net.graph(x, ["conv1"]) as passed:
        expected = passed.gradient(passed.output[0, 0], "conv1")
    model.requires_grad_(False)
    with unchanged(model), net.graph(x, ["conv1"]) as passed:
        assert torch.equal(passed.gradient(passed.output[0, 0], "conv1"), expected)


@pytest.mark.parametrize("rule", ["backpropagation", "guided"])
def test_no_trace_is_left_by_a_pass_nor_by_an_exception_inside(rule):
    model = residual().train()
    net, x = bind(model, input_shape=(3, 8, 8)), image().requires_grad_()
    _ = net.layers
    with unchanged(model):
        with net.graph(x, ["relu:3", "add"], rule=rule) as passed:
            passed.gradient(passed.output[0, 0], "add")
        with pytest.raises(ZeroDivisionError), net.graph(x, ["relu:3", "add"], rule=rule):
            _ = 1 / 0
    assert x.grad is None


@pytest.mark.parametrize("layer", ["conv1", "relu", "add", "relu:2"])
def test_a_pass_may_end_at_its_last_layer_and_has_the_same_gradient(layer):
    model = residual()
    net, x = bind(model, input_shape=(3, 8, 8)), image()
    with net.graph(x, ["bn1", layer]) as passed:
        expected = passed.gradient(passed.maps[layer][0, 1].sum())
    with unchanged(model), net.graph(x, ["bn1", layer], to_end=False) as passed:
        assert torch.equal(passed.gradient(passed.maps[layer][0, 1].sum()), expected)
    assert passed.output is None and passed.before is None


def test_what_comes_behind_the_last_layer_is_not_run():
    ran = []

    def forward(self, x):
        try:
            found = self.last(self.first(x).relu().mean((2, 3)))
        except Exception:  # of a network that helps itself
            return torch.zeros(1, 2)
        ran.append(1)
        return found

    net = bind(Function(forward, first=nn.Conv2d(3, 4, 3), last=nn.Linear(4, 2)), input_shape=(3, 8, 8))
    _ = net.layers
    ran.clear()
    with net.graph(image(), ["first", "relu"], to_end=False) as passed:
        assert set(passed.maps) == {"first", "relu"} and passed.output is None
    assert not ran
    with net.graph(image(), ["first", "relu"]) as passed:
        assert passed.output.shape == (1, 2)
    assert ran
