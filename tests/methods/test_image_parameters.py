"""Pictures come back from their numbers, colors are decorrelated, and phases alone change no magnitude."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnwidgets.methods.image_parameters import COLORS, IMAGES, FixedMagnitudes, Fourier

SIZES = [(16, 16), (15, 12), (12, 15), (7, 9)]


def pictures(size, channels=3, count=2):
    drawn = torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(0))
    return 0.05 + 0.9 * drawn


def magnitudes(shown):
    """By NumPy: of the decorrelated colors before the sigmoid, all frequencies, (N, C, height, width)."""
    waves = np.log(shown / (1 - shown))
    if shown.shape[1] == 3:
        colors = COLORS.numpy() / np.linalg.norm(COLORS.numpy(), axis=0).max()
        waves = np.einsum("ij,njhw->nihw", np.linalg.inv(colors.astype(np.float64)), waves)
    return np.abs(np.fft.fft2(waves, norm="ortho"))


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_comes_back_from_its_numbers(kind, size, channels):
    first = pictures(size, channels)
    image = IMAGES[kind](first)
    torch.testing.assert_close(image.pictures().detach(), first, rtol=0, atol=1e-5)
    image.step(0.02 * torch.randn(image.values.shape, generator=torch.Generator().manual_seed(1)))
    changed = image.pictures().detach()
    assert (changed - first).abs().max() > 0.01
    image.write(changed)
    torch.testing.assert_close(image.pictures().detach(), changed, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_whatever_the_phases_become_the_magnitudes_stay(size, channels):
    image = FixedMagnitudes(pictures(size, channels).double())
    before = magnitudes(image.pictures().detach().numpy())
    image.step(3 * torch.randn(image.values.shape, generator=torch.Generator().manual_seed(1)).double())
    after = image.pictures().detach().numpy()
    assert np.abs(after - pictures(size, channels).numpy()).max() > 0.3
    np.testing.assert_allclose(magnitudes(after), before, rtol=1e-6, atol=1e-6)


def test_the_same_change_of_a_coefficient_moves_a_coarse_pattern_more_than_a_fine_one_by_one_over_f():
    size, moved = (32, 32), []
    for column in (1, 2, 4, 8):
        image = Fourier(torch.full((1, 1, *size), 0.5))
        change = torch.zeros_like(image.values)
        change[0, 0, 0, column, 0] = 1e-3
        image.step(change)
        moved.append((image.pictures() - 0.5).square().sum().sqrt().item())
    np.testing.assert_allclose(np.array(moved) / moved[0], [1, 1 / 2, 1 / 4, 1 / 8], rtol=1e-3)


def test_one_number_of_a_decorrelated_color_moves_red_green_and_blue_as_natural_pictures_do():
    image = Fourier(torch.full((1, 3, 8, 8), 0.5))
    change = torch.zeros_like(image.values)
    change[0, 0, 0, 0, 0] = 1e-3
    image.step(change)
    red, green, blue = (image.pictures() - 0.5)[0, :, 0, 0].tolist()
    np.testing.assert_allclose([green / red, blue / red], [0.27 / 0.26, 0.27 / 0.26], rtol=1e-3)


def test_noise_for_fixed_magnitudes_falls_with_one_over_f():
    shown = FixedMagnitudes.noise((1, 1, 32, 32), torch.Generator().manual_seed(0)).double().numpy()
    found = magnitudes(shown)[0, 0, 0]
    np.testing.assert_allclose(found[[2, 4, 8]] / found[1], [1 / 2, 1 / 4, 1 / 8], rtol=1e-3)


@pytest.mark.parametrize("kind", IMAGES)
def test_values_far_out_still_are_pictures(kind):
    image = IMAGES[kind](pictures((8, 8)))
    image.step(100 * torch.randn(image.values.shape, generator=torch.Generator().manual_seed(1)))
    low, high = image.pictures().aminmax()
    assert low >= 0 and high <= 1
