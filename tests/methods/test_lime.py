"""LIME where the answers are linear, where all subsets can be asked for, and where the object's place is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import attribute, lime
from cnnwidgets.net import Cancelled
from tests.methods.small import bound, picture
from tests.net.networks import CancelAt, Function, unchanged

QUARTERS = np.kron([[0, 1], [2, 3]], np.ones((6, 6), int))
"""Four superpixels of a picture of 12×12."""

COLUMNS = np.tile(np.arange(12), (12, 1))
"""Twelve superpixels of it."""


def certain(chance):
    """A network whose first class has the probability ``chance(x)``, (N,), between 0 and 1."""
    return cw.bind(
        Function(lambda self, x: torch.stack([chance(x), 1 - chance(x)], 1).log()),
        input_shape=(3, 12, 12),
        classes=["a", "b"],
    )


def linear(weights, bias):
    """A probability that is linear in which quarters of a picture of ones can be seen on black."""
    return certain(
        lambda x: (
            bias
            + sum(
                w * x[:, 0, 6 * (k // 2) : 6 * (k // 2) + 6, 6 * (k % 2) : 6 * (k % 2) + 6].mean((1, 2))
                for k, w in enumerate(weights)
            )
        )
    )


def test_a_network_that_is_linear_in_the_superpixels_gives_its_weights():
    weights = [0.3, -0.1, 0.05, 0.2]
    found = lime(linear(weights, 0.2), torch.ones(3, 12, 12), "a", superpixels=QUARTERS, fill="zero", alpha=0)
    np.testing.assert_allclose(found.coefficients, weights, atol=1e-5)
    assert found.intercept == pytest.approx(0.2, abs=1e-5)
    assert found.r_squared == pytest.approx(1, abs=1e-6)
    assert found.score == pytest.approx(0.65)
    assert (found.exact, found.n_samples) == (True, 16)
    np.testing.assert_allclose(found.attribution().values, np.array(weights)[QUARTERS], atol=1e-5)


def test_random_subsets_of_many_superpixels_give_the_weights_as_well():
    weights = np.random.default_rng(0).uniform(-0.01, 0.02, (6, 6))
    net = certain(lambda x: 0.3 + (x[:, 0, ::2, ::2] * torch.from_numpy(weights).float()).sum((1, 2)))
    pairs = np.kron(np.arange(36).reshape(6, 6), np.ones((2, 2), int))
    found = lime(net, torch.ones(3, 12, 12), 0, superpixels=pairs, fill="zero", alpha=0, n_samples=200)
    np.testing.assert_allclose(found.coefficients, weights.ravel(), atol=1e-5)
    assert found.r_squared == pytest.approx(1, abs=1e-5)
    assert not found.exact
    assert found.n_samples == 200


def brute_force(net, target, alpha, count, samples, width=0.25):
    """Weighted ridge regression over all subsets of the quarters, by its normal equations."""
    shown, mean = picture(), picture().mean((1, 2), keepdim=True)
    rows, answers, weights = [], [], []
    for subset in itertools.product([0, 1], repeat=count):
        visible = torch.from_numpy(np.array(subset)[QUARTERS]).bool()
        answers.append(net.scores(torch.where(visible, shown, mean)).softmax(1)[0, target].item())
        distance = 1 - np.dot(subset, np.ones(count)) / (np.linalg.norm(subset) * count**0.5) if any(subset) else 1
        weights.append(np.exp(-(distance**2) / width**2) * samples / 2**count)
        rows.append([*subset, 1])
    rows, answers, weights = map(np.array, (rows, answers, weights))
    penalty = alpha * np.diag([*[1] * count, 0])  # not of the intercept
    solved = np.linalg.solve(rows.T @ (weights[:, None] * rows) + penalty, rows.T @ (weights * answers))
    left = weights @ (answers - rows @ solved) ** 2
    total = weights @ (answers - weights @ answers / weights.sum()) ** 2
    return solved[:-1], solved[-1], 1 - left / total


@pytest.mark.parametrize("alpha, samples", [(0.0, 16), (1.0, 16), (1.0, 1000)])
def test_few_superpixels_are_explained_by_all_subsets(alpha, samples):
    net = bound()
    found = lime(net, picture(), 2, superpixels=QUARTERS, alpha=alpha, n_samples=samples)
    coefficients, intercept, r_squared = brute_force(net, 2, alpha, 4, samples)
    np.testing.assert_allclose(found.coefficients, coefficients, rtol=1e-3, atol=1e-6)
    assert found.intercept == pytest.approx(intercept, rel=1e-4)
    assert found.r_squared == pytest.approx(r_squared, abs=1e-4)
    assert found.exact
    assert found.n_samples == 16
    assert found.r_squared < 1 - 1e-6  # no linear network


def test_many_random_subsets_come_near_to_all_of_them():
    net = bound()
    strips = COLUMNS // 2  # six: 64 subsets
    every = lime(net, picture(), 1, superpixels=strips, alpha=0)
    some = lime(net, picture(), 1, superpixels=strips, alpha=0, n_samples=63)
    assert every.exact
    assert not some.exact
    assert np.corrcoef(every.coefficients, some.coefficients)[0, 1] > 0.9


def test_superpixels_cover_the_picture_and_are_numbered_without_gaps():
    scenes = cw.samples.scenes()
    found = lime(cw.load("scenes"), scenes[0], n_samples=1, superpixels=30)
    assert found.segments.shape == (64, 64)
    assert 15 < len(found.coefficients) < 45
    assert np.array_equal(np.unique(found.segments), np.arange(len(found.coefficients)))
    own = lime(bound(), picture(), 0, superpixels=QUARTERS * 7 - 3, n_samples=16)
    np.testing.assert_array_equal(own.segments, QUARTERS)


def test_what_speaks_for_a_digit_lies_where_it_is():
    net, scenes = cw.load("scenes"), cw.samples.scenes()
    inside, outside = [], []
    for i in range(3):
        values = attribute(net, scenes[i], method="lime", n_samples=200, superpixels=40).values
        inside.append(values[scenes.mask(i)].mean())
        outside.append(values[~scenes.mask(i)].mean())
    assert np.mean(inside) > np.mean(outside) + 0.02


def test_a_network_that_always_says_the_same_has_no_r_squared():
    found = lime(certain(lambda x: 0.25 + 0 * x[:, 0, 0, 0]), picture(), 0, superpixels=QUARTERS)
    np.testing.assert_allclose(found.coefficients, 0, atol=1e-6)
    assert np.isnan(found.r_squared)


def test_several_targets_share_the_passes_and_give_what_each_gives_alone():
    net = bound()
    both = lime(net, picture(), [3, 0], superpixels=QUARTERS)
    assert [one.target for one in both] == [3, 0]
    for one in both:
        np.testing.assert_allclose(one.coefficients, lime(net, picture(), one.target, superpixels=QUARTERS).coefficients)
    maps = attribute(net, picture(), [3, 0], method="lime", superpixels=QUARTERS)
    np.testing.assert_array_equal(maps[1].values, both[1].attribution().values)
    assert maps[1].signed
    assert lime(net, picture(), superpixels=QUARTERS).target == int(net.scores(picture()).argmax())


def test_the_same_seed_gives_the_same_model_however_much_memory_there_is():
    net = bound()
    first, again, other = (lime(net, picture(), 1, superpixels=COLUMNS, n_samples=40, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.coefficients, again.coefficients)
    assert not np.allclose(first.coefficients, other.coefficients)
    small = lime(net, picture(), 1, superpixels=COLUMNS, n_samples=40, max_memory=1)
    np.testing.assert_allclose(small.coefficients, first.coefficients, rtol=1e-4, atol=1e-7)


def test_updates_are_of_the_subsets_so_far_and_a_cancelled_one_hands_them_out():
    seen = []
    options = {"superpixels": COLUMNS, "n_samples": 5, "max_memory": 1}
    found = lime(bound(), picture(), 0, on_update=lambda part, done: seen.append((part, done)), **options)
    assert [(part.n_samples, done) for part, done in seen] == [(k, k / 5) for k in range(1, 6)]
    np.testing.assert_array_equal(seen[-1][0].coefficients, found.coefficients)
    assert seen[0][0].intercept == pytest.approx(found.score)  # the first subset is all of them
    net = bound()
    with unchanged(net.module), pytest.raises(Cancelled) as raised:
        lime(net, picture(), 0, cancel=CancelAt(3), **options)
    np.testing.assert_array_equal(raised.value.partial.coefficients, seen[2][0].coefficients)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"n_samples": 0}, "samples is 0; expected a whole number of at least 1"),
        ({"alpha": -1}, "alpha is -1; expected a number of at least 0"),
        ({"width": 0}, "width is 0; expected a number above 0"),
        ({"superpixels": 1}, "superpixels is 1; expected a whole number from 2 to 144"),
        ({"superpixels": np.eye(3)}, "a map of 3×3, the picture is 12×12"),
        ({"fill": "fog"}, "fill is 'fog'"),
        ({"target": "dog"}, "there is no class 'dog'"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        lime(bound(), picture(), **wrong)
