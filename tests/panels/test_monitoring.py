"""TrainingMonitor: a loop of one's own is watched as it is, shown live, and what is wrong with it is said."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import cnnwidgets as cw
from cnnwidgets.methods import Record, diagnose, race, task
from cnnwidgets.methods.sick_runs import SICK_RUNS
from cnnwidgets.panels.monitoring_charts import layers_chart, told_apart
from tests.base.tiny import PATIENCE, control
from tests.panels.test_race import data, network


def fresh():
    torch.manual_seed(0)
    model = network()
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def train(model, optimizer, loader, epochs=3, each=lambda: None):
    losses = []
    for _ in range(epochs):
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            each()
    return losses


@pytest.fixture
def watched():
    model, optimizer = fresh()
    with cw.monitor(model, data(), optimizer, epochs=3, every=1) as m:
        m.losses = train(model, optimizer, data())
    return m


def test_the_loop_trains_as_it_would_without_and_its_losses_are_seen(watched):
    model, optimizer = fresh()
    assert train(model, optimizer, data()) == watched.losses == watched.record.history.loss.tolist()
    assert watched.result.record.steps == 12
    np.testing.assert_array_equal(watched.data()["loss"], watched.losses)


def test_what_is_drawn_is_what_was_seen(watched):
    assert watched.wait(PATIENCE)
    figure = json.loads(watched.curves.figure)
    assert figure["data"][0]["name"] == "training"
    ratios = watched.result.record.update_ratio
    assert ratios.shape == (12, 2)
    assert len(watched.figure().axes) >= 3
    names = [trace["name"] for trace in json.loads(watched.layers.figure)["data"]]
    assert names == ["1", "3", "usual"]


def test_each_quantity_of_the_layers_has_its_chart(watched):
    watched.wait(PATIENCE)
    for name in control(watched, "quantity")["options"]:
        watched.quantity = name[1]
        axis = json.loads(watched.layers.figure)["layout"]["yaxis"]["title"]["text"]
        assert axis


def test_it_is_drawn_while_the_loop_runs():
    model, optimizer = fresh()
    seen = []
    with cw.monitor(model, data(), optimizer, every=1) as m:
        m._monitor._on_update, tell = None, m._feed
        for _ in range(200):
            train(model, optimizer, data(), 1)
            tell(m._monitor)
            if m._result is not None and m._result.record.steps:
                seen.append(m._result.record.steps)
                break
            threading.Event().wait(0.05)
        with pytest.raises(RuntimeError, match="the training that is watched is under way"):
            m.result  # noqa: B018
        assert m.record.steps > 0
    assert seen and seen[0] <= m.result.record.steps


def test_an_error_in_the_loop_ends_the_watching_and_goes_on():
    model, optimizer = fresh()
    with pytest.raises(ZeroDivisionError), cw.monitor(model, data(), optimizer) as m:
        train(model, optimizer, data(), 1, lambda: 1 / 0)
    assert m.result.record.steps == 1
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_what_is_said_outright_counts():
    model, optimizer = fresh()
    with cw.monitor(model, data(), optimizer) as m:
        for images, labels in data():
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            m.step(2 * loss)
        m.validate(0.25, 0.5)
        m.epoch()
    assert m.record.history.validation_loss.tolist() == [0.25]
    assert m.record.history.loss[-1] == pytest.approx(2 * loss.item())


# recorded


@pytest.mark.parametrize("name", SICK_RUNS)
def test_a_recorded_run_shows_what_is_wrong_with_it(name):
    panel = cw.TrainingMonitor(name)
    expected = diagnose(panel.record)
    assert panel.wait(PATIENCE)
    assert [row["name"] for row in panel.findings.rows] == [finding.name for finding in expected.findings]
    assert SICK_RUNS[name].symptom in [finding.name for finding in expected.findings]


def test_a_history_a_race_s_run_and_their_files_are_shown(tmp_path):
    (run,) = race(cw.methods.Task(network, data(), data(seed=1)), [{"kind": "constant", "lr": 0.1}], steps=3).histories
    run.save(tmp_path / "run.csv")
    Record(run).save(tmp_path / "record.npz")
    for given in (run, str(tmp_path / "run.csv"), tmp_path / "record.npz", Record(run)):
        panel = cw.TrainingMonitor(given)
        np.testing.assert_array_equal(panel.data()["validation_loss"], run.validation_loss)
        note = json.loads(panel.layers.figure)["layout"]["annotations"][0]["text"]
        assert note == "not recorded"


def test_the_code_of_a_recorded_run_trains_it_again():
    panel = cw.TrainingMonitor("O")
    space = {}
    exec(panel.code(), space)
    (values,) = space["values"].values()
    np.testing.assert_allclose(values, panel.data()["validation_accuracy"], atol=0.02)  # other processors round differently


@pytest.mark.parametrize(
    "make, error, sentence",
    [
        (lambda: cw.TrainingMonitor("Z"), FileNotFoundError, "there is no file 'Z'"),
        (lambda: cw.TrainingMonitor(3), TypeError, "training is 3; expected a network, a Record, a History"),
        (lambda: cw.monitor("digits"), TypeError, "model is 'digits'; expected a torch.nn.Module"),
        (lambda: cw.TrainingMonitor("A").__enter__(), TypeError, "A is a recorded training; expected a network"),
        (lambda: cw.monitor(network(), []), ValueError, "the training loader is empty"),
    ],
)
def test_bad_input_is_a_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


def test_a_sick_run_is_the_race_s_run_of_its_spec():
    sick = SICK_RUNS["B"]
    begun = {**sick.spec, "until": {"steps": 1}}
    (run,) = race(task(sick.task), [begun], steps=sick.steps).histories
    found = cw.methods.sick_run("B").history
    np.testing.assert_allclose(found.loss[: len(run.loss)], run.loss, rtol=1e-3)


def deep(names: list[str]) -> Record:
    """A record of as many layers, each with a ratio of its own."""
    ratios = np.linspace(1e-4, 1e-2, len(names)) * np.ones((5, 1))
    weights = np.ones_like(ratios)
    history = race(task("digits"), [{"lr": 0.01, "model": "mlp", "until": {"steps": 1}}], steps=1).histories[0]
    return Record(history, samples=np.arange(5), layers=tuple(names), update=ratios, weight=weights, gradient=weights)


def test_a_hundred_layers_with_long_names_are_told_apart():
    names = [
        f"backbone.encoder.stage_{stage}.block_{block}.convolution_{part}"
        for stage in ("one", "two", "three") for block in range(17) for part in ("one", "two")
    ]  # fmt: skip
    names = ["backbone.encoder.stem_convolution", *names, "classification_head"]
    curves = json.loads(layers_chart(deep(names), "update / weight").to_json())["data"]
    told = [one["name"] for one in curves if one.get("hoverinfo") != "skip" and len(one["x"]) > 1]
    assert len(told) == len({*told}) == 8  # the readout joins curves of one name
    assert all(len(name) < 32 for name in told)
    legend = [one["name"] for one in curves if one.get("showlegend", True)]
    assert legend == ["first: b.e.stem_convolution", "last: classification_head", "usual"]


def test_a_few_layers_are_all_in_the_legend_by_their_own_names():
    names = ["conv1", "conv2", "fc1"]
    curves = json.loads(layers_chart(deep(names), "update / weight").to_json())["data"]
    assert [one["name"] for one in curves if one.get("showlegend", True)] == [*names, "usual"]


def test_names_that_would_be_cut_to_the_same_are_told_whole():
    names = ["encoder.stage_three.convolution", "encoder.stage_two.convolution"]
    assert told_apart(names) == names
