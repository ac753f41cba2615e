"""InitLab: what it draws is the method's signal, before training and after, of its stack or of your own network."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import signals, task, vary
from tests.base.tiny import PATIENCE
from tests.methods.learning import record
from tests.panels.test_race import data, network

SMALL = {"depth": 3, "width": 30}


def stack_task(**options):
    return vary(task("digits"), model={"builder": "linear_stack", **SMALL, **options})


@pytest.fixture(scope="module")
def stack():
    panel = cw.InitLab(init="kaiming", gain=1.0, mode="fan_out", activation="relu", batch_norm=True, seed=3, **SMALL)
    assert panel.wait(PATIENCE)
    return panel


def curves(chart) -> dict[str, dict]:
    return {one["name"]: one for one in json.loads(chart.figure)["data"] if one.get("name")}


def test_it_is_the_signal_of_the_method(stack):
    spec = {"scheme": "kaiming", "gain": 1.0, "mode": "fan_out"}
    own = signals(stack_task(activation="relu", batch_norm=True), spec, seed=3).before
    found = stack.data()
    np.testing.assert_array_equal(found["std"], own.activations.std)
    np.testing.assert_array_equal(found["gradient_std"], own.gradients.std)
    np.testing.assert_array_equal(found["counts"], own.activations.counts)
    assert stack.status.message == "\n".join([own.finding, *own.facts])
    assert own.finding.startswith("The signal lives: its deviation is 0.")


def test_both_charts_show_the_histograms_and_the_deviations(stack):
    for chart, front in ((stack.forward, ""), (stack.back, "gradient_")):
        figure, found = json.loads(chart.figure), stack.data()
        violins = [one for one in figure["data"] if one.get("fill") == "toself"]
        assert len(violins) == 3
        assert len(figure["data"]) == 3 + len(curves(chart))
        low, high = figure["layout"]["yaxis"]["range"]
        assert low < found[f"{front}edges"][0] < found[f"{front}edges"][-1] < high
    drawn = stack.figure().axes[1].lines[0]  # below the histograms of the activations
    np.testing.assert_allclose(drawn.get_ydata(), stack.data()["std"])
    assert [*curves(stack.back)] == ["deviation"]


def test_a_violin_is_as_wide_as_the_root_of_its_counts(stack):
    from cnnwidgets.views.violins import HALF, violins

    counts, edges = np.array([[0, 4, 1, 0], [0, 0, 0, 0]]), np.array([-2.0, -1, 0, 1, 2])
    first, none = violins(counts, edges, "#123456")
    right = [(x, y) for x, y in zip(first["x"], first["y"], strict=True) if x > 1]
    assert right[::-1] == [(1 + HALF, -1), (1 + HALF, 0), (1 + HALF / 2, 0), (1 + HALF / 2, 1)]
    assert len(none["x"]) == 0


def test_only_a_plain_stack_has_a_curve_of_infinite_width(stack):
    assert "infinitely wide" not in curves(stack.forward)
    plain = cw.InitLab(init="uniform", **SMALL)
    assert plain.wait(PATIENCE)
    assert [*curves(plain.forward)] == ["deviation", "between pictures", "infinitely wide"]
    np.testing.assert_allclose(plain.result.expected, plain.data()["std"], rtol=0.3)


def test_after_training_both_moments_are_there_and_the_code_gives_the_last():
    panel = cw.InitLab(init="xavier", moment="after", steps=12, lr=0.05, **SMALL)
    assert panel.wait(PATIENCE)
    own = signals(stack_task(), "xavier", steps=12, lr=0.05)
    found = panel.data()
    np.testing.assert_array_equal(found["std"], own.after.activations.std)
    np.testing.assert_array_equal(found["before_std"], own.before.activations.std)
    assert [*curves(panel.forward)] == ["after training", "before"]
    assert panel.status.message.startswith("After 12 steps the loss is ")
    space = {}
    exec(panel.code(), space)
    np.testing.assert_allclose(space["values"], found["std"], rtol=1e-3)
    panel.moment = "before"
    assert panel.wait(PATIENCE) and panel.result.after is None


def test_of_a_network_of_your_own_a_copy_gets_the_weights_and_trains():
    torch.manual_seed(0)
    model = network()
    before = record(model)
    panel = cw.InitLab(model, data(), init="keep", moment="after", steps=4)
    assert panel.wait(PATIENCE)
    as_it_is = panel.data()["before_std"]
    panel.init = "zero"
    assert panel.wait(PATIENCE)
    assert record(model) == before
    assert as_it_is.all() and not panel.data()["before_std"].any()
    absent = {name for name, control in panel.controls.items() if control["absent"]}
    assert absent == {"activation", "depth", "batch_norm", "residual", "width"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((torch.nn.Linear(2, 2),), "a network of your own needs a training loader"),
        ((torch.nn.Sequential(torch.nn.LazyLinear(3)), []), "the training loader is empty"),
        (("digit",), "there is no sample 'digit' to train"),
    ],
)
def test_bad_input_is_a_sentence(given, words):
    panel = cw.InitLab(*given)
    panel.wait(PATIENCE)
    assert panel.status.kind == "error" and words.lower() in panel.status.message.lower()
