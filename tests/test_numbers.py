"""How numbers are written, in Python and in the browser."""

import doctest
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnwidgets
from cnnwidgets import numbers
from cnnwidgets.numbers import number, percent
from tests.views.test_modules import needs_node, node

RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
NUMBERS = [-5.333, 1.27e-4, 1.5e-7, 27_000, 0, -0.0, 123_456, 1_234_567, 9.999e-5, 999.6, -1.17, 1e-5, 2.5, 0.1 + 0.2, 1e300]
SHARES = [0.2537, 1.3e-4, 1e-9, 0.99999, 1, 0, 0.9993, 0.9996, 0.05, 0.0999, 0.5, 0.00099, 0.0010]


def test_the_examples_hold():
    assert doctest.testmod(numbers).failed == 0


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_number_reads_back_to_three_digits(value):
    mantissa, _, power = number(value).partition("×10")
    back = float(mantissa.replace("−", "-")) * 10 ** float(power.translate(RAISED) or 0)
    assert back == pytest.approx(value, rel=0.0051, abs=1e-307)
    assert len(mantissa) <= 11


@given(st.floats(0, 1))
def test_only_certainty_is_written_as_certain(share):
    text = percent(share)
    assert (text == "100%") == (share == 1)
    assert (text == "0%") == (share == 0)
    if text[0] not in "<>":
        assert float(text[:-1]) == pytest.approx(100 * share, abs=0.0501)


def test_what_is_no_number_says_so():
    assert [number(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "∞", "−∞"]
    assert percent(math.nan) == "NaN"


@needs_node
def test_the_browser_writes_them_alike(tmp_path):
    module = Path(cnnwidgets.__file__).parent / "views" / "numbers.js"
    code = f"{module.read_text('utf-8')}\nconsole.log(JSON.stringify([{json.dumps(NUMBERS)}.map((v) => format(v)), "
    texts = json.loads(node(f"{code}{json.dumps(SHARES)}.map(percent)]));", tmp_path))
    assert texts == [[number(value) for value in NUMBERS], [percent(share) for share in SHARES]]
