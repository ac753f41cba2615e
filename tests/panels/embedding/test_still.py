"""The still picture, which is drawn again once a layout has come to rest."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from torch.utils.data import Subset

import cnnwidgets as cw
from cnnwidgets.base import jobs
from cnnwidgets.base.computing import FIRST_PICTURE
from tests.base.tiny import PATIENCE
from tests.panels.embedding.seen import (
    QUICK,
    has_the_faces_of_its_points,
)


class Display:
    """IPython's display, and the handle that it gives."""

    def __init__(self):
        self.shown, self.updates = [], []

    def __call__(self, data, raw, display_id=False, metadata=None):
        self.shown.append(data)
        return self if display_id else None

    def update(self, data, metadata, raw):
        self.updates.append(data)


@pytest.fixture
def display(monkeypatch):
    made = Display()
    monkeypatch.setattr("IPython.display.display", made)
    return made


def test_showing_does_not_wait_for_the_end_and_the_still_picture_is_drawn_again_once(explore, display):
    panel = explore(n_iter=100_000)
    start = time.monotonic()
    panel._ipython_display_()
    assert time.monotonic() - start < FIRST_PICTURE
    assert not panel._result.finished
    assert len(display.shown) == 2
    assert display.updates == []
    panel.iterations = 60
    assert panel.result.finished
    assert len(display.updates) == 1
    assert display.updates[0]["image/png"] != display.shown[1]["image/png"]
    panel.color = "prediction"
    _ = panel.result
    assert len(display.updates) == 1


def test_an_end_while_the_still_picture_is_drawn_is_not_missed(explore, display):
    class Slow(cw.EmbeddingExplorer):
        def figure(self):
            drawn = super().figure()
            self.gate.set()
            assert self.wait(PATIENCE)
            return drawn

        def progress(self, partial):
            if partial and partial.finished:
                assert self.gate.wait(PATIENCE)
            return super().progress(partial)

    Slow.gate = threading.Event()
    panel = Slow(cw.load("digits"), cw.samples.digits(), **QUICK)
    panel._ipython_display_()
    assert panel.result.finished
    assert len(display.updates) == 1
    panel.close()


def test_what_is_finished_is_shown_once(explore, display):
    panel = explore(method="pca")
    _ = panel.result
    panel._ipython_display_()
    assert (len(display.shown), display.updates) == (2, [])


def test_the_still_picture_has_the_points_in_its_artists(explore):
    panel = explore(compare="seeds")
    first, *others = panel.figure().axes
    np.testing.assert_array_equal(first.collections[0].get_offsets(), panel.result.points)
    assert first.get_title("left").startswith("t-SNE of relu4 (layer 11, ReLU)")
    assert [axes.get_title("left") for axes in others[:2]] == ["seed 1", "seed 2"]
    for axes, beside in zip(others, panel.result.compared, strict=False):
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), beside.points)
    counts = np.bincount(panel.result.features.labels)
    assert [text.get_text() for text in first.get_legend().get_texts()] == [f"{k} ({counts[k]})" for k in range(10)]
    assert others[-1].get_title("left") == "How well each layer separates the classes"


def test_the_still_picture_has_added_points_the_picked_one_and_its_neighbors(explore):
    panel = explore(method="pca")
    added = panel.add([cw.samples.digits()[0][0]])
    panel.image = int(panel.result.features.indices[5])
    assert jobs.POOL.wait(PATIENCE)
    first, *others = panel.figure().axes
    points, ring, picked, *_ = first.collections
    assert len(points.get_offsets()) == len(panel.result.points) + 1
    np.testing.assert_array_equal(ring.get_offsets(), added)
    np.testing.assert_array_equal(picked.get_offsets(), panel.result.points[[5]])
    assert others[0].get_title("left").startswith(f"Picture {panel.image}")


def test_a_subset_keeps_its_own_numbers(explore, net, pictures):
    panel = explore(net, Subset(pictures, range(100, 140)), method="pca")
    assert panel.result.features.indices.tolist() == list(range(40))
    assert has_the_faces_of_its_points(panel)
