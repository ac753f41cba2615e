"""RISE against every mask there is, and against the true place of what is to be seen."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import rise
from cnnwidgets.methods.rise import Masks
from cnnwidgets.net import Cancelled
from tests.methods.small import bound, picture
from tests.net.networks import Function, unchanged


def certain(chance):
    """A network whose first class has the probability ``chance(x)``, (N,), between 0 and 1."""
    return Function(lambda self, x: torch.stack([chance(x), 1 - chance(x)], 1).clamp(min=1e-9).log())


def every_mask(size, cells):
    """All masks that can be drawn for a square picture: every grid at every shift."""
    cell = -(-size // cells)
    for zeros_and_ones in itertools.product([0.0, 1.0], repeat=cells * cells):
        grid = torch.tensor(zeros_and_ones).reshape(1, 1, cells, cells)
        whole = torch.nn.functional.interpolate(grid, ((cells + 1) * cell,) * 2, mode="bilinear")[0, 0]
        for y, x in itertools.product(range(cell), repeat=2):
            yield sum(zeros_and_ones), whole[y : y + size, x : x + size]


def test_the_values_tend_to_the_mean_over_every_mask_there_is():
    net = cw.bind(certain(lambda x: x[:, 0, 1, 2] * x[:, 0, 0, 0]), input_shape=(1, 4, 4), classes=["a", "b"])
    keep = 0.3
    wanted = sum(
        keep**ones * (1 - keep) ** (4 - ones) / 4 * mask[1, 2] * mask[0, 0] * mask / keep for ones, mask in every_mask(4, 2)
    ).numpy()
    found = rise(net, torch.ones(1, 4, 4), "a", cells=2, keep=keep, n_samples=20_000)
    error = float(found.notes[-1].split()[-2])
    assert 0 < error < 0.01
    np.testing.assert_allclose(found.values, wanted, atol=5 * error)
    assert np.abs(found.values - wanted).mean() < 2 * error
    assert np.ptp(wanted) > 20 * error  # so that a map of another place would fail


def test_the_standard_error_shrinks_with_the_root_of_the_number_of_masks():
    errors = [float(rise(bound(), picture(), 0, n_samples=n).notes[-1].split()[-2]) for n in (100, 1600)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def test_where_nothing_matters_every_value_is_the_probability():
    net = cw.bind(certain(lambda x: 0.25 + 0 * x[:, 0, 0, 0]), input_shape=(1, 8, 8))
    found = rise(net, torch.ones(1, 8, 8), 0, n_samples=4000)
    np.testing.assert_allclose(found.values, 0.25, atol=0.02)
    assert found.score == pytest.approx(0.25)
    assert not found.signed


def test_a_pixel_that_decides_has_the_largest_value_where_it_lies():
    net = cw.bind(certain(lambda x: x[:, 0, 9, 3]), input_shape=(1, 12, 12))
    found = rise(net, torch.ones(1, 12, 12), 0, n_samples=4000)
    row, column = np.unravel_index(found.values.argmax(), (12, 12))
    assert abs(row - 9) <= 1
    assert abs(column - 3) <= 1


def test_a_mask_shows_the_share_that_is_kept_at_every_pixel():
    masks = Masks((10, 13), 3, 0.3, 20_000, 0)[:]
    assert masks.shape == (20_000, 10, 13)
    assert masks.min() == 0
    assert masks.max() == 1
    np.testing.assert_allclose(masks.mean(0), 0.3, atol=0.015)


def test_the_same_seed_gives_the_same_map_however_much_memory_there_is():
    net = bound()
    first, again = rise(net, picture(), 1, n_samples=40), rise(net, picture(), 1, n_samples=40)
    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_allclose(rise(net, picture(), 1, n_samples=40, max_memory=1).values, first.values, rtol=1e-5)
    assert not np.allclose(rise(net, picture(), 1, n_samples=40, seed=1).values, first.values)


def test_several_targets_share_the_passes_and_give_what_each_gives_alone():
    net = bound()
    both = rise(net, picture(), [2, 0], n_samples=30)
    assert [one.target for one in both] == [2, 0]
    for one in both:
        alone = rise(net, picture(), one.target, n_samples=30)
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-6)
        assert one.score == pytest.approx(net.scores(picture()).softmax(1)[0, one.target].item())
    assert rise(net, picture(), n_samples=1).target == int(net.scores(picture()).argmax())


def test_updates_are_of_the_masks_so_far_and_the_last_one_is_the_result():
    seen = []
    found = rise(bound(), picture(), 0, n_samples=5, max_memory=1, on_update=lambda part, done: seen.append((part, done)))
    assert [done for _, done in seen] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])
    np.testing.assert_array_equal(seen[-1][0].values, found.values)
    assert seen[1][0].notes[-1].startswith("2 masks")
    twice = np.mean([Masks((12, 12), 7, 0.5, 5, 0)[k : k + 1].numpy()[0] * chance(k) / 0.5 for k in (0, 1)], 0)
    np.testing.assert_allclose(seen[1][0].values, twice, rtol=1e-5)


def chance(k):
    """The probability of class 0 through mask k."""
    return bound().scores(picture() * Masks((12, 12), 7, 0.5, 5, 0)[k : k + 1]).softmax(1)[0, 0].item()


def test_a_cancelled_one_hands_out_what_it_has_and_leaves_the_network_as_it_was():
    net, stop = bound(), threading.Event()
    net.module.train()
    with unchanged(net.module), pytest.raises(Cancelled) as raised:
        rise(net, picture(), 0, n_samples=9, max_memory=1, on_update=lambda part, done: stop.set(), cancel=stop)
    assert raised.value.partial.notes[-1].startswith("1 masks")


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"keep": 1}, {"n_samples": 0}, {"cells": 0}])
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a "):
        rise(bound(), picture(), **wrong)
