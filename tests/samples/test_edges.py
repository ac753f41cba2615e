"""The filters that photographs teach: k-means and whitening do what their formulas say, and edges come out of it."""

import numpy as np
import pytest
import torch
from PIL import Image

from cnnwidgets.samples import drawing, edge_filters, edges, sample


@pytest.fixture(scope="module")
def filters():
    return edge_filters()


@pytest.fixture(scope="module")
def gray(filters):
    """What a filter does to a gray picture: the sum over its channels, (64, 11, 11)."""
    return filters.double().sum(1).numpy()


@pytest.fixture(scope="module")
def colored(filters):
    """The share of a filter's energy that a gray picture does not meet, (64,): 0 for three equal channels."""
    energy = filters.double().square().sum((1, 2, 3))
    return (1 - filters.double().sum(1).square().sum((1, 2)) / 3 / energy).numpy()


def orientation(pictures: np.ndarray) -> np.ndarray:
    """How far the gradients of pictures (N, H, W) lie along one line, by the structure tensor: 0 (all ways) to 1, (N,)."""
    down, right = np.gradient(pictures, axis=(1, 2))
    tensor = np.stack([[right * right, right * down], [right * down, down * down]]).sum((-2, -1)).transpose(2, 0, 1)
    low, high = np.linalg.eigvalsh(tensor).T
    return (high - low) / (high + low)


def test_the_structure_tensor_tells_a_grating_from_a_blob():
    y, x = np.mgrid[-5:6, -5:6]
    grating, blob = np.sin(1.3 * x + 0.7 * y), np.exp(-(x**2 + y**2) / 8)
    np.testing.assert_allclose(orientation(np.stack([grating, blob])), [1, 0], atol=0.05)


def test_there_are_64_filters_in_color_each_of_norm_1(filters):
    assert filters.shape == (64, 3, 11, 11) and filters.dtype == torch.float32
    np.testing.assert_allclose(filters.flatten(1).norm(dim=1), 1, atol=1e-3)  # float16 has 11 bits
    assert torch.equal(filters, filters.half().float())


def test_no_filter_is_another_one_or_its_negative(filters):
    rows = filters.flatten(1)
    alike = (rows @ rows.T).abs().fill_diagonal_(0)
    assert alike.max() < 0.75


def test_most_filters_are_edges_or_gratings_and_some_are_blobs_of_color(gray, colored):
    assert np.mean(orientation(gray) > 0.7) > 0.85
    assert np.sum(colored > 0.5) >= 5
    assert np.sum(colored < 0.1) >= 32


def test_some_filters_are_gratings_of_several_periods(gray):
    """A grating's power lies in one frequency above two periods a filter, an edge's in the lowest ones."""
    power = np.abs(np.fft.rfft2(gray)) ** 2
    rows, columns = np.abs(np.fft.fftfreq(11) * 11), np.arange(6)
    fine = np.hypot(rows[:, None], columns) > 2
    assert np.sum((power * fine).sum((1, 2)) > 0.8 * power.sum((1, 2))) >= 5


def test_gray_filters_come_first(colored):
    assert np.all(np.diff(colored) > -1e-3)


def test_only_the_training_part_of_the_photographs_teaches_and_it_always_teaches_the_same(filters, monkeypatch):
    def half_known(name, whole=drawing.photograph):
        pixels = np.array(whole(name))
        pixels[:, round(drawing.TRAIN_WIDTH * pixels.shape[1]) :] = 255
        return Image.fromarray(pixels)

    monkeypatch.setattr(edges, "photograph", half_known)
    torch.manual_seed(5)
    again, drawn = edge_filters(), torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(again, filters) and torch.equal(drawn, torch.rand(1))


@pytest.mark.parametrize("epoch", [0, None])
def test_the_first_layer_of_the_network_edges_is_theirs_at_the_start_and_at_the_end(epoch, filters):
    weight = sample("edges", epoch).module.conv1.weight
    alike = torch.nn.functional.cosine_similarity(weight.flatten(1), filters.flatten(1))
    assert (alike > 0.99).sum() >= 60  # another version's rounding may lead k-means elsewhere now and then


def test_whitening_makes_each_axis_variance_v_into_v_over_v_plus_evenness():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)) + 3
    np.testing.assert_allclose(np.cov(edges.whitened(rows, 0), rowvar=False), np.eye(4), atol=1e-10)
    before = np.linalg.eigvalsh(np.cov(rows, rowvar=False))
    after = np.linalg.eigvalsh(np.cov(edges.whitened(rows, 0.5), rowvar=False))
    np.testing.assert_allclose(after, before / (before + 0.5))


def test_evening_takes_a_patchs_light_and_contrast_away():
    patch = np.random.default_rng(0).uniform(0, 100, (1, 363))
    even = edges.evened(np.concatenate([patch, 2 * patch + 30]))
    np.testing.assert_allclose(even.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(even[0], even[1], rtol=0.01)  # but for NOISE, which is small beside a contrast of 29
    variance = patch.var()
    np.testing.assert_allclose(even[0].var(), variance / (variance + edges.NOISE))
    assert not edges.evened(np.full((1, 363), 7.0)).any()


def test_spherical_k_means_finds_the_directions_that_the_rows_were_made_of():
    rng = np.random.default_rng(1)
    true = np.linalg.qr(rng.normal(size=(30, 6)))[0].T  # six directions at right angles in 30 dimensions
    rows = true[rng.integers(0, 6, 3000)] * rng.normal(size=(3000, 1)) + 0.01 * rng.normal(size=(3000, 30))
    found = edges.spherical_kmeans(rows, 12, rng)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    np.testing.assert_allclose(np.abs(true @ found.T).max(1), 1, atol=1e-3)  # each is there, whatever its sign
