"""Several threads set traits of one view: all arrives; and what a user does is told apart from what code sets."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cnnwidgets.views import ImageGrid, ImageView, MatrixView
from tests.views.wire import sent


def in_thread(action) -> None:
    thread = threading.Thread(target=action)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_what_one_thread_holds_back_another_does_not_send_or_forget(monkeypatch):
    view = MatrixView()
    with sent(view, monkeypatch) as messages, view.hold_sync():
        view.caption = "held"
        in_thread(lambda: view.show(np.ones((1, 2, 2)), ["one"], "theirs"))
        assert [message["state"]["caption"] for message in messages] == ["theirs"]
        view.titles = ["mine"]
    assert {"caption": "theirs", "titles": ["mine"]}.items() <= messages[-1]["state"].items()


def test_what_a_worker_sets_while_a_message_is_taken_is_sent(monkeypatch):
    view = ImageView()
    view.observe(lambda change: in_thread(lambda: setattr(view, "title", "theirs")), "box")
    with sent(view, monkeypatch) as messages:
        view.set_state({"box": [1, 2, 3, 4], "title": "the browser's"})
    states = [message["state"] for message in messages if message["method"] == "update"]
    assert {"title": "theirs"} in states


def test_an_action_is_called_for_the_browser_and_never_for_code():
    view, heard = ImageView(), []
    view.on_user("box", heard.append)
    view.box = [0, 0, 2, 2]
    assert heard == []
    view.set_state({"box": [1, 2, 3, 4]})
    assert heard == [[1, 2, 3, 4]]
    view.set_state({"box": [1, 2, 3, 4]})
    assert heard == [[1, 2, 3, 4]]


def test_what_an_action_sets_is_set_by_code():
    view, heard = ImageView(), []

    def keep_inside(box):
        heard.append(box)
        view.box = [0, 0, *box[2:]]

    view.on_user("box", keep_inside)
    view.set_state({"box": [-5, -5, 3, 4]})
    assert (heard, view.box) == ([[-5, -5, 3, 4]], [0, 0, 3, 4])


def test_what_code_sets_on_another_thread_meanwhile_is_no_users_doing():
    view, heard = ImageView(), []
    view.on_user("box", heard.append)
    view.observe(lambda change: in_thread(lambda: setattr(view, "box", [9, 9, 9, 9])), "title")
    view.set_state({"title": "new"})
    assert (heard, view.box) == ([], [9, 9, 9, 9])


def test_an_action_may_put_something_else_there_which_is_sent(monkeypatch):
    grid = ImageGrid()
    grid.on_user("selected", lambda number: setattr(grid, "selected", 0))
    with sent(grid, monkeypatch) as messages:
        grid.set_state({"selected": 3})
    assert [message["state"] for message in messages if message["method"] == "update"] == [{"selected": 0}]


def test_what_a_user_did_is_not_sent_back(monkeypatch):
    grid = ImageGrid()
    grid.on_user("selected", lambda number: setattr(grid, "selected", number))
    with sent(grid, monkeypatch) as messages:
        grid.set_state({"selected": 3})
    assert [message for message in messages if message["method"] == "update"] == []


def test_who_observes_has_heard_before_the_action_is_called():
    grid, heard = ImageGrid(), []
    grid.on_user("selected", lambda number: heard.append("action"))
    grid.observe(lambda change: heard.append("observer"), "selected")
    grid.set_state({"selected": 3})
    assert heard == ["observer", "action"]


def test_what_code_sets_because_of_a_user_is_not_told():
    grid, heard = ImageGrid(), []
    grid.on_user("selected", heard.append)
    grid.observe(lambda change: setattr(grid, "selected", 7), "cursor")
    grid.set_state({"cursor": [1.0, 2.0]})
    assert (grid.selected, heard) == (7, [])


def test_an_action_that_fails_is_told_by_what_surrounds_it():
    view = ImageView()
    view.on_user("box", lambda box: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        view.set_state({"box": [1, 2, 3, 4]})
