"""What is on screen is what the methods give, and moves and stays as it is told."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.numbers import number
from tests.base.tiny import PATIENCE, control
from tests.panels.embedding.seen import (
    QUICK,
    floats,
    places,
    press,
)


def test_the_view_gets_the_method_s_points_all_of_one_spread(explore, net, pictures):
    panel = explore(method="pca")
    found = cw.methods.features(net, pictures, "relu4", pool="grid", indices=panel.result.features.indices)
    np.testing.assert_allclose(panel.data()["values"], found.values, atol=1e-6)
    points = cw.methods.embed(found, "pca").points
    np.testing.assert_allclose(places(panel.scatter), points / np.sqrt((points**2).sum(1).mean()), atol=1e-4)
    np.testing.assert_array_equal(floats(panel.scatter.numbers, np.int32), found.indices)
    np.testing.assert_array_equal(floats(panel.scatter.labels, np.int32), [pictures[i][1] for i in found.indices])


def test_tsne_is_the_method_s_and_starts_from_pca(explore):
    drawn = []

    class Watched(cw.EmbeddingExplorer):
        def draw(self, result):
            drawn.append((result.embedding.iteration, result.points))
            super().draw(result)

    pca = explore(method="pca").result
    panel = Watched(cw.load("digits"), cw.samples.digits(), **QUICK)
    own = cw.methods.embed(pca.features, "tsne", n_iter=60)
    aligned = cw.methods.align(own.points, panel.result.points)
    np.testing.assert_allclose(aligned.points, panel.result.points, atol=1e-3)
    (first, start), (last, _) = drawn[0], drawn[-1]
    assert (first, last) == (0, 60)
    np.testing.assert_allclose(start, pca.points, atol=0.1)  # up to the noise by which equal pictures can part
    panel.close()


def test_the_result_waits_for_the_end(explore):
    panel = explore()
    assert panel.result.finished
    assert panel.status.details.startswith("relu4: 60 pictures, 84 values each · t-SNE, 60 iterations, divergence ")
    assert f"(trustworthiness {number(panel.result.embedding.trustworthiness)})" in panel.status.finding


def test_not_playing_shows_pca_and_play_goes_on_to_the_points_of_an_uninterrupted_run(explore):
    whole, panel = explore(), explore(playing=False)
    assert not panel.result.finished
    assert panel.status.finding == "Paused: t-SNE, 0 of 60 iterations."
    assert (control(panel, "play")["label"], control(panel, "play")["absent"]) == ("Play", False)
    press(panel, "play")
    assert panel.playing
    np.testing.assert_array_equal(panel.result.points, whole.result.points)
    assert control(panel, "play")["absent"]


def test_pausing_stops_and_playing_goes_on_from_there(explore):
    whole = explore(n_iter=80)
    panel = explore(n_iter=80, playing=False)
    _ = panel.result
    paused = threading.Event()

    def pause(change):
        if panel.status.kind == "busy" and not paused.is_set():
            paused.set()
            press(panel, "play")

    panel.scatter.observe(pause, "positions")
    press(panel, "play")
    assert paused.wait(PATIENCE)
    assert 0 < panel.result.embedding.iteration < 80
    assert not panel.playing
    panel.playing = True
    np.testing.assert_array_equal(panel.result.points, whole.result.points)


def test_restart_begins_again_and_ends_the_same(explore):
    panel, iterations = explore(), []
    before = panel.result.points
    panel.scatter.observe(lambda change: iterations.append(panel._result.embedding.iteration), "positions")
    panel.restart()
    np.testing.assert_array_equal(panel.result.points, before)
    assert iterations[0] == 0
    assert panel.result.finished


def test_restarting_a_paused_panel_plays(explore):
    panel = explore(playing=False)
    _ = panel.result
    panel.restart()
    assert panel.playing
    assert panel.result.finished


def test_going_back_to_a_layout_is_at_once(explore):
    panel = explore()
    before = panel.result
    panel.perplexity = 5
    assert not np.array_equal(panel.result.points, before.points)
    panel.perplexity = None
    np.testing.assert_array_equal(panel.result.points, before.points)
    assert panel.result.embedding is before.embedding


@pytest.mark.parametrize(
    "change", [{"layer": "fc1"}, {"method": "pca"}, {"pool": "mean"}, {"layer": "conv2", "pool": "max"}]
)
def test_another_layout_lies_as_close_to_the_one_before_as_it_can(explore, change):
    panel = explore(layer="conv2", method="pca")
    before = panel.result.points
    panel.restore(change)
    now = panel.result.points
    best = cw.methods.align(now, before, scale=False, mirror=panel.result.mirrored)
    assert ((now - before) ** 2).sum() <= ((best.points - before) ** 2).sum() + 1e-3


def test_that_a_layout_is_mirrored_is_said(explore):
    panel = explore(method="pca", limit=500)
    notes = []
    for layer in panel.layer_names:
        panel.layer = layer
        assert panel.result.mirrored == panel.scatter.note.endswith("mirrored, to lie as the layout before")
        notes.append("mirrored" in panel.scatter.note)
    assert set(notes) == {False, True}


def test_so_many_of_so_many_are_said(explore):
    panel = explore(method="pca", limit=300)
    assert panel.wait(PATIENCE)
    assert panel.scatter.note.startswith("300 of 500 pictures · ")
    panel.limit = 500
    assert len(panel.result.points) == 500
    assert "of 500" not in panel.scatter.note


def test_umap_moves_too_and_supervised_its_listing_has_the_labels(explore):
    panel = explore(method="umap", n_epochs=12, supervised=True)
    assert panel.result.finished
    assert "UMAP, 12 epochs" in panel.status.message
    assert f"fit_transform(values, np.array({panel.result.features.labels.tolist()}))" in panel.code()
    panel.supervised = False
    points = panel.result.points
    assert "fit_transform(values)" in panel.code()
    panel.supervised = True
    assert not np.array_equal(panel.result.points, points)
