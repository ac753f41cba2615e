"""Panels as somebody writes them: half a panel shows itself, and what is missing or misspelt is said by its name."""

from __future__ import annotations

import pytest
import traitlets as t
from torch import nn

from cnnwidgets.base.jobs import LOCK
from cnnwidgets.panels import Panel
from cnnwidgets.views import MatrixView

WIDGET = "application/vnd.jupyter.widget-view+json"


class Half(Panel):
    """Twice a number; no summary, data or code."""

    number = t.Int(1, help="what is doubled").tag(control=None)

    asks = frozenset(("number",))

    def build(self):
        self.view = MatrixView()
        return [self.view]

    def compute(self, job):
        return 2 * job.state.number

    def draw(self, result):
        self.view.caption = str(result)


def test_half_a_panel_shows_itself():
    panel = Half(nn.Identity())
    assert (panel.result, panel.view.caption) == (2, "2")
    assert (panel.status.kind, panel.status.message) == ("ready", "")
    bundle = panel._repr_mimebundle_()
    assert WIDGET in bundle
    assert "image/png" in bundle
    assert panel.status.kind == "ready"


def test_a_panel_whose_views_show_nothing_has_no_still_and_that_is_no_error():
    class Bare(Half):
        def draw(self, result):
            pass

    panel = Bare(nn.Identity())
    assert "image/png" not in panel._repr_mimebundle_()
    assert panel.status.kind == "ready"
    with pytest.raises(ValueError, match="nothing is on screen"):
        panel.figure()


@pytest.mark.parametrize("what", ["data", "code"])
def test_what_a_panel_does_not_have_is_named(what):
    with pytest.raises(NotImplementedError, match=rf"Half has no {what}\(\)"):
        getattr(Half(nn.Identity()), what)()


@pytest.mark.parametrize("what", ["build", "compute", "draw"])
def test_a_method_that_every_panel_needs_is_named_where_it_is_missing(what):
    body = {name: value for name, value in vars(Half).items() if name in ("number", "asks", "build", "compute", "draw")}
    del body[what]
    panel = type("Less", (Panel,), body)(nn.Identity())
    with pytest.raises(NotImplementedError, match=rf"Less has no {what}\("):
        _ = panel.result
    assert f"Less has no {what}(" in panel.status.message


def test_a_misspelt_name_in_asks_is_an_error_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Wrong\.asks has 'nmber'.*Did you mean 'number'\? It has number"):

        class Wrong(Half):
            asks = frozenset(("nmber",))


@pytest.mark.parametrize("name", ["layout", "children", "box_style"])
def test_asks_takes_public_traits_only(name):
    with pytest.raises(TypeError, match=f"Wrong.asks has '{name}', which is none of its public traits"):
        type("Wrong", (Half,), {"asks": frozenset((name,))})


def test_a_panel_that_computes_and_asks_for_nothing_is_an_error_when_the_class_is_made():
    with pytest.raises(TypeError, match="Silent has a compute, and no asks"):

        class Silent(Panel):
            def compute(self, job):
                return 1


def test_a_base_without_a_compute_may_leave_asks_to_its_subclasses():
    class Base(Panel):
        number = t.Int(1, help="a number").tag(control=None)

    class Whole(Base):
        asks = frozenset(("number",))
        build, draw = Half.build, Half.draw

        def compute(self, job):
            return 3 * job.state.number

    assert Whole(nn.Identity(), number=2).result == 6


def test_a_panel_may_say_that_it_computes_once():
    class Once(Half):
        asks = None

        def compute(self, job):
            counts.append(1)
            return 7

    counts: list[int] = []
    panel = Once(nn.Identity())
    assert panel.result == 7
    panel.number = 5
    panel.add_class("wide")
    panel.layout.width = "50%"
    assert panel.result == 7
    assert counts == [1]


def test_only_traits_that_ask_make_a_panel_compute():
    counts = []

    class Counting(Half):
        def compute(self, job):
            counts.append(job.state.number)
            return 0

    panel = Counting(nn.Identity())
    panel.wait()
    panel.add_class("wide")
    panel.layout.width = "50%"
    panel.wait()
    panel.number = 2
    panel.wait()
    assert counts == [1, 2]


def test_a_computation_has_the_state_that_it_was_asked_with():
    seen = []

    class Asked(Half):
        def compute(self, job):
            seen.append((job.state.number, getattr(job.state, "twice", False)))
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
