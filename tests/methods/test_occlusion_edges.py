"""How many places a patch has: the formula of a convolution, or one more, so that no pixel is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Occlusion as CaptumOcclusion
from torch import nn

import cnnwidgets as cw

SIZES = [(64, 9, 2), (64, 9, 1), (32, 8, 8), (32, 5, 4), (33, 7, 3), (20, 20, 4), (21, 5, 11)]


def linear(side: int) -> cw.BoundModel:
    torch.manual_seed(0)
    return cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(side * side, 2)), input_shape=(1, side, side))


@pytest.mark.parametrize(("side", "patch", "stride"), SIZES)
def test_whole_patches_are_as_many_as_a_convolution_has_outputs(side, patch, stride):
    picture = torch.rand(1, side, side)
    found = cw.methods.occlusion(linear(side), picture, 0, patch=patch, stride=stride, edges="inside", score="logit")
    convolved = F.conv2d(picture[None], torch.zeros(1, 1, patch, patch), stride=stride).shape[2:]
    assert found.values.shape == convolved == ((side - patch) // stride + 1,) * 2
    assert found.ys[-1] + patch <= side


@pytest.mark.parametrize(("side", "patch", "stride"), SIZES[:-1])
def test_with_patches_that_are_cut_off_the_places_are_captums(side, patch, stride):
    net, picture = linear(side), torch.rand(1, side, side)
    found = cw.methods.occlusion(net, picture, 0, patch=patch, stride=stride, score="logit")
    calls = 0

    def count(x):
        nonlocal calls
        calls += len(x)
        return net.module(x)

    CaptumOcclusion(count).attribute(picture[None], (1, patch, patch), (1, stride, stride), target=0)
    assert found.values.size == calls - 1  # Captum asks for the picture itself, too
    assert found.values.shape == (math.ceil((side - patch) / stride) + 1,) * 2


def test_at_the_places_that_both_have_the_values_are_the_same():
    net, picture = cw.load("digits"), cw.samples.digits()[3][0]
    cut, inside = (cw.methods.occlusion(net, picture, patch=9, stride=2, edges=edges) for edges in ("cut", "inside"))
    assert cut.values.shape == (13, 13)  # 23 / 2 rounded up, and one
    assert inside.values.shape == (12, 12)
    np.testing.assert_array_equal(cut.ys[:-1], inside.ys)
    np.testing.assert_allclose(cut.values[:-1, :-1], inside.values, atol=1e-6)


@pytest.mark.parametrize("edges", ["cut", "inside"])
def test_a_panel_has_the_option_and_its_code_gives_the_same(edges):
    panel = cw.OcclusionSlider(cw.load("digits"), cw.samples.digits(), patch=9, stride=4, edges=edges)
    assert panel.result.values.shape == {"cut": (7, 7), "inside": (6, 6)}[edges]
    told: dict = {}
    exec(panel.code(), told)
    np.testing.assert_allclose(told["values"], panel.result.values, atol=1e-5)
    panel.edges = "inside"
    assert panel.result.values.shape == (6, 6)


WRONG = {
    "a misspelled word": (
        {"edges": "insde"},
        ValueError,
        "edges is 'insde'; expected one of 'cut', 'inside'. Did you mean 'inside'?",
    ),
    "a number": ({"edges": 1}, TypeError, "edges is 1; expected a text"),
    "a region of two": ({"region": (1, 2)}, ValueError, r"region is (1, 2); expected [top, left, height, width] in pixels"),
    "a region of one number": ({"region": 5}, ValueError, "region is 5; expected a list of whole numbers or None"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_choice_is_told(what):
    given, kind, sentence = WRONG[what]
    with pytest.raises(kind) as raised:
        cw.methods.occlusion(cw.load("digits"), cw.samples.digits()[0][0], **given)
    assert str(raised.value) == sentence
