"""Bending schedules by hand: the controls of one's kind, presets, knots, adding and removing."""

from __future__ import annotations

import json

import pytest

import cnnwidgets as cw
from cnnwidgets.methods.schedule_parameters import KINDS, SGD, parameters_of
from cnnwidgets.methods.schedule_presets import PRESETS
from cnnwidgets.panels.training.labels import label_of
from tests.base.tiny import PATIENCE, control, is_shown
from tests.panels.test_schedules import hand
from tests.panels.test_schedules import panel as panel  # a fixture


def drag(chart, panel, **doing):
    chart.set_state(doing)
    assert panel.wait(PATIENCE)


def click(panel, name):
    """What a button sends."""
    panel._take_message(panel, {"kind": "action", "name": name}, [])
    assert panel.wait(PATIENCE)


def group(panel) -> dict[str, dict]:
    """The controls of the chosen schedule."""
    own = (spec for spec in panel.controls.values() if spec["group"].startswith("Schedule"))
    return {spec["name"]: spec for spec in own if spec["name"] != "selected"}


# a schedule's values


def test_a_control_bends_the_selected_schedule(panel):
    hand(panel, gamma=0.5)
    assert panel.result[0].lr[99] == 0.125
    assert panel.specs[0]["gamma"] == 0.5
    hand(panel, milestones="10, 20; 40")
    assert panel.result[0].lr[99] == 0.0625
    assert panel.specs[0]["milestones"] == [10, 20, 40] == panel._values["milestones"]


def test_another_kind_keeps_what_both_know(panel):
    hand(panel, kind="cosine")
    assert panel.specs == [{"kind": "cosine", "lr": 0.5}]
    assert panel.result[0].lr[50] == pytest.approx(0.25)
    assert group(panel).keys() == {"kind", *parameters_of("cosine")} - {"groups", *SGD}


def test_what_else_a_spec_varies_stays(panel):
    panel.specs = [{"lr": 0.5, "init": "zero"}]
    hand(panel, kind="cosine")
    assert panel.specs == [{"kind": "cosine", "lr": 0.5, "init": "zero"}]


def test_a_value_that_follows_from_others_is_told_so_and_can_be_made_so_again(panel):
    hand(panel, kind="cosine")
    assert (control(panel, "T_max")["none"], panel._values["T_max"]) == ("all 100", None)
    assert "none" not in control(panel, "eta_min")
    hand(panel, T_max=20)
    assert panel.specs == [{"kind": "cosine", "lr": 0.5, "T_max": 20}]
    hand(panel, T_max=None)
    assert panel.specs == [{"kind": "cosine", "lr": 0.5}]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_control_stands_at_the_exact_value(panel, preset):
    hand(panel, preset=preset)
    for number, spec in enumerate(PRESETS[preset].specs):
        panel.selected = number
        assert panel.wait(PATIENCE) and panel.specs[number] == spec
        table = parameters_of(spec["kind"])
        exact = {name: spec.get(name, table[name].default) for name in group(panel) if name != "kind"}
        assert panel._values == {"preset": preset, "kind": spec["kind"], **exact}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "recorded"])
def test_each_parameter_has_a_control_that_fits_its_range(panel, kind):
    hand(panel, kind=kind)
    table = parameters_of(kind)
    for name, spec in group(panel).items():
        if name == "kind":
            continue
        row = table[name]
        more = name not in ["lr", *[*KINDS[kind].parameters][:3]]
        assert (spec["label"], spec["help"], spec["more"]) == (label_of(kind, name), row.help, more)
        assert spec["group"] == ("Schedule 1: more" if more else "Schedule")
        if row.many:
            assert spec["kind"] == "text"
        elif row.choices:
            assert spec["kind"] == "tick" or [value for _, value in spec["options"]] == list(row.choices)
        else:
            assert (spec.get("low", spec["min"]), spec.get("high", spec["max"])) == (row.low, row.high)
            assert spec["min"] < spec["max"]
            assert spec.get("whole", False) == row.whole


def test_a_learning_rate_slides_from_power_to_power_and_takes_any_that_torch_does(panel):
    rate = control(panel, "lr")
    assert (rate["log"], rate["min"], rate["max"], rate["low"], rate["high"]) == (True, 1e-6, 100.0, 1e-12, 100.0)


def test_a_slider_of_steps_goes_as_far_as_the_steps_do(panel):
    hand(panel, kind="step")
    assert (control(panel, "step_size")["max"], control(panel, "step_size")["high"]) == (100, 10_000_000)
    panel.steps = 40
    assert control(panel, "step_size")["max"] == 40


def test_a_long_number_in_a_list_keeps_its_digits_when_another_is_changed(panel):
    panel.specs = [{"kind": "drawn", "at": [0, 10.123456789, 99], "rates": [0.1, 0.123456789, 0.0]}]
    assert panel.wait(PATIENCE)
    assert panel._values["rates"] == [0.1, 0.123456789, 0.0]
    hand(panel, rates="0.2, 0.123456789, 0")
    assert panel.specs[0]["at"] == [0, 10.123456789, 99] and panel.specs[0]["rates"] == [0.2, 0.123456789, 0.0]


def test_a_minus_that_the_control_shows_can_be_typed_back(panel):
    hand(panel, kind="drawn")
    hand(panel, rates="−1, 2")
    assert panel.specs[0]["rates"] == [-1.0, 2.0]
    assert panel.status.message == "rates is -1.0; expected a number from 0 to 100"


def test_two_values_that_change_at_once_are_both_kept_and_whole_ones_from_the_browser_are_floats(panel):
    hand(panel, gamma=1, lr=1)
    assert repr(panel.specs[0]["gamma"]) == "1.0" and repr(panel.specs[0]["lr"]) == "1.0"


def test_a_bent_schedule_loses_the_name_that_it_had(panel):
    panel.specs = [{"name": "mine", "kind": "cosine", "lr": 0.1}]
    hand(panel, lr=0.2)
    assert panel.specs == [{"kind": "cosine", "lr": 0.2}]


def test_a_kind_that_there_is_none_of_has_no_controls_and_a_recorded_one_no_menu(panel):
    panel.specs = [{"kind": "cosin"}]
    assert group(panel) == {}
    panel.specs = [{"kind": "recorded", "rates": [0.1, 0.2]}]
    common = {"warmup", "warmup_factor", "optimizer", "momentum", "weight_decay"}
    assert group(panel).keys() == common
    panel.specs = []
    assert group(panel) == {}
    assert control(panel, "selected")["absent"]


# several schedules


def test_the_menu_tells_the_schedules_and_its_choice_brings_their_controls(panel):
    panel.specs = [{"kind": "cosine", "lr": 0.1}, {"name": "mine", "kind": "step"}]
    assert control(panel, "selected")["options"] == [["1. cosine 0.1", 0], ["2. mine", 1]]
    panel.set_state({"selected": 1})
    assert {spec["group"] for spec in group(panel).values()} == {"Schedule", "Schedule 2: more"}
    assert panel._values["kind"] == "step"
    panel.selected = 7
    assert control(panel, "selected")["options"] == [["1. cosine 0.1", 0], ["2. mine", 7]], "beyond is the last"
    assert panel.state["selected"] == 7
    hand(panel, gamma=0.5)
    assert panel.specs[1] == {"kind": "step", "gamma": 0.5}


def test_a_click_on_a_curve_chooses_its_schedule_whose_color_is_in_the_controls(panel):
    panel.specs = [{"kind": "cosine", "lr": 0.1}, {"kind": "step"}]
    assert panel.wait(PATIENCE)
    colors = [trace["line"]["color"] for trace in json.loads(panel.chart.figure)["data"]]
    assert control(panel, "selected")["swatch"] == colors[0]
    panel.chart.set_state({"clicked": [1, 20]})
    assert (panel.selected, panel._values["kind"], control(panel, "selected")["swatch"]) == (1, "step", colors[1])


def test_schedules_are_added_and_removed(panel):
    assert control(panel, "remove")["absent"]
    click(panel, "add")
    assert (panel.selected, control(panel, "remove")["absent"]) == (1, False)
    hand(panel, gamma=0.5)
    assert [one.lr[99] for one in panel.result] == pytest.approx([0.005, 0.125])
    panel.selected = 0
    click(panel, "remove")
    assert [one.lr[99] for one in panel.result] == [0.125]
    assert control(panel, "remove")["absent"]
    click(panel, "remove")
    assert len(panel.specs) == 1


def test_a_preset_is_named_as_long_as_it_is_what_is_on_screen(panel):
    assert panel._values["preset"] is None
    hand(panel, preset="drops")
    assert panel._values["preset"] == "drops"
    hand(panel, preset="by hand")
    assert (panel._values["preset"], panel.steps, panel.selected) == ("by hand", 60, 0)
    drag(panel.chart, panel, dragged=[1, 1, 12.0, 0.05])
    assert panel._values["preset"] is None
    hand(panel, preset="by hand")
    assert panel.specs == PRESETS["by hand"].specs
    hand(panel, preset=None)
    assert panel.specs == PRESETS["by hand"].specs


def test_a_locked_playground_cannot_be_bent_by_hand_and_all_can_be_looked_at():
    panel = cw.SchedulePlayground(lock=["specs"], specs=[{"kind": "drawn"}, {"kind": "step"}])
    assert panel.wait(PATIENCE)
    free = {name for name, spec in panel.controls.items() if not spec["locked"]}
    assert free == {"steps", "unit", "log", "selected", "train"}
    assert panel.chart.draggable == []
    panel.close()


def test_hidden_schedules_have_no_controls_and_presets_stay():
    panel = cw.SchedulePlayground(hide=["specs"])
    shown = [spec["name"] for spec in panel.controls.values() if not spec["absent"]]
    assert shown == ["train", "steps", "unit", "log", "preset"]
    panel.close()


# knots


def test_a_dragged_knot_bends_the_curve_and_stays_between_its_neighbors(panel):
    panel.specs = [{"kind": "drawn", "at": [0, 50, 99], "rates": [0.1, 0.2, 0.0]}]
    assert panel.wait(PATIENCE)
    assert panel.chart.draggable == [1]
    drag(panel.chart, panel, dragged=[1, 1, 20.2, 0.4])
    assert panel.specs[0]["at"] == [0, 20, 99]
    assert panel.result[0].lr[[0, 10, 20, 99]] == pytest.approx([0.1, 0.25, 0.4, 0.0])
    drag(panel.chart, panel, dragged=[1, 1, 300.0, 0.4])
    assert panel.specs[0]["at"] == [0, 98, 99]
    drag(panel.chart, panel, added=[40.0, 0.3])
    assert panel.specs[0]["at"] == [0, 40, 98, 99]
    drag(panel.chart, panel, removed=[1, 1])
    assert panel.specs[0]["at"] == [0, 98, 99]


def test_a_knot_of_a_schedule_that_is_drawn_no_more_moves_nothing(panel):
    before = panel.specs
    drag(panel.chart, panel, dragged=[1, 1, 20.2, 0.4])
    assert panel.specs == before and panel.error is None


def test_the_loss_of_a_plateau_is_drawn_by_hand(panel):
    hand(panel, preset="plateau")
    assert is_shown(panel, panel.loss_chart) and panel.loss_chart.draggable == [1]
    drag(panel.loss_chart, panel, dragged=[1, 1, 20.0, 0.9])
    drag(panel.loss_chart, panel, added=[25.0, 0.5])
    assert panel.loss_knots == [[0.0, 2.3], [20.0, 0.9], [25.0, 0.5], [30.0, 0.6], [40.0, 0.3], [59.0, 0.3]]
    drag(panel.loss_chart, panel, removed=[1, 0])
    assert panel.loss_knots[0] == [20.0, 0.9]
    assert panel.result[0].spec["losses"][20] == 0.9
