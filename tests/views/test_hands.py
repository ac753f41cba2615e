"""What a hand does is told; what code sets is not, whatever it sets it for."""

from __future__ import annotations

import ipywidgets as w
import pytest
import traitlets as t

from cnnwidgets.views import ImageGrid
from cnnwidgets.views.hands import on_user
from tests.views.wire import sent


@pytest.fixture
def heard():
    return []


@pytest.fixture
def grid(heard):
    view = ImageGrid()
    view.on_user("selected", heard.append)
    return view


def test_what_comes_from_the_browser_is_told_once(grid, heard):
    grid.set_state({"selected": 3, "cursor": [1.0, 2.0]})
    assert heard == [3]
    grid.set_state({"selected": 3})
    assert heard == [3]


def test_what_code_sets_is_not_told(grid, heard):
    grid.selected = 3
    grid.set_trait("selected", 4)
    with grid.hold_sync(), grid.hold_trait_notifications():
        grid.selected = 5
    assert heard == []


def test_what_code_sets_because_of_a_hand_is_not_told(grid, heard):
    grid.observe(lambda change: setattr(grid, "selected", 7), "cursor")
    grid.set_state({"cursor": [1.0, 2.0]})
    assert (grid.selected, heard) == (7, [])


def test_an_action_may_put_something_else_there_which_is_sent_and_not_told(grid, heard, monkeypatch):
    grid.on_user("selected", lambda number: setattr(grid, "selected", 0))
    with sent(grid, monkeypatch) as messages:
        grid.set_state({"selected": 3})
    assert (grid.selected, heard) == (0, [3])
    assert [message["state"] for message in messages if message["method"] == "update"] == [{"selected": 0}]


def test_what_a_hand_did_is_not_sent_back(grid, monkeypatch):
    grid.on_user("selected", lambda number: setattr(grid, "selected", number))
    with sent(grid, monkeypatch) as messages:
        grid.set_state({"selected": 3})
    assert [message for message in messages if message["method"] == "update"] == []


def test_links_have_followed_when_it_is_told(grid):
    class Owner(t.HasTraits):
        unit = t.Int(-1)

    owner, seen = Owner(), []
    t.link((owner, "unit"), (grid, "selected"))
    grid.on_user("selected", lambda number: seen.append(owner.unit))
    grid.set_state({"selected": 3})
    owner.unit = 4
    assert seen == [3]


def test_several_are_told_each_of_its_own(heard):
    view = ImageGrid()
    for trait in ("cursor", "selected"):
        view.on_user(trait, lambda value, trait=trait: heard.append((trait, value)))
    view.set_state({"selected": 1})
    view.set_state({"cursor": [0.0, 1.0]})
    assert heard == [("selected", 1), ("cursor", [0.0, 1.0])]


def test_it_is_told_of_stock_widgets_too(heard):
    menu = w.Dropdown(options=["a", "b"])
    on_user(menu, "index", heard.append)
    menu.value = "b"
    menu.options = ["c", "d", "e"]
    assert heard == []
    menu.set_state({"index": 2})
    assert (heard, menu.value) == ([2], "e")
