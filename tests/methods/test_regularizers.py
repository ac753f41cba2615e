"""Regularizers do what their formulas and their peers in torchvision and SciPy say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms.v2 import functional

from cnnwidgets.methods.regularizers import L2, Blur, ClipSmall, Jitter, RotateAndScale, TotalVariation


def pictures(height=12, width=10):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def test_penalties_are_their_sums():
    x = pictures(3, 3)
    squares = [[float(v) ** 2 for v in one.flatten()] for one in x]
    np.testing.assert_allclose(L2(0.5).penalty(x), [0.5 * sum(row) for row in squares], rtol=1e-5)
    expected = [
        sum(
            float(one[c, i + down, j + across] - one[c, i, j]) ** 2
            for c in range(3) for i in range(3) for j in range(3) for down, across in ((1, 0), (0, 1))
            if i + down < 3 and j + across < 3
        )
        for one in x
    ]  # fmt: skip
    np.testing.assert_allclose(TotalVariation(2.0).penalty(x), [2 * value for value in expected], rtol=1e-5)


def test_jitter_moves_all_pictures_alike_and_no_further_than_its_share():
    x, moves = pictures(32, 32), set()
    for seed in range(200):
        shown = Jitter(1 / 16).shown(x, draw(seed))
        found = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if torch.equal(shown, x.roll((i, j), (2, 3)))]
        assert len(found) == 1
        moves |= set(found)
    assert len(moves) == 25


@pytest.mark.parametrize("size", [(16, 16), (12, 24)])
def test_a_turned_and_resized_picture_is_torchvisions(size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    smooth = np.exp(-((rows - size[0] / 2.5) ** 2 + (columns - size[1] / 2.5) ** 2) / 12)
    x = torch.from_numpy(smooth.astype(np.float32))[None, None]
    turn, size_change = (2 * torch.rand(2, generator=draw(4), dtype=torch.float64) - 1).tolist()
    expected = functional.affine(
        x, angle=-30 * turn, translate=[0, 0], scale=1 + 0.3 * size_change, shear=[0.0],
        interpolation=functional.InterpolationMode.BILINEAR,
    )  # fmt: skip
    shown = RotateAndScale(30, 0.3).shown(x, draw(4))
    inside = np.s_[:, :, 4:-4, 4:-4]  # beyond the edges theirs are zeros, ours reflections
    np.testing.assert_allclose(shown[inside], expected[inside], atol=1e-3)
    assert (shown - x).abs().max() > 0.05


def test_a_shaken_picture_passes_gradients_on():
    x = pictures().requires_grad_()
    shown = Jitter().shown(RotateAndScale().shown(x, draw()), draw())
    (gradient,) = torch.autograd.grad(shown.sum(), x)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_a_blur_is_scipys_gaussian_every_few_steps(sigma):
    x, blur = pictures(), Blur(sigma, 3)
    assert blur.edited(x, 1) is None and blur.edited(x, 2) is None
    reach = math.ceil(3 * sigma)
    expected = ndimage.gaussian_filter(x.double().numpy(), (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, reach, reach))
    np.testing.assert_allclose(blur.edited(x, 3), expected, atol=1e-5)


def test_clipping_sets_the_smallest_pixels_of_each_picture_to_zero():
    x = pictures(10, 10)
    clipped = ClipSmall(30).edited(x, 1)
    for before, after in zip(x, clipped, strict=True):
        sizes, zero = before.norm(dim=0), (after == 0).all(0)
        assert zero.sum() == 30 and sizes[zero].max() < sizes[~zero].min()
        assert torch.equal(after[:, ~zero], before[:, ~zero])
    assert torch.equal(ClipSmall(0).edited(x, 1), x)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: L2(-1), "strength is -1; expected a number of at least 0"),
        (lambda: TotalVariation("much"), "strength is 'much'"),
        (lambda: Jitter(-0.1), "share is -0.1"),
        (lambda: RotateAndScale(10, 1.5), "scale is 1.5"),
        (lambda: Blur(0.0), "sigma is 0.0; expected a number above 0"),
        (lambda: Blur(1.0, 0), "every is 0; expected a whole number of at least 1"),
        (lambda: ClipSmall(100), "percent is 100"),
    ],
)
def test_numbers_out_of_bounds_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
