"""The manners of every panel, on a panel that does next to nothing."""

from __future__ import annotations

import threading
import time
import weakref

import comm
import pytest
import torch
from comm.base_comm import BaseComm
from torch import nn

import cnnwidgets as cw
from cnnwidgets.base import Panel
from cnnwidgets.net import Cancelled
from cnnwidgets.net.errors import sentence
from tests.base.tiny import PATIENCE, Doubler, Gated, are_gone, control, under


def said(panel: Panel) -> tuple[str, str]:
    return panel.status.kind, panel.status.message


# jobs


def test_result_waits_for_what_was_asked_for(panel):
    with panel.standing_still(5):
        assert said(panel)[0] in ("busy", "ready")
        assert not panel.wait(0.02)
        threading.Timer(0.05, panel.gate.set).start()
        assert panel.result == 10
    assert said(panel) == ("ready", "twice 5 is 10")


def test_a_panel_computes_when_it_is_made_and_only_when_a_trait_that_asks_changes(panel):
    panel.word, panel.place = "two", 0.5
    panel.number = 4
    panel.number = 4
    assert panel.result == 8
    assert panel.begun == [1, 4]


def test_the_newest_request_wins_and_those_between_never_run(panel):
    with panel.standing_still(2):
        panel.number = 3
        panel.number = 4
    assert panel.result == 8
    assert panel.begun == [1, 2, 4]
    assert panel.drawn == [2, 8]


def test_a_stale_result_is_dropped_even_if_its_computation_went_on():
    panel = Doubler(deaf=True)
    panel.wait()
    with panel.standing_still(2):
        panel.number = 7
    assert panel.result == 14
    assert panel.begun == [1, 2, 7]
    assert panel.drawn == [2, 14]


def test_cancel_keeps_what_is_there(panel):
    with panel.standing_still(5):
        panel.cancel()
        assert panel.wait(PATIENCE)
    assert said(panel) == ("ready", "Cancelled. You see the previous result.")
    assert panel.drawn == [2]
    panel.number = 6
    assert (panel.result, said(panel)) == (12, ("ready", "twice 6 is 12"))


def test_a_request_that_is_cancelled_before_it_begins_says_so_too():
    panel = Doubler(deaf=True)
    panel.wait()
    with panel.standing_still(5):
        panel.number = 3
        panel.cancel()
    assert panel.wait(PATIENCE)
    assert said(panel) == ("ready", "Cancelled. You see the previous result.")
    assert panel.begun == [1, 5]
    panel.number = 4
    assert panel.result == 8


def test_the_result_of_a_panel_whose_only_computation_was_cancelled_raises():
    class Shut(Doubler):
        def build(self):
            self.gate.clear()
            return super().build()

    panel = Shut()
    panel.cancel()
    with pytest.raises(Cancelled):
        _ = panel.result
    panel.gate.set()
    panel.number = 2
    assert panel.result == 4


def test_cancelling_what_is_done_changes_nothing(panel):
    panel.cancel()
    assert (panel.result, said(panel)) == (2, ("ready", "twice 1 is 2"))


def test_the_cancel_button_cancels(panel):
    with panel.standing_still(5):
        panel._handle_custom_msg({"kind": "cancel"}, [])
        assert panel.wait(PATIENCE)
    assert panel.drawn == [2]


class Halves(Doubler):
    """Shows a half first."""

    def compute(self, state, job):
        job.update(state.number, 0.5)
        return super().compute(state, job)


def test_a_partial_result_is_drawn_with_its_progress():
    panel = Halves()
    panel.wait()
    with panel.standing_still(5):
        assert (panel.drawn, said(panel), panel.status.fraction) == ([1, 2, 5], ("busy", "Computing …"), 0.5)
    assert panel.result == 10
    assert (panel.drawn, panel.status.fraction) == ([1, 2, 5, 10], 0.0)


def test_progress_stays_until_there_is_more(monkeypatch):
    monkeypatch.setattr("cnnwidgets.base.computing.BUSY_AFTER", 0.02)
    panel = Halves()
    panel.wait()
    with panel.standing_still(5):
        time.sleep(0.1)
        assert (said(panel), panel.status.fraction) == (("busy", "Computing …"), 0.5)


def test_a_long_computation_says_so_and_a_short_one_does_not_flicker(monkeypatch):
    monkeypatch.setattr("cnnwidgets.base.computing.BUSY_AFTER", 0.05)
    panel = Doubler()
    panel.wait()
    with panel.standing_still(5):
        assert said(panel) == ("ready", "twice 1 is 2")
        time.sleep(0.2)
        assert said(panel) == ("busy", "Computing …")
    assert panel.result == 10
    time.sleep(0.1)
    assert said(panel) == ("ready", "twice 5 is 10")


class Late(Doubler):
    """Shows a part at the end."""

    def compute(self, state, job):
        result = super().compute(state, job)
        job.update(100 + result, 0.9)
        return result


def test_a_stale_partial_result_is_dropped():
    panel = Late(deaf=True)
    panel.wait()
    with panel.standing_still(2):
        panel.number = 7
    assert panel.result == 14
    assert panel.drawn == [102, 2, 114, 14]


@pytest.mark.parametrize("threads", [2, 5])
def test_traits_set_from_several_threads_end_with_the_result_of_the_last_state(panel, threads):
    def set_numbers(first):
        for number in range(first, 90, threads):
            panel.number = number
            panel.word = "two" if number % 2 else "one"

    running = [threading.Thread(target=set_numbers, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    assert panel.result == panel.drawn[-1] == 2 * panel.number
    assert said(panel) == ("ready", f"twice {panel.number} is {panel.result}")


def test_random_numbers_drawn_while_a_panel_computes_do_not_come_again():
    model = Gated()
    panel = cw.FeatureMapBrowser(cw.bind(model, input_shape=(1, 8, 8)), torch.ones(1, 8, 8))
    panel.wait()
    with model.shut():
        panel.image = -torch.ones(1, 8, 8)
        assert model.reached.wait(PATIENCE)
        drawn = torch.rand(4)
    panel.wait()
    assert not torch.equal(torch.rand(4), drawn)


# errors


def test_an_error_shows_in_the_strip_and_reading_the_result_raises_it(panel):
    panel.number = -3
    with pytest.raises(ValueError, match="-3 is below zero") as raised:
        _ = panel.result
    assert panel.error is raised.value
    assert said(panel)[0] == "error"
    assert said(panel)[1].startswith("ValueError: -3 is below zero\nin compute, line ")
    panel.number = 3
    assert (panel.result, panel.error, said(panel)) == (6, None, ("ready", "twice 3 is 6"))


def test_an_error_while_drawing_shows_too(panel, monkeypatch):
    monkeypatch.setattr(panel, "draw", lambda result: 1 / 0)
    panel.number = 3
    panel.wait()
    assert panel.status.kind == "error"
    assert isinstance(panel.error, ZeroDivisionError)


def test_an_error_in_a_callback_shows_and_the_next_valid_value_works(panel):
    panel.place = 2.0
    assert said(panel)[0] == "error"
    assert "there is no place 2.0" in said(panel)[1]
    panel.place = 0.5
    assert panel.view.caption == "at 0.5"
    assert (panel.error, said(panel), panel.result) == (None, ("ready", "twice 1 is 2"), 2)


def test_a_callback_that_works_does_not_hide_the_error_of_the_computation(panel):
    panel.number = -3
    panel.wait()
    panel.place = 0.5
    assert said(panel)[0] == "error"
    assert isinstance(panel.error, ValueError)


def test_an_error_of_a_stale_request_is_dropped():
    panel = Doubler(deaf=True)
    panel.wait()
    with panel.standing_still(-1):
        panel.number = 7
    assert (panel.result, panel.error) == (14, None)


def test_a_panel_that_cannot_be_built_is_a_sentence_and_no_exception(monkeypatch):
    monkeypatch.setattr(Doubler, "build", lambda self: 1 / 0)
    panel = Doubler()
    assert panel.status.kind == "error"
    assert panel._status["text"].startswith("ZeroDivisionError: division by zero")
    with pytest.raises(ZeroDivisionError):
        _ = panel.result


def test_an_error_in_somebodys_own_code_is_told_with_its_type_and_its_line():
    def lines_of_a_student():
        raise RuntimeError("half finished")

    with pytest.raises(RuntimeError) as raised:
        lines_of_a_student()
    told = sentence(raised.value)
    assert told.startswith("RuntimeError: half finished\nin lines_of_a_student, line ")
    assert told.endswith('of test_panel.py: raise RuntimeError("half finished")')


def test_an_error_of_ours_is_its_sentence_alone_with_a_capital():
    with pytest.raises(KeyError) as raised:
        cw.load("digits").layers["conv"]
    assert sentence(raised.value).startswith("The network has no layer 'conv'")


# the browser


@pytest.fixture
def told(monkeypatch):
    """What the browser was told of the panels' status, where it takes a while to be told that there is a panel."""
    heard = []

    class SlowComm(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            state = (data or {}).get("state", {})
            if "_status" in state:
                heard.append(state["_status"])
                if msg_type == "comm_open":
                    time.sleep(0.2)

    monkeypatch.setattr(comm, "create_comm", SlowComm)
    return heard


def test_an_outcome_that_comes_while_the_browser_is_told_of_the_panel_reaches_it(told):
    panel = Doubler(number=-1)
    panel.wait()
    assert told[-1]["kind"] == "error" and "-1 is below zero" in told[-1]["text"]


def test_an_outcome_that_comes_while_a_closed_panel_comes_back_reaches_the_browser(told):
    panel = Doubler()
    panel.wait()
    with panel.standing_still(-1):
        panel.close()
        panel.ask()
        threading.Timer(0.1, panel.gate.set).start()
        panel._open_again()
    panel.wait()
    assert "-1 is below zero" in told[-1]["text"]


# names, controls


@pytest.mark.parametrize("option", ["hide", "lock"])
def test_unknown_names_offer_the_nearest(option):
    with pytest.raises(
        TypeError, match=r"Doubler has no 'nmber'\. Did you mean 'number'\? It has number, word, place, picture"
    ):
        Doubler(**{option: ["nmber"]})


@pytest.mark.parametrize("make", [lambda: Doubler(nmber=3), lambda: Doubler().restore({"nmber": 3})])
def test_unknown_traits_offer_the_nearest(make):
    with pytest.raises(TypeError, match="Did you mean 'number'"):
        make()


def test_a_control_and_its_trait_follow_each_other(panel):
    panel.set_state({"number": 8, "word": "two"})
    assert (panel.number, panel.word, panel.result) == (8, "two", 16)
    panel.number, panel.word = 9, "one"
    assert panel.get_state(["number", "word"]) == {"number": 9, "word": "one"}


def test_a_hidden_control_is_not_there_and_a_locked_one_cannot_be_moved():
    panel = Doubler(hide=["number"], lock=["word"], number=3)
    assert [(spec["name"], spec["locked"]) for spec in panel._controls] == [("word", True)]
    assert panel.result == 6
    panel.number, panel.word = 4, "two"  # by code both can be changed
    assert (panel.result, panel.get_state("word")) == (8, {"word": "two"})


def test_a_control_says_what_it_does(panel):
    assert {name: control(panel, name)["help"] for name in ("number", "word")} == {
        "number": "what is doubled",
        "word": "a word",
    }


@pytest.mark.parametrize("kind", [Doubler, cw.FilterGrid, cw.FeatureMapBrowser])
def test_every_public_trait_has_help(kind):
    assert all(trait.help for trait in kind.public_traits().values())


def test_a_bare_module_is_bound_and_left_as_it_is():
    module = nn.Identity()
    assert Doubler(module).net.module is module


@pytest.mark.parametrize("model", [3, "resnet18", nn.Identity, {"weight": 1}])
def test_what_is_no_network_is_refused(model):
    with pytest.raises(TypeError, match=r"bind takes a torch\.nn\.Module, not a"):
        cw.FilterGrid(model)


# repr, end


def test_the_repr_is_stable_and_names_the_net_and_what_is_not_the_default(panel):
    assert repr(panel) == "Doubler(Identity)"
    panel.number, panel.word = 7, "two"
    assert repr(panel) == repr(panel) == "Doubler(Identity, number=7, word='two')"


def test_the_code_button_shows_the_code(panel):
    panel.number = 5
    panel.wait()
    panel._handle_custom_msg({"kind": "code"}, [])
    assert panel.status.code == "values = [[2.0 * 5]]"
    panel.number = -5
    panel.wait()


def test_code_that_cannot_be_given_is_a_comment(panel, monkeypatch):
    monkeypatch.setattr(panel, "code", lambda: 1 / 0)
    panel._handle_custom_msg({"kind": "code"}, [])
    assert all(line.startswith("#") for line in panel.status.code.splitlines())
    assert "division by zero" in panel.status.code


def test_close_cancels_and_closes_all_that_the_panel_holds():
    panel = Doubler()
    panel.wait()
    held = list(under(panel))
    with panel.standing_still(5):
        panel.close()
        assert panel.wait(PATIENCE)
    assert panel.drawn == [2]
    assert [widget for widget in held if widget.comm is not None] == []


@pytest.mark.parametrize(
    "make",
    [
        Doubler,
        lambda: cw.FilterGrid(cw.load("digits")),
        lambda: cw.FeatureMapBrowser(cw.load("digits"), cw.samples.digits(), beside=cw.samples.digits()[1][0]),
    ],
    ids=["Doubler", "FilterGrid", "FeatureMapBrowser"],
)
def test_a_closed_panel_leaves_memory(make):
    panel = make()
    panel.wait()
    gone = weakref.ref(panel)
    panel.close()
    del panel
    Doubler().wait()  # the worker lets go of its last job
    assert are_gone([gone])
