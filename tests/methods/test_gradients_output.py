"""The score that a gradient is of: before the last softmax or sigmoid, whatever way that is written, or it is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from tests.methods.small import bound, picture, small
from tests.net.networks import Function, unchanged

GRADIENTS = [name for name in cw.methods.METHODS if name not in ("occlusion", "rise", "lime")]


def ending(activation):
    return cw.bind(Function(lambda self, x: activation(self.body(x)), body=small()).eval(), input_shape=(3, 12, 12))


SOFTMAXES = {
    "nn.Softmax": nn.Softmax(1),
    "F.softmax": lambda z: F.softmax(z, dim=-1),
    "Tensor.softmax, cast": lambda z: z.softmax(1).double().view(-1, 4),
    "the second of two": lambda z: (z + 0 * z.softmax(1)).softmax(1),
    "F.log_softmax": lambda z: F.log_softmax(z, 1),
    "nn.LogSoftmax": nn.LogSoftmax(1),
    "nn.Sigmoid": nn.Sigmoid(),
    "sigmoid_": lambda z: z.sigmoid_(),
    "F.hardsigmoid": F.hardsigmoid,
    "F.logsigmoid": F.logsigmoid,
    "torch.log_softmax": lambda z: torch.log_softmax(z, 1),
    "torch.special": lambda z: torch.special.log_softmax(z, 1),
    "the logarithm of a softmax": lambda z: torch.log(F.softmax(z, 1)),
    "Tensor.log of it": lambda z: z.softmax(1).log(),
    "the logarithm with an epsilon": lambda z: torch.log(F.softmax(z, 1) + 1e-9),
    "the logarithm of a clamped one": lambda z: z.softmax(1).clamp(1e-7, 1).log(),
    "less the logarithm of the sum": lambda z: z - z.logsumexp(1, keepdim=True),
    "the logarithm of a sigmoid": lambda z: z.sigmoid().log(),
    "torch.special.expit": torch.special.expit,
}


@pytest.mark.parametrize("method", GRADIENTS)
def test_the_last_softmax_changes_no_map_and_the_score_is_the_logit(method):
    image = picture()
    plain = cw.methods.attribute(bound(), image, [1, 3], method=method)
    net = ending(nn.Softmax(1))
    with unchanged(net.module):
        found = cw.methods.attribute(net, image, [1, 3], method=method)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-5 * np.abs(other.values).max())
        assert one.score == pytest.approx(other.score, rel=1e-5)
        assert any("before the softmax" in note for note in one.notes)
        assert not any("softmax" in note for note in other.notes)


@pytest.mark.parametrize("written", SOFTMAXES)
@pytest.mark.parametrize("method", ["saliency", "guided_backprop", "grad_cam"])
def test_however_the_last_activation_is_written_the_gradient_is_the_logits(written, method):
    image = picture()
    plain = cw.methods.attribute(bound(), image, 2, method=method)
    found = cw.methods.attribute(ending(SOFTMAXES[written]), image, 2, method=method)
    np.testing.assert_allclose(found.values, plain.values, atol=1e-5 * np.abs(plain.values).max())
    assert found.score == pytest.approx(plain.score, rel=1e-5)


def test_a_sure_network_has_a_gradient_though_its_softmax_has_none():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Softmax(1))
    nn.init.constant_(model[1].weight, 0)
    with torch.no_grad():
        model[1].weight[1] = 1.0
        model[1].bias.copy_(torch.tensor([0.0, 300, 0]))
    x = torch.rand(1, 3, 2, 2).requires_grad_()
    assert not torch.autograd.grad(model(x)[0, 1], x)[0].any()
    found = cw.methods.saliency(cw.bind(model, input_shape=(3, 2, 2)), x.detach()[0])
    assert found.target == 1 and found.values.tolist() == [[1, 1], [1, 1]]


LOGARITHMS = [name for name in SOFTMAXES if "log" in name.lower()]


@pytest.mark.parametrize("written", LOGARITHMS)
@pytest.mark.parametrize("method", GRADIENTS)
def test_a_sure_network_of_log_probabilities_has_the_maps_of_its_logits(written, method):
    """Where the class is certain the gradient of its log-probability vanishes: the softmax trap."""
    image, sure = picture(), small()
    with torch.no_grad():
        sure[-1].bias[3] += 12
    plain = cw.bind(sure, input_shape=(3, 12, 12))
    net = cw.bind(Function(lambda self, x: SOFTMAXES[written](self.body(x)), body=sure).eval(), input_shape=(3, 12, 12))
    wanted, found = (cw.methods.attribute(one, image, 3, method=method) for one in (plain, net))
    assert plain.probabilities(image)[0, 3] > 0.999
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-5 * np.abs(wanted.values).max())
    assert found.score == pytest.approx(wanted.score, rel=1e-5)
    assert any("the score is the logit, before the s" in note for note in found.notes)


def test_what_goes_into_a_logarithm_of_something_else_is_not_taken_for_it():
    halved = ending(lambda z: torch.log(z.softmax(1) / 2))
    found = cw.methods.saliency(halved, picture(), 1)
    image = picture()[None].requires_grad_()
    (wanted,) = torch.autograd.grad((small()(image).softmax(1) / 2).log()[0, 1], image)
    np.testing.assert_allclose(found.values, wanted[0].abs().amax(0), rtol=1e-4, atol=1e-7)
    assert not any("before the" in note for note in found.notes)


def test_the_last_operation_of_log_probabilities_is_told_by_its_name():
    for written in LOGARITHMS:
        output = ending(SOFTMAXES[written]).output
        assert output.kind == "log_probabilities" and output.why.startswith("its last operation is a log-s"), written


BY_HAND = {
    "softmax": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "a mean of two": lambda z: (z.softmax(1) + z.softmax(1)) / 2,
}


@pytest.mark.parametrize("written", BY_HAND)
@pytest.mark.parametrize("method", ["saliency", "grad_cam", "integrated_gradients"])
def test_where_the_logits_cannot_be_had_the_score_is_said_to_be_the_probability(written, method):
    net = ending(BY_HAND[written])
    found = cw.methods.attribute(net, picture(), 1, method=method)
    assert any("the score is the probability, after the softmax and not before it" in note for note in found.notes)
    assert found.score == pytest.approx(small()(picture()[None]).softmax(1)[0, 1].item(), rel=1e-5)


def test_the_gradient_of_a_probability_is_torchs_where_the_logits_cannot_be_had():
    image = picture()[None].requires_grad_()
    (wanted,) = torch.autograd.grad(small()(image).softmax(1)[0, 1], image)
    found = cw.methods.saliency(ending(BY_HAND["softmax"]), picture(), 1, reduce="none")
    np.testing.assert_allclose(found.values, wanted[0], atol=1e-6)


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Identity()])
def test_the_score_of_the_negative_class_is_the_negative_logit(last):
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), last)
    net = cw.bind(model, input_shape=(3, 2, 2), outputs="binary" if isinstance(last, nn.Sigmoid) else "binary_logit")
    image = torch.rand(3, 2, 2)
    logit = model[:2](image[None]).item()
    negative, positive = cw.methods.saliency(net, image, ["negative", "positive"], reduce="none")
    assert (negative.score, positive.score) == pytest.approx((-logit, logit), rel=1e-5)
    np.testing.assert_allclose(positive.values.ravel(), model[1].weight[0].detach(), rtol=1e-6)
    np.testing.assert_allclose(negative.values.ravel(), -model[1].weight[0].detach(), rtol=1e-6)
    assert cw.methods.saliency(net, image).target == int(logit > 0)


def test_a_regression_is_differentiated_as_it_is():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    found = cw.methods.gradient_x_input(cw.bind(model, input_shape=(3, 2, 2)), torch.ones(3, 2, 2))
    assert found.score == pytest.approx(model(torch.ones(1, 3, 2, 2)).item())
    assert found.values.sum() == pytest.approx(model[1].weight.sum().item(), rel=1e-5)
    assert "the network gives one value (by default)" in found.notes
