"""Sets to ablate beside some units: all others, and as many random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnwidgets as cw
from cnnwidgets.methods import ablate, all_but, random_sets
from tests.methods.data_sets import Pictures
from tests.methods.small import bound

NET = bound()
UNITS = st.sets(st.integers(0, 7), min_size=1, max_size=7)


@given(UNITS)
@settings(deadline=None, max_examples=30)
def test_all_but_some_are_the_others(units):
    name, others = all_but(NET, ("5", sorted(units)))
    assert name == "5" and set(others) == set(range(8)) - units and list(others) == sorted(others)


@given(UNITS, st.integers(1, 6), st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_random_sets_are_as_large_and_the_same_for_a_seed(units, draws, seed):
    found = random_sets(NET, ("5", sorted(units)), draws, seed)
    assert len(found) == draws and found == random_sets(NET, ("5", sorted(units)), draws, seed)
    for name, each in found:
        assert name == "5" and len(set(each)) == len(units) and set(each) <= set(range(8))


def test_each_unit_is_drawn_equally_often():
    counts = np.bincount([unit for _, each in random_sets(NET, NET["5"][3], 4000) for unit in each], minlength=8)
    np.testing.assert_allclose(counts, 500, atol=5 * np.sqrt(500 * 7 / 8))  # five standard deviations
    assert random_sets(NET, NET["5"][3], 5, 1) != random_sets(NET, NET["5"][3], 5, 2)


def test_ablate_takes_them_together():
    unit, data = NET["5"][3], Pictures(12)
    found = ablate(NET, data, [unit, *random_sets(NET, unit, 3), all_but(NET, unit)])
    assert [len(units) for _, units in found.sets] == [1, 1, 1, 1, 7]
    alone = ablate(NET, data, ("5", [0, 1, 2, 4, 5, 6, 7]))
    assert found.accuracy[-1] == alone.accuracy[0] and found.probability[-1] == pytest.approx(alone.probability[0])


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match="units is all 8 units of 5; expected fewer"):
        all_but(NET, ("5", range(8)))
    with pytest.raises(ValueError, match="draws is 0; expected a whole number of at least 1"):
        random_sets(NET, NET["5"][3], 0)
    with pytest.raises(IndexError, match="there is no unit 8: 5 has 8, numbered from 0"):
        cw.methods.all_but(NET, ("5", 8))
