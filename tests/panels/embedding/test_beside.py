"""What lies beside a layout, and how well classes separate, by depth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from torch.utils.data import Subset

import cnnwidgets as cw
from cnnwidgets.methods import feature_cache, separation
from cnnwidgets.numbers import number
from tests.base.tiny import is_shown
from tests.panels.embedding.seen import (
    go,
    places,
)


@pytest.mark.parametrize(
    ("compare", "titles"),
    [
        ("perplexities", ["perplexity 5", "perplexity 15"]),
        ("seeds", ["seed 1", "seed 2"]),
        ("noise", ["random numbers of the same shape"]),
    ],
)
def test_what_lies_beside_is_the_method_s(explore, compare, titles):
    panel = explore(compare=compare)
    assert [one.title for one in panel.result.compared] == titles
    options = {"perplexities": [{"perplexity": 5}, {"perplexity": 15}], "seeds": [{"seed": 1}, {"seed": 2}], "noise": [{}]}
    values = panel.result.features.values
    data = cw.methods.noise_like(values) if compare == "noise" else values
    for beside, own in zip(panel.result.compared, options[compare], strict=True):
        layout = cw.methods.embed(data, "tsne", n_iter=60, **own)
        aligned = cw.methods.align(layout.points, beside.points, mirror=True)
        np.testing.assert_allclose(aligned.points, beside.points, atol=1e-3)
        assert beside.same == (compare != "noise")
    shown = [view for view in panel.compared if is_shown(panel, view)]
    assert [view.title for view in shown] == titles
    panel.compare = "nothing"
    assert not panel.result.compared
    assert not any(is_shown(panel, view) for view in panel.compared)


@pytest.mark.parametrize(("compare", "count"), [("size", 4), ("distance", 3)])
def test_a_changed_class_is_that_of_the_picked_picture_and_stands_out(explore, compare, count):
    panel = explore(compare=compare)
    found = panel.result.features
    largest = np.bincount(found.labels).argmax()
    other = next(label for label in found.labels if label != largest and (found.labels == label).sum() >= 4)
    for label in (largest, other):
        if label == other:
            panel.image = int(found.indices[found.labels == other][0])
        changes = [one.change for one in panel.result.compared]
        assert [change.label for change in changes] == [label] * count
        assert f"Class {label} was " in panel.status.finding
        assert panel.status.finding.endswith(f"PCA shows {number(changes[-1].on_map, 2)} times.")
        for view, beside in zip(panel.compared, panel.result.compared, strict=False):
            assert (view.title, view.note) == (beside.title, beside.change.note)
            np.testing.assert_array_equal(found.labels[view.selection], label)


def test_a_class_that_cannot_be_changed_is_said(explore, net, pictures):
    same = [k for k in range(500) if pictures[k][1] == 3][:9]
    panel = explore(net, Subset(pictures, same), method="pca", compare="size")
    with pytest.raises(ValueError, match="labels of one class"):
        _ = panel.result
    panel.compare = "nothing"
    assert panel.result.finished


def test_what_lies_beside_follows_the_layer_and_the_color(explore):
    panel = explore(compare="seeds")
    for change in ({}, {"layer": "conv1"}, {"color": "confidence"}, {"layer": "relu4"}):
        panel.restore(change)
        for view, beside in zip(panel.compared, panel.result.compared, strict=False):
            np.testing.assert_array_equal(places(view), beside.points)
            assert (view.group, view.value) == (panel.scatter.group, panel.scatter.value)


def test_separation_is_the_method_s_in_every_layer(explore):
    panel = explore(method="pca")
    found = panel.result
    assert list(found.separation) == panel.layer_names
    assert found.separation[found.features.layer] == separation(found.features.values, found.features.labels)
    assert panel.layer_names[panel.chart.marked] == "relu4"
    panel.layer = "conv2"
    assert panel.result.separation["conv2"] == separation(panel.result.features.values, found.features.labels)
    assert panel.layer_names[panel.chart.marked] == "conv2"


@pytest.mark.parametrize(
    ("wanted", "why"), [([0, 1, 2, 3, 4, 5], "needs two pictures of one class"), ([3] * 6, "needs two classes")]
)
def test_where_classes_cannot_be_compared_the_chart_says_why(explore, net, pictures, wanted, why):
    of = {label: [k for k in range(500) if pictures[k][1] == label] for label in set(wanted)}
    chosen = [of[label].pop() for label in wanted]
    panel = explore(net, Subset(pictures, chosen), method="pca", layer="fc3")
    assert panel.result.separation == {}
    (said,) = json.loads(panel.chart.figure)["layout"]["annotations"]
    assert said["text"] == why and why in panel.chart.description


def test_a_click_in_the_chart_goes_to_the_layer(explore):
    panel = explore(method="pca")
    _ = panel.result
    go(panel, 1, panel.layer_names.index("pool2"))
    assert panel.result.features.layer == panel.layer == "pool2"
    assert panel.chart.clicked == []


def test_the_chart_is_drawn_when_it_changes_and_not_with_every_picture(explore):
    panel, drawn = explore(), []
    assert panel.result
    panel.chart.show = lambda *given: drawn.append(given)
    panel.restart()
    assert panel.result.finished
    assert drawn == []


def test_where_not_all_layers_have_room_each_is_looked_at_when_it_is_asked_for(explore, monkeypatch):
    monkeypatch.setattr(feature_cache, "ONE_PASS", 0)
    panel = explore(method="pca")
    assert list(panel.result.separation) == ["input", "relu4"]
    panel.layer = "conv1"
    assert list(panel.result.separation) == ["input", "conv1", "relu4"]
    assert panel.chart.marked == 1
    go(panel, 0, 2)
    assert panel.result.features.layer == "relu4"
    assert panel.chart.marked == 2
