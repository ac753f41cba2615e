"""EarlyStopping: a record, patience as a slider, and what it saves and misses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.patches import Rectangle

import cnnwidgets as cw

LOSSES = [1.0, 0.6, 0.5, 0.52, 0.51, 0.55, 0.4, 0.45]


def test_patience_says_where_it_stops_and_what_that_costs():
    panel = cw.EarlyStopping(LOSSES, patience=2)
    assert (panel.result.epoch, panel.result.best_epoch, panel.result.saved) == (4, 2, 3)
    assert "Stops after epoch 5 and keeps epoch 3 (loss 0.5). Saves 3 epochs" in panel.status.message
    assert "misses 0.4 in epoch 7" in panel.status.message
    panel.patience = 4
    assert not panel.result.stopped
    assert "Never stops" in panel.status.message


def test_the_still_shades_the_saved_epochs_beyond_where_it_stops():
    (axes,) = cw.EarlyStopping(LOSSES, patience=2).figure().axes
    shaded = [part for part in axes.get_children() if isinstance(part, Rectangle) and part.get_alpha() == 0.15]
    assert [(part.get_x(), part.get_width()) for part in shaded] == [(5, 3)]
    assert [text.get_text() for text in axes.texts] == ["stops here", "3 epochs saved"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "validation loss",
        "kept: epoch 3 (loss 0.5)",
        "missed: epoch 7 (loss 0.4)",
    ]


def test_an_epoch_between_two_broken_ones_has_no_line_and_therefore_a_dot():
    for losses, dots in (
        ([1.0, float("nan"), 0.5, float("nan")], True),
        ([1.0] * 100, False),
        ([1.0] * 99 + [np.nan], True),
    ):
        (axes,) = cw.EarlyStopping(losses).figure().axes
        assert (axes.lines[0].get_marker() == "o") == dots


def test_a_larger_min_delta_stops_earlier():
    panel = cw.EarlyStopping(LOSSES, patience=2)
    panel.min_delta = 0.55
    assert panel.result.epoch == 2


@pytest.mark.parametrize("patience", [1, 2, 3, 4, 8])
def test_the_code_gives_the_same_epochs(patience):
    panel = cw.EarlyStopping([*LOSSES, float("nan")], patience=patience)
    space = {}
    exec(panel.code(), space)
    result = panel.result
    assert space["values"] == [result.epoch if result.stopped else None, result.best_epoch]
    assert panel.data()["epoch"] == (result.epoch if result.stopped else -1)


def test_a_saved_history_has_its_training_loss_too(tmp_path):
    history = cw.methods.History(
        "a run", {"kind": "constant"}, 0, rates=np.full((1, 4), 0.1), loss=np.array([2.0, 1.0, 0.5, 0.3]),
        accuracy=np.ones(4),
        ends=np.array([2, 4]), validation_loss=np.array([1.2, 0.9]), validation_accuracy=np.array([0.5, 0.6]),
    )  # fmt: skip
    history.save(tmp_path / "run.json")
    panel = cw.EarlyStopping(tmp_path / "run.json", patience=1)
    assert panel.result.best_epoch == 1
    names = [trace["name"] for trace in json.loads(panel.chart.figure)["data"]]
    assert names == ["validation loss", "training loss", "kept: epoch 2 (loss 0.9)"]
    assert panel.figure().axes[0].lines[1].get_ydata().tolist() == [1.5, 0.4]
    assert repr(panel) == "EarlyStopping(2 epochs of a run, patience=1)"


def test_without_a_number_it_says_so():
    panel = cw.EarlyStopping([float("nan")] * 3, patience=2)
    assert panel.result.best_epoch == -1
    assert "No validation loss is a number" in panel.status.message


def test_an_empty_record_is_a_sentence():
    panel = cw.EarlyStopping([])
    with pytest.raises(ValueError, match="at least one number"):
        _ = panel.result
