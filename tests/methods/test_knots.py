"""Knots of a drawn curve: whole steps, in order, whatever a hand does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnwidgets.methods.knots import moved, values_of

KNOTS = [(0.0, 0.1), (4.0, 0.2), (9.0, 0.3)]


@pytest.mark.parametrize(
    "x, y, wanted",
    [(6.4, 0.12345, (6, 0.123)), (-3, -1, (1, 0)), (20, 5, (8, 5)), (9, 0.5, (8, 0.5)), (0, 0.5, (1, 0.5))],
)
def test_a_knot_that_is_dragged_stays_between_its_neighbors_and_above_zero(x, y, wanted):
    assert moved(KNOTS, "dragged", [1, 1, x, y], 10) == [KNOTS[0], wanted, KNOTS[2]]


def test_the_first_and_the_last_knot_stay_within_the_steps():
    assert moved(KNOTS, "dragged", [1, 0, -5, 1], 10)[0] == (0, 1)
    assert moved(KNOTS, "dragged", [1, 2, 50, 1], 10)[2] == (9, 1)


def test_a_knot_is_added_in_order_and_takes_the_place_of_one_at_the_same_step():
    assert moved(KNOTS, "added", [1, 6.6, 0.5], 10) == [*KNOTS[:2], (7, 0.5), KNOTS[2]]
    assert moved(KNOTS, "added", [1, 4.4, 0.5], 10) == [KNOTS[0], (4, 0.5), KNOTS[2]]


def test_two_knots_stay():
    assert moved(KNOTS, "removed", [1, 1], 10) == [KNOTS[0], KNOTS[2]]
    assert moved(KNOTS[:2], "removed", [1, 1], 10) == KNOTS[:2]


def test_between_knots_lie_straight_lines_and_beyond_them_the_value_stays():
    assert values_of([(1, 2.0), (3, 6.0)], 6) == [2.0, 2.0, 4.0, 6.0, 6.0, 6.0]


places = st.floats(-20, 40)


@given(
    st.lists(st.tuples(st.sampled_from(["dragged", "added", "removed"]), st.integers(0, 99), places, places), max_size=20)
)
def test_whatever_is_done_they_rise_in_whole_steps(doings):
    knots = KNOTS
    for name, k, x, y in doings:
        k %= len(knots)
        knots = moved(knots, name, {"dragged": (1, k, x, y), "added": (1, x, y), "removed": (1, k)}[name], 10)
        at = [step for step, _ in knots]
        assert at == sorted(set(at)) and len(at) >= 2
        assert all(step == int(step) and 0 <= step <= 9 and value >= 0 for step, value in knots)
