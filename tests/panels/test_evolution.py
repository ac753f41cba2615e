"""FeatureEvolution shows each checkpoint's filters, maps, patches and points; scrubbing runs no network."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import project, top_patches
from cnnwidgets.methods.patches import cut, picture_of
from cnnwidgets.net.relu_rules import NoRule
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Pictures
from tests.methods.small import small
from tests.net.networks import unchanged

N = 24
DATA = Pictures(N)
STATES = [(f"epoch {k}", small(seed=seed).state_dict()) for k, seed in enumerate((1, 2, 3))]
NETS = [cw.bind(small(seed=seed), input_shape=(3, 12, 12)) for seed in (1, 2, 3)]


def made(**options):
    panel = cw.FeatureEvolution(
        cw.bind(small(), input_shape=(3, 12, 12)), DATA, STATES, **{"layers": ["0", "2", "5", "7"], "layer": "2", **options}
    )
    assert panel.wait(PATIENCE)
    assert panel.error is None
    return panel


@pytest.fixture
def panel():
    one = made(unit=2)
    yield one
    one.close()


# what is shown


@pytest.mark.parametrize("at", [0, 1, 2])
def test_filters_are_the_weights_of_the_checkpoint(panel, at):
    panel.checkpoint = at
    weight = STATES[at][1]["0.weight"].numpy()
    np.testing.assert_allclose(panel.filters.maps, weight.transpose(0, 2, 3, 1), atol=np.ptp(weight) / 250)
    assert np.array_equal(panel.data()["filters"][at], weight)
    assert panel.filters.title.endswith(f"epoch {at}")


def test_a_layer_that_is_not_compared_is_a_sentence_and_one_that_is_works(panel):
    panel.layer = "4"
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "error"
    assert panel.status.message == "4 is not among the layers that are compared: 0, 2, 5, 7; give layers= for others"
    panel.layer = "5"
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "ready"


@pytest.mark.parametrize("unit", [-1, 99])
def test_a_unit_that_is_not_there_has_no_maps(panel, unit):
    panel.unit = unit
    assert "maps" not in panel.data() and "points" in panel.data()


def test_maps_are_the_units_by_checkpoint(panel):
    for k, net in enumerate(NETS):
        wanted = net.trace(DATA[0][0], ["2"])["2"][0, 2].numpy()
        np.testing.assert_allclose(panel.data()["maps"][k], wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(panel.maps.maps[k], wanted, atol=np.ptp(wanted) / 250)


@pytest.mark.parametrize("layer", ["2", "5"])
def test_patches_are_those_of_the_checkpoint_by_brute_force_beside_their_projections(panel, layer):
    panel.layer = layer
    assert panel.wait(PATIENCE)
    shown = panel.film.grid.maps
    inputs = torch.stack([DATA[i][0] for i in range(N)])
    for k, net in enumerate(NETS):
        maps = net.trace(inputs, [layer])[layer][:, 2].numpy()
        i, row, column = map(int, np.unravel_index(maps.argmax(), maps.shape))
        patch = top_patches(net, DATA, layer, 1)[layer].strongest(2)[0]
        assert (patch.index, patch.row, patch.column) == (i, row, column)
        crop = cut(net.layers[layer], net.picture(picture_of(net, DATA, i)).transpose(2, 0, 1), patch)
        wanted = np.where(crop.inside, crop.values, 128).transpose(1, 2, 0)
        width = wanted.shape[1]
        np.testing.assert_allclose(shown[k][:, :width], wanted, atol=1)
        back = project(net, DATA, layer, 2, patch).values.transpose(1, 2, 0)
        scale = np.quantile(abs(back), 0.995)
        np.testing.assert_allclose(shown[k][:, width:], 128 + 127 * np.clip(back / scale, -1, 1), atol=1.5)
        assert panel.film.grid.told[k].endswith(f"row {row}, column {column} of picture {i}, labeled “{i % 4}”")


def test_points_move_with_the_checkpoint(panel):
    for at in (2, 0, 1):
        panel.checkpoint = at
        places = np.frombuffer(panel.scatter.positions, np.float32).reshape(-1, 2)
        assert np.array_equal(places, panel.data()["points"][at])
        assert panel.chart.marked == panel.maps.selected == panel.film.grid.selected == at
    assert not np.allclose(*panel.data()["points"][:2])


def test_words_follow_the_checkpoint(panel):
    assert panel.status.message.startswith("Epoch 0: ")
    panel.checkpoint = 2
    assert panel.status.message.startswith("Epoch 2: ") and "CKA with the end from 1.00" in panel.status.message
    panel.checkpoint = 99
    assert panel.at == 2


def test_a_dead_unit_has_gray_in_place_of_a_patch():
    states = [(name, {key: value.clone() for key, value in state.items()}) for name, state in STATES]
    states[0][1]["1.weight"][2], states[0][1]["1.bias"][2] = 0, -1  # the batch norm gives -1, and the ReLU 0
    panel = cw.FeatureEvolution(cw.bind(small(), input_shape=(3, 12, 12)), DATA, states, "2", 2, layers=["2"])
    panel.wait(PATIENCE)
    assert (abs(panel.film.grid.maps[0] - 128) < 1).all() and not (abs(panel.film.grid.maps[1] - 128) < 1).all()
    assert panel.film.grid.told[0] == "epoch 0: the unit gives 0 at every position of every picture"


def test_where_there_is_no_rule_patches_are_alone(monkeypatch):
    def refuse(*given):
        raise NoRule("no such rule")

    monkeypatch.setattr("cnnwidgets.panels.top_patches.tiles.project", refuse)
    panel = made()
    assert panel.film.grid.shape == [3, 3, 3, 3] and panel.film.grid.title == "2 · unit 0 · strongest patch"
    panel.close()


def test_a_unit_that_is_dead_all_the_time_is_said():
    states = [(name, {key: value.clone() for key, value in state.items()}) for name, state in STATES]
    for _, state in states:
        state["1.weight"][2], state["1.bias"][2] = 0, -1
    panel = cw.FeatureEvolution(cw.bind(small(), input_shape=(3, 12, 12)), DATA, states, "2", 2, layers=["2"], checkpoint=1)
    panel.wait(PATIENCE)
    assert panel.error is None and panel.film.grid.title == "2 · unit 2 · dead at all checkpoints"
    assert panel.checkpoint == panel.film.grid.selected == 1
    panel.close()


# what is computed


def test_scrubbing_and_other_units_run_no_network(panel, monkeypatch):
    runs = []
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: runs.append(x))
    for at in (1, 2, 0):
        panel.checkpoint = at
    panel.unit = -1
    assert runs == [] and panel.error is None


def test_another_layer_or_picture_scans_nothing(panel, monkeypatch):
    scans = []
    monkeypatch.setattr("cnnwidgets.panels.evolution.work.evolution", lambda *given, **options: scans.append(given))
    course = panel.result.course
    panel.layer = "5"
    assert panel.result.course is course
    panel.image = 3
    assert panel.result.course is course and scans == []
    np.testing.assert_allclose(panel.data()["maps"][1], NETS[1].trace(DATA[3][0], ["5"])["5"][0, 2].numpy(), rtol=1e-4)


def test_filters_and_maps_are_there_before_the_pictures_were_seen(monkeypatch):
    from cnnwidgets.panels.evolution import work as module

    shown = []

    def slow(*given, **options):
        shown.append((one.maps.shape[0], one.filters.shape[0], one.chart.figure))
        return real(*given, **options)

    one = made()
    real = module.evolution
    monkeypatch.setattr(module, "evolution", slow)
    one.limit = 20
    assert one.result.course.seen == 20
    assert shown[0][:2] == (3, 6)
    one.close()


def test_it_leaves_no_trace_and_does_what_its_code_says(panel):
    net = panel.net
    with unchanged(net.module):
        panel.layer = "5"
        panel.result  # noqa: B018
    assert "models = ...  # your network at each checkpoint, a list" in panel.code()


def test_a_limit_takes_a_sample():
    panel = made(limit=10)
    assert panel.result.course.seen == 10 and len(panel.data()["indices"]) == 10
    panel.close()


# hands


def test_a_click_on_a_curve_chooses_its_layer_and_the_checkpoint(panel):
    panel.chart.set_state({"clicked": [2, 1]})
    assert (panel.layer, panel.checkpoint, panel.chart.clicked) == ("5", 1, [])
    assert panel.wait(PATIENCE) and panel.result.layer == "5"
    panel.chart.set_state({"clicked": [4, 2]})  # the accuracy, which is no layer's
    assert (panel.layer, panel.checkpoint) == ("5", 2)


def test_a_click_on_a_point_shows_its_picture(panel):
    panel.scatter.set_state({"picked": 7})
    assert panel.image == 7 and panel.wait(PATIENCE)
    np.testing.assert_allclose(panel.picture.maps[0], panel.net.picture(DATA[7][0]), atol=1)


def test_what_is_locked_is_not_clicked():
    panel = made(lock=["layer", "checkpoint"])
    panel.chart.set_state({"clicked": [2, 1]})
    assert (panel.layer, panel.checkpoint) == ("2", 0) and panel.maps.lock == ["unit"]
    panel.close()


def test_play_goes_through_the_checkpoints_and_pauses(panel, monkeypatch):
    monkeypatch.setattr("cnnwidgets.panels.evolution.playing.FRAME", 0.05)
    seen = []
    panel.observe(lambda change: seen.append(change.new), "checkpoint")
    panel.play()
    assert panel.controls["play"]["label"] == "Pause"
    end = time.monotonic() + PATIENCE
    while panel.playing and time.monotonic() < end:
        time.sleep(0.01)
    assert seen == [1, 2] and panel.controls["play"]["label"] == "Play"
    monkeypatch.setattr("cnnwidgets.panels.evolution.playing.FRAME", 60)
    panel.play()  # from the first on again
    while panel.checkpoint != 0 and time.monotonic() < end:
        time.sleep(0.01)
    panel.play()
    assert not panel.playing and panel.checkpoint == 0 and panel.controls["play"]["label"] == "Play"


def test_a_hand_that_scrubs_pauses_it(panel, monkeypatch):
    monkeypatch.setattr("cnnwidgets.panels.evolution.playing.FRAME", 60)
    panel.play()
    end = time.monotonic() + PATIENCE
    while panel.checkpoint != 1 and time.monotonic() < end:
        time.sleep(0.01)
    panel.set_state({"checkpoint": 0})
    assert not panel.playing and panel.checkpoint == 0


# what does not fit


def test_a_network_without_checkpoints_says_so():
    panel = cw.FeatureEvolution(cw.bind(small(), input_shape=(3, 12, 12)), DATA)
    with pytest.raises(ValueError, match="no checkpoints ship with Sequential"):
        panel.result  # noqa: B018
    assert panel.status.kind == "error" and panel.status.message.startswith("No checkpoints ship with Sequential: give")


def test_a_unit_that_is_not_there_is_a_sentence(panel):
    panel.unit = 50
    assert panel.maps.title == "2 has no unit 50; expected 0 to 5"
    panel.unit = 3
    assert panel.maps.title.startswith("2 · unit 3")


def test_another_layer_keeps_a_unit_that_it_has(panel):
    panel.unit = 5
    panel.layer = "7"
    assert panel.unit == 3


def test_a_layer_whose_filters_are_not_its_units_shows_none():
    panel = made(layers=["2", "6"], layer="6")
    assert panel.filters in next(box for box in panel._box.boxes() if panel.filters in box.parts).hidden
    assert "filters" not in panel.data()
    panel.close()
