"""Networks with the same weights, their ReLUs written in different ways, have the same maps by every method."""

from __future__ import annotations

import numpy as np
import pytest

import cnnwidgets as cw
from tests.methods.small import picture
from tests.net.networks import unchanged
from tests.net.test_relu_rules import WAYS, two_branches

FIVE = ("a module each", "in place", "one shared module", "F.relu", "F.relu_")


def bound(way):
    return cw.bind(two_branches(WAYS[way]), input_shape=(3, 12, 12))


@pytest.mark.parametrize("way", FIVE[1:])
@pytest.mark.parametrize("method", cw.methods.METHODS)
def test_a_class_has_the_same_map(method, way):
    options = {"rise": {"n_samples": 40}, "lime": {"n_samples": 40, "superpixels": 6}}.get(method, {})
    expected = cw.methods.attribute(bound(FIVE[0]), picture(), 2, method=method, **options)
    net = bound(way)
    with unchanged(net.module):
        found = cw.methods.attribute(net, picture(), 2, method=method, **options)
    assert expected.values.any()
    assert np.allclose(found.values, expected.values, atol=1e-5 * np.abs(expected.values).max())


@pytest.mark.parametrize("way", FIVE[1:])
@pytest.mark.parametrize("method", cw.methods.METHODS)
def test_a_unit_before_its_relu_has_the_same_map(method, way):
    """An in-place ReLU overwrites what the unit was."""
    options = {"rise": {"n_samples": 40}, "lime": {"n_samples": 40, "superpixels": 6}}.get(method, {})
    expected = cw.methods.attribute(bound(FIVE[0]), picture(), unit=("left", 1, 3, 3), method=method, **options)
    found = cw.methods.attribute(bound(way), picture(), unit=("left", 1, 3, 3), method=method, **options)
    assert expected.score == pytest.approx(found.score) and expected.values.any()
    assert np.allclose(found.values, expected.values, atol=1e-5 * np.abs(expected.values).max())
