"""Alignment finds the rotation that was made, and never mirrors without saying so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from cnnwidgets.methods.alignment import align

LAYOUT = np.random.default_rng(0).normal(size=(40, 2)) * (3, 1)
MIRROR = np.array([[1, 0], [0, -1]])

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.01, 100)
shifts = st.tuples(st.floats(-100, 100), st.floats(-100, 100))


def rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


@given(angles, scales, shifts)
@settings(max_examples=100, deadline=None)
def test_any_rotation_scale_and_shift_is_undone(angle, scale, shift):
    moved = scale * LAYOUT @ rotation(angle) + shift
    found = align(moved, LAYOUT)
    np.testing.assert_allclose(found.points, LAYOUT, atol=1e-4)
    np.testing.assert_allclose(found.turn, rotation(-angle), atol=1e-6)
    assert found.scale == pytest.approx(1 / scale)
    assert not found.mirrored
    assert not found.mirror_fits_better
    np.testing.assert_allclose(found.apply(moved[:5]), found.points[:5])


@given(angles)
@settings(max_examples=50, deadline=None)
def test_a_mirrored_layout_is_only_turned_unless_a_mirror_is_allowed(angle):
    moved = LAYOUT @ MIRROR @ rotation(angle)
    kept, mirrored = align(moved, LAYOUT), align(moved, LAYOUT, mirror=True)
    assert np.linalg.det(kept.turn) == pytest.approx(1)
    assert kept.mirror_fits_better
    assert not kept.mirrored
    assert mirrored.mirrored
    assert np.linalg.det(mirrored.turn) == pytest.approx(-1)
    np.testing.assert_allclose(mirrored.points, LAYOUT, atol=1e-5)


def test_it_is_scipys_procrustes_where_that_is_a_rotation():
    other = LAYOUT @ rotation(1) + np.random.default_rng(1).normal(size=LAYOUT.shape) / 10
    turn, _ = orthogonal_procrustes(other - other.mean(0), LAYOUT - LAYOUT.mean(0))
    found = align(other, LAYOUT, scale=False)
    np.testing.assert_allclose(found.turn, turn, atol=1e-9)
    assert found.scale == 1


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=50, deadline=None)
def test_no_small_turn_or_stretch_brings_the_points_closer(seed, mirror):
    rng = np.random.default_rng(seed)
    points, before = rng.normal(size=(2, 12, 2))
    found = align(points, before, mirror=mirror)
    least = ((found.points - before) ** 2).sum()
    for angle, scale, shift in ((0.05, 1, 0), (-0.05, 1, 0), (0, 1.05, 0), (0, 0.95, 0), (0, 1, 0.05)):
        assert ((scale * found.points @ rotation(angle) + shift - before) ** 2).sum() > least - 1e-6


def test_points_on_a_line_or_a_spot_are_not_mirrored():
    line = np.outer(np.arange(5.0), (1, 0))
    assert not align(line, line[:, ::-1], mirror=True).mirrored
    spot = align(np.ones((5, 2)), LAYOUT[:5])
    assert np.isfinite(spot.points).all()
    assert not spot.mirror_fits_better


@pytest.mark.parametrize("before", [LAYOUT[:5], LAYOUT[:, :1], LAYOUT[:0]])
def test_layouts_of_other_pictures_are_a_sentence(before):
    with pytest.raises(ValueError, match="of the same n pictures"):
        align(LAYOUT, before)
