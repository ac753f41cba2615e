"""What is on screen, in a still and in views comes from one result: that of the last request that came to something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, POOL
from cnnwidgets.registry import panels
from cnnwidgets.views import View
from tests.base.tiny import PATIENCE, Doubler, under

LOSSES = [2.0, 1.5, 1.7, 1.6, 1.4, 1.9, 1.8]
SCENES = {"patch": 16, "stride": 8}


def race():
    return cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}], steps=2)


def explorer():
    return cw.EmbeddingExplorer(cw.load("digits"), cw.samples.digits(), limit=60, method="pca")


PANELS = {  # how it is made, and another state, whose picture, maps or curves are others
    "Doubler": (Doubler, {"number": 7}),
    "FilterGrid": (lambda: cw.FilterGrid(cw.load("scenes"), unit=1), {"layer": "layer1.0.conv1"}),
    "FeatureMapBrowser": (lambda: cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes()), {"image": 1}),
    "TopPatches": (
        lambda: cw.TopPatches(cw.load("digits"), cw.samples.digits(), "relu1", one_per_picture=False),
        {"layer": "relu2", "one_per_picture": True},
    ),
    "UnitExplorer": (
        lambda: cw.UnitExplorer(cw.load("digits"), cw.samples.digits(), 5, "relu1", 2),
        {"image": 6, "layer": "relu2"},
    ),
    "Concepts": (
        lambda: cw.Concepts(cw.load("digits"), cw.samples.digits(), "relu2", 3),
        {"layer": "relu1", "n": 2},
    ),
    "FeatureEvolution": (
        lambda: cw.FeatureEvolution(cw.load("digits"), cw.samples.digits(), layer="pool2", limit=40),
        {"layer": "relu4", "image": 1},
    ),
    "OcclusionSlider": (lambda: cw.OcclusionSlider(cw.load("scenes"), cw.samples.scenes(), **SCENES), {"image": 1}),
    "SaliencyPanel": (
        lambda: cw.SaliencyPanel(cw.load("scenes"), cw.samples.scenes(), methods=["saliency"], outline="object"),
        {"image": 1, "outline": "none"},
    ),
    "EmbeddingExplorer": (explorer, {"layer": "conv1", "color": "prediction"}),
    "SchedulePlayground": (cw.SchedulePlayground, {"specs": [{"kind": "plateau", "lr": 0.5}], "steps": 30}),
    "TrainingRace": (race, {"steps": 1}),
    "LRFinder": (lambda: cw.LRFinder("digits", steps=10), {"steps": 12}),
    "EarlyStopping": (lambda: cw.EarlyStopping(LOSSES, 2), {"patience": 5}),
    "BackwardRules": (cw.BackwardRules, {"example": "network"}),
    "AugmentationGallery": (
        lambda: cw.AugmentationGallery(cw.load("digits"), cw.samples.digits(), copies=2),
        {"image": 1, "augmentations": ["shift"]},
    ),
    "InitLab": (lambda: cw.InitLab(depth=2, width=20), {"init": "xavier", "activation": "relu"}),
    "GradientCheck": (lambda: cw.GradientCheck(of="fc3.bias", pictures=1, entries=2), {"of": "fc2.bias"}),
    "ActivationMaximizer": (lambda: cw.ActivationMaximizer(cw.load("digits"), "conv1", 2, steps=6), {"seed": 1}),
    "OptimizerRace": (lambda: cw.OptimizerRace(steps=20), {"surface": "saddle"}),
    "HyperparameterSearch": (lambda: cw.HyperparameterSearch(runs=2, steps=1), {"seed": 3}),
    "TrainingMonitor": (lambda: cw.TrainingMonitor("A"), {}),
    "TwoNetworks": (
        lambda: cw.TwoNetworks(
            cw.OcclusionSlider, cw.load("scenes"), cw.load("grass"), 0, images=cw.samples.scenes(), **SCENES
        ),
        {},
    ),
    "SickRuns": (lambda: cw.SickRuns("A", guesses={"A": "plateau", "F": "plateau"}), {"run": "F"}),
}


def test_every_panel_is_among_them():
    assert set(panels()) <= set(PANELS)


def drawn(panel: Panel) -> list[np.ndarray]:
    """What the artists of the still carry."""
    found = []
    for axes in panel.figure().axes:
        found += [np.ma.filled(np.ma.asarray(image.get_array(), float), -1) for image in axes.images]
        found += [np.asarray(line.get_xydata(), float) for line in axes.lines]
        found += [np.asarray(points.get_offsets(), float) for points in axes.collections]
    return found


def shown(panel: Panel) -> list[tuple[str, dict]]:
    """The traits of all views but controls, which show what is asked for; without the sizes and places of a layout."""
    views = [widget for widget in under(panel) if isinstance(widget, View)]
    names = [set(view.trait_names(sync=True)) - set(w.DOMWidget.class_trait_names()) for view in views]
    return [
        (type(view).__name__, {name: getattr(view, name) for name in sorted(some)})
        for view, some in zip(views, names, strict=True)
    ]


@contextmanager
def asking_for_nothing(panel: Panel) -> Iterator[None]:
    """Inside, changes of traits ask for nothing."""
    panel.ask = lambda **wishes: None
    try:
        yield
    finally:
        del panel.ask


@pytest.fixture(scope="module", params=PANELS)
def after(request):
    """A panel of which one request came to something, the next was dropped at its first update, and the last failed."""
    make, state = PANELS[request.param]
    panel = make()
    assert panel.wait(PATIENCE)
    assert panel.error is None
    assert POOL.wait(PATIENCE)
    before = drawn(panel), shown(panel)
    compute, update, finish = panel.compute, panel._update, panel._finish
    came, gate, called = threading.Event(), threading.Event(), []

    def late(tell):
        def pause(*about, **outcome):
            came.set()
            assert gate.wait(PATIENCE)
            tell(*about, **outcome)

        return pause

    def fails(*asked):
        called.append(asked)
        if len(called) > 1:
            raise ValueError("nothing can be computed")
        return compute(*asked)

    panel.compute, panel._update, panel._finish = fails, late(update), late(finish)
    with asking_for_nothing(panel):
        for name, value in state.items():
            setattr(panel, name, value)
    panel.ask()
    assert came.wait(PATIENCE)
    panel.ask()
    gate.set()
    assert panel.wait(PATIENCE)
    assert POOL.wait(PATIENCE)
    panel.compute, panel._update, panel._finish = compute, update, finish
    yield panel, before
    panel.close()


def test_the_still_is_that_of_the_last_result(after):
    panel, (still, _) = after
    found = drawn(panel)
    assert len(found) == len(still) > 0
    for one, other in zip(found, still, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_views_show_the_last_result_also_when_it_is_drawn_again(after):
    panel, (_, views) = after
    assert shown(panel) == views
    with LOCK:
        panel.draw(panel._result)
        said = panel._said(panel._result)
    assert POOL.wait(PATIENCE)
    assert shown(panel) == views
    assert isinstance(said, str)


def test_what_was_asked_for_last_is_said_to_have_failed(after):
    panel, _ = after
    assert panel.status.kind == "error"
    for read in (lambda: panel.result, panel.data):
        with pytest.raises(ValueError, match="nothing can be computed"):
            read()


def test_a_patch_that_is_dragged_is_probed_in_the_picture_on_screen():
    net, scenes = cw.load("scenes"), cw.samples.scenes()
    panel = cw.OcclusionSlider(net, [scenes[0][0], scenes[1][0], "nowhere.png"], **SCENES)
    assert panel.wait(PATIENCE)
    expected = panel.shown.session.at(3, 5)
    read, gate = threading.Event(), threading.Event()
    update = panel._update

    def late(*about):
        read.set()
        assert gate.wait(PATIENCE)
        update(*about)

    panel._update = late
    panel.image = 1
    assert read.wait(PATIENCE)  # picture 1 was read, and nothing of it is on screen
    panel.image = 2
    gate.set()
    assert panel.wait(PATIENCE)
    panel.picture.set_state({"box": [3, 5, 16, 16]})
    assert POOL.wait(PATIENCE)
    assert panel.answers.answer["value"] == expected.value
    pictures = [image.get_array() for axes in panel.figure().axes for image in axes.images]
    np.testing.assert_array_equal(pictures[0], panel.shown.session.covered(3, 5))
    assert panel.shown.session.at(3, 5).value == expected.value


def test_a_probe_that_comes_when_another_picture_is_on_screen_is_dropped(monkeypatch):
    panel = cw.OcclusionSlider(cw.load("scenes"), cw.samples.scenes(), **SCENES)
    assert panel.wait(PATIENCE)
    probed, gate = threading.Event(), threading.Event()
    session = panel.shown.session
    at = session.at

    def slow(*place):
        probed.set()
        assert gate.wait(PATIENCE)
        return at(*place)

    monkeypatch.setattr(session, "at", slow, raising=False)
    panel.picture.set_state({"box": [3, 5, 16, 16]})
    assert probed.wait(PATIENCE)
    panel.image = 1
    assert panel.wait(PATIENCE)
    gate.set()
    assert POOL.wait(PATIENCE)
    assert panel.answers.answer == {}


def test_an_explorer_asked_for_a_color_that_there_is_not_keeps_its_still():
    panel = explorer()
    assert panel.wait(PATIENCE)
    before = drawn(panel)
    panel.color = "predictions"
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "error"
    for one, other in zip(drawn(panel), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_drawn_leaves_what_was_there_before():
    class Fragile(Doubler):
        def draw(self, result):
            super().draw(result)
            if result == 14:
                raise ValueError("14 cannot be drawn")

    panel = Fragile(number=3)
    assert panel.result == 6
    before = shown(panel)
    panel.number = 7
    with pytest.raises(ValueError, match="14 cannot be drawn"):
        _ = panel.result
    assert (panel.shown, panel.asked.number, shown(panel)) == (6, 3, before)
    assert "14 cannot be drawn" in panel.status.message
