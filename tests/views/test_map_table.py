"""MapTable: what travels is the map, to a 32,767th of its peak."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnwidgets.views import Cell, MapTable

PICTURE = np.zeros((4, 6, 3), np.uint8)


def codes(table):
    return np.frombuffer(table.values, "<i2")


@given(arrays(np.float32, (3, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_value_comes_back_to_a_small_part_of_the_peak(values):
    table = MapTable()
    table.show(PICTURE, [[Cell(values, 2.0, True)]], rows=["a"], columns=["b"])
    (about,) = table.cells
    back = codes(table).reshape(about["shape"]) / 32767 * about["peak"]
    assert np.abs(back - values).max() <= about["peak"] / 32767


def test_maps_of_all_sizes_and_missing_ones_lie_one_after_the_other():
    table = MapTable()
    first, last = np.ones((2, 3), np.float32), np.full((1, 2), -4, np.float32)
    mask = np.eye(4, 6, dtype=bool)
    table.show(
        PICTURE,
        [[Cell(first), Cell(None, text="no")], [Cell(last, 1, True), Cell(first)]],
        rows="ab",
        columns="cd",
        mask=mask,
    )
    assert [about.get("shape") for about in table.cells] == [[2, 3], None, [1, 2], [2, 3]]
    assert codes(table).tolist() == [32767] * 6 + [-32767] * 2 + [32767] * 6
    assert table.cells[1] == {"text": "no"} and table.shape == [4, 6]
    assert np.frombuffer(table.mask, np.uint8).reshape(4, 6).tolist() == mask.tolist()


def test_a_map_of_zeros_has_codes_of_zero():
    table = MapTable()
    table.show(PICTURE, [[Cell(np.zeros((2, 2), np.float32), 0.5)]], rows=["a"], columns=["b"])
    assert not codes(table).any() and table.cells[0]["peak"] == 1 and table.mask == b""
