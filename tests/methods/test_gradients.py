"""Gradient maps: closed forms, Captum beside us, many targets in one pass, and what is said of a map."""

from __future__ import annotations

import threading

import captum.attr as captum
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from tests.methods.small import bound, picture, small
from tests.net.networks import Function, unchanged

PLAIN = ["saliency", "gradient_x_input", "deconvnet", "guided_backprop"]
GRADIENTS = [*PLAIN, "smoothgrad", "integrated_gradients"]


def whole_numbers():
    """Scores 2a - 3b and relu(a - b), of the sums a and b of two channels' pixels."""

    def forward(self, x):
        a, b = x.sum((2, 3)).unbind(1)
        return torch.stack([2 * a - 3 * b, F.relu(a - b)], 1)

    return cw.bind(Function(forward), input_shape=(2, 2, 2))


IMAGE = torch.tensor([[[1.0, 2], [3, 4]], [[1, 0], [0, -1]]])


@pytest.mark.parametrize("reduce, expected", [("max", 3.0), ("sum", 5.0), ("signed", -1.0)])
def test_the_channels_of_a_gradient_are_reduced_as_it_is_said(reduce, expected):
    found = cw.methods.saliency(whole_numbers(), IMAGE, 0, reduce=reduce)
    assert found.values.tolist() == [[expected] * 2] * 2
    assert found.signed == (reduce == "signed") and found.score == 20


def test_unreduced_values_are_the_gradient_itself():
    found = cw.methods.saliency(whole_numbers(), IMAGE, 0, reduce="none")
    assert found.values.tolist() == [[[2, 2], [2, 2]], [[-3, -3], [-3, -3]]]


def test_gradient_times_input_of_a_linear_score_adds_up_to_it():
    found = cw.methods.gradient_x_input(whole_numbers(), IMAGE, 0)
    assert found.values.tolist() == [[2 * 1 - 3 * 1, 2 * 2], [2 * 3, 2 * 4 + 3 * 1]]
    assert found.values.sum() == found.score


def test_positive_and_negative_evidence_lie_apart():
    found = cw.methods.gradient_x_input(whole_numbers(), IMAGE, 0)
    assert found.positive.tolist() == [[0, 4], [6, 11]] and found.negative.tolist() == [[1, 0], [0, 0]]
    assert np.array_equal(found.positive - found.negative, found.values)


def test_integrated_gradients_of_a_relu_are_exact_by_hand():
    # on the way from 0 the ReLU is open throughout: the mean gradient is +1 and -1
    found = cw.methods.integrated_gradients(whole_numbers(), IMAGE, 1)
    assert np.allclose(found.values, [[1 - 1, 2], [3, 4 + 1]]) and found.gap == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("baseline", ["zero", "mean", "blur", torch.full((3, 12, 12), 0.3)])
@pytest.mark.parametrize("seed", range(3))
def test_integrated_gradients_are_complete_within_one_per_cent(baseline, seed):
    net, image = cw.bind(small(seed=seed), input_shape=(3, 12, 12)), picture(seed=seed)
    one, other = cw.methods.integrated_gradients(net, image, [0, 3], baseline=baseline)
    for found in (one, other):
        start = baseline if isinstance(baseline, torch.Tensor) else _filled(net, image, baseline)
        change = (net.scores(image) - net.scores(start))[0, found.target].item()
        assert found.values.sum() - change == pytest.approx(found.gap, abs=1e-4)
        assert abs(found.gap) <= 0.011 * abs(change)


def _filled(net, image, fill):
    from cnnwidgets.methods.fills import fill_picture

    return fill_picture(net, image[None], fill, (3, 3))


@pytest.mark.parametrize(
    "method, peer, absolute",
    [
        ("saliency", captum.Saliency, True),
        ("gradient_x_input", captum.InputXGradient, False),
        ("deconvnet", captum.Deconvolution, False),
        ("guided_backprop", captum.GuidedBackprop, False),
    ],
)
@pytest.mark.parametrize("target", [0, 3])
def test_captum_gives_the_same(method, peer, absolute, target):
    found = cw.methods.attribute(bound(), picture(), target, method=method, reduce="none").values
    theirs = peer(small()).attribute(picture()[None].requires_grad_(), target=target)[0].detach().numpy()
    assert np.allclose(np.abs(found) if absolute else found, theirs, rtol=1e-5, atol=1e-7)


def test_captums_integrated_gradients_of_many_steps_are_near():
    found = cw.methods.integrated_gradients(bound(), picture(), 1, reduce="none", tolerance=1e-4, steps=2187).values
    theirs = captum.IntegratedGradients(small()).attribute(picture()[None], target=1, n_steps=1000, method="riemann_middle")
    assert np.allclose(found, theirs[0].detach().numpy(), atol=0.01 * np.abs(found).max())


def test_smoothgrad_of_a_linear_score_is_its_gradient_whatever_the_noise():
    found = cw.methods.smoothgrad(whole_numbers(), IMAGE, 0, reduce="signed", n_samples=7, noise_level=0.5)
    assert np.allclose(found.values, -1)


def test_smoothgrad_is_the_mean_of_gradients_at_noisy_pictures():
    net, image = bound(), picture()
    found = cw.methods.smoothgrad(net, image, 1, reduce="none", n_samples=5, noise_level=0.2, seed=3)
    generator = torch.Generator().manual_seed(3)
    noisy = image + 0.2 * (image.max() - image.min()) * torch.randn(5, 3, 12, 12, generator=generator)
    each = [cw.methods.saliency(net, one, 1, reduce="none").values for one in noisy]
    assert np.allclose(found.values, np.mean(each, 0), atol=1e-6)


def test_smoothgrad_does_not_depend_on_how_many_pictures_go_at_once():
    one, many = (cw.methods.smoothgrad(bound(), picture(), n_samples=9, max_memory=memory) for memory in (1, 2**29))
    assert np.allclose(one.values, many.values, atol=1e-6)


@pytest.mark.parametrize("method", cw.methods.METHODS)
def test_many_targets_give_what_each_gives_alone(method):
    net, image = bound(), picture()
    together = cw.methods.attribute(net, image, [2, "0"], method=method)
    for found, target in zip(together, (2, 0), strict=True):
        alone = cw.methods.attribute(net, image, target, method=method)
        assert found.target == target and found.method == method
        assert np.allclose(found.values, alone.values, atol=1e-5 * np.abs(alone.values).max())


@pytest.mark.parametrize("method", cw.methods.METHODS)
def test_by_default_the_target_is_the_predicted_class(method):
    net, image = bound(), picture()
    assert cw.methods.attribute(net, image, method=method).target == int(net.scores(image).argmax())


@pytest.mark.parametrize("method", PLAIN)
def test_ten_targets_take_one_forward_pass(method):
    model, passes = small(), []
    model.register_forward_hook(lambda *_: passes.append(1))
    net = cw.bind(model, input_shape=(3, 12, 12))
    _ = net.classes
    passes.clear()
    cw.methods.attribute(net, picture(), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1], method=method)
    assert len(passes) == 1


def test_the_gradient_of_a_unit_is_that_of_the_network_cut_there():
    model, image = small(), picture()
    net = cw.bind(model, input_shape=(3, 12, 12))
    x = image[None].clone().requires_grad_()
    maps = model[:3](x)
    one, place = cw.methods.saliency(net, image, unit=[("2", 4), ("2", 4, 5, 6)], reduce="none")
    assert np.allclose(one.values, torch.autograd.grad(maps[0, 4].sum(), x, retain_graph=True)[0][0], atol=1e-6)
    assert np.allclose(place.values, torch.autograd.grad(maps[0, 4, 5, 6], x)[0][0], atol=1e-6)
    assert place.score == pytest.approx(maps[0, 4, 5, 6].item()) and place.unit == ("2", 4, 5, 6)
    assert repr(one).startswith("<saliency of unit 4 of 2: 3×12×12 values")


@pytest.mark.parametrize("method", cw.methods.METHODS)
def test_no_trace_is_left_and_results_are_their_own(method):
    model, image = small().train(), picture()
    net = cw.bind(model, input_shape=(3, 12, 12))
    with unchanged(model):
        first = cw.methods.attribute(net, image, 1, method=method)
        kept = first.values.copy()
        cw.methods.attribute(net, -image, 2, method=method)
    assert np.array_equal(first.values, kept) and first.values.flags.owndata
    assert any("training mode" in note for note in first.notes)


@pytest.mark.parametrize("method", GRADIENTS)
def test_frozen_parameters_no_grad_and_double_precision_change_nothing(method):
    image = picture()
    expected = cw.methods.attribute(bound(), image, 1, method=method).values
    frozen = cw.bind(small().requires_grad_(False), input_shape=(3, 12, 12))
    double = cw.bind(small().double(), input_shape=(3, 12, 12))
    with torch.no_grad():
        assert np.allclose(cw.methods.attribute(frozen, image, 1, method=method).values, expected, atol=1e-6)
        assert np.allclose(cw.methods.attribute(double, image, 1, method=method).values, expected, atol=1e-4)


@pytest.mark.parametrize("method", GRADIENTS)
def test_a_gray_picture_will_do(method):
    net = cw.load("digits")
    found = cw.methods.attribute(net, cw.samples.digits()[0][0], method=method)
    assert found.values.shape == (32, 32) and found.values.any()


def test_a_score_that_no_pixel_moves_gives_a_map_that_is_said_to_be_zero():
    net = cw.bind(
        Function(lambda self, x: self.last((x > 0).float().mean((2, 3))), last=nn.Linear(3, 2)).eval(), input_shape=(3, 4, 4)
    )
    found = cw.methods.saliency(net, torch.ones(3, 4, 4), 0)
    assert found.is_zero and "exactly 0" in found.notes[0] and "all zero" in repr(found)
    assert not found.display().any()


def test_a_display_is_in_parts_of_the_size_that_nearly_all_values_do_not_exceed():
    values = np.zeros((20, 20), np.float32)
    values[0, :4] = [1, -2, 4, 100]
    found = cw.methods.Attribution(values, "saliency", 0, None, 1.0, (20, 20), True)
    assert found.display(4.0)[0, :4].tolist() == [0.25, -0.5, 1, 1]
    assert found.display().max() == 1 and found.values.max() == 100


@pytest.mark.parametrize("method", ["smoothgrad", "integrated_gradients"])
def test_a_cancelled_method_gives_what_it_has(method):
    stop, seen = threading.Event(), []

    def look(partial, fraction):
        seen.append((partial.values, fraction))
        stop.set()

    options = {"n_samples": 50} if method == "smoothgrad" else {"tolerance": 1e-9}
    with pytest.raises(cw.Cancelled):
        cw.methods.attribute(bound(), picture(), method=method, max_memory=1, on_update=look, cancel=stop, **options)
    assert len(seen) == 1 and 0 < seen[0][1] < 1 and np.isfinite(seen[0][0]).all()


@pytest.mark.parametrize(
    "options, words",
    [
        ({"target": 4}, "there is no class 4: the network has 4"),
        ({"target": "cat"}, "there is no class 'cat'"),
        ({"target": []}, "the list of targets or units is empty"),
        ({"unit": []}, "the list of targets or units is empty"),
        ({"target": 1, "unit": ("2", 0)}, "target or unit, not both"),
        ({"unit": ("2", 6)}, "there is no unit 6: 2 has 6, numbered from 0"),
        ({"unit": ("2", 0, 12, 0)}, "there is no row 12"),
        ({"unit": ("2", 0, 1)}, r"expected \(layer, unit\)"),
        ({"unit": ("nowhere", 0)}, "no layer 'nowhere'"),
        ({"reduce": "mean"}, "reduce is 'mean'; expected one of"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(options, words):
    with pytest.raises((ValueError, KeyError), match=words):
        cw.methods.saliency(bound(), picture(), **options)


def test_several_pictures_are_refused():
    with pytest.raises(ValueError, match="expected one picture, got 2"):
        cw.methods.saliency(bound(), torch.stack([picture(), picture()]))


def test_several_baselines_are_refused():
    with pytest.raises(ValueError, match="expected one picture, got 2"):
        cw.methods.integrated_gradients(bound(), picture(), baseline=torch.zeros(2, 3, 12, 12))


def test_a_network_without_class_scores_says_what_it_gives():
    net = cw.bind(nn.Conv2d(3, 4, 3), input_shape=(3, 12, 12))
    with pytest.raises(TypeError, match="class scores need a tensor"):
        cw.methods.saliency(net, picture())
    assert cw.methods.saliency(net, picture(), unit=("conv2d", 0)).values.any()


def test_a_score_that_is_no_number_is_refused():
    net = cw.bind(Function(lambda self, x: x.mean((2, 3)) / 0 * 0), input_shape=(3, 12, 12))
    with pytest.raises(ValueError, match="NaN"):
        cw.methods.saliency(net, picture(), 0)


@pytest.mark.parametrize("method", ["saliency", "smoothgrad", "layer_cam"])
def test_a_gradient_that_is_no_number_is_refused_though_the_score_is_one(method):
    net = cw.bind(Function(lambda self, x: torch.sqrt(0 * F.relu(x).mean((2, 3)))), input_shape=(3, 12, 12))
    with pytest.raises(ValueError, match=r"values of the map of class 1 are NaN"):
        cw.methods.attribute(net, picture(), 1, method=method)


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'saliency', 'gradient_x_input'"):
        cw.methods.attribute(bound(), picture(), method="magic")
