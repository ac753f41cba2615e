"""SchedulePlayground: its chart holds what torch's schedulers give, and every way to bend a schedule is the same."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import cnnwidgets as cw
from cnnwidgets.methods.schedule_presets import PRESETS
from cnnwidgets.panels.training import schedules
from tests.base.tiny import PATIENCE, is_shown


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


def hand(panel, **values):
    """Change controls of the schedule as a hand does."""
    panel.set_state({"_values": {**panel._values, **values}})
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
    hand(panel, preset=name)
    assert len(panel.result) == len(PRESETS[name].specs)
    assert panel.error is None
    for number, one in enumerate(panel.result):
        np.testing.assert_array_equal(drawn(panel, number), one.lr)
    space = {}
    exec(panel.code(), space)
    np.testing.assert_array_equal(space["values"], [one.lr for one in panel.result])
    lines = panel.figure().axes[0].lines[: len(panel.result)]  # the knots of one that is drawn come after them
    assert [line.get_ydata().tolist() for line in lines] == [one.lr.tolist() for one in panel.result]


def test_the_code_on_screen_runs_in_a_fresh_process(panel):
    code = panel.code() + "\nimport json\nprint(json.dumps(values))"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    assert json.loads(run.stdout) == [panel.result[0].lr.tolist()]


def test_a_plateau_is_driven_by_the_drawn_loss_or_by_a_recorded_one(panel):
    panel.specs = [{"kind": "plateau", "lr": 1.0, "patience": 3, "factor": 0.5}]
    assert panel.result[0].lr[-1] < 1
    assert is_shown(panel, panel.loss_chart)
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
    panel = cw.SchedulePlayground(
        optimizer=torch.optim.AdamW(torch.nn.Linear(2, 2).parameters(), lr=0.003, weight_decay=0.1)
    )
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
        ({"specs": [{"kind": "multistep", "milestones": "soon"}], "steps": 20}, "expected a list of numbers"),
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
    hand(panel, milestones="soon")
    with pytest.raises(ValueError, match="list of numbers"):
        _ = panel.result
    assert panel.shown == before
    hand(panel, milestones="50")
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
