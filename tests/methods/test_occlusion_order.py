"""The order in which an occlusion map fills."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cnnwidgets.methods.occlusion_order import SPREAD, dispersed, slabs

SHAPES = [(1, 1), (1, 50), (37, 1), (2, 3), (10, 10), (28, 28), (25, 60)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_position_comes_once(shape):
    estimate = np.random.default_rng(0).normal(size=shape)
    assert (np.sum(list(slabs(estimate)), axis=0) == 1).all()
    np.testing.assert_array_equal(np.sort(dispersed(shape)), np.arange(estimate.size))


@pytest.mark.parametrize("shape", [(28, 28), (25, 60), (56, 56)])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_the_beginning_is_spread_evenly(shape, share):
    """No hole is wider than twice the distance of as many points on a square lattice."""
    known = dispersed(shape).reshape(shape) < share * np.prod(shape)
    assert ndimage.distance_transform_edt(~known).max() <= 2 / np.sqrt(share)


def test_beside_those_that_are_spread_come_the_hottest():
    estimate = np.random.default_rng(0).normal(size=(40, 40))
    known, count = np.zeros((40, 40), bool), 0
    ranks = estimate.argsort(axis=None).argsort().reshape(40, 40)
    spread = dispersed((40, 40)).reshape(40, 40)
    for mask in slabs(estimate):
        known |= mask
        count = known.sum()
        if count > 800:
            break
        assert known[ranks < 0.9 * (1 - SPREAD) * count].all()
        assert known[spread < 0.9 * SPREAD * count].all()
    assert count > 800


def test_without_an_estimate_they_are_spread():
    first = next(slabs(np.zeros((50, 50))))
    np.testing.assert_array_equal(first, dispersed((50, 50)).reshape(50, 50) < first.sum())
