"""LRFinder: the method's curve, its suggestion, and a marker that a hand moves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.numbers import number
from tests.base.tiny import PATIENCE
from tests.panels.test_race import data, network


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return network()


@pytest.fixture
def panel(model):
    return cw.LRFinder(model, data(), low=1e-4, high=100.0, steps=60)


def test_the_curve_is_the_method_s_and_the_code_gives_it(panel, model):
    task = cw.methods.Task(model, data(), data())
    own = cw.methods.lr_finder(task, low=1e-4, high=100.0, steps=60)
    np.testing.assert_array_equal(panel.result.loss, own.loss)
    space = {"task": task}
    exec(panel.code().replace("cw.methods.Task(model, loader, loader)  # yours", "task"), space)
    assert space["values"] == own.loss.tolist()
    assert space["rates"] == own.lr.tolist()


def test_the_marker_begins_at_the_suggestion_and_follows_the_hand(panel):
    suggested = panel.result.suggested
    assert panel.rate is None
    assert panel.chart.line == suggested
    assert panel.figure().axes[0].lines[-1].get_xdata()[0] == suggested
    panel.chart.set_state({"line": 0.5})
    assert panel.rate == 0.5
    assert "The marker is at 0.5." in panel.status.message
    panel.rate = 0.25
    assert (panel.chart.line, panel.chart.line_label) == (0.25, "0.25")
    panel.rate = None
    assert panel.chart.line == suggested
    assert "The marker" not in panel.status.message


def test_each_named_rate_is_a_place_that_puts_the_marker_there(panel):
    named = panel.result.named
    assert [x for x, _ in panel.chart.places] == [*named.values()]
    assert all(
        words == f"{name}: {number(named[name], 2)}" for (_, words), name in zip(panel.chart.places, named, strict=True)
    )
    panel.chart.set_state({"line": panel.chart.places[0][0]})
    assert panel.rate == panel.chart.places[0][0]


def test_the_fall_of_the_loss_fills_at_least_half_of_the_axis(panel):
    found = panel.result
    low, high = json.loads(panel.chart.figure)["layout"]["yaxis"]["range"]
    fall = np.r_[found.loss[: found.lowest + 1], found.smoothed[: found.lowest + 1]]
    assert low < fall.min() < fall.max() < high
    assert fall.max() - fall.min() > 0.5 * (high - low)


def test_the_loader_and_the_network_are_left_as_they_are(model, panel):
    assert panel.wait(PATIENCE)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("settings", "words"), [({"low": 1.0, "high": 0.1}, "they must be above 0 and rise"), ({"low": -1.0}, "above 0")]
)
def test_bad_input_is_a_sentence(model, settings, words):
    panel = cw.LRFinder(model, data(), **settings)
    with pytest.raises(ValueError, match=words):
        _ = panel.result
    assert words in panel.status.message


def test_a_network_without_a_loader_is_told_what_it_needs(model):
    panel = cw.LRFinder(model)
    with pytest.raises(ValueError, match="needs a training loader"):
        _ = panel.result
