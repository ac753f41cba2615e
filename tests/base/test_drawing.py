"""What of a result is drawn, and when; what a box follows; what stays in the kernel."""

from __future__ import annotations

from types import SimpleNamespace

import traitlets as t

from cnnwidgets.base import Panel, column, draws, row
from cnnwidgets.base.layout import reference
from cnnwidgets.base.traits import Choice, Slide, public
from cnnwidgets.views import MatrixView
from tests.base.tiny import PATIENCE
from tests.views.wire import sent


class Parts(Panel):
    """A result of two parts; the second is the same for two numbers that follow each other."""

    number = Slide(0, (0, 99), help="what the parts are made of")
    word = Choice(("one", "two"), then="nothing", help="a word")
    many = public(t.List(t.Int(), help="numbers that nothing in the browser needs"), None, then="nothing", sync=False)
    fails = False

    def __init__(self, **state):
        self.drawn: list[tuple] = []
        super().__init__(**state)

    def build(self):
        self.view, self.other = MatrixView(), MatrixView()
        self.box = column(self.other, follows=(self.view, "title"))
        return row(self.view, self.box, follows="word")

    def compute(self, state, job):
        found = SimpleNamespace(number=state.number, half=state.number // 2)
        job.update(found)
        return found

    @draws()
    def draw_number(self, found):
        self.drawn.append(("number", found.number))

    @draws("word", of=lambda panel, found: found.half)
    def draw_half(self, found):
        self.drawn.append(("half", found.half))
        if self.fails:
            raise ValueError("half of it was drawn")

    def summary(self, found):
        return f"{found.number}"


def test_a_part_that_is_on_screen_is_not_drawn_again():
    panel = Parts(number=6)
    assert panel.wait(PATIENCE)
    panel.number = 7
    assert panel.wait(PATIENCE)
    assert panel.drawn == [("number", 6), ("half", 3), ("number", 6), ("number", 7), ("number", 7)]
    panel.number = 8
    assert panel.wait(PATIENCE)
    assert [found for found in panel.drawn if found[0] == "half"] == [("half", 3), ("half", 4)]
    panel.close()


def test_a_trait_that_a_method_follows_has_it_draw_what_is_on_screen():
    panel = Parts(number=6)
    assert panel.wait(PATIENCE)
    panel.drawn.clear()
    panel.word = "two"
    assert panel.drawn == [("half", 3)]
    panel.close()


def test_where_drawing_a_part_fails_the_one_before_is_drawn_again():
    panel = Parts(number=6)
    assert panel.wait(PATIENCE)
    panel.fails = True
    panel.number = 8
    assert panel.wait(PATIENCE)
    assert isinstance(panel.error, ValueError)
    panel.fails = False
    panel.drawn.clear()
    panel.number = 6
    assert panel.wait(PATIENCE)
    assert ("half", 3) in panel.drawn
    panel.close()


def test_a_box_follows_a_trait_of_the_panel_or_of_a_view():
    panel = Parts()
    assert panel._tree["follows"] == ["", "word"]
    assert panel.box.wire()["follows"] == [reference(panel.view), "title"]
    assert row(panel.view).wire()["follows"] == []
    panel.close()


def test_a_trait_that_stays_in_the_kernel_is_in_the_state_and_not_on_the_wire(monkeypatch):
    panel = Parts()
    assert panel.wait(PATIENCE)
    with sent(panel, monkeypatch) as messages:
        panel.many = [*range(1000)]
    assert messages == []
    assert panel.state["many"] == [*range(1000)]
    panel.set_state({"many": [1]})
    assert panel.many == [*range(1000)]
    panel.close()
