"""What a control strip knows without a page: places, typed numbers, the words of values, what a search finds."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.views.test_modules import module, needs_node, node

pytestmark = needs_node
MODULES = {name: module(f"../base/{name}.js") for name in ("places", "values")}


def told(name, code, tmp_path):
    """What an expression of a module gives."""
    return json.loads(node(f"{MODULES[name]}\nconsole.log(JSON.stringify({code}));", tmp_path))


@pytest.mark.parametrize(
    ("low", "high", "step"), [("0", "1", "0.005"), ("0", "20", "0.1"), ("-1", "63", "1"), ("0", "63", "0.5")]
)
def test_the_places_of_a_slider_are_the_decimals_that_they_are_written_as(low, high, step, tmp_path):
    every = "({ count, at }) => Array.from({ length: count + 1 }, (_, k) => at(k))"
    steps = int((Decimal(high) - Decimal(low)) / Decimal(step))
    places = told("places", f"({every})(placesOf({{ min: {low}, max: {high}, step: {step} }}))", tmp_path)
    assert places == [float(Decimal(low) + k * Decimal(step)) for k in range(steps + 1)]


def test_the_last_place_is_the_end_also_where_the_steps_do_not_meet_it(tmp_path):
    ends = "((p) => [p.count, p.at(p.count), p.at(p.count - 1)])(placesOf({ min: 0, max: 0.999999, step: 0.005 }))"
    assert told("places", ends, tmp_path) == [200, 0.999999, 0.995]
    assert told("places", "((p) => [p.count, p.at(0), p.near(7)])(placesOf({ min: 0, max: -1 }))", tmp_path) == [0, 0, 0]


def test_the_places_of_a_logarithmic_slider_rise_by_a_tenth_at_most_and_have_two_digits(tmp_path):
    places = told("places", "logPlaces(1e-6, 100)", tmp_path)
    assert (places[0], places[-1]) == (1e-6, 100.0)
    assert all(1 < after / before <= 1.1 + 1e-9 for before, after in pairwise(places))
    assert all(float(f"{place:.1e}") == place for place in places)
    assert told("places", "logPlaces(0.5, 0.7).at(-1)", tmp_path) == 0.7


@pytest.mark.parametrize(
    ("value", "place"), [(0.1, 0.1), (0.0501, 0.05), (1e-9, 1e-6), (5000, 100.0), (0, 1e-6), (-3, 1e-6)]
)
def test_a_value_is_shown_at_the_nearest_place(value, place, tmp_path):
    assert (
        told("places", f"((p) => p.at(p.near({value})))(placesOf({{ min: 1e-6, max: 100, log: true }}))", tmp_path) == place
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.0123456789", 0.0123456789),
        ("0,5", 0.5),
        ("−3", -3),
        ("1e-3", 0.001),
        (" 7 ", 7),
        ("", None),
        ("x", None),
        ("1 2", None),
    ],
)
def test_a_typed_number_has_either_minus_and_a_point_or_a_comma(text, value, tmp_path):
    assert told("places", f"numberIn({json.dumps(text)})", tmp_path) == value


@pytest.mark.parametrize(
    ("text", "values"), [("3, 5", [3, 5]), ("3×5", [3, 5]), ("3 5", [3, 5]), ("4", [4]), ("3, x", None)]
)
def test_a_pair_is_typed_with_a_comma_a_sign_of_times_or_a_blank(text, values, tmp_path):
    assert told("places", f"numbersIn({json.dumps(text)})", tmp_path) == values


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{ min: 1, max: 20, whole: true }", "a whole number from 1 to 20"),
        ("{ min: 0, max: null }", "a number from 0"),
        ("{ max: 1 }", "a number up to 1"),
        ("{}", "a number"),
    ],
)
def test_a_number_between_ends_has_words(spec, words, tmp_path):
    assert told("places", f"numberWords({spec}, String)", tmp_path) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2", "two"),
        ("null", "nothing"),
        ("-0.5", "−0.5"),
        ('"lion"', "lion"),
        ("[3, 5]", "3, 5"),
        ("{ other: 'Tensor' }", "Tensor"),
    ],
)
def test_a_value_has_the_text_of_its_option_and_words_without_one(value, text, tmp_path):
    assert told("values", f'textOf([["two", 2], ["nothing", null]], {value})', tmp_path) == text


def test_a_value_that_is_no_option_comes_after_them(tmp_path):
    pairs = '[["a", 1], ["b", [2]]]'
    assert told("values", f"optionsWith({pairs}, [[2], 1])", tmp_path) == [["a", 1], ["b", [2]]]
    assert told("values", f"optionsWith({pairs}, ['c'])", tmp_path) == [["a", 1], ["b", [2]], ["c", "c"]]


def test_options_are_ones_own_or_a_list_by_its_name(tmp_path):
    specs = "[{ options: [['a', 1]] }, { options: 'names' }, { options: 'none' }, {}]"
    found = told("values", f"{specs}.map((spec) => optionsOf(spec, {{ names: [['b', 2]] }}))", tmp_path)
    assert found == [[["a", 1]], [["b", 2]], [], []]


def test_a_search_finds_all_words_in_any_case_and_first_what_begins_with_them(tmp_path):
    options = '["Egyptian cat", "catamaran", "tiger cat", "dog"].map((text) => [text, text])'
    found = f"(query) => matching({options}, query).map(([text]) => text)"
    assert told("values", f"({found})('CAT')", tmp_path) == ["catamaran", "Egyptian cat", "tiger cat"]
    assert told("values", f"({found})('cat t')", tmp_path) == ["catamaran", "Egyptian cat", "tiger cat"]
    assert told("values", f"({found})('cat tig')", tmp_path) == ["tiger cat"]
    assert told("values", f"({found})('')", tmp_path) == ["Egyptian cat", "catamaran", "tiger cat", "dog"]
