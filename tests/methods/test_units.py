"""A unit as what is explained: its value in the pictures that are shown, by a hook on its layer, and as Captum has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import LimeBase
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import METHODS, attribute, faithfulness, lime, occlusion, randomized, rise, sanity_check, segment
from cnnwidgets.methods.fills import fill_picture
from cnnwidgets.methods.rise import Masks
from cnnwidgets.methods.sanity import idle
from tests.methods.small import bound, picture, small
from tests.net.networks import Function, unchanged

QUARTERS = np.kron([[0, 1], [2, 3]], np.ones((6, 6), int))
"""Four superpixels of a picture of 12×12."""

FINAL = "7"
"""The layer that gives the network's output: its units are the logits."""

UNITS = [("4", 3), ("4", 3, 1, 2), ("1", 2), (FINAL, 2)]


def values(pictures, unit, model=None):
    """(N,): what a unit gives for some pictures, by a hook on its layer."""
    layer, index, *place = unit
    model, kept = (small() if model is None else model).eval(), []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, args, output: kept.append(output.clone()))
    with torch.no_grad():
        model(pictures)
    handle.remove()
    maps = kept[0][:, index].reshape(len(pictures), *kept[0].shape[2:])
    return maps[:, place[0], place[1]] if place else maps.reshape(len(pictures), -1).sum(1)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("max_memory", [2**29, 1])
def test_rise_is_the_mean_of_the_masks_weighted_by_the_units_value(unit, max_memory):
    net = bound()
    with unchanged(net.module):
        found = rise(net, picture(), unit=unit, n_samples=50, keep=0.4, seed=3, max_memory=max_memory)
    masks = Masks((12, 12), 7, 0.4, 50, 3)[:]
    weights = values(picture() * masks[:, None], unit)
    np.testing.assert_allclose(found.values, torch.tensordot(weights, masks, 1) / 50 / 0.4, rtol=1e-4, atol=1e-4)
    assert found.score == pytest.approx(values(picture()[None], unit).item(), rel=1e-5)
    assert (found.unit, found.target, found.signed) == (unit, None, bool((found.values < 0).any()))


def test_units_share_the_passes_and_give_what_each_gives_alone():
    net, passes = bound(), []
    net.module.register_forward_hook(lambda *_: passes.append(1))
    rise(net, picture(), unit=UNITS, n_samples=64)  # finds out, too, whether pictures may go together
    passes.clear()
    several = rise(net, picture(), unit=UNITS, n_samples=64)
    many = len(passes)
    alone = [rise(net, picture(), unit=unit, n_samples=64) for unit in UNITS]
    assert many == (len(passes) - many) / len(UNITS)
    for one, other in zip(several, alone, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-6)
    two = lime(net, picture(), unit=UNITS[:2], superpixels=QUARTERS)
    assert [one.unit for one in two] == UNITS[:2]
    assert np.array_equal(two[1].coefficients, lime(net, picture(), unit=UNITS[1], superpixels=QUARTERS).coefficients)


@pytest.mark.parametrize("unit", UNITS)
def test_lime_is_captums_linear_model_of_the_units_value(unit):
    cover = picture().mean((1, 2), keepdim=True).expand(3, 12, 12)[None]
    subsets = torch.tensor([[(k >> j) & 1 for j in range(4)] for k in range(16)])

    def every(original, **kwargs):
        yield from subsets[:, None].float()

    def shown(subset, original, **kwargs):
        return torch.where(subset[0].bool()[torch.from_numpy(QUARTERS)], original, cover)

    def near(original, perturbed, subset, **kwargs):
        return torch.exp(-((1 - subset.mean().sqrt()) ** 2) / 0.25**2)

    peer = LimeBase(
        lambda pictures: values(pictures, unit), SkLearnRidge(alpha=1.0), near, every, True, shown, None
    )  # fmt: skip
    expected = peer.attribute(picture()[None], n_samples=16)
    found = lime(bound(), picture(), unit=unit, superpixels=QUARTERS, n_samples=16)
    np.testing.assert_allclose(found.coefficients, expected[0], rtol=1e-3, atol=1e-4)
    assert (found.quantity, found.unit, found.target, found.attribution().unit) == ("value", unit, None, unit)


@pytest.mark.parametrize("unit", UNITS)
def test_the_curves_are_of_the_units_value_as_pixels_are_deleted_and_inserted(unit):
    net = bound()
    places = np.random.default_rng(0).permutation(144).reshape(12, 12)
    shown = replace(attribute(net, picture(), unit=unit), values=np.float32(places))
    found = faithfulness(net, picture(), shown, steps=9, fill="zero")
    order = np.argsort(-places.ravel())
    moved = np.zeros((10, 144), bool)
    for k, row in enumerate(moved):
        row[order[: 16 * k]] = True
    moved = torch.from_numpy(moved.reshape(10, 1, 12, 12))
    np.testing.assert_allclose(found.deletion, values(picture() * ~moved, unit), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.insertion, values(picture() * moved, unit), rtol=1e-4, atol=1e-4)
    clean, covered = values(torch.stack([picture(), 0 * picture()]), unit).tolist()
    np.testing.assert_allclose(found.random[:, [0, -1]], [[clean, covered]] * 5, rtol=1e-4)
    assert (found.unit, found.target, found.quantity) == (unit, None, "value")


def test_an_attribution_of_a_class_may_be_tested_on_a_unit_and_the_reverse():
    net = bound()
    of_class, of_unit = attribute(net, picture(), 1), attribute(net, picture(), unit=("4", 3))
    watched = faithfulness(net, picture(), of_class, unit=("4", 3), steps=4)
    assert watched.deletion[0] == pytest.approx(values(picture()[None], ("4", 3)).item(), rel=1e-5)
    watched = faithfulness(net, picture(), of_unit, 1, steps=4)
    assert watched.deletion[0] == pytest.approx(net.scores(picture()).softmax(1)[0, 1].item(), rel=1e-5)
    assert (watched.unit, watched.watched) == (None, "probability")


def test_words_say_which_unit_it_is_and_whether_it_is_a_sum():
    net = bound()
    one, other = (faithfulness(net, picture(), attribute(net, picture(), unit=unit), steps=2) for unit in UNITS[:2])
    assert one.watched == "sum of unit 3 of 4" and other.watched == "unit 3 of 4 at row 1, column 2"
    assert repr(other).startswith("<saliency of unit 3 of 4 at row 1, column 2: area ")
    assert repr(lime(net, picture(), unit=("4", 3), superpixels=QUARTERS)).startswith("<LIME of unit 3 of 4: 4 superpixels")
    assert repr(rise(net, picture(), unit=("4", 3), n_samples=9)).startswith("<rise of unit 3 of 4: 12×12 values")
    found = occlusion(net, picture(), unit=UNITS[1], patch=6)
    assert found.quantity("") == other.watched and repr(found).startswith("<occlusion of unit 3 of 4 at row 1, column 2:")


def test_a_unit_of_the_last_layer_is_the_logit():
    net, unit = bound(), (FINAL, 2)

    def logit(output):
        return output[:, 2]

    for ask in (
        lambda **of: rise(net, picture(), **of, n_samples=100).values,
        lambda **of: lime(net, picture(), **of, superpixels=QUARTERS).coefficients,
        lambda **of: faithfulness(net, picture(), attribute(net, picture(), 2), **of, steps=8).random,
        lambda **of: segment(net, picture(), **of).chance,
        lambda **of: sanity_check(net, picture(), **of, depths=[1, 2]).probability,
    ):
        np.testing.assert_allclose(ask(unit=unit), ask(target=logit), rtol=1e-5, atol=1e-6)
    found = occlusion(net, picture(), unit=unit, patch=4)
    np.testing.assert_allclose(found.values, occlusion(net, picture(), 2, score="logit", patch=4).values, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_a_unit_by_the_logits_map(method):
    """Of the last layer's unit the map is that of the function that reads this output."""
    options = {"rise": {"n_samples": 40}, "lime": {"n_samples": 40, "superpixels": 6}}.get(method, {})
    net = bound()
    expected = attribute(net, picture(), lambda output: output[:, 2], method=method, **options)
    found = attribute(net, picture(), unit=(FINAL, 2), method=method, **options)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-5 * np.abs(expected.values).max())
    assert found.score == pytest.approx(expected.score, rel=1e-5)


@pytest.mark.parametrize(
    "ask",
    [
        *(pytest.param(method.function, id=name) for name, method in METHODS.items()),
        pytest.param(segment, id="segment"),
        pytest.param(sanity_check, id="sanity_check"),
        pytest.param(lambda net, image, *of, **options: faithfulness(net, image, attribute(net, image, 0), *of, **options),
                     id="faithfulness"),
    ],
)  # fmt: skip
def test_what_is_no_unit_is_refused_alike_by_every_method(ask):
    net = cw.load("digits")
    image = torch.ones(1, 32, 32)
    with pytest.raises(KeyError, match=r"no layer 'conf2'\. Did you mean 'conv2'"):
        ask(net, image, unit=("conf2", 0))
    with pytest.raises(ValueError, match="there is no unit 16: conv2 has 16, numbered from 0"):
        ask(net, image, unit=("conv2", 16))
    with pytest.raises(ValueError, match="there is no row 10: conv2 has 10, numbered from 0"):
        ask(net, image, unit=("conv2", 0, 10, 0))
    with pytest.raises(ValueError, match="the score is of a class or of a unit: give target or unit, not both"):
        ask(net, image, 1, unit=("conv2", 0))


@pytest.mark.parametrize(
    "ask",
    [
        lambda unit: faithfulness(bound(), picture(), attribute(bound(), picture(), 1), unit=unit),
        lambda unit: sanity_check(bound(), picture(), unit=unit),
        lambda unit: segment(bound(), picture(), unit=unit),
        lambda unit: occlusion(bound(), picture(), unit=unit),
    ],
)
@pytest.mark.parametrize("several", [[("4", 3), ("4", 1)], [("4", 3)], []])
def test_what_takes_one_unit_takes_no_list_of_them(ask, several):
    with pytest.raises(ValueError, match=r"unit is .*; expected \(layer, unit\) or \(layer, unit, row, column\)$"):
        ask(several)


def test_the_sanity_check_of_a_unit_begins_where_weights_reach_it():
    net, unit = bound(), ("4", 3)  # behind it are the weights of 7
    assert (idle(net, unit), idle(net, (FINAL, 0)), idle(net, ("2", 0))) == (1, 0, 2)
    found = sanity_check(net, picture(), unit=unit)
    assert (found.depths, found.unit, found.target) == ((0, 2, 3), unit, None)
    for depth, value in zip(found.depths, found.probability, strict=True):
        assert value == pytest.approx(values(picture()[None], unit, randomized(net, depth).module).item(), rel=1e-5)
    assert found.correlation[0, 0] == pytest.approx(1) and found.correlation[0, 1] < 0.999
    late = sanity_check(net, picture(), unit=unit, depths=[1])
    np.testing.assert_allclose(late.maps, late.original[:, None])
    assert late.notes[-1] == "the last layer with weights comes after 4: random weights there change nothing of its units"


def test_a_weight_that_is_used_again_after_a_unit_reaches_it():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    network = Function(
        lambda self, x: self.fc(self.conv(self.conv(x).relu()).mean((2, 3))), conv=conv, fc=nn.Linear(3, 2)
    )  # fmt: skip
    net = cw.bind(network, input_shape=(3, 5, 5))
    assert idle(net, ("conv", 0)) == idle(net, ("conv:2", 0)) == 1
    assert sanity_check(net, torch.rand(3, 5, 5), unit=("conv", 0), methods=["saliency"]).depths == (0, 2)


@pytest.mark.parametrize("method", ["rise", "lime", "occlusion"])
def test_a_picture_that_does_not_reach_the_units_layer_says_so(method):
    class Forked(nn.Module):
        def __init__(self):
            super().__init__()
            self.bright, self.dark = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)

        def forward(self, x):
            way = self.bright if x.mean() > -1 else self.dark
            return way(x).mean((2, 3))

    net = cw.bind(Forked(), input_shape=(1, 8, 8))
    assert "bright" in net.layers
    with pytest.raises(RuntimeError, match="takes a different path through the network: bright was not run"):
        attribute(net, torch.full((1, 8, 8), -2.0), unit=("bright", 0), method=method)


def test_a_structure_as_output_is_no_obstacle():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = small()

        def forward(self, x):
            return {"out": self.body(x)[:, :, None], "aux": None}

    net = cw.bind(Wrapped(), input_shape=(3, 12, 12))
    for ask in (lambda net, unit: rise(net, picture(), unit=unit, n_samples=40),
                lambda net, unit: attribute(net, picture(), unit=unit, method="lime", superpixels=QUARTERS)):  # fmt: skip
        np.testing.assert_allclose(ask(net, ("body.4", 3)).values, ask(bound(), ("4", 3)).values, rtol=1e-5)
    curves = faithfulness(net, picture(), attribute(net, picture(), unit=("body.4", 3)), steps=4)
    expected = faithfulness(bound(), picture(), attribute(bound(), picture(), unit=("4", 3)), steps=4)
    np.testing.assert_allclose(curves.deletion, expected.deletion, rtol=1e-5)


def test_the_noise_fill_of_a_unit_is_the_one_of_a_class():
    net = bound()
    cover = fill_picture(net, picture()[None], "noise", (3, 3), 5)
    found = faithfulness(net, picture(), attribute(net, picture(), unit=("4", 3)), steps=3, fill="noise", seed=5)
    assert found.deletion[-1] == pytest.approx(values(cover, ("4", 3)).item(), rel=1e-5)
