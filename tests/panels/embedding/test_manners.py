"""Controls, a cancel, links, closing, states."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.base import jobs
from cnnwidgets.net import Cancelled
from tests.base.tiny import PATIENCE, are_gone, control, under
from tests.net.networks import unchanged
from tests.panels.embedding.seen import (
    QUICK,
    pick,
    press,
    settled,
)


def test_hidden_and_locked_controls(explore):
    panel = explore(method="pca", hide=["perplexity"], lock=["layer", "image", "selection", "playing"])
    numbers = panel.result.features.indices
    assert "perplexity" not in panel.controls
    assert all(control(panel, name)["locked"] for name in ("layer", "play", "restart"))
    assert panel.scatter.lock == ["picked", "selected"]
    assert (panel.chart.fixed, panel.chart.hint) == (True, "")
    assert settled(panel).alike.lock == ["unit"]
    panel.image = int(numbers[3])
    settled(panel).alike.set_state({"selected": 0})
    assert panel.image == numbers[3]


def test_only_the_method_s_own_controls_are_there(explore):
    panel = explore(method="pca")
    for name in ("perplexity", "early_exaggeration", "n_iter"):
        assert control(panel, name)["when"] == {"method": ["tsne"]}
    for name in ("n_neighbors", "min_dist", "n_epochs", "supervised"):
        assert control(panel, name)["when"] == {"method": ["umap"]}
    for name in ("learning_rate", "metric", "restart"):
        assert control(panel, name)["when"] == {"method": ["tsne", "umap"]}


@pytest.mark.parametrize(
    ("name", "value"),
    [("perplexity", 600.0), ("perplexity", -5.0), ("limit", 150_000), ("seed", 20_000), ("min_dist", 0.0)],
)
def test_a_number_beyond_its_field_s_ends_can_be_set_by_code(explore, name, value):
    panel = explore(playing=False, min_dist=0.5)
    setattr(panel, name, value)
    assert getattr(panel, name) == panel.get_state(name)[name] == value


def test_an_empty_field_stands_for_the_usual_and_says_it(explore):
    panel = explore(playing=False, perplexity=7)
    assert [control(panel, name)["none"] for name in ("perplexity", "n_iter", "n_epochs")] == [
        "automatic (30)",
        "automatic (1000)",
        "automatic",
    ]
    panel.set_state({"perplexity": None})
    assert panel.perplexity is None
    panel.set_state({"perplexity": 12})
    assert panel.perplexity == 12


def test_a_cancel_keeps_what_is_there_and_the_next_wish_goes_on(explore):
    class Stopped(cw.EmbeddingExplorer):
        stops = True

        def progress(self, partial):
            if self.stops and partial and partial.embedding.iteration > 20:
                self.cancel()
            return super().progress(partial)

    whole = explore()
    net = cw.load("digits")
    with unchanged(net.module):
        panel = Stopped(net, cw.samples.digits(), **QUICK)
        assert panel.wait(PATIENCE)
    with pytest.raises(Cancelled):
        _ = panel.result
    assert 20 < panel.shown.embedding.iteration < 60
    assert panel.status.message.startswith("Cancelled. Paused: t-SNE, ")
    panel.stops = False
    assert control(panel, "play")["label"] == "Play"
    press(panel, "play")
    assert panel.playing
    np.testing.assert_array_equal(panel.result.points, whole.result.points)
    panel.close()


def test_a_linked_browser_opens_the_picked_picture(explore, net, pictures):
    panel, browser = explore(method="pca"), cw.FeatureMapBrowser(net, 4, "conv1", images=pictures)
    numbers = panel.result.features.indices
    cw.link(panel, browser)
    assert (panel.image, browser.layer) == (4, "relu4")
    pick(panel, 7)
    assert browser.image == numbers[7]
    np.testing.assert_array_equal(browser.data()["picture"], net.picture(pictures[int(numbers[7])][0]))
    browser.image = int(numbers[20])
    assert panel.scatter.picked == 20
    browser.layer = "conv2"
    assert panel.result.features.layer == "conv2"
    browser.close()


def test_a_block_s_name_stands_for_the_call_that_ends_it(explore):
    panel = explore(cw.load("scenes"), cw.samples.scenes(), layer="layer3.1", method="pca", limit=20)
    assert panel.result.features.layer == "layer3.1.relu:2"
    assert panel.status.kind == "ready"


def test_a_closed_panel_leaves_memory(net, pictures):
    panel = cw.EmbeddingExplorer(net, pictures, **QUICK)
    assert panel.result
    gone = [weakref.ref(one) for one in (panel, panel.scatter, panel._session, panel.result.embedding)]
    panel.close()
    assert all(widget.comm is None for widget in under(panel))
    del panel
    assert jobs.POOL.wait(PATIENCE)
    assert are_gone(gone)


def test_panels_on_the_same_pictures_hold_their_features_once_and_the_last_frees_them(net, pictures):
    panels = [cw.EmbeddingExplorer(net, pictures, **QUICK | {"seed": seed}) for seed in (0, 1)]
    for layer in ("relu4", "conv1", "input"):
        for panel in panels:
            panel.layer = layer
        assert panels[0].data()["values"] is panels[1].data()["values"]
    gone = [weakref.ref(panels[0].result.features)]
    panels.pop(0).close()
    assert jobs.POOL.wait(PATIENCE)
    assert gone[0]() is panels[0].result.features
    panel.close()
    del panel, panels
    assert jobs.POOL.wait(PATIENCE)
    assert are_gone(gone)


def test_closing_stops_the_layout(net, pictures):
    panel = cw.EmbeddingExplorer(net, pictures, n_iter=100_000, limit=60)
    assert panel._job.wait_for_picture(PATIENCE)
    panel.close()
    assert panel.wait(PATIENCE)


def test_state_brings_the_panel_back(explore):
    panel = explore(method="pca")
    panel.restore({"layer": "fc1", "color": "confidence", "seed": 3, "selection": [1, 4], "perplexity": 9, "n_iter": None})
    other = explore()
    other.restore(panel.state)
    assert other.state == panel.state
    np.testing.assert_allclose(other.result.points, panel.result.points, atol=1e-6)
    assert (
        repr(other)
        == repr(panel)
        == ("EmbeddingExplorer(digits, layer='fc1', method='pca', color='confidence', limit=60, perplexity=9.0, seed=3)")
    )
