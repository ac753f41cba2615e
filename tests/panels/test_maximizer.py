"""ActivationMaximizer shows what maximize gives, however it was paused; a switch holds from the next step on."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import MAXIMIZE_PRESETS, maximize
from cnnwidgets.methods.ascent import Ascent
from cnnwidgets.methods.ascent_rules import RULES
from cnnwidgets.methods.objectives import diversity, layer, target, unit
from cnnwidgets.methods.regularizers import L2, Blur, ClipSmall, Jitter, RotateAndScale, TotalVariation
from cnnwidgets.net import Cancelled
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Pictures
from tests.methods.small import bound, picture

OLAH = MAXIMIZE_PRESETS["Olah 2017"]


@pytest.fixture
def net():
    return bound()


def still(net, *about, **options):
    """A panel whose ascent waits to be taken up step by step."""
    panel = cw.ActivationMaximizer(net, *about, **{"steps": 8, "playing": False, **options})
    assert panel.wait(PATIENCE)
    return panel


def stepped(panel, times: int):
    for _ in range(times):
        panel.step()
        assert panel.wait(PATIENCE)
    return panel.result


def by_hand(net, objective, how=OLAH, **options):
    return Ascent(net, [objective], how, **options)


def up(ascent: Ascent, steps: int):
    for _ in range(steps):
        ascent.step()
    return ascent


def equal(found, own) -> bool:
    return np.array_equal(found.picture, own.picture) and np.array_equal(found.history, own.history)


# what is maximized


@pytest.mark.parametrize(
    ("about", "objective"),
    [
        ({"layer": "4", "unit": 3}, unit("4", 3)),
        ({"layer": "5"}, layer("5")),
        ({"target": 2}, target(2)),
        ({"objective": unit("4", 0) - 0.5 * target(1)}, unit("4", 0) - 0.5 * target(1)),
    ],
)
@pytest.mark.parametrize("preset", MAXIMIZE_PRESETS)
def test_it_finds_what_the_method_finds(net, about, objective, preset):
    panel = cw.ActivationMaximizer(net, **about, preset=preset, steps=6, seed=3)
    own = maximize(net, objective, preset=preset, steps=6, seed=3)
    assert equal(panel.result, own) and panel.result.score == own.score
    assert panel.preset == preset
    shown = np.frombuffer(panel.picture.pixels, np.uint8).reshape(12, 12, 3)
    np.testing.assert_allclose(shown / 255, own.picture, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(panel.data()["values"], own.picture[None])


def test_several_pictures_that_differ(net):
    panel = cw.ActivationMaximizer(net, "4", 3, pictures=3, diversity=2.0, steps=4)
    own = maximize(net, unit("4", 3) + 2.0 * diversity("4"), pictures=3, steps=4)
    assert all(equal(one, other) for one, other in zip(panel.result, own, strict=True))
    assert panel.several.shape == [3, 12, 12, 3] and len(panel.several.labels) == 3


def test_a_dream_begins_with_a_picture_of_the_data_set(net):
    panel = cw.ActivationMaximizer(net, "5", images=Pictures(9), image=4, steps=3)
    assert panel.start == "picture"
    assert equal(panel.result, maximize(net, layer("5"), start=Pictures()[4][0], steps=3))
    panel.image = 5
    assert equal(panel.result, maximize(net, layer("5"), start=Pictures()[5][0], steps=3))
    panel.start = "noise"
    assert equal(panel.result, maximize(net, layer("5"), steps=3))


def test_the_first_class_and_the_last_maps_are_there_without_asking(net):
    panel = still(net)
    assert (panel.of, panel.target, panel.layer) == ("class", "0", "5")


def test_what_a_network_does_not_have_is_a_sentence(net):
    panel = still(net, "22", 3)
    assert panel.status.message == "The network has no layer '22'. Did you mean '2'?"
    panel.layer = "4"
    assert equal(stepped(panel, 2), maximize(net, unit("4", 3), steps=2))
    panel.unit = 8
    assert panel.wait(PATIENCE)
    assert panel.status.message == "There is no unit 8: 4 has 8, numbered from 0"
    with pytest.raises(ValueError, match="there is no class 'cat'"):
        _ = still(net, target="cat").result
    panel.of = "objective"
    with pytest.raises(ValueError, match="give objective="):
        _ = panel.result


# pausing


def test_pausing_and_going_on_changes_nothing(net):
    panel = still(net, "4", 3)
    assert panel.climb.made == 0 and not panel.finished
    assert equal(stepped(panel, 3), maximize(net, unit("4", 3), steps=3))
    assert panel.status.message == f"Unit 3 of 4: score {cw.numbers.number(panel.result.score)} at step 3 of 8"
    panel.play()
    assert equal(panel.result, maximize(net, unit("4", 3), steps=8))
    assert panel.finished and not panel.moving
    panel.steps = 11
    assert equal(panel.result, maximize(net, unit("4", 3), steps=11))
    panel.steps = 5
    assert equal(panel.result, maximize(net, unit("4", 3), steps=5))


def test_play_pauses_what_runs_and_cancel_keeps_what_is_there(net):
    panel = cw.ActivationMaximizer(net, "4", 3, steps=100_000)
    end = time.monotonic() + PATIENCE
    while not (panel._result and panel._result.made > 2):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert panel.moving and panel.controls["play"]["label"] == "Pause"
    panel.play()
    assert not panel.moving and panel.controls["play"]["label"] == "Play"
    made = panel.climb.made
    assert 2 < made < 100_000
    panel.play()
    panel.cancel()
    with pytest.raises(Cancelled):
        _ = panel.result
    assert panel._result.made >= made and panel.status.message.startswith("Cancelled. ")
    assert not panel.moving
    made = panel._result.made
    panel.steps = made + 2
    assert equal(panel.result, maximize(net, unit("4", 3), steps=made + 2))


def test_restart_begins_again_and_another_unit_too(net):
    panel = still(net, "4", 3)
    stepped(panel, 4)
    panel.restart()
    assert panel.playing and equal(panel.result, maximize(net, unit("4", 3), steps=8))
    assert panel.climb.run == 2
    panel.unit = 4
    assert equal(panel.result, maximize(net, unit("4", 4), steps=8))
    panel.seed = 1
    assert equal(panel.result, maximize(net, unit("4", 4), steps=8, seed=1))
    panel.image_as = "pixels"
    assert equal(panel.result, maximize(net, unit("4", 4), steps=8, seed=1, image="pixels"))


def test_many_steps_at_once_are_all_made(net):
    panel = still(net, "4", 3)
    for _ in range(4):
        panel.step()
    assert equal(panel.result, maximize(net, unit("4", 3), steps=4))


# switching


def test_a_regularizer_that_is_switched_holds_from_the_next_step_on(net):
    panel = still(net, "4", 3)
    stepped(panel, 3)
    panel.regularizers = ["total variation", "clip small"]
    panel.variation, panel.lr = 0.01, 0.02
    assert panel.climb.switched == [] and panel.preset == "your own"  # no step is made in the new way yet
    own = up(by_hand(net, unit("4", 3)), 3)
    own.regularizers, own.rule.lr = (TotalVariation(0.01), ClipSmall(30.0)), 0.02
    assert equal(stepped(panel, 2), up(own, 2).found()[0])
    panel.rule = "normalized gradient"
    own.rule = RULES["normalized gradient"](0.02)
    assert equal(stepped(panel, 3), up(own, 3).found()[0])
    assert "Switched on the way, after step 3, 5" in panel.status.message.replace("switched", "Switched")
    assert not equal(panel.result, maximize(net, unit("4", 3), steps=8))
    lines = json.loads(panel.chart.figure)["layout"]["shapes"]
    assert [line["x0"] for line in lines] == [3, 5]


def test_what_is_switched_back_before_a_step_was_never_switched(net):
    panel = still(net, "4", 3)
    stepped(panel, 3)
    panel.rule = "gradient"
    assert panel.wait(PATIENCE)
    panel.rule = "adam"
    assert equal(stepped(panel, 2), maximize(net, unit("4", 3), steps=5))
    assert panel.climb.switched == []


def test_what_is_switched_when_all_is_done_makes_it_anew(net):
    panel = cw.ActivationMaximizer(net, "4", 3, steps=5)
    assert panel.result is not None
    panel.regularizers = ["L2"]
    assert equal(panel.result, maximize(net, unit("4", 3), steps=5, regularizers=[L2(0.0001)]))
    assert panel.climb.switched == []


@pytest.mark.parametrize("preset", MAXIMIZE_PRESETS)
def test_a_preset_sets_its_switches(net, preset):
    panel = still(net, "4", 3)
    panel.take_value("preset", preset)
    assert panel.preset == preset == panel.controls["preset"]["options"][[*MAXIMIZE_PRESETS].index(preset)][0]
    assert panel.climb.hows == ((0, MAXIMIZE_PRESETS[preset]),)
    panel.l2, panel.sigma, panel.degrees = 0.5, 2.0, 3.0
    assert panel.preset == "your own"


def test_every_switch_is_a_regularizer(net):
    every = ["clip small", "blur", "rotate, scale", "jitter", "total variation", "L2"]
    panel = still(net, "4", 3, regularizers=every, l2=0.1, variation=0.2, jitter=0.25, degrees=5.0, scale=0.3, sigma=1.5,
                  every=2, percent=10.0)  # fmt: skip
    (_, how), = panel.climb.hows  # fmt: skip
    assert how == replace(OLAH, regularizers=(
        L2(0.1), TotalVariation(0.2), Jitter(0.25), RotateAndScale(5.0, 0.3), Jitter(0.125), Blur(1.5, 2), ClipSmall(10.0),
    ))  # fmt: skip
    panel.regularizers = ["jitter"]
    stepped(panel, 1)
    assert panel.climb.hows[-1][1].regularizers == (Jitter(0.25),)
    assert panel.controls["degrees"]["absent"] and not panel.controls["jitter"]["absent"]


# what is on screen


def test_the_film_and_the_curve_grow(net):
    panel = still(net, "4", 3, steps=20)
    assert panel.film.labels == ["step 0"]
    sent = []
    panel.chart.send = lambda message, buffers: sent.append(np.frombuffer(buffers[0]).reshape(-1, 2))
    stepped(panel, 3)
    figures = panel.chart.figure
    panel.play()
    history = panel.result.history
    assert panel.film.labels == [f"step {k}" for k in (0, 1, 2, 4, 8, 16)]
    np.testing.assert_array_equal(np.concatenate(sent), np.column_stack([np.arange(20), history]))
    assert panel.chart.figure == figures
    data = panel.data()
    assert data["film_steps"].tolist() == [0, 1, 2, 4, 8, 16]
    np.testing.assert_array_equal(data["film"][4], maximize(net, unit("4", 3), steps=8).picture)


def test_frames_do_not_flood_the_browser(net, monkeypatch):
    drawn = []
    draw = cw.ActivationMaximizer.draw
    monkeypatch.setattr(cw.ActivationMaximizer, "draw", lambda *given: drawn.append(time.monotonic()) or draw(*given))
    begin = time.monotonic()
    panel = cw.ActivationMaximizer(net, "4", 3, steps=300)
    assert panel.wait(PATIENCE)
    assert 2 <= len(drawn) <= 3 + (time.monotonic() - begin) / 0.08 < 300


def test_it_tells_what_the_network_says_of_the_picture():
    scenes = cw.load("scenes")
    panel = cw.ActivationMaximizer(scenes, target="7", steps=24)
    chance = float(scenes.probabilities(torch.tensor(panel.result.input))[0, 7])
    assert panel.picture.caption.startswith(f"Prediction: 7 ({cw.numbers.percent(chance)}), ")


def test_a_gray_picture_says_why():
    scenes = cw.load("scenes")
    panel = cw.ActivationMaximizer(scenes, "layer3", 1, preset="Simonyan 2013", steps=3)
    assert (panel.controls["unit"]["min"], panel.controls["unit"]["max"]) == (0, 63)
    assert panel.result.notes[-1].startswith("no gradient reaches the picture: unit 1 of layer3 gives 0 everywhere")
    said, score, *_ = panel.status.message.split("\n")
    assert said == panel.result.notes[-1].replace("no gradient", "No gradient", 1)
    assert score == "Unit 1 of layer3: score 0 after 3 steps"


def test_what_the_method_notes_is_among_the_details():
    net = cw.bind(nn.Conv2d(2, 3, 3), input_shape=(2, 9, 9))
    panel = cw.ActivationMaximizer(net, "conv2d", 1, steps=2, image_as="pixels")
    assert panel.result.notes
    shown = np.frombuffer(panel.picture.pixels, np.uint8).reshape(9, 9, 3)
    np.testing.assert_allclose(shown[..., 0] / 255, panel.result.picture.mean(2), atol=0.5 / 255 + 1e-6)
    assert panel.film.shape == [3, 9, 9, 1]
    first, *details = panel.status.message.split("\n")
    assert first.startswith("Unit 1 of ")
    assert {note[:1].upper() + note[1:] for note in panel.result.notes} <= set(details)


def test_a_network_without_classes_begins_with_a_unit():
    class Boxes(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return {"boxes": self.conv(x)}

    net = cw.bind(Boxes(), input_shape=(3, 9, 9))
    panel = cw.ActivationMaximizer(net, steps=2)
    assert panel.of == "unit" and equal(panel.result, maximize(net, unit("conv", 0), steps=2))
    assert panel.picture.caption == ""


# with others


def test_a_unit_that_is_clicked_in_a_browser_of_maps_opens_here(net):
    browser = cw.FeatureMapBrowser(net, Pictures(3), "4")
    panel = still(net, target=1, steps=3)
    cw.link(browser, panel)
    assert panel.of == "class"
    browser.set_state({"unit": 4})
    assert (panel.of, panel.layer, panel.unit) == ("unit", "4", 4)
    panel.play()
    assert equal(panel.result, maximize(net, unit("4", 4), steps=3))


def test_a_state_is_restored_with_its_class_though_a_unit_was_chosen_before(net):
    panel = still(net, "4", 3)
    panel.of = "class"
    other = still(net)
    other.restore(panel.state)
    assert other.state == panel.state and other.of == "class"


def test_without_plotly_there_are_the_pictures(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    monkeypatch.setitem(sys.modules, "plotly.subplots", None)
    panel = cw.ActivationMaximizer(net, "4", 3, steps=2)
    assert equal(panel.result, maximize(net, unit("4", 3), steps=2))
    assert len(panel.picture.pixels) == 12 * 12 * 3 and "plotly" in panel.status.message


def test_locked_buttons_do_nothing(net):
    panel = still(net, "4", 3, lock=["playing", "lr"])
    for name in ("play", "step", "restart"):
        assert panel.controls[name]["locked"]
        panel._take_message(panel, {"kind": "action", "name": name}, [])
    assert panel.climb.made == 0
    assert panel.controls["preset"]["locked"]


def test_the_code_of_an_ascent_that_was_switched_gives_its_picture(net):
    panel = still(net, "4", 3, images=[picture()], start="picture", image=0)
    stepped(panel, 2)
    panel.regularizers, panel.rule, panel.lr = ["L2"], "gradient", 0.5
    stepped(panel, 3)
    own = {"model = ...  # your network": "", "preprocess = ...  # PIL picture to input tensor": "",
           "dataset = ...  # your data set": ""}  # fmt: skip
    code = panel.code()
    for line, mine in own.items():
        assert line in code
        code = code.replace(line, mine)
    space = {"model": net.module, "preprocess": net.preprocess, "dataset": [picture()]}
    exec(code, space)
    np.testing.assert_array_equal(space["values"][0], panel.result.picture)


def test_the_code_with_an_objective_of_one_s_own_leaves_it_to_the_reader(net):
    panel = still(net, objective=2 * target(1), playing=True)
    assert "objective = ...  # yours: 2 × class 1" in panel.code()
