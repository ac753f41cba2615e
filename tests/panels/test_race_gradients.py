"""TrainingRace of several networks: the gradients of their first step, by depth, beside the curves."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cnnwidgets as cw
from cnnwidgets.views import ChartView
from cnnwidgets.views.chart_still import numbers_of
from tests.base.tiny import PATIENCE, is_shown

MODELS = [{"builder": "mlp", "inputs": 16, "classes": 2, "hidden": hidden} for hidden in ([8], [8, 8, 8], [8] * 6)]
NETWORKS = [{"lr": 0.05, "model": model, "name": f"{len(model['hidden'])} hidden"} for model in MODELS]


def data(seed=0, shuffle=False):
    draw = torch.Generator().manual_seed(seed)
    pictures = torch.randn(32, 1, 4, 4, generator=draw)
    return DataLoader(TensorDataset(pictures, (pictures.mean((1, 2, 3)) > 0).long()), 8, shuffle=shuffle)


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))


def race(specs, **options):
    return cw.TrainingRace(network, data(shuffle=True), data(seed=1), specs=specs, **{"steps": 3, **options})


def drawn(panel):
    """The lines of the chart, by their networks."""
    return {trace["name"]: trace for trace in json.loads(panel.gradients.figure)["data"]}


def numbers(values):
    """The numbers of a line, as plotly writes them."""
    return numbers_of(values, {})


def test_each_network_has_a_line_from_its_first_layer_to_its_last_in_the_color_of_its_curve():
    panel = race(NETWORKS)
    found, lines = panel.result.gradients, drawn(panel)
    assert is_shown(panel, panel.gradients)
    assert [*lines] == ["1 hidden", "3 hidden", "6 hidden"]
    curves = {trace["name"]: trace["line"] for trace in json.loads(panel.chart.figure)["data"] if "name" in trace}
    for name, norms in zip(found.names, found.norms, strict=True):
        np.testing.assert_allclose(numbers(lines[name]["x"]), np.linspace(0, 1, len(norms)))
        np.testing.assert_array_equal(numbers(lines[name]["y"]), norms)
        assert lines[name]["line"]["color"] == curves[name]["color"]
        assert lines[name]["line"]["dash"] == curves[name]["dash"]
    axis = json.loads(panel.gradients.figure)["layout"]["yaxis"]
    assert axis["type"] == "log"
    assert 10 ** axis["range"][0] < np.nanmin(found.table) < np.nanmax(found.table) < 10 ** axis["range"][1]


def test_they_are_the_method_s_and_in_the_panel_s_data_and_sentences():
    panel = race(NETWORKS)
    task = cw.methods.Task(network, data(shuffle=True), data(seed=1))
    found = cw.methods.first_gradients(task, NETWORKS)
    np.testing.assert_array_equal(panel.result.gradients.table, found.table)
    np.testing.assert_array_equal(panel.data()["gradient_norms"], found.table)
    assert panel.status.message.endswith(found.summary)


@pytest.mark.parametrize(
    "specs",
    [
        [{"kind": "constant", "lr": 0.1}, {"kind": "cosine", "lr": 0.1}],
        [{"lr": 0.1, "init": "zero"}, {"lr": 0.1, "init": "kaiming"}],
        [{"lr": rate, "model": MODELS[0]} for rate in (0.1, 0.2)],
    ],
)
def test_a_race_of_one_network_has_no_such_chart(specs):
    panel = race(specs)
    assert panel.result.gradients is None
    assert not is_shown(panel, panel.gradients)
    assert panel.gradients.figure == "" and "gradient_norms" not in panel.data()
    assert "gradient" not in panel.status.message and "first_gradients" not in panel.code()


def test_the_curves_have_room_again_once_a_race_is_of_schedules():
    panel = race(NETWORKS)
    assert panel.wait(PATIENCE)
    together = panel.chart.height
    panel.specs = [{"kind": "constant", "lr": 0.1}, {"kind": "cosine", "lr": 0.1}]
    assert panel.wait(PATIENCE)
    assert not is_shown(panel, panel.gradients) and panel.chart.height > together
    panel.specs = NETWORKS[1:]
    assert panel.wait(PATIENCE)
    assert is_shown(panel, panel.gradients) and panel.chart.height == together
    assert [*drawn(panel)] == ["3 hidden", "6 hidden"]


def test_the_chart_is_sent_once_however_often_the_curves_grow(monkeypatch):
    sent, show = [], ChartView.show
    monkeypatch.setattr(ChartView, "show", lambda chart, *args: (sent.append((chart, args[1])), show(chart, *args))[1])
    panel = race(NETWORKS, steps=6)
    assert panel.wait(PATIENCE)
    assert [words for chart, words in sent if chart is panel.gradients] == [
        f"norm of the loss's gradient by layer: {panel.result.gradients.summary}"
    ]


def test_the_code_gives_the_same_norms():
    panel = race(NETWORKS)
    found = panel.result
    space = {"task": cw.methods.Task(network, data(shuffle=True), data(seed=1))}
    exec(panel.code().replace("cw.methods.Task(model, loader, validation_loader)  # yours", "task"), space)
    np.testing.assert_array_equal(space["gradients"].table, found.gradients.table)
    assert [*space["values"].values()] == [one.validation_accuracy.tolist() for one in found.histories]


def test_the_code_names_the_networks_that_are_told_by_a_name_or_a_function():
    panel = race([{"lr": 0.1, "model": network}, {"lr": 0.1, "model": {**MODELS[0]}}])
    assert panel.wait(PATIENCE)
    code = panel.code()
    assert "cw.methods.BUILDERS['network'] = ...  # yours" in code
    assert "gradients = cw.methods.first_gradients(task, specs)" in code


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_a_saved_race_shows_them_again_without_a_task(tmp_path, ending):
    panel, path = race(NETWORKS), tmp_path / f"race.{ending}"
    panel.result.save(path)
    again = cw.TrainingRace(replay=path)
    assert again.wait(PATIENCE) and is_shown(again, again.gradients)
    assert again.gradients.figure == panel.gradients.figure
    assert again.status.message == panel.status.message


def test_a_file_from_before_they_were_measured_shows_its_curves_alone(tmp_path):
    replace(race(NETWORKS).result, gradients=None).save(tmp_path / "old.json")
    again = cw.TrainingRace(replay=tmp_path / "old.json")
    assert again.wait(PATIENCE) and again.error is None
    assert not is_shown(again, again.gradients)
    assert len(json.loads(again.chart.figure)["data"]) > 0


def test_the_bundled_race_has_eight_lines_and_says_what_has_a_share():
    panel = cw.TrainingRace(replay="depth")
    assert panel.wait(PATIENCE) and is_shown(panel, panel.gradients)
    assert [*drawn(panel)] == panel.result.names and len(panel.result.names) == 8
    assert "which He et al. (2016) exclude" in panel.status.message
    without = cw.TrainingRace(replay=replace(panel.result, gradients=None))
    assert len(panel.figure().axes) == len(without.figure().axes) + 1


def test_a_network_without_a_gradient_has_a_gap_in_its_line_and_is_named():
    class Dead(nn.Module):
        """The first layer's output is thrown away: all that it hears of the loss is 0."""

        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(16, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.second(0 * self.first(x.flatten(1)) + 1)

    panel = race([{"lr": 0.1, "model": Dead, "name": "dead"}, NETWORKS[0]])
    assert panel.wait(PATIENCE)
    heights = numbers(drawn(panel)["dead"]["y"])
    assert np.isnan(heights[0]) and heights[1] > 0
    assert 'The gradient of "dead" is 0 in first.' in panel.status.message.splitlines()


def test_where_no_norm_is_above_0_there_is_no_chart_and_the_reason_is_told():
    zero = [{"lr": 0.1, "model": model, "init": "zero", "name": name} for model, name in zip(MODELS[1:], "ab", strict=True)]
    panel = race(zero)
    assert panel.wait(PATIENCE)
    assert not is_shown(panel, panel.gradients)
    for name in "ab":
        assert f'The gradient of "{name}" is 0 in' in panel.status.message
