"""Panels of learning rates follow every group of parameters: chart, legend, picture, code, numbers, state, training."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam
from torch.optim import lr_scheduler as S

import cnnwidgets as cw
from tests.base.tiny import PATIENCE
from tests.panels.test_race import curve, data, network
from tests.panels.test_schedules import drawn, hand

pytestmark = pytest.mark.filterwarnings("ignore:Seems like")  # of the copy that is stepped by hand

STEPS = 12


def optimizer_of(model, make=SGD, **options):
    groups = [
        {"params": [model[1].weight], "lr": 0.02, "name": "first"},
        {"params": [model[1].bias], "lr": 0.02, "weight_decay": 0.1},
        {"params": model[3].parameters()},
    ]
    return make(groups, lr=0.2, **options)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return network()


@pytest.fixture
def scheduler(model):
    return S.LambdaLR(optimizer_of(model), [lambda n: 0.9**n, lambda n: 0.9**n, lambda n: 1 / (1 + n)])


@pytest.fixture
def panel(model, scheduler):
    made = cw.SchedulePlayground(
        scheduler=scheduler,
        steps=STEPS,
        task=model,
        loader=data(),
        validation_loader=data(seed=1),
        specs=[{"kind": "cosine"}],
    )
    assert made.wait(PATIENCE)
    return made


@pytest.fixture
def rates(scheduler):
    """(groups, STEPS): what a copy gives when it is stepped."""
    ours = copy.deepcopy(scheduler)
    found = []
    for _ in range(STEPS):
        found.append([group["lr"] for group in ours.optimizer.param_groups])
        ours.optimizer.step()
        ours.step()
    return np.array(found).T


def legend(panel) -> list[str]:
    traces = json.loads(panel.chart.figure)["data"]
    return [trace["name"] for trace in traces if trace.get("showlegend", True)]


def test_each_rate_is_a_curve_and_the_legend_names_its_groups(panel, rates):
    assert legend(panel) == [
        "cosine",
        "LambdaLR (yours), first, group 1",
        "LambdaLR (yours), group 2 · 2 tensors, 18 weights",
    ]
    np.testing.assert_array_equal(drawn(panel, 1), rates[0])
    np.testing.assert_array_equal(drawn(panel, 2), rates[2])
    lines = panel.figure().axes[0].lines
    assert [line.get_label() for line in lines] == legend(panel)
    np.testing.assert_array_equal([line.get_ydata() for line in lines[1:]], rates[[0, 2]])
    looks = [(trace["line"]["color"], trace["line"]["dash"]) for trace in json.loads(panel.chart.figure)["data"]]
    assert len(set(looks)) == 3


def test_the_numbers_the_sentence_and_the_code_tell_of_all_groups(panel, rates):
    found = panel.data()
    assert found["schedule"].tolist() == [0, 1, 1, 1]
    assert found["group"].tolist() == [0, 0, 1, 2]
    np.testing.assert_array_equal(found["lr"][1:], rates)
    assert found["momentum"].shape == (4, STEPS)
    assert '"LambdaLR (yours)": 0.02 to 0.00628 (first, group 1), 0.2 to 0.0167 (group 2 · 2 tensors, 18 weights)' in (
        panel.status.message
    )
    space: dict = {}
    exec(panel.code(), space)
    np.testing.assert_array_equal(np.transpose(space["lr"]), rates)
    groups = space["optimizer"].param_groups
    assert [group["weight_decay"] for group in groups] == [0.0, 0.1, 0.0]
    assert [group.get("name") for group in groups] == ["first", None, None]


def test_the_optimizer_and_the_scheduler_are_left_as_they_were(panel, scheduler):
    assert scheduler.last_epoch == 0
    assert [group["lr"] for group in scheduler.optimizer.param_groups] == [0.02, 0.02, 0.2]


def test_the_state_brings_all_groups_back(panel, rates):
    other = cw.SchedulePlayground()
    other.restore(json.loads(json.dumps(panel.state)))
    assert other.state == panel.state
    np.testing.assert_array_equal(other.result[1].rates, rates)
    assert legend(other) == legend(panel)


def test_a_training_gives_each_group_its_own_rate(panel, rates, model):
    before = copy.deepcopy(model.state_dict())
    race = panel.train()
    assert race.wait(4 * PATIENCE)
    one, theirs = race.result.histories
    assert one.rates.shape == (1, 4 * STEPS)
    np.testing.assert_array_equal(theirs.rates[:, 3::4], rates)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    named = [trace.get("name") for trace in json.loads(race.chart.figure)["data"]]
    assert named[:3] == named[3:6] == ["cosine, training", "cosine", "cosine, rate"]
    assert named[6:10] == named[10:14] == [
        "LambdaLR (yours), training", "LambdaLR (yours)",
        "LambdaLR (yours), first, group 1", "LambdaLR (yours), group 2 · 2 tensors, 18 weights",
    ]  # fmt: skip
    np.testing.assert_array_equal(curve(race, 8)[1:], rates[0])
    np.testing.assert_array_equal(curve(race, 9)[1:], rates[2])
    below = race.figure().axes[2]
    assert [line.get_label() for line in below.lines[1:3]] == named[12:14]
    np.testing.assert_array_equal(below.lines[2].get_ydata()[1:], rates[2])
    space = {"task": cw.methods.Task(model, data(), data(seed=1))}
    exec(race.code().replace("cw.methods.Task(model, loader, validation_loader)  # yours", "task"), space)
    assert space["values"]["LambdaLR (yours)"] == theirs.validation_accuracy.tolist()


def test_a_training_of_another_network_says_that_it_has_no_such_groups(scheduler):
    panel = cw.SchedulePlayground(scheduler=scheduler, steps=2, task=network, loader=data(), validation_loader=data(seed=1))
    race = panel.train()
    with pytest.raises(
        ValueError, match="the schedule has 3 groups of parameters but does not say which weights are in which"
    ):
        _ = race.result
    assert race.status.kind == "error"
    assert "parameters = [...]  # yours" in race.code()


def test_schedules_begin_with_the_rates_of_an_optimizer_s_groups(model):
    optimizer = optimizer_of(model, Adam)
    panel = cw.SchedulePlayground(model, optimizer=optimizer, steps=STEPS)
    assert [one.spec["kind"] for one in panel.result] == ["constant", "step", "cosine"]
    for one in panel.result:
        np.testing.assert_allclose(one.rates[:, 0], [0.02, 0.02, 0.2], rtol=1e-15)
    theirs = S.CosineAnnealingLR(optimizer, STEPS)
    optimizer.step()
    theirs.step()
    np.testing.assert_allclose(panel.result[2].rates[:, 1], theirs.get_last_lr(), rtol=1e-14)
    panel.selected = 2
    hand(panel, lr=2.0)
    assert panel.result[2].rates[:, 0].tolist() == pytest.approx([0.2, 0.2, 2.0])
    hand(panel, kind="exponential")
    assert panel.result[2].rates[:, 0].tolist() == pytest.approx([0.2, 0.2, 2.0])


def test_groups_move_their_momenta_apart_and_it_is_said_what_keeps_them(model):
    optimizer = optimizer_of(model, momentum=0.9)
    scheduler = S.OneCycleLR(optimizer, [0.1, 0.1, 0.3], 20, base_momentum=[0.7, 0.7, 0.8])
    panel = cw.SchedulePlayground(scheduler=scheduler, steps=STEPS)
    assert panel.wait(PATIENCE)
    traces = json.loads(panel.chart.figure)["data"]
    assert [trace.get("yaxis", "y") for trace in traces] == ["y", "y", "y2", "y2"]
    for number, group in ((2, 0), (3, 2)):
        np.testing.assert_array_equal(drawn(panel, number), panel.result[0].momenta[group])
    assert panel.result[0].momenta.min(1).tolist() == pytest.approx([0.7, 0.7, 0.8])
    assert "Your scheduler moves the momentum, too; the code and a training do not." in panel.status.message


def test_of_many_groups_the_legend_names_some_and_says_how_many_more():
    model = nn.Sequential(nn.Flatten(), *(nn.Linear(16, 16) for _ in range(12)))
    optimizer = SGD([{"params": each.parameters(), "lr": 0.1 * 0.8**k} for k, each in enumerate(model[1:])], lr=0.1)
    panel = cw.SchedulePlayground(scheduler=S.ExponentialLR(optimizer, 0.9), steps=STEPS)
    assert panel.wait(PATIENCE)
    assert legend(panel) == [
        *(f"ExponentialLR (yours), group {k} · 2 tensors, 272 weights" for k in range(7)),
        "… 5 more: point at the chart",
    ]
    assert "12 groups, starting at 0.00859 to 0.1, ending at 0.0027 to 0.0314" in panel.status.message
    assert len(panel.figure().axes[0].lines) == 13
    traces = json.loads(panel.chart.figure)["data"]
    assert traces[11]["name"] == "ExponentialLR (yours), group 11 · 2 tensors, 272 weights", "the readout's name"


def test_weights_in_no_group_and_an_optimizer_that_is_not_offered_are_told(model):
    optimizer = Adagrad(model[3].parameters(), lr=0.1)
    panel = cw.SchedulePlayground(scheduler=S.StepLR(optimizer, 3), steps=4, task=model)
    assert panel.wait(PATIENCE)
    assert "An SGD stands in for your Adagrad in the code and when training." in panel.status.message
    assert "In no group, so never trained: 1.weight, 1.bias." in panel.status.message


def test_many_steps_are_sketched_for_every_group(model, scheduler):
    panel = cw.SchedulePlayground(scheduler=scheduler, steps=6_000)
    assert panel.wait(PATIENCE)
    assert panel.result[0].rates.shape == (3, 6_000)
    panel.specs = [*panel.specs, {"kind": "cosine", "groups": [{"factor": 0.5}, {}]}]
    assert panel.wait(PATIENCE)
    assert panel.result[1].rates.shape == (2, 6_000)


def test_knots_lie_after_the_curves_of_all_groups(panel):
    panel.restore({"selected": 1, "specs": [panel.specs[1], {"kind": "drawn", "at": [0, 9], "rates": [0.1, 0.0]}]})
    assert panel.wait(PATIENCE)
    assert panel.chart.draggable == [3]
    assert json.loads(panel.chart.figure)["data"][3]["name"] == "knots"


def test_what_wraps_an_optimizer_is_as_good(model):
    class Wrapped:
        def __init__(self, optimizer):
            self.optimizer = optimizer

        @property
        def param_groups(self):
            return self.optimizer.param_groups

    optimizer = optimizer_of(model)
    panel = cw.SchedulePlayground(optimizer=Wrapped(optimizer), scheduler=S.StepLR(optimizer, 3), steps=4)
    assert panel.result[0].rates.shape == (3, 4)
    assert "stands in" not in panel.status.message
