"""A panel in a panel: shown, still, paged, closed and opened again with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from torch import nn

from cnnwidgets.base import Panel, column
from cnnwidgets.views import MatrixView
from tests.base.tiny import PATIENCE, Doubler, under
from tests.views.wire import sent


class Outer(Panel):
    """A number, and by and by a panel below it."""

    def build(self):
        self.view = MatrixView()
        self.view.show(np.full((1, 1, 1), 3.0))
        return column(self.view)

    def compute(self, state, job):
        return 3.0

    def code(self):
        return "values = [3.0]"


@pytest.fixture
def outer():
    outer = Outer(nn.Identity())
    assert outer.result == 3.0
    yield outer
    outer.close()


@pytest.fixture
def inner(outer):
    inner = Doubler(number=4)
    outer.nest(inner)
    assert inner.result == 8
    return inner


def test_it_comes_into_the_layout_once_and_into_sight_as_often_as_it_is_asked_for(outer, monkeypatch):
    inner = Doubler()
    with sent(outer, monkeypatch) as messages:
        outer.nest(inner)
    layout, bring = messages
    references = [part["view"] for part in layout["state"]["_tree"]["column"]]
    assert references == [f"anywidget:{one.model_id}" for one in (outer.view, inner)]
    assert bring["content"] == {"kind": "bring", "view": references[1]}
    assert outer.children == (outer.view, inner)
    with sent(outer, monkeypatch) as messages:
        outer.nest(inner)
    assert [message["method"] for message in messages] == ["custom"]
    assert outer.children == (outer.view, inner)


def test_each_computes_and_says_its_own(outer, inner):
    inner.number = 6
    assert (inner.result, inner.status.message) == (12, "twice 6 is 12")
    assert (outer.result, outer.status.message) == (3.0, "")


def test_the_figure_has_the_stills_of_both_unless_it_is_hidden(outer, inner):
    def texts():
        return {text.get_text() for axes in outer.figure().axes for text in axes.texts} & {"3", "8"}

    assert texts() == {"3", "8"}
    outer.reveal(inner, False)
    assert texts() == {"3"}


def test_the_page_has_the_views_of_both_and_the_code_of_each(outer, inner, tmp_path):
    inner.number = 5
    outer.to_html(tmp_path / "panel.html")
    page = (tmp_path / "panel.html").read_text("utf-8")
    content = json.loads(page.split('<script type="application/json" id="content">')[1].split("</script>")[0])
    assert content["states"].keys() == {one.model_id for one in under(outer)}
    assert content["states"][inner.model_id]["_code"] == inner.code() == "values = [[2.0 * 5]]"
    assert content["states"][inner.model_id]["_status"]["text"] == "twice 5 is 10"
    assert len(content["modules"]) == 2, "panels share their module, and views theirs"


def test_they_close_together_and_open_together(outer, inner):
    before = {id(one) for one in _instances.values()}
    outer.close()
    assert [one for one in under(outer) if one.comm is not None] == []
    assert inner.layout.comm is None
    inner.number = 7
    assert inner.result == 14
    outer._ipython_display_()
    assert [one for one in under(outer) if one.comm is None] == []
    assert {id(one) for one in _instances.values()} == before
    assert inner.get_state("number") == {"number": 7}
    assert inner.wait(PATIENCE)


def test_closed_they_leave_nothing_in_the_kernel():
    before = set(_instances)
    outer = Outer(nn.Identity())
    outer.nest(Doubler())
    outer.close()
    assert set(_instances) - before == set()


def test_of_a_follower_no_echo_is_sent_that_could_come_late(outer, monkeypatch):
    grid, other = MatrixView(), MatrixView()
    outer.tie((grid, "caption"), (other, "caption"))
    monkeypatch.setattr("ipywidgets.widgets.widget.JUPYTER_WIDGETS_ECHO", True)
    for view, echoed in ((grid, ["caption", "titles"]), (other, ["titles"])):
        with sent(view, monkeypatch) as messages:
            view.set_state({"caption": "by hand", "titles": ["by hand"]})
        echo = [message for message in messages if message["method"] == "echo_update"]
        assert [sorted(message["state"]) for message in echo] == [echoed]
