"""Networks whose output is no table of scores, and scores that the user makes of it: every method gives what it gives for
the same network that returns the scores alone."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from tests.methods.small import picture, small
from tests.net.networks import unchanged

Heads = namedtuple("Heads", "scores aside")


@dataclass
class Answer:
    scores: torch.Tensor
    aside: list


class Wrapped(nn.Module):
    """The small network, with its scores somewhere in its output."""

    def __init__(self, wrap):
        super().__init__()
        self.body, self.wrap = small(), wrap

    def forward(self, x):
        return self.wrap(self.body(x), x)


WRAPS = {
    "a tuple": (lambda z, x: (z, x), lambda out: out[0][:, 1]),
    "a dict": (lambda z, x: {"out": z, "aux": x}, lambda out: out["out"][:, 1]),
    "an ordered dict": (lambda z, x: OrderedDict(aux=x, out=z), lambda out: out["out"][:, 1]),
    "a named tuple": (lambda z, x: Heads(z, x), lambda out: out.scores[:, 1]),
    "a dataclass": (lambda z, x: Answer(z, [x]), lambda out: out.scores[:, 1]),
    "a map": (lambda z, x: z[:, :, None, None] * torch.ones(3, 3), lambda out: out[:, 1].mean((1, 2))),
    "dicts in a list": (lambda z, x: [{"scores": one} for one in z], lambda out: torch.stack([o["scores"][1] for o in out])),
    "dicts in a list, one picture at a time": (lambda z, x: [{"scores": one} for one in z], lambda out: out[0]["scores"][1]),
    "the scores themselves": (lambda z, x: z, lambda out: out[:, 1]),
    "the scores themselves, one picture at a time": (lambda z, x: z, lambda out: out[0, 1]),
    "the first of a NumPy array": (lambda z, x: (z, x), lambda out: out[0].detach().numpy()[:, 1]),
}
DIFFERENTIABLE = [name for name in WRAPS if "NumPy" not in name]
NINTHS = np.arange(9).reshape(3, 3).repeat(4, 0).repeat(4, 1)
OPTIONS = {
    "occlusion": {"patch": 3, "stride": 2},
    "rise": {"n_samples": 70},
    "lime": {"n_samples": 70, "superpixels": NINTHS},
}


def wrapped(how):
    return cw.bind(Wrapped(WRAPS[how][0]).eval(), input_shape=(3, 12, 12)), WRAPS[how][1]


def alone():
    """The network that returns the scores alone, taken as values: what they are is what every method then explains."""
    return cw.bind(small(), input_shape=(3, 12, 12), outputs="values")


@pytest.mark.parametrize("how", DIFFERENTIABLE)
@pytest.mark.parametrize("method", cw.methods.METHODS)
def test_every_method_explains_a_score_of_any_output(method, how):
    options = OPTIONS.get(method, {})
    layer = {"layer": "5"} if "cam" in method else {}
    expected = cw.methods.attribute(alone(), picture(), 1, method=method, **options, **layer)
    net, score = wrapped(how)
    layer = {"layer": "body.5"} if "cam" in method else {}
    with unchanged(net.module):
        found = cw.methods.attribute(net, picture(), score, method=method, **options, **layer)
    np.testing.assert_allclose(found.values, expected.values, atol=2e-5 * np.abs(expected.values).max())
    assert found.score == pytest.approx(expected.score, rel=1e-5)
    assert found.target == "<lambda>" and found.unit is None
    assert net.output.sentence in found.notes


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime"])
def test_a_method_without_gradients_takes_numbers_of_numpy(method):
    expected = cw.methods.attribute(alone(), picture(), 1, method=method, **OPTIONS[method])
    net, score = wrapped("the first of a NumPy array")
    found = cw.methods.attribute(net, picture(), score, method=method, **OPTIONS[method])
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5 * np.abs(expected.values).max())


UNITS = [name for name in cw.methods.METHODS if name not in ("occlusion", "rise", "lime")]


@pytest.mark.parametrize("how", [how for how in WRAPS if "time" not in how])
@pytest.mark.parametrize("method", UNITS)
def test_a_units_score_never_looks_at_the_output(method, how):
    expected = cw.methods.attribute(alone(), picture(), unit=("5", 3), method=method)
    found = cw.methods.attribute(wrapped(how)[0], picture(), unit=("body.5", 3), method=method)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6 * np.abs(expected.values).max())


@pytest.mark.parametrize("how", [how for how in WRAPS if "time" not in how])
def test_occlusion_of_a_unit_never_looks_at_the_output(how):
    model, image = small(), picture()
    net = wrapped(how)[0]
    found = cw.methods.occlusion(net, image, unit=("body.5", 3), patch=3, stride=3)
    for i, y in enumerate(found.ys):
        for j, x in enumerate(found.xs):
            covered = image.clone()
            covered[:, y : y + 3, x : x + 3] = image.mean((1, 2), keepdim=True)
            wanted = model[:6](covered[None])[0, 3].sum().item()
            assert found.values[i, j] == pytest.approx(wanted, abs=1e-4)
    assert found.classes.shape == (*found.values.shape, 4 if "themselves" in how else 0)
    if how in ("a tuple", "a dict", "an ordered dict", "a named tuple"):
        assert found.how == "exact windows in 2 of 2 convolutions"


@pytest.mark.parametrize("how", ["a tuple", "a dict", "a map"])
def test_occlusion_of_a_function_keeps_its_windows_where_the_output_can_be_followed(how):
    net, score = wrapped(how)
    found = cw.methods.occlusion(net, picture(), score, patch=3, stride=2)
    assert (found.how, found.score, found.target) == ("exact windows in 2 of 2 convolutions", "value", "<lambda>")
    assert found.exact and found.top.tolist() == [[-1] * found.values.shape[1]] * len(found.values)
    assert repr(found).startswith("<occlusion of <lambda>: ")
    assert found.by_area()[0] == []


def second(output):
    return output[0][:, 1]


def test_several_targets_may_be_functions_and_classes():
    net = cw.bind(small(), input_shape=(3, 12, 12))
    one, other = cw.methods.saliency(net, picture(), [lambda output: output[:, 2] - output[:, 0], 2])
    two, zero = cw.methods.saliency(net, picture(), [2, 0], reduce="none")
    difference = np.abs(two.values - zero.values).max(0)
    np.testing.assert_allclose(one.values, difference, atol=1e-6)
    assert (one.target, other.target) == ("<lambda>", 2)


def test_a_function_is_asked_in_faithfulness_and_sanity_too():
    net, _ = wrapped("a tuple")
    found = cw.methods.saliency(net, picture(), second)
    assert found.target == "second" and repr(found).startswith("<saliency of second: ")
    curves = cw.methods.faithfulness(net, picture(), found, second, steps=4, randoms=2, fill="zero")
    scores = small()(torch.stack([picture(), torch.zeros(3, 12, 12)]))[:, 1].tolist()
    assert curves.deletion[[0, -1]].tolist() == pytest.approx(scores, rel=1e-4)
    assert curves.target == "second"
    with pytest.raises(ValueError, match="the attribution is of the function second: give it as target="):
        cw.methods.faithfulness(net, picture(), found)
    checked = cw.methods.sanity_check(net, picture(), second, methods=["saliency"], depths=[0, 1])
    assert checked.target == "second" and checked.probability[0] == pytest.approx(scores[0], rel=1e-5)
    assert checked.correlation[0, 0] == pytest.approx(1)


def test_a_segmentation_is_of_a_function_too():
    net, _ = wrapped("a tuple")
    found = cw.methods.segment(net, picture(), second)
    assert found.attribution.target == "second"
    expected = cw.methods.segment(cw.bind(small(), input_shape=(3, 12, 12)), picture(), 1)
    assert np.array_equal(found.mask, expected.mask)


@pytest.mark.parametrize("method", ["saliency", "occlusion", "rise", "lime", "grad_cam"])
@pytest.mark.parametrize(
    ("score", "error", "sentence"),
    [
        (
            lambda out: out[0],
            ValueError,
            "<lambda> gave a float32 tensor 1×4, of 1 pictures; expected one number per picture",
        ),
        (lambda out: None, TypeError, "<lambda> gave nothing; expected one number per picture"),
        (lambda out: out[0][:, 0] * float("nan"), ValueError, "1 of the 1 values of the score of <lambda> is NaN"),
    ],
)
def test_a_function_that_gives_no_number_is_refused(method, score, error, sentence):
    with pytest.raises(error, match=sentence):
        cw.methods.attribute(wrapped("a tuple")[0], picture(), score, method=method)


@pytest.mark.parametrize("method", ["saliency", "occlusion", "rise", "lime", "grad_cam"])
def test_a_class_of_an_output_that_is_no_table_is_refused_with_the_way_out(method):
    with pytest.raises(TypeError, match="give target= a function of the output"):
        cw.methods.attribute(wrapped("a dict")[0], picture(), method=method)
    with pytest.raises(TypeError, match="give target= a function of the output"):
        cw.methods.attribute(wrapped("a dict")[0], picture(), 1, method=method)


def test_a_score_of_a_unit_and_of_a_function_is_refused():
    with pytest.raises(ValueError, match="the score is of a class or of a unit: give target or unit, not both"):
        cw.methods.occlusion(wrapped("a tuple")[0], picture(), second, unit=("body.5", 3))
    with pytest.raises(ValueError, match="score is 'logit'; of a function of the output it is its 'value'"):
        cw.methods.occlusion(wrapped("a tuple")[0], picture(), second, score="logit")


def test_the_default_layer_of_a_map_is_where_the_units_are_most():
    net, score = wrapped("a map")
    found = cw.methods.grad_cam(net, picture(), score)
    assert (found.layer, "from the last feature maps with the most units, body.5" in found.notes) == ("body.5", True)
