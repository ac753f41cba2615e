"""Many maps travel as one byte a pixel, in one message, and what comes back is right to half a step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cnnwidgets.views import ImageGrid, ImageView, MatrixView
from cnnwidgets.views.grid_overlay import overlay
from cnnwidgets.views.image_grid import quantize
from tests.views.wire import sent

SMALLEST_RANGE = float(np.finfo(np.float32).tiny) * 255


def as_the_browser_reads(pixels, lo, hi) -> np.ndarray:
    """``lo + byte / 255 * (hi - lo)``, in the double precision of JavaScript."""
    ends = [np.asarray(end, np.float64).reshape(-1, *[1] * (pixels.ndim - 1)) for end in (lo, hi)]
    return ends[0] + pixels / 255 * (ends[1] - ends[0])


def numbers(view, trait, dtype=np.float32) -> np.ndarray:
    return np.frombuffer(getattr(view, trait), dtype)


# quantize

ELEMENTS = st.one_of(
    st.floats(-1, 1, width=32),
    st.floats(-(2.0**100), 2.0**100, width=32),
    st.floats(0, 2.0**-100, width=32),
    st.floats(2.0**23, 2.0**23 + 64, width=32),
)


@given(arrays(np.float32, array_shapes(min_dims=3, max_dims=4, max_side=5), elements=ELEMENTS))
def test_a_value_comes_back_within_half_a_step_of_its_maps_range(maps):
    pixels, lo, hi = quantize(maps)
    assert (pixels.dtype, pixels.shape) == (np.uint8, maps.shape)
    flat = maps.reshape(len(maps), -1)
    np.testing.assert_array_equal(lo, flat.min(1))
    np.testing.assert_array_equal(hi, flat.max(1))
    step = (hi.astype(np.float64) - lo) / 255
    off = np.abs(as_the_browser_reads(pixels, lo, hi) - maps).reshape(len(maps), -1).max(1)
    assert (off <= np.maximum(step * (0.5 + 1e-4), SMALLEST_RANGE)).all()


@given(arrays(np.float32, (2, 3, 4), elements=st.floats(-100, 100, width=32)))
def test_the_smallest_value_is_byte_0_the_largest_255_and_order_is_kept(maps):
    pixels, lo, hi = quantize(maps)
    for one, bytes_, low, high in zip(maps, pixels, lo, hi, strict=True):
        if high - low <= SMALLEST_RANGE:
            continue
        assert (bytes_[one == low] == 0).all()
        assert (bytes_[one == high] == 255).all()
        assert (np.diff(bytes_.ravel()[np.argsort(one, axis=None)].astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, -3.5, 1e30, -1e-42])
def test_a_constant_map_comes_back_exactly(value):
    maps = np.full((2, 3, 3), value, np.float32)
    np.testing.assert_array_equal(as_the_browser_reads(*quantize(maps)).astype(np.float32), maps)


def test_maps_with_256_equidistant_values_come_back_exactly():
    maps = np.arange(-128, 128, dtype=np.float32).reshape(1, 16, 16) * np.array([1, 0.5], np.float32)[:, None, None]
    np.testing.assert_array_equal(as_the_browser_reads(*quantize(maps)), maps)


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 3), (0, 0, 0)])
def test_no_maps_or_empty_maps_are_no_bytes(shape):
    pixels, lo, hi = quantize(np.zeros(shape, np.float32))
    assert (pixels.shape, lo.shape, hi.shape) == (shape, shape[:1], shape[:1])


def test_the_maps_that_are_given_stay_as_they_are():
    maps = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    before = maps.copy()
    ImageGrid().show(maps)
    np.testing.assert_array_equal(maps, before)


# show


def test_2048_maps_of_28x28_are_one_message_of_at_most_1_1_bytes_a_pixel(monkeypatch):
    maps = np.random.default_rng(0).normal(size=(2048, 28, 28)).astype(np.float32)
    orders = {by: np.random.default_rng(1).permutation(2048) for by in ("index", "maximum", "mean")}
    grid = ImageGrid()
    with sent(grid, monkeypatch) as messages:
        grid.show(maps, orders=orders, title="conv5 · 2048×28×28")
    assert len(messages) == 1
    assert messages[0].size <= 1.1 * maps.size


def test_show_sends_what_the_browser_needs_to_read_every_value(monkeypatch):
    maps = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    grid = ImageGrid()
    grid.show(maps, orders={"index": range(5), "mean": [4, 2, 0, 1, 3]}, dim=np.array([0, 1, 0, 0, 0], bool))
    assert grid.shape == [5, 3, 4, 1]
    pixels = numbers(grid, "pixels", np.uint8).reshape(5, 3, 4)
    read = as_the_browser_reads(pixels, numbers(grid, "lo"), numbers(grid, "hi"))
    assert np.abs(read - maps).max() <= np.ptp(maps, axis=(1, 2)).max() / 255 / 2 + 1e-5
    assert numbers(grid, "dim", np.uint8).tolist() == [0, 1, 0, 0, 0]
    assert np.frombuffer(grid.orders["mean"], np.int32).tolist() == [4, 2, 0, 1, 3]


def test_an_overlay_goes_with_its_maps_in_one_message_and_lighting_a_layer_is_a_few_bytes(monkeypatch):
    amounts = np.random.default_rng(0).random((40, 6, 8, 8))
    amounts[:, 2] = 0
    grid = ImageGrid()
    with sent(grid, monkeypatch) as messages:
        grid.show(np.zeros((40, 16, 16, 3)), overlay=overlay(amounts, ["#102030"] * 6, (0, 0, 16, 16), "factor"))
    assert len(messages) == 1
    over = grid.overlay
    read = np.frombuffer(over["values"], np.uint8).reshape(-1, *over["shape"]) / 255 * np.array(over["tops"])[:, None, None]
    np.testing.assert_allclose(read, amounts, atol=1 / 500)
    assert over["full"][2] == over["tops"][2] == 0
    with sent(grid, monkeypatch) as messages:
        grid.lit = 3
    assert len(messages) == 1 and messages[0].size < 300


def test_color_maps_have_three_channels():
    grid = ImageGrid()
    grid.show(np.zeros((2, 5, 4, 3)))
    assert grid.shape == [2, 5, 4, 3]
    assert len(grid.pixels) == 2 * 5 * 4 * 3


def test_the_same_maps_again_send_nothing(monkeypatch):
    maps, grid = np.random.default_rng(0).normal(size=(5, 3, 4)), ImageGrid()
    grid.show(maps, title="a")
    with sent(grid, monkeypatch) as messages:
        grid.show(maps, title="a")
    assert messages == []


@pytest.mark.parametrize(("selected", "kept"), [(2, 2), (3, -1), (9, -1), (-1, -1)])
def test_a_selection_that_the_new_maps_do_not_have_is_none(selected, kept):
    grid = ImageGrid(selected=selected)
    grid.show(np.zeros((3, 2, 2)))
    assert grid.selected == kept


def test_other_views_send_one_message_too(monkeypatch):
    picture, matrix = ImageView(), MatrixView()
    with sent(picture, monkeypatch) as messages:
        picture.show(np.full((4, 6, 3), 7, np.uint8), title="Input", caption="seven")
    assert (len(messages), picture.shape, picture.pixels) == (1, [4, 6], bytes([7] * 72))
    with sent(matrix, monkeypatch) as messages:
        matrix.show(np.arange(12.0).reshape(2, 2, 3), ["a", "b"], "numbers")
    assert (len(messages), matrix.shape) == (1, [2, 2, 3])
    assert numbers(matrix, "values").tolist() == list(range(12))
