"""Layouts: of one spread, laid over the one before, and the last few kept."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnwidgets.methods import Layout
from cnnwidgets.methods.aligned_layout import KEPT, AlignedLayout, LayoutCache
from cnnwidgets.net import Cancelled


def values(n=40, d=6, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32) * [5, 3, 1, 1, 1, 1][:d]


def turned(points, angle: float, mirrored: bool, scale: float = 1.0, shift=(0.0, 0.0)) -> np.ndarray:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return scale * (points * [1, -1 if mirrored else 1]) @ turn + shift


def spread(points) -> float:
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


@settings(deadline=None)
@given(
    angle=st.floats(-np.pi, np.pi),
    mirrored=st.booleans(),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_a_rotated_mirrored_or_scaled_layout_lies_on_the_one_before(angle, mirrored, scale, shift):
    layout = Layout(values(), "pca")
    first = AlignedLayout(layout)
    aligned = AlignedLayout(layout, turned(first.points, angle, mirrored, scale, shift))
    np.testing.assert_allclose(aligned.points, turned(first.points, angle, mirrored), atol=1e-4)
    assert aligned.mirrored == mirrored
    assert spread(aligned.points) == pytest.approx(1, abs=1e-5)


@settings(deadline=None)
@given(angle=st.floats(-np.pi, np.pi), mirrored=st.booleans(), seed=st.integers(0, 99))
def test_no_turn_of_a_layout_lies_closer_to_the_one_before(angle, mirrored, seed):
    before = turned(AlignedLayout(Layout(values(), "pca")).points, angle, mirrored)
    aligned = AlignedLayout(Layout(values() + values(seed=seed + 1), "pca"), before)
    far = ((aligned.points - before) ** 2).sum()
    for more in np.linspace(0, 2 * np.pi, 25):
        for mirror in (False, True):
            assert ((turned(aligned.points, more, mirror) - before) ** 2).sum() >= far - 1e-3


def test_the_first_layout_lies_as_it_was_computed():
    layout = Layout(values(), "pca")
    aligned = AlignedLayout(layout)
    assert not aligned.mirrored
    points = layout.embedding.points
    np.testing.assert_allclose(aligned.points, points / spread(points), atol=1e-5)


def test_steps_go_on_to_the_same_points():
    aligned, other = (AlignedLayout(Layout(values(), "tsne", n_iter=40)) for _ in range(2))
    aligned.step(40)
    for _ in range(8):
        assert not other.finished
        other.step(5)
    assert aligned.done == other.done == 1
    np.testing.assert_array_equal(aligned.points, other.points)
    assert spread(aligned.points) == pytest.approx(1, abs=1e-5)
    aligned.restart()
    assert aligned.done == 0
    aligned.step(40)
    np.testing.assert_array_equal(aligned.points, other.points)


@settings(deadline=None)
@given(angle=st.floats(-np.pi, np.pi), mirrored=st.booleans())
def test_a_picture_that_is_known_joins_where_it_lies(angle, mirrored):
    layout = Layout(values(), "pca")
    aligned = AlignedLayout(layout, turned(layout.embedding.points, angle, mirrored, 3.0, (1, 2)))
    np.testing.assert_allclose(aligned.add(values()[5:9]), aligned.points[5:9], atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_pictures_have_a_layout(n):
    aligned = AlignedLayout(Layout(values(n), "pca"))
    assert np.isfinite(aligned.points).all()
    assert np.isfinite(AlignedLayout(Layout(values(n), "pca"), aligned.points).points).all()


def test_equal_pictures_lie_in_one_place():
    aligned = AlignedLayout(Layout(np.ones((5, 3), np.float32), "pca"))
    np.testing.assert_array_equal(aligned.points, 0)


def test_a_run_goes_to_the_end_and_says_what_it_prepares():
    steps, said = Layout(values(), "tsne", n_iter=40), []
    run = AlignedLayout(steps).run(say=lambda *about: said.append(about))
    done = [steps.iteration for _ in run]
    assert done[-1] == 40 and done == sorted(set(done))
    assert said == [("Looking for neighbors …", 0.0)]


def test_a_watched_run_shows_every_eighth_iteration():
    steps = Layout(values(), "tsne", n_iter=20)
    assert [steps.iteration for _ in AlignedLayout(steps).run(watched=True)] == [8, 16, 20]


def test_a_cancelled_run_stays_where_it_is():
    stop, steps = threading.Event(), Layout(values(), "tsne", n_iter=40)
    run = AlignedLayout(steps).run(cancel=stop)
    next(run)
    stop.set()
    here = steps.iteration
    with pytest.raises(Cancelled):
        next(run)
    assert steps.iteration == here < 40


def test_the_last_few_are_kept_as_long_as_they_are_of_the_same_pictures():
    cache, made = LayoutCache(), []

    def get(key, of="pictures"):
        return cache.get(of, key, lambda: made.append(key) or AlignedLayout(Layout(values(), "pca")))

    first = get(0)
    for key in range(1, KEPT):
        get(key)
    assert get(0) is first
    get(KEPT)
    assert get(0) is first  # looked at since, so 1 was the oldest
    get(1)
    assert made == [*range(KEPT + 1), 1]
    assert get(0) is first
    assert get(0, of="others") is not first
    assert get(0) is not first
