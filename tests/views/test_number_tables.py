"""Tables of numbers: what is written in a cell, and what an edit asks for."""

from __future__ import annotations

import numpy as np
import pytest

from cnnwidgets.views import NumberTable, NumberTables
from cnnwidgets.views.number_tables import digits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-0.0, "0"), (7, "7"), (-7, "−7"), (12345, "12345"), (-99999, "−99999"), (1234.5, "1234.5"), (0.1, "0.1"),
        (1 / 3, "0.333"), (-2.5, "−2.5"), (100000, "1e5"), (-1.26e12, "−1.3e12"), (1e-7, "1e−7"),
    ],
)  # fmt: skip
def test_whole_numbers_are_whole_and_minus_is_minus(value, text):
    assert digits(value) == text


def test_sources_are_told_by_number_and_what_was_set_to_0_by_its_text():
    view = NumberTables()
    one = NumberTable("one", "one", np.array([[1.0, -2.0]]))
    two = NumberTable(
        "two", "two", np.array([[1.0, 0.0]]), step=1, sources=[[("one", 0)], [("one", 1)]], was=np.array([[np.nan, -2.0]])
    )
    view.show([one, two], ["first", "second"], 1)
    assert view.tables[1]["sources"] == [[[0, 0]], [[0, 1]]]
    assert view.tables[1]["was"] == ["", "−2"]
    assert one.zeroed.tolist() == [[False, False]]
    assert two.zeroed.tolist() == [[False, True]]


@pytest.mark.parametrize("taken", [True, False])
def test_a_number_that_is_not_taken_is_put_back(taken, monkeypatch):
    asked, sent = [], []
    view = NumberTables(on_edit=lambda *edit: asked.append(edit) or taken)
    monkeypatch.setattr(view, "send", sent.append)
    view._take_edit(view, {"kind": "edit", "table": "one", "row": 0, "column": 1, "text": "3"}, [])
    assert asked == [("one", 0, 1, "3")]
    assert sent == ([] if taken else [{"kind": "put back"}])
