"""What a patch shows, said for each fill by its own definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods.fills import FILLS, SHAPES, fill_picture, patch_mask


def net(channels=3, size=(20, 24)):
    body = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.Flatten(), nn.Linear(2 * (size[0] - 2) * (size[1] - 2), 3))
    return cw.bind(body, input_shape=(channels, *size))


def picture(channels=3, size=(20, 24)):
    return torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(0)) * 2 + 1


def test_mean_is_the_pictures_mean_color():
    fill = fill_picture(net(), picture(), "mean", (4, 4))
    torch.testing.assert_close(fill, picture().mean((2, 3))[:, :, None, None].expand(1, 3, 20, 24))


def test_zero_is_zero():
    assert fill_picture(net(), picture(), "zero", (4, 4)).equal(torch.zeros(1, 3, 20, 24))


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_is_half_of_the_brightest_after_preprocessing(channels):
    fill = fill_picture(net(channels), picture(channels), "gray", (4, 4))
    torch.testing.assert_close(fill, torch.full((1, channels, 20, 24), 128 / 255))
    if channels == 3:
        scenes = cw.load("scenes")
        gray = fill_picture(scenes, torch.zeros(1, *scenes.input_shape), "gray", (4, 4))
        assert (scenes.picture(gray) == 128).all()


def test_noise_has_the_pictures_mean_and_deviation_and_its_seed():
    first, again, other = (fill_picture(net(), picture(), "noise", (4, 4), seed) for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)
    large = (
        torch.randn(1, 3, 200, 200) * torch.tensor([1.0, 2, 3])[:, None, None] + torch.tensor([-1.0, 0, 1])[:, None, None]
    )
    fill = fill_picture(net(), large, "noise", (4, 4))
    torch.testing.assert_close(fill.mean((2, 3)), large.mean((2, 3)), atol=0.06, rtol=0)
    torch.testing.assert_close(fill.std((2, 3)), large.std((2, 3)), rtol=0.02, atol=0)


def test_noise_draws_from_no_global_generator():
    made = net()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fill_picture(made, picture(), "noise", (4, 4))
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


def test_blur_of_a_point_is_a_gaussian_of_half_of_the_patch():
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    fill = fill_picture(net(1, (41, 41)), point, "blur", (8, 4))[0, 0].double().numpy()
    place = np.arange(41) - 20
    rows, columns = (np.exp(-(place**2) / (2 * sigma**2)) for sigma in (4, 2))
    wanted = np.outer(rows / rows.sum(), columns / columns.sum())
    np.testing.assert_allclose(fill, wanted, atol=1e-5)
    plain = torch.full((1, 3, 20, 24), 0.7)
    torch.testing.assert_close(fill_picture(net(), plain, "blur", (8, 4)), plain)


@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_is_a_picture_and_leaves_the_picture_alone(fill):
    given = picture()
    made = fill_picture(net(), given, fill, (5, 3))
    assert made.shape == given.shape
    assert made.dtype == given.dtype
    assert given.equal(picture())


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (4, 4), (9, 7)])
def test_masks(size):
    rectangle, ellipse = (patch_mask(shape, size) for shape in SHAPES)
    assert rectangle.shape == ellipse.shape == size
    assert rectangle.all()
    assert ellipse.equal(ellipse.flip(0))
    assert ellipse.equal(ellipse.flip(1))
    assert ellipse.any(0).all()
    assert ellipse.any(1).all()
    if min(size) >= 4:
        assert not ellipse[0, 0]


def test_unknown_ones_are_refused():
    with pytest.raises(ValueError, match="fill is 'black'; expected one of 'mean', 'gray', 'zero', 'noise', 'blur'"):
        fill_picture(net(), picture(), "black", (4, 4))
    with pytest.raises(ValueError, match="shape is 'circle'; expected one of 'rectangle', 'ellipse'"):
        patch_mask("circle", (4, 4))
