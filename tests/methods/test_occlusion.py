"""Occlusion by closed forms, by a peer library, and by what a picture's own mask says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import Occlusion as CaptumOcclusion
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import occlusion
from tests.methods.small import bound, picture
from tests.net.brute_force import answers, covered, lively
from tests.net.networks import Function, unchanged


def summing(weights, padding=0) -> nn.Module:
    """One convolution; the first score is the sum of its map, the second is 0."""
    weights = torch.as_tensor(weights, dtype=torch.float32)[None, None]
    conv = nn.Conv2d(1, 1, tuple(weights.shape[2:]), padding=padding, bias=False)
    conv.weight.data = weights
    return Function(lambda self, x: (s := self.conv(x).sum((2, 3)), torch.cat([s, 0 * s], 1))[1], conv=conv)


# closed forms


def test_covering_ones_with_zeros_takes_away_the_weight_times_the_area():
    net = cw.bind(summing([[0.5]]), input_shape=(1, 7, 8))
    result = occlusion(net, torch.ones(1, 7, 8), 0, patch=(2, 3), stride=(2, 3), fill="zero", score="logit")
    assert result.clean == 28
    assert result.ys.tolist() == [0, 2, 4, 6]
    assert result.xs.tolist() == [0, 3, 6]
    np.testing.assert_array_equal(result.drop, 0.5 * np.outer([2, 2, 2, 1], [3, 3, 2]))  # the last ones are cut off
    np.testing.assert_array_equal(result.values, 28 - result.drop)
    wanted = np.repeat(np.repeat(result.drop, [2, 2, 2, 1], 0), [3, 3, 2], 1)
    np.testing.assert_array_equal(result.per_pixel(), wanted)
    assert result.patch == (2, 3)
    assert result.size == (7, 8)
    assert result.how == "exact windows in 1 of 1 convolutions"


@pytest.mark.parametrize("padding, corner, edge", [(1, 4, 6), (0, 1, 3), (2, 9, 9)])
def test_a_pixel_counts_as_often_as_windows_see_it(padding, corner, edge):
    net = cw.bind(summing(np.ones((3, 3)), padding), input_shape=(1, 9, 9))
    drop = occlusion(net, torch.ones(1, 9, 9), 0, patch=1, stride=1, fill="zero", score="logit").drop
    assert drop[4, 4] == 9
    assert (drop[0, 0], drop[0, -1], drop[-1, 0], drop[-1, -1]) == (corner,) * 4
    assert (drop[0, 4], drop[4, 0], drop[-1, 4], drop[4, -1]) == (edge,) * 4


def test_per_pixel_is_the_mean_over_the_patches_that_cover_a_pixel():
    net = cw.bind(summing([[1.0]]), input_shape=(1, 1, 4))
    result = occlusion(net, torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), 0, patch=(1, 2), stride=1, fill="zero", score="logit")
    assert result.drop.tolist() == [[3, 5, 7]]
    assert result.per_pixel().tolist() == [[3, 4, 6, 7]]


def test_an_ellipse_covers_its_area():
    net = cw.bind(summing([[1.0]]), input_shape=(1, 40, 40))
    result = occlusion(net, torch.ones(1, 40, 40), 0, patch=(31, 21), stride=9, fill="zero", shape="ellipse", score="logit")
    assert result.drop[0, 0] == result.mask.sum()
    assert result.mask.sum() == pytest.approx(np.pi / 4 * 31 * 21, rel=0.02)
    assert not result.mask[0, 0]
    assert result.mask[15].all()
    assert result.mask[:, 10].all()


def test_the_probability_is_the_softmax():
    net = cw.bind(summing([[1.0]]), input_shape=(1, 1, 3))
    result = occlusion(net, torch.tensor([[[1.0, 2.0, -4.0]]]), 0, patch=1, stride=1, fill="zero")
    np.testing.assert_allclose(result.values, [[1 / (1 + np.exp(2)), 1 / (1 + np.exp(3)), 1 / (1 + np.exp(-3))]], rtol=1e-6)
    assert result.clean == pytest.approx(1 / (1 + np.exp(1)))
    assert result.top.tolist() == [[1, 1, 0]]
    assert result.target == 0
    np.testing.assert_allclose(result.chances.sum(-1), 1, rtol=1e-6)
    assert (np.diff(result.chances, axis=-1) <= 0).all()
    np.testing.assert_array_equal(result.values, result.probability)


def test_the_first_order_estimate_of_a_linear_network_is_exact():
    torch.manual_seed(0)
    net = cw.bind(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * 25, 3)), input_shape=(3, 12, 12)
    )
    for fill in ("zero", "mean", "noise", "blur"):
        for shape in ("rectangle", "ellipse"):
            result = occlusion(net, picture(), 1, patch=(5, 4), stride=(3, 2), fill=fill, shape=shape, score="logit")
            np.testing.assert_allclose(result.estimate, result.values, atol=1e-5)
            assert result.agreement == pytest.approx(1)


def test_a_patch_of_the_size_of_the_picture_has_one_position():
    result = occlusion(bound(), picture(), patch=12, stride=5)
    assert result.values.shape == (1, 1)
    assert np.isnan(result.agreement)


# a peer library


@pytest.mark.parametrize(
    "patch, stride", [((3, 3), (1, 1)), ((4, 3), (2, 3)), ((5, 4), (4, 4)), ((12, 2), (1, 2)), ((7, 7), (4, 3))]
)
def test_captum_gives_the_same_map(patch, stride):
    net = bound()
    wanted = CaptumOcclusion(net.module).attribute(
        picture()[None], (3, *patch), strides=(3, *stride), baselines=0, target=2, perturbations_per_eval=1
    )[0]
    result = occlusion(net, picture(), 2, patch=patch, stride=stride, fill="zero", score="logit")
    scale = max(1, np.abs(result.values).max())
    np.testing.assert_allclose(result.per_pixel(), wanted[0].detach(), atol=1e-5 * scale)


# outside of what is seen


@pytest.mark.parametrize("watched", [{"score": "logit", "target": 1}, {"target": 1}, {"unit": ("1", 1)}], ids=str)
def test_what_no_layer_sees_changes_nothing(watched):
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 3))
    net = cw.bind(lively(module), input_shape=(3, 15, 15))
    result = occlusion(net, picture(15), patch=1, stride=1, **watched)
    seen = np.arange(15) % 5 < 3
    seen = seen[:, None] & seen
    assert (result.drop[~seen] == 0).all()
    assert (result.drop[seen] != 0).mean() > 0.5


def test_outside_the_receptive_field_nothing_changes():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    net = cw.bind(lively(Function(lambda self, x: self.body(x)[:, :, 2, 2], body=body)), input_shape=(3, 14, 14))
    values = occlusion(net, picture(14), 0, patch=1, stride=1, score="logit").values
    seen = np.zeros((14, 14), bool)
    seen[2:7, 2:7] = True  # 5 x 5 pixels around the unit
    assert np.ptp(values[~seen]) == 0
    assert (values[seen] != values[0, 0]).sum() > 12


# a unit's sum


class Units(nn.Module):
    """A convolution that a batch norm follows, a ReLU, a sum that is a function, a fully connected layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3, 2, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(x)))
        x = self.relu(self.second(x) + x[:, :, ::2, ::2])
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("layer", ["conv", "bn", "relu", "relu:2", "second", "add", "head"])
def test_a_units_sum_is_that_of_the_trace(layer):
    net = cw.bind(lively(Units()), input_shape=(3, 11, 10))
    image = torch.randn(3, 11, 10, generator=torch.Generator().manual_seed(0))
    fill, mask = image.mean((1, 2), keepdim=True).expand_as(image), torch.ones(4, 3, dtype=torch.bool)
    with unchanged(net.module):
        result = occlusion(net, image, patch=(4, 3), stride=2, unit=(layer, 1))
    wanted = [
        [net.trace(covered(image, fill, mask, y, x), [layer])[layer][0, 1].sum() for x in result.xs] for y in result.ys
    ]
    scale = float(net.trace(image, [layer])[layer].abs().sum())
    np.testing.assert_allclose(result.values, wanted, atol=1e-5 * scale)
    assert np.ptp(wanted) > 1e-3 * scale / 10
    assert result.clean == pytest.approx(float(net.trace(image, [layer])[layer][0, 1].sum()), abs=1e-5 * scale)
    logits = answers(net.module, image, fill, mask, result.ys, result.xs)
    np.testing.assert_allclose(result.probability, torch.from_numpy(logits).softmax(-1)[..., result.target], atol=1e-5)
    assert result.how.startswith("plain batches: " if layer == "add" else "exact windows in 2 of 2")


@pytest.mark.parametrize(("layer", "place"), [("conv", (0, 0)), ("relu", (5, 7)), ("second", (2, 4)), ("add", (3, 1))])
def test_a_units_value_at_a_place_is_that_of_a_loop_over_whole_pictures(layer, place):
    net = cw.bind(lively(Units()), input_shape=(3, 11, 10))
    image = torch.randn(3, 11, 10, generator=torch.Generator().manual_seed(1))
    with unchanged(net.module):
        result = occlusion(net, image, patch=(3, 4), stride=1, fill="zero", unit=(layer, 2, *place))

    def value(picture) -> float:
        return float(net.trace(picture, [layer])[layer][0, 2, place[0], place[1]])

    for i, top in enumerate(result.ys):
        for j, left in enumerate(result.xs):
            copy = image.clone()
            copy[:, top : top + 3, left : left + 4] = 0
            assert result.values[i, j] == pytest.approx(value(copy), abs=1e-5)
    assert result.clean == pytest.approx(value(image), abs=1e-5)
    assert np.ptp(result.values) > 1e-2
    assert (result.unit, result.score) == ((layer, 2, *place), "value")
    attribution = result.attribution()
    assert (attribution.unit, attribution.target) == (result.unit, None)
