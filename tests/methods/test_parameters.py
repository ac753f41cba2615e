"""A value in its range becomes a plain number; of any other a sentence says what was given and what is wanted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnwidgets.methods import SCHEDULES, Parameter
from cnnwidgets.methods.schedule_parameters import COMMON, settle

NUMBER = Parameter(0.5, "", 0.0, 1.0)
WHOLE = Parameter(3, "", 1, 10, whole=True)


@given(st.floats(allow_nan=True) | st.integers())
def test_a_number_is_taken_exactly_if_it_is_in_the_range(value):
    if 0 <= value <= 1:
        assert NUMBER.check("share", value) == value
    else:
        with pytest.raises(ValueError, match=r"share is .*; expected a number from 0 to 1"):
            NUMBER.check("share", value)


@pytest.mark.parametrize("value", [3, 3.0, np.int8(3), np.float32(3), np.array(3), torch.tensor(3), Fraction(3)])
def test_numbers_of_any_library_become_pythons_own(value):
    assert type(WHOLE.check("n", value)) is int
    assert WHOLE.check("n", value) == 3
    assert type(Parameter(0, "", 0, 9).check("n", value)) is float


@pytest.mark.parametrize("value", [3.5, 0, 11, -3, 10**400, math.inf, "3", b"3", None, 3j, [3], np.ones(1), np.ones((1, 2))])
def test_what_is_no_whole_number_in_the_range_is_refused(value):
    with pytest.raises(ValueError, match=r"n is .*; expected a whole number from 1 to 10"):
        WHOLE.check("n", value)


def test_nothing_is_a_value_only_where_it_is_the_default():
    assert Parameter(None, "", 0, 1).check("n", None) is None
    with pytest.raises(ValueError, match="n is None"):
        NUMBER.check("n", None)


def test_a_choice_is_the_one_of_the_table():
    switch = Parameter(True, "", choices=(False, True))
    assert switch.check("on", 1) is True
    assert switch.check("on", np.bool_(False)) is False
    with pytest.raises(ValueError, match="on is 'yes'; expected one of False, True"):
        switch.check("on", "yes")


def test_a_list_has_at_least_one_number():
    many = Parameter([1], "", 0, 9, many=True)
    assert many.check("n", (1, np.int64(2))) == [1.0, 2.0]
    for value in ([], "12", {"a": 1}, 3, None, iter([1])):
        with pytest.raises(ValueError, match=r"n is .*; expected a list of numbers"):
            many.check("n", value)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_the_table_of_a_kind_holds_its_own_defaults(kind):
    for name, row in SCHEDULES[kind].items():
        assert row.check(name, row.default) == row.default
        assert row.help.endswith(".")
    assert COMMON.keys() - {"lr"} <= SCHEDULES[kind].keys()
    extra = {"losses": [1.0] * 10} if kind == "plateau" else {}
    assert None not in settle({"kind": kind, **extra}, 10).values()
