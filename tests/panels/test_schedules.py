"""SchedulePlayground: its chart holds what torch's schedulers give, and every way to bend a schedule is the same."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys

import ipywidgets as w
import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import cnnwidgets as cw
from cnnwidgets.methods.schedule_parameters import parameters_of
from cnnwidgets.panels import schedules
from cnnwidgets.panels.schedule_presets import PRESETS
from tests.panels.hands import set_by_hand
from tests.panels.tiny import PATIENCE, under


@pytest.fixture
def panel():
    panel = cw.SchedulePlayground(steps=100, specs=[{"kind": "multistep", "lr": 0.5, "milestones": [30, 80], "gamma": 0.1}])
    assert panel.wait(PATIENCE)
    return panel


def drawn(panel, number=0):
    """The y values of a curve as they are sent."""
    values = json.loads(panel.chart.figure)["data"][number]["y"]
    if isinstance(values, dict) and "column" in values:
        return np.frombuffer(panel.chart.columns[values["column"]], np.dtype(values["dtype"]))
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"]))
    return np.array(values)


def drag(panel, trait, value):
    set_by_hand(panel.chart, **{trait: value})
    assert panel.wait(PATIENCE)


def own(scheduler=lr_scheduler.StepLR, optimizer=torch.optim.SGD, **options):
    model = torch.nn.Linear(3, 2)
    return scheduler(optimizer(model.parameters(), lr=0.3), **options)


def test_the_lecture_s_multistep_schedule_is_on_the_chart(panel):
    (found,) = panel.result
    assert found.lr[[0, 29, 30, 79, 80, 99]] == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])
    np.testing.assert_array_equal(drawn(panel), found.lr)
    assert panel.data()["lr"].shape == (1, 100)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_drawn_and_its_code_gives_the_rates(panel, name):
    panel.presets.value = name
    assert len(panel.result) == len(PRESETS[name].specs)
    assert panel.error is None
    for number, one in enumerate(panel.result):
        np.testing.assert_array_equal(drawn(panel, number), one.lr)
    last = {}
    exec(panel.code(), last)
    np.testing.assert_array_equal(last["lr"], panel.result[-1].lr)
    lines = panel.figure().axes[0].lines[: len(panel.result)]  # the knots of one that is drawn come after them
    assert [line.get_ydata().tolist() for line in lines] == [one.lr.tolist() for one in panel.result]


def test_the_code_on_screen_runs_in_a_fresh_process(panel):
    code = panel.code() + "\nimport json\nprint(json.dumps(lr))"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    assert json.loads(run.stdout) == panel.result[0].lr.tolist()


def test_a_control_bends_the_selected_schedule(panel):
    set_by_hand(panel.editor.fields["gamma"], value=0.5)
    assert panel.result[0].lr[99] == 0.125
    assert panel.specs[0]["gamma"] == 0.5
    set_by_hand(panel.editor.fields["milestones"], value="10, 20, 40")
    assert panel.result[0].lr[99] == 0.0625


def test_another_kind_keeps_what_both_know(panel):
    set_by_hand(panel.editor.kind, value="cosine")
    assert panel.specs == [{"kind": "cosine", "lr": 0.5}]
    assert panel.result[0].lr[50] == pytest.approx(0.25)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_field_shows_the_exact_value_and_none_is_rounded_by_a_stock_slider(panel, preset):
    panel.presets.value = preset
    for number, spec in enumerate(PRESETS[preset].specs):
        panel.selected = number
        assert panel.wait(PATIENCE) and panel.specs[number] == spec
        for name, field in panel.editor.fields.items():
            exact = spec.get(name, parameters_of(spec["kind"])[name].default)
            shown = field.value
            if isinstance(field, w.Text):
                shown = [float(one) for one in shown.split(",")]
            assert shown == (0 if exact is None else exact), name
    stock = (w.FloatSlider, w.FloatLogSlider, w.FloatRangeSlider)  # which send back what they have rounded
    assert [widget for widget in under(panel) if isinstance(widget, stock)] == []


def test_a_long_number_in_a_list_keeps_its_digits_when_another_is_changed(panel):
    panel.specs = [{"kind": "drawn", "at": [0, 10.123456789, 99], "rates": [0.1, 0.123456789, 0.0]}]
    assert panel.wait(PATIENCE)
    assert panel.editor.fields["rates"].value == "0.1, 0.123456789, 0"
    set_by_hand(panel.editor.fields["rates"], value="0.2, 0.123456789, 0")
    assert panel.specs[0]["at"] == [0, 10.123456789, 99] and panel.specs[0]["rates"] == [0.2, 0.123456789, 0.0]


def test_two_values_that_change_at_once_are_both_kept_and_whole_ones_from_the_browser_are_floats(panel):
    panel.editor.fields["gamma"].set_state({"value": 1})
    panel.editor.fields["lr"].set_state({"value": 1})
    assert repr(panel.specs[0]["gamma"]) == "1.0" and repr(panel.specs[0]["lr"]) == "1.0"


def test_schedules_are_added_and_removed(panel):
    panel.buttons["Add"].click()
    set_by_hand(panel.editor.fields["gamma"], value=0.5)
    assert [one.lr[99] for one in panel.result] == pytest.approx([0.005, 0.125])
    panel.selected = 0
    panel.buttons["Remove"].click()
    assert [one.lr[99] for one in panel.result] == [0.125]
    assert panel.buttons["Remove"].disabled


def test_a_dragged_knot_bends_the_curve_and_stays_between_its_neighbours(panel):
    panel.specs = [{"kind": "drawn", "at": [0, 50, 99], "rates": [0.1, 0.2, 0.0]}]
    assert panel.wait(PATIENCE)
    assert panel.chart.draggable == [1]
    drag(panel, "dragged", [1, 1, 20.2, 0.4])
    assert panel.specs[0]["at"] == [0, 20, 99]
    assert panel.result[0].lr[[0, 10, 20, 99]] == pytest.approx([0.1, 0.25, 0.4, 0.0])
    drag(panel, "dragged", [1, 1, 300.0, 0.4])
    assert panel.specs[0]["at"] == [0, 98, 99]
    drag(panel, "added", [40.0, 0.3])
    assert panel.specs[0]["at"] == [0, 40, 98, 99]
    drag(panel, "removed", [1, 1])
    assert panel.specs[0]["at"] == [0, 98, 99]


def test_a_plateau_is_driven_by_the_drawn_loss_or_by_a_recorded_one(panel):
    panel.specs = [{"kind": "plateau", "lr": 1.0, "patience": 3, "factor": 0.5}]
    assert panel.result[0].lr[-1] < 1
    assert panel.loss_chart.layout.display == ""
    panel.losses = [1.0 / (1 + step) for step in range(100)]
    assert (panel.result[0].lr == 1.0).all()
    assert panel.loss_chart.draggable == []


def test_one_s_own_scheduler_is_followed_and_left_as_it_was():
    scheduler = own(lr_scheduler.OneCycleLR, torch.optim.Adam, max_lr=0.1, total_steps=50)
    before = copy.deepcopy((scheduler.state_dict(), scheduler.optimizer.state_dict()))
    panel = cw.SchedulePlayground(scheduler=scheduler, steps=50)
    (found,) = panel.result
    assert before == (scheduler.state_dict(), scheduler.optimizer.state_dict())
    assert found.lr.max() == pytest.approx(0.1)
    assert found.moves_momentum
    assert "OneCycleLR (yours)" in panel.status.message
    panel.steps = 20
    assert len(panel.result[0].lr) == len(panel.specs[0]["rates"]) == 20


def test_a_scheduler_that_cannot_go_so_far_says_so_and_can_be_asked_for_less():
    panel = cw.SchedulePlayground(scheduler=own(lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=20), steps=20)
    assert panel.wait(PATIENCE) and panel.error is None
    panel.steps = 50
    with pytest.raises(ValueError, match="number of total steps is 20"):
        _ = panel.result
    panel.steps = 10
    assert len(panel.result[0].lr) == 10


def test_many_steps_of_a_plateau_are_followed_without_a_sketch():
    panel = cw.SchedulePlayground(steps=6_000, specs=[{"kind": "plateau"}, {"kind": "cosine"}])
    assert [len(one.lr) for one in panel.result] == [6_000, 6_000]


def test_an_optimizer_gives_schedules_their_rate():
    panel = cw.SchedulePlayground(torch.optim.AdamW(torch.nn.Linear(2, 2).parameters(), lr=0.003, weight_decay=0.1))
    assert {(spec["optimizer"], spec["lr"], spec["weight_decay"]) for spec in panel.specs} == {("AdamW", 0.003, 0.1)}
    assert all(one.lr[0] == 0.003 for one in panel.result)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"optimizer": own(step_size=3).optimizer, "scheduler": own(step_size=3)}, "another optimizer"),
        ({"scheduler": "cosine"}, "scheduler is a str"),
        ({"optimizer": 0.1}, "optimizer is a float"),
        ({"specs": [{"kind": "onecycle", "total_steps": 10}], "steps": 20}, "ends before the 20 steps"),
        ({"specs": [{"kind": "drawn", "at": [5, 3], "rates": [0.1, 0.1]}], "steps": 20}, "out of order"),
        ({"specs": [{"kind": "multistep", "milestones": "soon"}], "steps": 20}, "must be a list of numbers"),
        ({"specs": [{"kind": "cosin"}], "steps": 20}, "no kind of schedule"),
        ({"specs": [], "steps": 20}, "no schedule on screen"),
    ],
)
def test_bad_input_is_a_sentence_in_the_panel(arguments, words):
    panel = cw.SchedulePlayground(**arguments)
    with pytest.raises((TypeError, ValueError), match=words):
        _ = panel.result
    assert words in panel.status.message.replace(panel.status.message[0], panel.status.message[0].lower(), 1)
    assert panel.status.kind == "error"


def test_after_bad_input_the_last_good_curves_stay(panel):
    before = panel.result
    set_by_hand(panel.editor.fields["milestones"], value="soon")
    with pytest.raises(ValueError, match="list of numbers"):
        _ = panel.result
    assert panel.shown == before
    set_by_hand(panel.editor.fields["milestones"], value="50")
    assert panel.result[0].lr[[49, 50]] == pytest.approx([0.5, 0.05])


def test_of_many_steps_a_sketch_comes_first_and_the_exact_rates_stay(panel):
    panel.steps = 30_000
    (found,) = panel.result
    assert len(found.lr) == 30_000
    np.testing.assert_array_equal(drawn(panel), found.lr)
    assert "sketch" not in panel.status.message


def test_while_one_of_many_steps_is_bent_the_momentum_of_another_stays(panel):
    panel.restore({"steps": 6_000, "specs": [{"kind": "cosine"}, {"kind": "onecycle"}]})
    assert panel.wait(PATIENCE)
    figures = []
    panel.chart.observe(lambda change: figures.append(json.loads(change.new)), "figure")
    panel.specs = [{"kind": "cosine", "lr": 0.3}, {"kind": "onecycle"}]
    assert panel.wait(PATIENCE)
    assert [figure["data"][2]["yaxis"] for figure in figures] == ["y2", "y2"], "the sketch, and the exact rates"


def test_a_newer_request_does_not_wait_until_an_older_one_has_rested(panel, monkeypatch):
    monkeypatch.setattr(schedules, "RESTED", 2 * PATIENCE)
    panel.steps = 30_000
    assert panel._job.wait_for_picture(PATIENCE)
    assert "sketch" in panel.status.message
    panel.steps = 90
    assert panel.wait(PATIENCE)
    assert len(panel.result[0].lr) == 90


def test_the_state_brings_everything_back(panel):
    panel.specs = [{"kind": "drawn", "at": [0, 9], "rates": [0.1, 0.0]}, {"kind": "cyclic", "lr": 0.01}]
    panel.log, panel.selected = True, 1
    other = cw.SchedulePlayground()
    other.restore(json.loads(json.dumps(panel.state)))
    assert other.state == panel.state
    assert [one.lr.tolist() for one in other.result] == [one.lr.tolist() for one in panel.result]


def test_a_locked_playground_cannot_be_bent_by_hand():
    panel = cw.SchedulePlayground(lock=["specs"])
    assert panel.wait(PATIENCE)
    assert all(field.disabled for field in panel.editor.fields.values())
    assert panel.presets.disabled and panel.buttons["Add"].disabled
