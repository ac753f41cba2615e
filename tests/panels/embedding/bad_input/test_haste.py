"""Whatever comes in between: nothing is mixed, nothing is lost."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

import cnnwidgets as cw
from cnnwidgets.methods.embedding_session import EmbeddingSession
from cnnwidgets.methods.embedding_state import EmbeddingState
from cnnwidgets.methods.feature_cache import FeatureCache
from cnnwidgets.net import Cancelled
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Pictures, network
from tests.panels.embedding.bad_input.telling import QUICK, told, works


def test_twenty_changes_in_a_row_show_the_last(explore):
    panel = explore(method="pca")
    names = panel.layer_names
    for k in range(20):
        panel.restore(
            {"layer": names[k % len(names)], "pool": ["grid", "mean", "max"][k % 3], "method": ["tsne", "pca"][k % 2]}
        )
    assert works(panel)
    own = explore(method="pca", layer=names[19 % len(names)], pool="mean").result
    np.testing.assert_array_equal(panel.result.features.values, own.features.values)
    np.testing.assert_allclose(
        cw.methods.align(own.points, panel.result.points, mirror=True).points, panel.result.points, atol=1e-4
    )
    assert {panel.result.features.layer, panel.layer} == {names[19 % len(names)]}


@pytest.mark.parametrize(
    "change", [{"layer": "0"}, {"pool": "max"}, {"limit": 10}, {"seed": 3}, {"method": "tsne"}], ids=str
)
@pytest.mark.parametrize(
    "owner, when", [(FeatureCache, "features"), (EmbeddingSession, "_layout")], ids=["features", "layout"]
)
def test_a_change_in_the_midst_of_a_computation_mixes_nothing(explore, change, owner, when, monkeypatch):
    midst, go_on, compute = threading.Event(), threading.Event(), getattr(owner, when)

    def stopping(self, *given, **options):
        midst.set()
        assert go_on.wait(PATIENCE)
        return compute(self, *given, **options)

    monkeypatch.setattr(owner, when, stopping)
    start = {"layer": "5", "pool": "grid", "limit": 20, "seed": 0, "method": "pca"}
    panel = cw.EmbeddingExplorer(network(), Pictures(30), **QUICK | start)
    try:
        assert midst.wait(PATIENCE)
        panel.restore(change)
        go_on.set()
        for state in (change, start):
            panel.restore(state)
            own = explore(Pictures(30), **start | state).result
            now = panel.result
            np.testing.assert_array_equal(now.features.values, own.features.values)
            same = cw.methods.align(own.points, now.points, mirror=True)
            np.testing.assert_allclose(same.points, now.points, atol=1e-4)
            assert now.embedding.params == own.embedding.params
    finally:
        go_on.set()
        panel.close()


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("phase", [0, 1, 2, 3, 5, 7])
def test_a_cancel_at_any_time_loses_nothing(explore, phase, added):
    """The panel is cancelled when it says something for the n-th time, of which some are for each of its phases."""
    panel = explore(Pictures(20), n_iter=20, compare="seeds", playing=not added)
    if added:
        _ = panel.result
        panel._added = [Pictures()[3]]
    said = 0

    def cancel(change):
        nonlocal said
        said += 1
        if said == 1 + 3 * phase:
            panel.cancel()

    panel.status.observe(cancel, ["message", "fraction"])
    panel.restore({"pool": "max", "playing": True})
    assert panel.wait(PATIENCE)
    panel.status.unobserve(cancel, ["message", "fraction"])
    assert panel.error is None or isinstance(panel.error, Cancelled)
    assert panel.status.kind == "ready"
    if panel.error:
        assert panel.status.message.startswith("Cancelled. ")
    assert panel._result is None or isinstance(panel.shown, EmbeddingState)
    panel.ask()
    assert works(panel)
    assert panel.result.finished
    assert len(panel.result.compared) == 2


def test_a_cancel_while_it_looks_at_the_pictures(explore):
    looked = threading.Event()

    class Slow(Pictures):
        def __getitem__(self, i):
            looked.set()
            threading.Event().wait(0.02)
            return super().__getitem__(i)

    panel = explore(Slow(200), method="pca", limit=200)
    assert looked.wait(PATIENCE)
    threading.Event().wait(1.7)  # so that there is a part of the features
    panel.cancel()
    assert panel.wait(PATIENCE)
    assert panel.status.message == "Cancelled. You see the previous result."
    panel.limit = 10
    assert works(panel)


def test_two_panels_and_a_browser_at_once(explore):
    net = network()
    panels = [explore(net=net, seed=seed) for seed in (0, 1)]
    browser = cw.FeatureMapBrowser(net, [Pictures()[i] for i in range(5)], "0")
    for k in range(5):
        browser.image = k
        panels[0].layer = ["0", "2", "5", "6", "7"][k]
    assert all(works(panel) for panel in panels)
    assert browser.result
    own = explore(seed=1).result
    np.testing.assert_array_equal(panels[1].result.points, own.points)
    browser.close()


def test_a_data_set_of_another_type():
    class Sized(Dataset):
        def __len__(self):
            raise NotImplementedError("no length yet")

        def __getitem__(self, i):
            return torch.zeros(3, 12, 12)

    panel = cw.EmbeddingExplorer(network(), Sized())
    assert "no length yet" in told(panel)
    panel.close()
