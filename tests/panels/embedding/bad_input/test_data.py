"""Whatever data set and network there is: a sentence in the strip, or points."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset

import cnnwidgets as cw
from cnnwidgets.base import jobs
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Bad, Pictures, network
from tests.net.networks import unchanged
from tests.panels.embedding.bad_input.telling import NO_DATA, told, works


class Endless(IterableDataset):
    def __iter__(self):
        yield torch.zeros(3, 12, 12)


class Broken(Pictures):
    def __getitem__(self, i):
        raise OSError("the disk is gone")


class Labeled(Pictures):
    """Each label is what a function makes of it."""

    def __init__(self, label, size=50, classes=()):
        super().__init__(size)
        self.label, self.classes = label, classes

    def __getitem__(self, i):
        return super().__getitem__(i)[0], self.label(i)


class Same(Pictures):
    def __getitem__(self, i):
        return super().__getitem__(0)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ([], "Expected pictures to scan, got none: the data set is empty"),
        (Endless(), f"{NO_DATA}, got Endless"),
        (
            torch.utils.data.DataLoader(Pictures()),
            f"{NO_DATA}, got a DataLoader: give its data set, loader.dataset",
        ),
        (Broken(), "None of the 50 pictures can be used; the first, 0: OSError: the disk is gone"),
        ([None] * 3, "None of the 3 pictures can be used; the first, 0: "),
        ({"image": 3}, f"{NO_DATA}, got a dict"),
        (7, f"{NO_DATA}, got int"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_data_set_that_is_none(explore, dataset, sentence):
    assert told(explore(dataset)).startswith(sentence)


@pytest.mark.parametrize(
    ("n", "method"), [(1, "pca"), (2, "pca"), (3, "pca"), (4, "pca"), (4, "tsne"), (5, "tsne"), (7, "tsne")]
)
def test_few_pictures_are_shown(explore, n, method):
    panel = explore(Pictures(n), method=method)
    assert works(panel)
    panel.image = n - 1
    assert jobs.POOL.wait(PATIENCE)
    assert panel.scatter.picked == n - 1
    assert panel.status.kind == "ready"
    for color in ("trustworthiness", "confidence"):
        panel.color = color
        assert works(panel)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_for_a_method_is_a_sentence_and_pca_works(explore, n):
    panel = explore(Pictures(n))
    there = "there is 1" if n == 1 else f"there are {n}"
    assert told(panel) == f"At least 4 pictures make a t-SNE; {there}: take more, or method='pca'"
    panel.method = "pca"
    assert works(panel)


def test_pictures_that_are_all_the_same(explore):
    panel = explore(Same())
    assert told(panel) == "All 50 pictures have the same features: there is no layout of them; take another layer"
    panel.method = "pca"
    assert works(panel)
    np.testing.assert_array_equal(panel.result.points, 0)


@pytest.mark.parametrize(
    "dataset",
    [Labeled(lambda i: f"kind {i}"), Labeled(lambda i: i + 0.5), Labeled(lambda i: None), Labeled(lambda i: -1)],
    ids=["words", "floats", "none", "unknown"],
)
def test_labels_that_are_no_whole_numbers_are_no_labels_and_that_is_said(explore, dataset):
    panel = explore(dataset, method="pca")
    assert works(panel)
    assert "no picture has a label" in panel.status.message


@pytest.mark.parametrize(("count", "size"), [(50, 120), (1000, 1010)])
def test_more_classes_than_colors(explore, count, size):
    panel = explore(Labeled(lambda i: i % count, size, [f"kind {k}" for k in range(count)]), method="pca", limit=size)
    assert works(panel)
    group = np.frombuffer(panel.scatter.group, np.uint16)
    np.testing.assert_array_equal(group, np.arange(size) % count)
    assert len(panel.scatter.names) == count


@pytest.mark.parametrize(
    "classes", [(), None, ["a", "b"], np.array(["a", "b", "c"])], ids=["none", "None", "too few", "array"]
)
def test_labels_far_beyond_the_names(explore, classes):
    panel = explore(Labeled(lambda i: 10**12 + i % 2, classes=classes), method="pca")
    assert works(panel)
    assert panel.scatter.names == ["1000000000000", "1000000000001"]
    panel.image = 3
    assert jobs.POOL.wait(PATIENCE)
    assert panel.beside.picture.title == 'Picture 3, a "1000000000001"'


def test_a_class_s_name_is_text(explore):
    column = "$\\frac{$"
    panel = explore(Labeled(lambda i: i % 2, classes=["<b>$x", column]), method="pca", columns={column: np.arange(50) / 7})
    for color in ("label", column):
        panel.color = color
        assert works(panel)
        assert panel._still()["image/png"]
        assert panel.status.kind == "ready"


def test_items_that_are_dicts_or_lists(explore):
    class Dicts(Pictures):
        def __getitem__(self, i):
            image, label = super().__getitem__(i)
            return {"image": image, "label": label} if i % 2 else [image, label, "more"]

    panel = explore(Dicts(), method="pca")
    assert works(panel)
    for i in (4, 5):
        panel.image = i
        assert jobs.POOL.wait(PATIENCE)
        assert panel.beside.picture.title == f'Picture {i}, a "{i % 4}"'
        assert panel.status.kind == "ready"


def test_a_data_set_that_grows_and_shrinks(explore):
    dataset = Pictures(40)
    panel = explore(dataset, method="pca", limit=30)
    assert works(panel)
    for size, said in ((60, "30 of 60 pictures"), (20, ""), (45, "30 of 45 pictures")):
        dataset.size = size
        panel.seed += 1
        assert works(panel)
        assert panel.result.features.indices.max() < size
        assert panel.scatter.note.startswith(said)
        assert panel.scatter.tile
    dataset.size = 0
    panel.seed += 1
    assert told(panel) == "Expected pictures to scan, got none: the data set is empty"


def test_a_picture_that_is_lost_later_is_a_sentence(explore):
    dataset = Bad()
    panel = explore(dataset, method="pca")
    assert works(panel)
    panel.image = 0
    assert jobs.POOL.wait(PATIENCE)
    assert (panel.status.kind, "the file is truncated" in panel.status.message) == ("error", True)
    panel.image = 1
    assert jobs.POOL.wait(PATIENCE)
    assert panel.beside.picture.title == 'Picture 1, a "1"'
    assert panel.result


def test_weights_that_are_no_numbers(explore):
    net = network()
    good = explore(net=net, method="pca")
    assert works(good)
    with torch.no_grad():
        net.module[4].weight[0, 0, 0, 0] = torch.nan
    panel = explore(net=net, method="pca")
    assert re.match(r"Picture 0: .* values of .* are NaN or infinite", told(panel))
    good.pool = "mean"
    told(good)
    assert len(good.shown.points) == 50


def test_a_network_in_train_mode_stays_so(explore):
    module = network().module.train()
    with unchanged(module):
        panel = explore(net=cw.bind(module, input_shape=(3, 12, 12)))
        assert works(panel)
        panel.image = 3
        assert jobs.POOL.wait(PATIENCE)
    assert module.training


def test_a_network_of_large_pictures(explore):
    class Large(Pictures):
        def __getitem__(self, i):
            return torch.rand(3, 320, 200, generator=torch.Generator().manual_seed(i)), i % 2

    net = cw.bind(nn.Sequential(nn.Conv2d(3, 4, 7, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)))
    panel = explore(Large(12), net=net, layer="input", method="pca")
    assert works(panel)
    assert panel.result.features.values.shape == (12, 3 * 320 * 200)
    assert max(panel.scatter.tile[:2]) == 48


def test_a_layer_of_one_value(explore):
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(432, 6), nn.ReLU(), nn.Linear(6, 1)), input_shape=(3, 12, 12))
    panel = explore(net=net, layer="3", method="pca")
    assert works(panel)
    np.testing.assert_array_equal(panel.result.points[:, 1], 0)
    panel.method = "tsne"
    assert works(panel)


def test_a_network_without_weights_needs_a_layer(explore):
    panel = explore(net=cw.bind(nn.Sequential(nn.ReLU()), input_shape=(3, 12, 12)), method="pca")
    assert told(panel) == "Sequential has no layer with weights, so none comes before a classifier: name a layer"
    panel.layer = "input"
    assert works(panel)
