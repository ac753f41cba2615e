"""BackwardRules: numbers to change, stages to step through, and the lines that give the same."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import traitlets as t

import cnnwidgets as cw
from cnnwidgets.methods.backward_rules import EXAMPLES
from cnnwidgets.net.relu_rules import RULES
from tests.base.tiny import control

EXAMPLE_NAMES = tuple(EXAMPLES)


def table(panel: cw.BackwardRules, name: str) -> dict:
    panel.wait()
    return next(one for one in panel.view.tables if one["name"] == name)


def type_in(panel: cw.BackwardRules, name: str, row: int, column: int, text: str) -> None:
    """What the browser sends when a number was typed."""
    message = {"kind": "edit", "table": name, "row": row, "column": column, "text": text}
    panel.view._take_edit(panel.view, message, [])
    panel.wait()


def test_a_typed_number_is_followed_through_all_stages():
    panel = cw.BackwardRules()
    type_in(panel, "input", 0, 1, "4")
    assert panel.input[0] == [1, 4, 5]
    assert table(panel, "output")["texts"][:3] == ["1", "4", "5"]
    assert {rule: values[0].tolist() for rule, values in panel.result.at_input.items()} == {
        "backpropagation": [-2, 3, -1],
        "deconvnet": [0, 3, 0],
        "guided": [0, 3, 0],
    }
    assert panel.status.message.endswith("\nYour own numbers.")


@pytest.mark.parametrize(("name", "stage"), [("input", "convolution"), ("weights", "convolution"), ("above", "score")])
def test_every_given_number_of_the_network_can_be_typed(name, stage):
    panel = cw.BackwardRules("network")
    before = table(panel, stage)["values"]
    type_in(panel, name, 0, 0, "−2.5")
    assert getattr(panel, name)[0][0] == -2.5
    assert table(panel, stage)["values"] != before


def test_the_lecture_s_numbers_come_back():
    panel = cw.BackwardRules("network")
    panel.wait()
    assert control(panel, "reset")["absent"]
    type_in(panel, "weights", 1, 1, "3")
    type_in(panel, "input", 3, 3, "9")
    assert not control(panel, "reset")["absent"]
    panel._take_message(panel, {"kind": "action", "name": "reset"}, [])
    assert panel.result.input.tolist() == EXAMPLES["network"].input
    assert panel.result.weights.tolist() == EXAMPLES["network"].weights
    assert control(panel, "reset")["absent"]


@pytest.mark.parametrize("text", ["", "five", "nan", "inf", "1e999", "1e101", "<img src=x onerror=alert(1)>", "2+2"])
def test_nonsense_is_refused_in_a_sentence_and_the_old_number_stays(text, monkeypatch):
    panel = cw.BackwardRules()
    panel.wait()
    sent = []
    monkeypatch.setattr(panel.view, "send", sent.append)
    type_in(panel, "above", 1, 0, text)
    assert panel.status.kind == "error"
    assert panel.status.message.endswith(": 6 stays.")
    assert sent == [{"kind": "put back"}]
    assert panel.result.above[1, 0] == 6
    type_in(panel, "above", 1, 0, "6")
    assert panel.status.kind == "ready"


@pytest.mark.parametrize("values", [[[1, 2], [3, 4]], [[1, 2, math.nan]] * 3, "abc", [1, 2, 3], [[1, 2, 3], [4]]])
def test_a_table_that_will_not_do_raises_and_changes_nothing(values):
    panel = cw.BackwardRules()
    with pytest.raises(t.TraitError, match="input of the example 'relu'"):
        panel.input = values
    with pytest.raises(t.TraitError):
        panel.restore({"step": 1, "input": values})
    assert (panel.input, panel.step) == (None, 0)
    assert panel.result.input.tolist() == EXAMPLES["relu"].input


def test_arrays_and_tensors_are_numbers_too():
    torch = pytest.importorskip("torch")
    panel = cw.BackwardRules(input=np.eye(3, dtype=int), above=torch.ones(3, 3))
    assert panel.input == np.eye(3).tolist()
    assert panel.result.at_input["guided"].tolist() == np.eye(3).tolist()


def test_the_rules_and_what_they_let_through_are_not_given_away():
    panel = cw.BackwardRules()
    panel.wait()
    assert panel.view.step == panel.step == 0
    question = "How many of the 9 numbers from above will each rule let through? Press Next."
    assert panel.status.message.startswith(question)
    for step in range(1, 5):
        panel.view.set_state({"step": step})
        assert panel.status.message.startswith(question)
    panel.view.set_state({"step": 5})
    found = "Of the 9 numbers from above, backpropagation lets 5 through, deconvnet 5, guided 2."
    assert panel.status.message == f"{found}\nThe lecture's numbers."


def test_steps_show_one_stage_after_the_other():
    panel = cw.BackwardRules()
    panel.wait()
    names = [[one["name"] for one in panel.view.tables if one["step"] == step] for step in range(len(panel.view.steps))]
    assert names == [["input"], ["output"], ["above"], ["backpropagation"], ["deconvnet"], ["guided"]]
    assert panel.view.step == 0
    assert "Deconvnet keeps positive gradients, whatever the input was." in panel.view.steps
    panel.step = 4
    assert panel.view.step == 4
    panel.view.set_state({"step": 3})
    assert panel.step == 3


def test_the_last_step_means_all_of_them_in_the_other_example_too():
    panel = cw.BackwardRules(step=2)
    panel.wait()
    panel.view.set_state({"step": 5})
    assert panel.step is None
    panel.example = "network"
    panel.wait()
    assert panel.view.step == len(panel.view.steps) - 1 == 8


def test_numbers_that_fit_another_example_stay_and_others_give_way():
    panel = cw.BackwardRules("network", input=np.ones((4, 4)), weights=np.ones((3, 3)))
    panel.example = "relu"
    assert panel.result.input.tolist() == EXAMPLES["relu"].input
    assert panel.input is None
    panel.example = "network"
    assert panel.result.weights.tolist() == [[1] * 3] * 3


@pytest.mark.parametrize("example", EXAMPLE_NAMES)
def test_every_cell_says_where_it_comes_from(example):
    panel = cw.BackwardRules(example)
    panel.wait()
    tables = panel.view.tables
    for one in tables:
        assert len(one["says"]) == len(one["texts"]) == len(one["values"])
        for says, text, sources in zip(one["says"], one["texts"], one["sources"], strict=False):
            assert sources
            assert text in says
            assert all(tables[k]["step"] <= one["step"] for k, _ in sources), "what is shown comes from what was shown"
            assert all(0 <= cell < len(tables[k]["values"]) for k, cell in sources)


def test_the_rules_say_why():
    panel = cw.BackwardRules()
    assert table(panel, "guided")["says"][3] == "guided: gradient 6 > 0 and input 2 > 0, so 6 passes"
    assert table(panel, "backpropagation")["says"][1] == "backpropagation: input −1 ≤ 0, so 3 is set to 0"
    assert table(panel, "deconvnet")["says"][0].startswith("deconvnet: gradient −2 ≤ 0, so −2 is set to 0")
    names = [one["name"] for one in panel.view.tables]
    decided = {rule: {names[k] for k, _ in table(panel, rule)["sources"][0]} for rule in RULES}
    assert decided == {"backpropagation": {"above", "input"}, "deconvnet": {"above"}, "guided": {"above", "input"}}


def test_what_was_set_to_0_is_told_apart_from_what_is_0():
    panel = cw.BackwardRules("network")
    assert table(panel, "guided")["was"] == ["", "3", "−1", "−2"]
    assert set(table(panel, "guided at the input")["was"]) == {""}


def test_a_sum_s_arithmetic_can_be_calculated():
    panel = cw.BackwardRules("network", input=np.arange(-8.0, 8.0).reshape(4, 4) / 2)
    panel.wait()
    for one in panel.view.tables:
        for says, value in zip(one["says"], one["values"], strict=True):
            if " = " in says:
                sum_, result = says.partition(": ")[2].replace("·", "*").replace("−", "-").split(" = ")
                assert eval(sum_) == float(result) == value


@pytest.mark.parametrize("example", EXAMPLE_NAMES)
@pytest.mark.parametrize("own", [False, True])
def test_the_code_gives_the_same_numbers(example, own):
    panel = cw.BackwardRules(example)
    if own:
        type_in(panel, "input", 1, 2, "-3.75")
        type_in(panel, "above", 0, 0, "1e-7")
    code, space = panel.code(), {}
    assert "cnnwidgets" not in code
    exec(code, space)
    assert space["values"].keys() == RULES.keys()
    for rule, values in space["values"].items():
        np.testing.assert_array_equal(values.numpy(), panel.data()[rule])
        np.testing.assert_array_equal(values.numpy(), panel.result.at_input[rule])


def test_a_state_is_json_and_brings_the_panel_back():
    panel = cw.BackwardRules("network", step=5, weights=np.eye(3))
    other = cw.BackwardRules()
    other.restore(json.loads(json.dumps(panel.state)))
    assert other.state == panel.state
    np.testing.assert_equal(other.data(), panel.data())
    assert repr(other) == repr(panel) == "BackwardRules(own numbers, example='network', step=5)"
    assert repr(cw.BackwardRules()) == "BackwardRules(the lecture's numbers)"


def test_the_figure_has_the_numbers_that_are_shown():
    panel = cw.BackwardRules(step=3)
    images = [image.get_array().tolist() for axes in panel.figure().axes for image in axes.images]
    result = panel.result
    assert images == [
        values.tolist() for values in (result.input, result.after, result.above, result.at_input["backpropagation"])
    ]
    titles = [
        "input",
        "after ReLU",
        "gradient",
        "passes where input > 0",
        "passes where gradient > 0",
        "passes where both > 0",
    ]
    assert set(titles) <= texts_of(panel)
    panel.step = 0
    assert "6" not in texts_of(panel)
    panel.step = None
    assert {"−7", "6", "−3"} <= texts_of(panel)


def texts_of(panel) -> set[str]:
    """What is written on the still."""
    return {text.get_text() for axes in panel.figure().axes for text in axes.texts}


def test_what_is_locked_or_hidden_cannot_be_changed_by_hand():
    panel = cw.BackwardRules("network", lock=["weights", "step"], hide=["above"])
    panel.wait()
    assert [one["name"] for one in panel.view.tables if one["editable"]] == ["input"]
    assert panel.view.stepping == "locked"
    type_in(panel, "weights", 0, 0, "9")
    assert panel.weights is None
    hidden = cw.BackwardRules(hide=["step"])
    assert (hidden.view.stepping, hidden.step) == ("hidden", None), "all steps are shown where nobody can step on"


def test_the_page_steps_and_points_but_is_not_written_in(tmp_path):
    panel = cw.BackwardRules("network")
    panel.to_html(tmp_path / "rules.html")
    text = (tmp_path / "rules.html").read_text("utf-8")
    content = json.loads(text.partition('id="content">')[2].partition("</script>")[0])
    view = content["states"][panel.view.model_id]
    assert view["lock"] is True
    assert view["tables"] == panel.view.tables


def test_linked_panels_show_the_same_numbers():
    one, two = cw.BackwardRules(), cw.BackwardRules("network")
    link = cw.link(one, two)
    type_in(one, "input", 2, 2, "-8")
    assert two.result.input.tolist() == one.result.input.tolist()
    one.example = "network"
    assert two.result.weights is not None
    link.unlink()
