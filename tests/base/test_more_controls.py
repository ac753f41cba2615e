"""Controls of what is no trait: what they stand at, what a hand does to them, what travels."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets as t

from cnnwidgets.base import Panel, action, draws
from cnnwidgets.base import controls as c
from cnnwidgets.base.traits import public
from tests.base.tiny import Doubler, control
from tests.views.wire import sent


class Sum(Doubler):
    """A panel with two numbers that are no traits, the second of which a hand may not make negative."""

    def __init__(self, **options):
        self.numbers = {"first": 1.0, "second": 2.0}
        self.parts = {"kind": "slider", "min": 0, "max": 9, "step": 0.5}
        super().__init__(**options)

    def more_controls(self):
        locked = "number" in self.locked
        return {
            name: c.Value(value=value, parts=self.parts, help=f"the {name} number", group="numbers", locked=locked)
            for name, value in self.numbers.items()
        }

    def take_value(self, name, value):
        if value < 0:
            raise ValueError(f"{name} is {value}; expected a number of at least 0")
        self.numbers[name] = value

    @action("Add", icon="add")
    def add(self):
        """Add them."""


@pytest.fixture
def panel():
    panel = Sum()
    assert panel.result == 2
    yield panel
    panel.close()


def hand(panel: Panel, **values) -> None:
    """What the browser sends when a hand changes values."""
    panel.set_state({"_values": {**panel._values, **values}})


def test_they_stand_between_the_traits_and_the_actions_and_say_where_their_values_are(panel):
    assert list(panel.controls) == ["number", "word", "first", "second", "add"]
    first = control(panel, "first")
    told = {"of": "_values", "kind": "slider", "help": "the first number", "group": "numbers"}
    assert told.items() <= first.items()
    assert panel._values == {"first": 1.0, "second": 2.0}
    assert (control(panel, "add")["icon"], control(panel, "add")["help"]) == ("add", "Add them.")


def test_a_hand_changes_one_or_several_and_those_that_stay_are_not_taken(panel, monkeypatch):
    taken = []
    monkeypatch.setattr(Sum, "take_value", lambda self, name, value: taken.append((name, value)))
    hand(panel, second=5)
    assert taken == [("second", 5)]
    hand(panel, first=3, second=4)
    assert taken[1:] == [("first", 3), ("second", 4)]
    panel._values = {"first": 7, "second": 8}
    assert len(taken) == 3, "what code sets is no hand's doing"


def test_what_a_hand_gives_goes_to_no_other_control_and_comes_back_only_if_it_was_not_taken(panel, monkeypatch):
    with sent(panel, monkeypatch) as messages:
        hand(panel, first=4.5)
    assert panel.numbers == {"first": 4.5, "second": 2.0}
    assert [message for message in messages if message["method"] == "update"] == []
    with sent(panel, monkeypatch) as messages:
        hand(panel, first=-1)
    assert panel.status.kind == "error" and "first is -1; expected a number of at least 0" in panel.status.message
    told = [message["state"]["_values"] for message in messages if "_values" in message.get("state", {})]
    assert told[-1] == {"first": 4.5, "second": 2.0} == panel._values


def test_values_that_code_changes_travel_together_with_controls_that_do(panel, monkeypatch):
    del panel.numbers["second"]
    panel.numbers["first"] = np.array([1, 2])
    with sent(panel, monkeypatch) as messages:
        panel._show_controls()
    (message,) = messages
    assert message["state"]["_values"] == {"first": {"other": "ndarray"}}, "what JSON cannot carry is told in words"
    assert [spec["name"] for spec in message["state"]["_controls"]] == ["number", "word", "first", "add"]


def test_they_can_be_locked():
    panel = Sum(lock=["number"])
    assert control(panel, "first")["locked"]
    assert not control(panel, "word")["locked"]
    panel.close()


class Kept(Doubler):
    """A word is kept from the browser, and drawn."""

    kept = public(t.Enum(("x", "y"), "x", help="for Python"), None, then="nothing", sync=False)

    @draws("kept")
    def draw_kept(self, result):
        self.view.caption = self.kept


def test_controls_of_another_kind_travel_whole_and_those_of_the_same_as_what_differs(panel, monkeypatch):
    panel.parts = {"kind": "number", "min": 0, "max": 5}
    with sent(panel, monkeypatch) as messages:
        panel._show_controls()
    assert {"_controls", "_changes"} & messages[0]["state"].keys() == {"_controls"}
    assert "step" not in control(panel, "first")
    panel.parts = {"kind": "number", "min": 0, "max": 7}
    with sent(panel, monkeypatch) as messages:
        panel._show_controls()
    assert messages[0]["state"]["_changes"] == {"first": {"max": 7}, "second": {"max": 7}}


def test_what_is_kept_from_the_browser_is_of_the_state_all_the_same(monkeypatch):
    panel = Kept(kept="y")
    assert panel.state["kept"] == "y" and "kept" not in panel.get_state()
    with sent(panel, monkeypatch) as messages:
        panel.kept = "x"
        panel.set_state({"kept": "y"})
    assert (messages, panel.kept) == ([], "x")
    panel.close()


def test_what_draws_may_follow_what_is_kept_from_the_browser():
    panel = Kept()
    panel.wait()
    panel.kept = "y"
    assert panel.view.caption == "y"
    panel.close()
