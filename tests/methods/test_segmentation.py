"""Segmentation by seeds and colors, against the equations of a random walk and the digits' true places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import Attribution, guided_backprop, intersection_over_union, segment
from cnnwidgets.methods.gradients import saliency
from tests.methods.small import bound, picture
from tests.net.networks import unchanged


def given(values, size=None):
    values = np.asarray(values, np.float32)
    return Attribution(values, "given", 0, None, 0.0, size or values.shape[-2:], signed=True)


def colored(height=8, width=10):
    """Left half red, right half blue, as pixels, and a network that takes them."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 200
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return pixels, cw.bind(network, input_shape=(3, height, width))


def test_the_object_ends_where_its_color_does():
    pixels, net = colored()
    values = np.full((8, 10), 0.5)
    values[3, 1], values[5, 8] = 1, 0  # one seed each
    found = segment(net, pixels, attribution=given(values), foreground=0.99, background=0.001, smooth=0)
    np.testing.assert_array_equal(found.seeds, (values == 1).astype(int) - (values == 0))
    np.testing.assert_array_equal(found.mask, pixels[..., 0] > 0)


def test_the_chance_is_that_of_a_random_walk():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (6, 7, 3)).astype(np.uint8)
    net = cw.bind(colored()[1].module, input_shape=(3, 6, 7))
    values = rng.random((6, 7))
    found = segment(net, pixels, attribution=given(values), foreground=0.9, background=0.2, smooth=0, beta=30)
    wanted = walked(rgb2lab(pixels) / 100, found.seeds, 30)
    np.testing.assert_allclose(found.chance, wanted, atol=1e-4)
    assert (found.seeds > 0).sum() == 5  # a tenth of 42, the quantile's own pixel included
    assert (found.seeds < 0).sum() == 9
    assert wanted[found.seeds == 0].std() > 0.2
    np.testing.assert_array_equal(found.mask, wanted >= 0.5)


def walked(colors, seeds, beta):
    """The equations of the walk: each pixel's chance is the mean of its neighbors', weighted by likeness of color."""
    height, width = seeds.shape
    numbers = np.arange(height * width).reshape(height, width)
    equations, right = np.eye(height * width), (seeds.ravel() > 0).astype(float)
    flat, scale = colors.reshape(-1, 3), beta / (10 * colors.std() * 3**0.5)
    for y, x in np.argwhere(seeds == 0):
        here = numbers[y, x]
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        others = [numbers[at] for at in around if 0 <= at[0] < height and 0 <= at[1] < width]
        likeness = np.array([np.exp(-scale * ((flat[here] - flat[o]) ** 2).sum()) for o in others])
        equations[here, others] -= (likeness + 1e-10) / (likeness + 1e-10).sum()
    return np.linalg.solve(equations, right).reshape(height, width)


@pytest.mark.parametrize("brightness", [0, 100])
def test_a_picture_of_one_color_goes_with_the_nearer_seed(brightness):
    _, net = colored()
    values = np.full((8, 10), 0.5)
    values[:, 0], values[:, 9] = 1, 0
    gray = np.full((8, 10, 3), brightness, np.uint8)
    found = segment(net, gray, attribution=given(values), foreground=0.95, background=0.05, smooth=0)
    np.testing.assert_allclose(found.chance, np.tile(1 - np.arange(10) / 9, (8, 1)), atol=1e-4)


def test_guided_backpropagation_of_the_target_is_the_map_by_default():
    net = bound()
    found = segment(net, picture(), 2)
    wanted = guided_backprop(net, picture(), 2)
    np.testing.assert_array_equal(found.attribution.values, wanted.values)
    assert found.attribution.target == 2
    assert segment(net, picture()).attribution.target == int(net.scores(picture()).argmax())
    np.testing.assert_array_equal(segment(net, picture(), attribution=wanted).mask, found.mask)


def test_the_map_is_blurred_by_a_sixty_fourth_of_the_picture():
    net, scene = cw.load("scenes"), cw.samples.scenes()[0]
    usual, one, two = (segment(net, scene, smooth=smooth).seeds for smooth in (None, 1, 2))
    np.testing.assert_array_equal(usual, one)
    assert (usual != two).any()


def test_seeds_alone_are_the_answer_where_every_pixel_is_one():
    _, net = colored()
    values = np.zeros((8, 10))
    values[2:5, 3:6] = 1
    found = segment(net, torch.zeros(3, 8, 10), attribution=given(values), smooth=0)
    np.testing.assert_array_equal(found.mask, values > 0)
    assert (found.seeds != 0).all()


def test_digits_are_cut_out_of_photographs_that_the_choice_of_settings_has_not_seen():
    net, scenes = cw.load("scenes"), cw.samples.scenes("test")
    ours, papers, chance = [], [], []
    for i in range(12):
        found = segment(net, scenes[i])
        old = segment(net, scenes[i], attribution=saliency(net, scenes[i]), foreground=0.95, background=0.3, smooth=0)
        ours.append(intersection_over_union(found.mask, scenes.mask(i)))
        papers.append(intersection_over_union(old.mask, scenes.mask(i)))
        chance.append(intersection_over_union(np.ones((64, 64)), scenes.mask(i)))
    assert np.mean(ours) > 0.6
    assert np.mean(ours) > np.mean(papers) + 0.2
    assert np.mean(chance) < 0.1


def test_the_network_is_left_as_it_was():
    net = bound()
    net.module.train()
    with unchanged(net.module):
        segment(net, picture(), 1)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"attribution": given(np.zeros((12, 12)))}, "the map is constant"),
        ({"attribution": given(np.eye(5))}, "the map has 5×5 pixels, the picture 12×12"),
        ({"attribution": given(np.eye(12)), "target": 1}, "not both"),
        ({"foreground": 0.3, "background": 0.4}, "background is 0.4, foreground 0.3"),
        ({"foreground": 1.5}, "foreground 1.5"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        segment(bound(), picture(), **wrong)


def test_a_network_without_relus_needs_another_map():
    net = cw.bind(nn.Sequential(nn.Conv2d(3, 2, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), input_shape=(3, 8, 8))
    with pytest.raises(ValueError, match="SiLU"):
        segment(net, torch.rand(3, 8, 8), 0)
    assert segment(net, torch.rand(3, 8, 8), attribution=saliency(net, torch.rand(3, 8, 8), 0)).mask.any()


# the score


@pytest.mark.parametrize("shift, wanted", [(0, 1), (1, 1 / 3), (2, 0)])
def test_the_intersection_over_the_union_of_squares(shift, wanted):
    square = np.zeros((4, 6), bool)
    square[1:3, 1:3] = True
    assert intersection_over_union(square, np.roll(square, shift, 1)) == wanted


@pytest.mark.parametrize("other, sentence", [(np.zeros((3, 3)), "masks are empty"), (np.ones((3, 4)), "3×3 and 3×4")])
def test_masks_that_cannot_be_compared_are_refused(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        intersection_over_union(np.zeros((3, 3)), other)
