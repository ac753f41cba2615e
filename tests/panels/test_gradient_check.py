"""GradientCheck shows the method's errors, of a sample's network and of your own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import gradient_check
from tests.base.tiny import PATIENCE
from tests.methods.learning import loader, record
from tests.methods.test_gradient_check import Wrong, tanh_net


def curves(panel) -> dict[str, dict]:
    return {one["name"]: one for one in json.loads(panel.chart.figure)["data"]}


@pytest.fixture(scope="module")
def model():
    return tanh_net(nn.Tanh())


@pytest.fixture
def panel(model):
    made = cw.GradientCheck(model, loader(shuffle=False), of="3.weight", entries=3, pictures=10, seed=2)
    assert made.wait(PATIENCE)
    return made


def test_it_is_the_check_of_the_method_and_the_network_stays_as_it_is(panel, model):
    before = record(model)
    x, y = next(iter(loader(shuffle=False)))
    own = gradient_check(model, x[:10], y[:10], of="3.weight", entries=3, seed=2)
    for name, values in panel.data().items():
        np.testing.assert_array_equal(values, getattr(own, name))
    assert panel.status.message == own.summary and own.summary.startswith("The gradient of 3.weight is right: it is off by ")
    panel.function = "score"
    assert panel.wait(PATIENCE) and panel.result.loss != own.loss
    assert record(model) == before


def test_the_chart_has_both_precisions_their_best_h_and_what_rounding_makes(panel):
    found, drawn = panel.result, curves(panel)
    names = ["float32", "float64", "rounding alone"]
    assert [*drawn][:3] == names and sum(name.startswith("best h: ") for name in drawn) == 2
    lines = panel.figure().axes[0].lines
    np.testing.assert_allclose(lines[0].get_ydata(), found.errors[0])
    np.testing.assert_allclose(lines[1].get_xdata(), found.steps)
    assert "crosses kinks" not in drawn  # tanh has none


def test_a_relu_s_kinks_are_marked_where_they_are_crossed():
    torch.manual_seed(0)
    relu = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    panel = cw.GradientCheck(relu, loader(shuffle=False))
    assert panel.wait(PATIENCE) and panel.of == "1.weight"  # the usual: the first parameter
    marked = panel.figure().axes[0].lines[4].get_ydata()
    assert "crosses kinks" in curves(panel)
    assert (np.isfinite(marked) == (panel.result.kinks > 0)).all() and np.isfinite(marked).any()


def test_a_wrong_gradient_has_no_best_h_and_its_fellows_are_named():
    panel = cw.GradientCheck(tanh_net(Wrong()), loader(shuffle=False), of="3.weight")
    assert panel.wait(PATIENCE)
    assert (
        "The gradient of 3.weight is wrong" in panel.status.message and "right are 5.weight, 5.bias." in panel.status.message
    )
    assert not any(name.startswith("best") for name in curves(panel))
    low, high = json.loads(panel.chart.figure)["layout"]["yaxis"]["range"]
    assert low <= -10 and high > 0  # an error that does not fall is seen not to


def test_every_parameter_and_the_input_can_be_chosen(panel):
    names = [text for text, _ in panel.listed("of", lambda panel: [(name, name) for name in panel.names])]
    assert names == ["input", "1.weight", "1.bias", "3.weight", "3.bias", "5.weight", "5.bias"]
    panel.of = "input"
    assert panel.wait(PATIENCE) and panel.result.right
    panel.of = "7.weight"
    panel.wait(PATIENCE)
    assert panel.status.kind == "error" and "the network has no parameter '7.weight'" in panel.status.message.lower()


def test_bad_input_is_a_sentence():
    panel = cw.GradientCheck(nn.Linear(2, 2))
    assert "a network of your own needs a training loader" in panel.status.message.lower()
    panel = cw.GradientCheck(tanh_net(nn.Tanh()), iter(()))
    panel.wait(PATIENCE)
    assert panel.status.message.lower() == "there is nothing to look at: the loader gives no batch"
