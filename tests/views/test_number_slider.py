"""Where a slider stands, and what a hand that types or slides gives."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.views.test_modules import module, needs_node, node

pytestmark = needs_node
SLIDER = module("number_slider.js")


def told(code, tmp_path):
    return json.loads(node(f"{SLIDER}\nconsole.log(JSON.stringify({code}));", tmp_path))


@pytest.mark.parametrize(
    ("low", "high", "step"), [("0", "1", "0.005"), ("0", "20", "0.1"), ("-1", "63", "1"), ("0", "63", "0.5")]
)
def test_the_places_of_a_slider_are_the_decimals_that_they_are_written_as(low, high, step, tmp_path):
    every = "({ count, at }) => Array.from({ length: count + 1 }, (_, k) => at(k))"
    code = f"({every})(placesOf({low}, {high}, {step}, false))"
    steps = int((Decimal(high) - Decimal(low)) / Decimal(step))
    assert told(code, tmp_path) == [float(Decimal(low) + k * Decimal(step)) for k in range(steps + 1)]


def test_the_last_place_is_the_end_also_where_the_steps_do_not_meet_it(tmp_path):
    assert told("((p) => [p.count, p.at(p.count), p.at(p.count - 1)])(placesOf(0, 0.999999, 0.005, false))", tmp_path) == [
        200,
        0.999999,
        0.995,
    ]


def test_the_places_of_a_logarithmic_slider_rise_by_a_tenth_at_most_and_have_two_digits(tmp_path):
    places = told("logPlaces(1e-6, 100)", tmp_path)
    assert (places[0], places[-1]) == (1e-6, 100.0)
    assert all(1 < after / before <= 1.1 + 1e-9 for before, after in pairwise(places))
    assert all(float(f"{place:.1e}") == place for place in places)
    assert {1e-5, 2e-5, 0.001, 0.002, 0.02, 0.03, 0.05, 0.1, 0.5, 10.0} <= set(places), "those of the lectures"


@pytest.mark.parametrize(
    ("value", "place"), [("0.1", 0.1), ("0.0501", 0.05), ("1e-9", 1e-6), ("5000", 100.0), ("0", 1e-6), ("-3", 1e-6)]
)
def test_a_value_is_shown_at_the_nearest_place(value, place, tmp_path):
    assert told(f"((p) => p.at(p.near({value})))(placesOf(1e-6, 100, 1, true))", tmp_path) == place


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.0123456789", 0.0123456789),
        ("0,5", 0.5),
        ("−3", 0),
        ("1e-3", 0.001),
        ("700", 100),
        ("", None),
        ("soon", None),
        ("NaN", None),
        ("Infinity", None),
    ],
)
def test_a_typed_number_is_taken_as_it_is_within_the_ends(text, value, tmp_path):
    assert told(f"numberIn({json.dumps(text)}, 0, 100, false)", tmp_path) == value


def test_where_numbers_are_whole_a_typed_one_is_rounded(tmp_path):
    assert told("numberIn('7.6', 0, 100, true)", tmp_path) == 8
