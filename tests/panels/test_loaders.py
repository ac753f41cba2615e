"""Panels that train take loaders of every form and tasks of every kind, show what there is of them, and so does the code."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.numbers import number
from tests.base.tiny import is_shown
from tests.methods.test_loaders import FORMS, RIGHT, TASKS, In, made
from tests.panels.test_race import data, network

SPECS = [{"kind": "constant", "lr": 1e-4}, {"kind": "restarts", "lr": 0.02, "T_0": 2}]
FORMED = {"triples": FORMS["triples"], "dicts": FORMS["Hugging Face"], "int32": FORMS["int32"]}


def run(panel, task) -> dict:
    lines = [line for line in panel.code().split("\n") if line.startswith("task = ")]
    assert len(lines) == 1
    assert lines[0].endswith("# yours")
    space = {"given": task}
    exec(panel.code().replace(lines[0], "task = given"), space)
    return space


@pytest.mark.parametrize("form", FORMED)
def test_loaders_of_every_form_race_and_the_code_takes_them(form):
    form = FORMED[form]
    loaders = In(form, data()), In(form, data(seed=1))
    panel = cw.TrainingRace(specs=SPECS, steps=4, task=network, loader=loaders[0], validation_loader=loaders[1])
    plain = cw.methods.race(cw.methods.Task(network, data(), data(seed=1)), SPECS, steps=4)
    for one, other in zip(panel.result.histories, plain.histories, strict=True):
        assert one.loss.tolist() == other.loss.tolist()
        assert one.validation_accuracy.tolist() == other.validation_accuracy.tolist()
    values = run(panel, cw.methods.Task(network, *loaders))["values"]
    assert [*values.values()] == [one.validation_accuracy.tolist() for one in plain.histories]


@pytest.mark.parametrize("form", FORMED)
def test_loaders_of_every_form_are_range_tested_and_the_code_takes_them(form):
    batches = In(FORMED[form], data())
    panel = cw.LRFinder(network, batches, steps=20)
    plain = cw.methods.lr_finder(cw.methods.Task(network, data(), data()), steps=20)
    np.testing.assert_array_equal(panel.result.loss, plain.loss)
    space = run(panel, cw.methods.Task(network, batches, batches))
    assert space["values"] == plain.loss.tolist()
    assert space["rates"] == plain.lr.tolist()


def test_the_playground_trains_on_a_loader_of_dicts():
    form = FORMED["dicts"]
    panel = cw.SchedulePlayground(
        steps=2, specs=SPECS, task=network, loader=In(form, data()), validation_loader=In(form, data(seed=1))
    )
    assert len(panel.train().result.histories) == 2


@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_every_kind_race_on_screen_and_in_code(name, unit):
    task, *_ = made(name)
    panel = cw.TrainingRace(specs=SPECS, steps=6, unit=unit, task=task)
    found = panel.result
    result = "accuracy" if name in RIGHT else "loss"
    drawn = json.loads(panel.chart.figure)["layout"]
    assert ("yaxis4" in drawn) == (name in RIGHT)  # two axes by quantity, one for its rate
    assert [axes.get_ylabel() for axes in panel.figure().axes] == (
        ["loss", "accuracy", "rate (log)", "rate (log)", ""] if name in RIGHT else ["loss", "rate (log)", ""]
    ) + ([""] if is_shown(panel, panel.snapshots) else [])
    several = len(found.histories[1].snapshot_ends) > 1
    assert (is_shown(panel, panel.snapshots)) == (several and name in RIGHT)
    assert set(panel.data()) == {"loss", "accuracy", "validation_loss", "validation_accuracy"}
    criterion = "" if task.criterion is torch.nn.functional.cross_entropy else ", criterion"
    assert f"Task(model, loader, validation_loader{criterion})" in panel.code()
    values = run(panel, task)["values"]
    wanted = [getattr(one, f"validation_{result}").tolist() for one in found.histories]
    np.testing.assert_array_equal([*values.values()], wanted)


def test_a_race_of_values_is_told_by_losses():
    task, *_ = made("values")
    panel = cw.TrainingRace(specs=SPECS, steps=6, task=task)
    verdict = panel.result.verdict
    line = panel.status.message
    assert (
        line.startswith(f'Winner: "{verdict.winner}", validation loss {number(verdict.mean)}, ')
        and f'{number(verdict.margin, 2)} below "{verdict.second}"' in line
    )
    assert "One seed proves nothing" in line
    assert "nan" not in line
    assert "%" not in line
    panel.seeds = 3
    assert panel.result.verdict.seeds == 3
    assert "(3 seeds)" in panel.status.message
    assert "nan" not in panel.status.message
    panel.specs = SPECS[:1]
    assert panel.result.verdict is None
    assert "ends with a validation loss of" in panel.status.message


def test_a_loss_that_is_no_number_has_lost():
    task, *_ = made("values")
    first, second = cw.methods.race(task, SPECS, steps=2).histories
    broken = replace(first, validation_loss=np.array([1.0, np.nan]))
    panel = cw.TrainingRace(replay=cw.methods.Race((broken, second), "epoch", 2))
    assert panel.result
    said = f'Winner: "{second.name}", validation loss {number(second.final_loss)}, while "{first.name}" diverged.'
    assert panel.status.message.startswith(said)
    assert panel.figure().axes


def test_early_stopping_goes_by_the_loss_of_a_race_of_values():
    task, *_ = made("values")
    race = cw.methods.race(task, SPECS[:1], steps=5)
    panel = cw.EarlyStopping(race, patience=2)
    np.testing.assert_array_equal(panel.data()["validation_loss"], race.histories[0].validation_loss)
    assert panel.figure().axes


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_every_kind_are_range_tested_and_the_code_gives_it(name):
    task, *_ = made(name)
    panel = cw.LRFinder(task, steps=30)
    assert run(panel, task)["values"] == panel.result.loss.tolist()


@pytest.mark.parametrize("name", ["yes or no", "values"])
def test_numbers_in_one_column_need_a_criterion_and_with_it_they_work(name):
    task, *_ = made(name)
    for panel in (
        cw.LRFinder(task.model, task.loader),
        cw.TrainingRace(specs=SPECS, steps=2, task=task.model, loader=task.loader, validation_loader=task.validation_loader),
    ):
        with pytest.raises(ValueError, match=r"pass criterion=nn.BCEWithLogitsLoss\(\) where a label is 1 or 0"):
            _ = panel.result
        assert panel.status.message.startswith("The network gives one score a picture, and the labels are a float64 tensor")
    good = cw.methods.Task(task.model, task.loader, task.validation_loader, nn.MSELoss())
    assert len(cw.LRFinder(good, steps=20).result.loss)
