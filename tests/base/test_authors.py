"""Panels as somebody writes them: half a panel shows itself, and what is missing or misspelled is said by its name."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets as t
from torch import nn

from cnnwidgets.base import Panel, draws
from cnnwidgets.base.jobs import LOCK
from cnnwidgets.base.traits import Cursor, Number, public
from cnnwidgets.views import MatrixView

WIDGET = "application/vnd.jupyter.widget-view+json"


class Half(Panel):
    """Twice a number; no summary, data or code."""

    number = Number(1, -99, 99, help="what is doubled")

    def build(self):
        self.view = MatrixView()
        return self.view

    def compute(self, state, job):
        return 2 * state.number

    @draws()
    def draw_view(self, result):
        self.view.show(np.full((1, 1, 1), result), caption=str(result))


def test_half_a_panel_shows_itself():
    panel = Half(nn.Identity())
    assert (panel.result, panel.view.caption) == (2, "2")
    assert (panel.status.kind, panel.status.message) == ("ready", "")
    bundle, _ = panel._repr_mimebundle_()
    assert {WIDGET, "image/png"} <= set(bundle)
    assert panel.status.kind == "ready"


def test_what_a_panel_does_not_have_is_named():
    with pytest.raises(NotImplementedError, match=r"Half has no code\(\)"):
        Half(nn.Identity()).code()
    assert Half(nn.Identity()).data() == {}


@pytest.mark.parametrize("what", ["build", "compute"])
def test_a_method_that_every_panel_needs_is_named_where_it_is_missing(what):
    body = {name: value for name, value in vars(Half).items() if name in ("number", "build", "compute", "draw_view")}
    del body[what]
    panel = type("Less", (Panel,), body)(nn.Identity())
    with pytest.raises(NotImplementedError, match=rf"Less has no {what}\("):
        _ = panel.result
    assert f"Less has no {what}(" in panel.status.message


def test_a_misspelled_name_is_an_error_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Wrong\.draw_more draws after 'nmber'.*Did you mean 'number'\? It has number"):

        class Wrong(Half):
            @draws("nmber")
            def draw_more(self, result): ...


@pytest.mark.parametrize("name", ["layout", "_tree", "_dom_classes"])
def test_what_is_drawn_follows_public_traits_only(name):
    with pytest.raises(TypeError, match=f"Wrong.draw_more draws after '{name}', which is none of its public traits"):
        type("Wrong", (Half,), {"draw_more": draws(name)(lambda self, result: None)})


def test_what_follows_from_a_change_is_one_of_three_things():
    wrong = public(t.Int(1, help="a number"), None, then="computes")
    with pytest.raises(TypeError, match=r"Wrong\.more says then='computes'; expected one of 'compute', 'draw', 'nothing'"):
        type("Wrong", (Half,), {"more": wrong})


def test_a_trait_that_says_not_what_follows_is_an_error_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Wrong\.more says then=None"):
        type("Wrong", (Half,), {"more": t.Int(1, help="a number").tag(control=None)})


def test_a_panel_without_traits_that_compute_computes_once():
    class Once(Panel):
        place = Cursor(help="a place")
        build, draw_view = Half.build, Half.draw_view

        def compute(self, state, job):
            counts.append(1)
            return 7

    counts: list[int] = []
    panel = Once(nn.Identity())
    assert panel.result == 7
    panel.place = 5
    panel.add_class("wide")
    panel.layout.width = "50%"
    assert panel.result == 7
    assert counts == [1]


def test_only_traits_that_compute_make_a_panel_compute():
    counts = []

    class Counting(Half):
        place = Cursor(help="a place")

        def compute(self, state, job):
            counts.append(state.number)
            return 0

    panel = Counting(nn.Identity())
    panel.wait()
    panel.add_class("wide")
    panel.layout.width = "50%"
    panel.place = 3.5
    panel.wait()
    panel.number = 2
    panel.wait()
    assert counts == [1, 2]


def test_what_draws_is_called_in_the_order_in_which_it_is_written_after_each_result_and_each_change_it_follows():
    drawn = []

    class Drawing(Half):
        place = Cursor(help="a place")
        shade = public(t.Int(0, help="a shade"), None, then="draw")

        @draws("place")
        def draw_place(self, result):
            drawn.append(("place", self.place, result))

        @draws()
        def draw_also(self, result):
            drawn.append(("also", result))

    panel = Drawing(nn.Identity())
    panel.wait()
    assert drawn == [("place", None, 2), ("also", 2)]
    drawn.clear()
    panel.place = 1.5
    assert drawn == [("place", 1.5, 2)]
    drawn.clear()
    panel.shade = 3
    assert drawn == [("place", 1.5, 2), ("also", 2)]


def test_one_that_is_overridden_without_the_mark_draws_no_more():
    class Silent(Half):
        def draw_view(self, result):
            raise AssertionError

    panel = Silent(nn.Identity())
    assert (panel.result, panel.status.kind) == (2, "ready")


def test_a_computation_has_the_state_that_it_was_asked_with():
    seen = []

    class Asked(Half):
        def compute(self, state, job):
            seen.append((state.number, getattr(state, "twice", False)))
            return 1

    panel = Asked(nn.Identity(), number=3)
    panel.wait()
    panel.ask(twice=True)
    panel.wait()
    panel.number = 4
    panel.wait()
    assert seen == [(3, False), (3, True), (4, False)]
    with LOCK:
        assert panel.asked.number == 4


def test_the_usual_value_stands_for_none_before_anything_is_built():
    class Usual(Half):
        number = Number(None, -99, 99, whole=True, usual=lambda panel: 21, help="what is doubled")

        def build(self):
            built.append(self.number)
            return super().build()

    built: list[int] = []
    assert Usual(nn.Identity()).result == 42
    assert Usual(nn.Identity(), number=4).result == 8
    assert built == [21, 4]
