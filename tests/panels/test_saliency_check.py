"""The sanity check of a SaliencyPanel: the network forgets its last layers, at one depth or at all of them."""

from __future__ import annotations

import gc
import threading
import weakref
from importlib import import_module

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.methods.sanity import randomized
from tests.base.tiny import is_shown
from tests.net.networks import unchanged

FAST = ["saliency", "guided_backprop", "grad_cam"]


@pytest.fixture
def panel(net, pictures):
    return cw.SaliencyPanel(net, 3, images=pictures, methods=FAST)


def test_a_slider_randomizes_the_last_layers_of_a_copy(panel, net, pictures):
    _ = panel.result
    with unchanged(net.module):
        panel.randomized = 2
        result = panel.result
    own = cw.methods.saliency(randomized(net, 2), pictures[3], "6")
    np.testing.assert_array_equal(result.maps["saliency"][0].values, own.values)
    assert result.agreements.keys() == set(FAST) and result.agreements["saliency"].keys() == {0, 2}
    assert result.agreements["saliency"][2].correlation < 0.95
    assert "The last 2 layers now have random weights." in panel.status.message
    assert is_shown(panel, panel.chart)


def test_all_depths_are_those_of_the_method_and_the_slider_stays(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency", "grad_cam"], randomized=1)
    panel.check_all()
    result = panel.result
    own = cw.methods.sanity_check(net, pictures[3], methods=("saliency", "grad_cam"))
    for k, method in enumerate(own.methods):
        found = result.agreements[method]
        assert list(found) == list(own.depths)
        np.testing.assert_allclose([one.correlation for one in found.values()], own.correlation[k], atol=1e-6)
        np.testing.assert_allclose([one.similarity for one in found.values()], own.similarity[k], atol=1e-6)
    assert (panel.randomized, result.depth) == (1, 1)


def test_all_depths_are_of_the_request_and_not_of_one_that_is_under_way(net, pictures, monkeypatch):
    entered, go, aims = threading.Event(), threading.Event(), cw.SaliencyPanel._aims

    def slow(panel, state):
        entered.set()
        assert go.wait(30)
        return aims(panel, state)

    monkeypatch.setattr(cw.SaliencyPanel, "_aims", slow)
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"])
    assert entered.wait(30)
    panel.check_all()
    go.set()
    assert len(panel.result.agreements["saliency"]) == 17


def shown(panel):
    """Where the slider stands."""
    spec = panel.controls["randomized"]
    return panel.randomized if spec["shown"] is None else spec["shown"]


def test_while_the_sanity_check_runs_the_strip_and_the_slider_are_those_of_the_maps(panel):
    assert panel.result.depth == 0
    seen = []

    def look(_):
        seen.append((shown(panel), panel.status.message, list(panel.table.columns), [*panel.table.cells]))

    panel.status.observe(look, "message")
    panel.check_all()
    assert panel.result.depth == 0 and panel.randomized == 0, "the trait stays what was asked for"
    panel.status.unobserve(look, "message")
    moving = [one for one in seen if " layers random" in one[1]]
    assert [depth for depth, *_ in moving] == sorted(depth for depth, *_ in moving), "one layer after the other"
    assert {depth for depth, *_ in moving} == set(range(17))
    assert all(message.startswith(f"{depth} of 16 layers random") for depth, message, *_ in moving)
    assert {tuple(columns) for _, _, columns, _ in moving} == {("saliency", "guided backprop", "Grad-CAM")}
    assert all("shape" in about for *_, cells in moving for about in cells), "no map vanishes"
    assert shown(panel) == 0


def test_a_cancelled_sanity_check_stays_at_its_depth_and_the_slider_goes_back_by_hand(panel):
    assert panel.result.depth == 0

    def stop(change):
        if change.new.startswith("3 of 16"):
            panel.cancel()

    panel.status.observe(stop, "message")
    panel.check_all()
    assert panel.wait(60) and isinstance(panel.error, cw.Cancelled)
    panel.status.unobserve(stop, "message")
    assert (panel.shown.depth, shown(panel), panel.randomized) == (3, 3, 0)
    assert panel.shown.maps.keys() == set(FAST) and "The last 3 layers now have random weights." in panel.status.message
    panel._handle_custom_msg({"kind": "again", "name": "randomized"}, [])
    assert panel.result.depth == 0 and shown(panel) == 0


def test_of_the_randomized_copies_no_more_than_one_is_held(net, pictures, monkeypatch):
    made = []

    def remembered(*args, **options):
        copy = randomized(*args, **options)
        made.append(weakref.ref(copy.module))
        return copy

    monkeypatch.setattr(import_module("cnnwidgets.methods.compare"), "randomized", remembered)
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"])
    panel.check_all()
    assert len(panel.result.agreements["saliency"]) == 17
    gc.collect()
    assert len(made) == 16 and sum(one() is not None for one in made) <= 1
