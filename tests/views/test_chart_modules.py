"""What a long curve is drawn as, and how its values are told."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import numpy as np
import pytest

from tests.views.test_modules import module, needs_node, node

pytestmark = needs_node
THIN = (
    module("chart_thin.js")
    + """
const n = 100000, x = Float64Array.from({ length: n }, (_, i) => i), y = x.map((i) => Math.sin(i / 5000));
const say = (kept) => console.log(JSON.stringify(Array.from(kept)));
"""
)


def thinned(code, tmp_path):
    return np.array(json.loads(node(THIN + code, tmp_path)))


def test_every_column_keeps_its_lowest_and_highest(tmp_path):
    kept = thinned("y[54321] = 9; y[777] = -9; say(thin(x, y, [0, n - 1], 500, false, false));", tmp_path)
    y = np.sin(np.arange(100_000) / 5000)
    y[54321], y[777] = 9, -9
    assert len(kept) <= 2 * 500 + 4
    assert (np.diff(kept) > 0).all()
    assert {0, 777, 54321, 99_999} <= set(kept)
    edges = (99_999 * np.arange(501) / 500).astype(int)
    for low, high in pairwise(edges[1:]):
        inside = kept[(kept > low) & (kept <= high)]
        assert y[inside].min() == y[low + 1 : high + 1].min()
        assert y[inside].max() == y[low + 1 : high + 1].max()


def test_a_zoomed_range_is_drawn_whole_with_a_neighbor_on_each_side(tmp_path):
    kept = thinned("y[777] = -9; say(thin(x, y, [5000.5, 5009.5], 500, false, false));", tmp_path)
    assert set(range(5000, 5011)) <= set(kept)
    assert {0, 777, 99_999} <= set(kept), "so that the range is the same after a reset"
    assert len(kept) < 20


def test_gaps_stay_gaps(tmp_path):
    kept = thinned("y.fill(NaN, 40000, 60000); say(thin(x, y, [0, n - 1], 500, false, false));", tmp_path)
    inside = kept[(kept >= 40_000) & (kept < 60_000)]
    assert 90 <= len(inside) <= 110


def test_columns_of_a_logarithmic_axis_are_as_wide_as_they_look(tmp_path):
    kept = thinned("say(thin(x, y, [0, 5], 500, true, false));", tmp_path)
    assert set(range(1, 40)) <= set(kept)
    assert len(kept) < 1100


def test_what_a_logarithmic_axis_cannot_show_is_not_the_lowest(tmp_path):
    kept = thinned(
        "y.forEach((_, i) => (y[i] = i % 2 ? 1 + i / n : -1)); say(thin(x, y, [0, n - 1], 50, false, true));", tmp_path
    )
    assert (kept % 2 == 1).sum() >= 100


def test_plotlys_arrays_and_lists_are_read_as_numbers(tmp_path):
    values = np.array([1.5, np.nan, -np.inf])
    packed = {"dtype": "f8", "bdata": base64.b64encode(values.tobytes()).decode()}
    small = {"dtype": "i2", "bdata": base64.b64encode(np.array([1, -300], np.int16).tobytes()).decode()}
    code = f"""
    const figure = {{ data: [
      {{ x: {json.dumps(packed)}, y: {json.dumps(small)} }},
      {{ x: {{ dtype: "f8", column: "1.0" }}, y: [1, 2, 3] }},
      {{ y: [1, null], x0: 5, dx: 2 }},
      {{ x: ["2020"], y: [1] }},
      {{ type: "bar", y: [1] }},
    ] }};
    const more = new DataView(new Float64Array([9, 1, 11, NaN]).buffer);
    const columns = {{ "1.0": new Float64Array([1.5, NaN, -Infinity]) }};
    const told = curvesOf(figureOf(JSON.stringify(figure), columns), {{ 2: more }}, []).map(({{ x, y, trace }}) =>
      [x && Array.from(x, String), y && Array.from(y, String), trace.x?.length ?? null]);
    console.log(JSON.stringify(told));
    """
    sources = module("chart_curves.js")
    assert json.loads(node(sources + code, tmp_path)) == [
        [["1.5", "NaN", "-Infinity"], ["1", "-300"], 3],
        [["1.5", "NaN", "-Infinity"], ["1", "2", "3"], 3],
        [["5", "7", "9", "11"], ["1", "NaN", "1", "NaN"], 4],
        [None, None, 1],
        [None, None, None],
    ]


@pytest.mark.parametrize(
    ("axis", "value", "text"),
    [("{}", "0.1234567", "0.123"), ("{}", "54321", "54321"), ("{}", "-2", "−2"), ("{}", "1.5e-7", "1.5×10⁻⁷"),
     ("{}", "NaN", "NaN"), ('{ type: "log" }', "0.932603", "0.93"), ('{ tickformat: ".0%" }', "0.9761", "97.6%"),
     ('{ hoverformat: ".6~g" }', "0.1234567", "0.123457")],
)  # fmt: skip
def test_a_value_has_the_digits_that_suit_its_axis(axis, value, text, tmp_path):
    assert node(module("chart_readout.js") + f"console.log(valueOn({axis}, {value}));", tmp_path).strip() == text


def test_names_at_the_ends_of_curves_are_in_order_apart_and_within_the_chart(tmp_path):
    code = (
        "console.log(JSON.stringify([spread([10, 12, 90], 19, 100), spread([95, 96, 97], 19, 100), spread([], 19, 100)]));"
    )
    assert json.loads(node(module("chart_ends.js") + code, tmp_path)) == [[10, 29, 90], [62, 81, 100], []]
