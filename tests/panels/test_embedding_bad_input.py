"""Whatever EmbeddingExplorer is given: a sentence in its strip, the last good picture stays, the next good wish works."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image
from torch import nn
from torch.utils.data import Dataset, IterableDataset

import cnnwidgets as cw
from cnnwidgets.base import jobs
from cnnwidgets.net import Cancelled
from cnnwidgets.panels.gathering import Gathering
from tests.methods.data_sets import Bad, Pictures, network
from tests.net.networks import unchanged
from tests.panels.hands import set_by_hand
from tests.panels.tiny import PATIENCE

QUICK = {"limit": 50, "iterations": 30}


class Endless(IterableDataset):
    def __iter__(self):
        yield torch.zeros(3, 12, 12)


class Broken(Pictures):
    def __getitem__(self, i):
        raise OSError("the disk is gone")


class Labelled(Pictures):
    """Each label is what a function makes of it."""

    def __init__(self, label, size=50, classes=()):
        super().__init__(size)
        self.label, self.classes = label, classes

    def __getitem__(self, i):
        return super().__getitem__(i)[0], self.label(i)


class Same(Pictures):
    def __getitem__(self, i):
        return super().__getitem__(0)


@pytest.fixture
def explore():
    made = []

    def make(dataset=None, net=None, **options):
        made.append(cw.EmbeddingExplorer(net or network(), Pictures() if dataset is None else dataset, **QUICK | options))
        return made[-1]

    yield make
    for panel in made:
        panel.close()


def told(panel) -> str:
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "error"
    with pytest.raises(type(panel.error), match=re.escape(str(panel.error)[:40])):
        _ = panel.result
    return panel.status.message


def works(panel) -> bool:
    found = panel.result
    return (
        (panel.status.kind, panel.error) == ("ready", None) and np.isfinite(found.points).all() and len(panel.figure().axes)
    )


# data sets

NO_DATA = "Expected a data set with a length and numbered items, or a list of pictures"


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ([], "There is no picture: the data set is empty"),
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
    assert told(panel) == f"Tsne needs at least 4 pictures, {n} given: take more, or method='pca'"
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
    [Labelled(lambda i: f"kind {i}"), Labelled(lambda i: i + 0.5), Labelled(lambda i: None), Labelled(lambda i: -1)],
    ids=["words", "floats", "none", "unknown"],
)
def test_labels_that_are_no_whole_numbers_are_no_labels_and_that_is_said(explore, dataset):
    panel = explore(dataset, method="pca")
    assert works(panel)
    assert "no picture has a label" in panel.status.message


@pytest.mark.parametrize(("count", "size"), [(50, 120), (1000, 1010)])
def test_more_classes_than_colours(explore, count, size):
    panel = explore(Labelled(lambda i: i % count, size, [f"kind {k}" for k in range(count)]), method="pca", limit=size)
    assert works(panel)
    group = np.frombuffer(panel.scatter.group, np.uint16)
    np.testing.assert_array_equal(group, np.arange(size) % count)
    assert len(panel.scatter.names) == count


@pytest.mark.parametrize(
    "classes", [(), None, ["a", "b"], np.array(["a", "b", "c"])], ids=["none", "None", "too few", "array"]
)
def test_labels_far_beyond_the_names(explore, classes):
    panel = explore(Labelled(lambda i: 10**12 + i % 2, classes=classes), method="pca")
    assert works(panel)
    assert panel.scatter.names == ["1000000000000", "1000000000001"]
    panel.image = 3
    assert jobs.POOL.wait(PATIENCE)
    assert panel.beside.picture.title == "Picture 3: 1000000000001"


def test_a_class_s_name_is_text(explore):
    column = "$\\frac{$"
    panel = explore(Labelled(lambda i: i % 2, classes=["<b>$x", column]), method="pca", columns={column: np.arange(50) / 7})
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
        assert panel.beside.picture.title == f"Picture {i}: {i % 4}"
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
    assert told(panel) == "There is no picture: the data set is empty"


def test_a_picture_that_is_lost_later_is_a_sentence(explore):
    dataset = Bad()
    panel = explore(dataset, method="pca")
    assert works(panel)
    panel.image = 0
    assert jobs.POOL.wait(PATIENCE)
    assert (panel.status.kind, "the file is truncated" in panel.status.message) == ("error", True)
    panel.image = 1
    assert jobs.POOL.wait(PATIENCE)
    assert panel.beside.picture.title == "Picture 1: 1"
    assert panel.result


# networks


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


# traits

WISHES = {
    "a misspelt layer": ({"layer": "66"}, r"The network has no layer '66'\."),
    "a layer of another network": ({"layer": "relu4"}, r"The network has no layer 'relu4'\."),
    "an unknown colour": ({"color": "labels"}, "There is nothing called 'labels' to colour by. Did you mean 'label'"),
    "a perplexity beyond a third": (
        {"method": "tsne", "perplexity": 17.0},
        "Perplexity is 17, and 50 pictures allow at most",
    ),
    "a perplexity beyond all": (
        {"method": "tsne", "perplexity": 900.0},
        "Perplexity is 900.0; it must be a number from 1 to",
    ),
    "a negative perplexity": ({"method": "tsne", "perplexity": -3.0}, r"Perplexity is -3.0; it must be a number from 1 to"),
    "no iterations": ({"method": "tsne", "iterations": -1}, "Iterations is -1; it must be a whole number from 1"),
    "too many neighbours": ({"method": "umap", "neighbours": 50}, "Neighbours is 50, and 50 pictures have at most 49 each"),
    "PCA with other seeds": ({"compare": "seeds"}, "PCA knows neither perplexity nor chance: compare t-SNE or UMAP"),
}


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_that_cannot_be_is_a_sentence_and_the_last_picture_stays(explore, wish):
    state, sentence = WISHES[wish]
    first, later = explore(**{"method": "pca"} | state), explore(method="pca")
    before, places = later.result, later.scatter.positions
    good = later.state
    later.restore(state)
    for panel in (first, later):
        assert re.match(sentence, told(panel)), panel.status.message
    if wish != "PCA with other seeds":
        assert later.shown is before or np.array_equal(later.shown.points, before.points)
    assert later.scatter.positions == places
    for panel in (first, later):
        panel.restore(good)
        assert works(panel)


@pytest.mark.parametrize(
    "state", [{"method": "lda"}, {"compare": "all"}, {"limit": 0}, {"pool": "median"}, {"metric": "cos"}]
)
def test_a_value_that_is_no_choice_is_refused_at_once(explore, state):
    panel = explore(method="pca")
    with pytest.raises(t.TraitError):
        panel.restore(state)
    assert works(panel)


def test_too_few_to_compare_perplexities(explore):
    panel = explore(Pictures(12), compare="perplexities")
    assert told(panel) == "12 pictures are too few to compare a perplexity of 5 or more: take more pictures"
    assert len(panel.shown.points) == 12


@pytest.mark.parametrize("limit", [1, 49, 50, 51, 10**9])
def test_any_limit(explore, limit):
    panel = explore(method="pca", limit=limit)
    assert works(panel)
    assert len(panel.result.points) == min(50, limit)
    assert panel.limit == limit


def test_a_column_of_another_length(explore):
    panel = explore(columns={"size": range(49)})
    assert told(panel) == "The column 'size' has shape (49,); the data set has 50 items"


@pytest.mark.parametrize("name", ["image", "selection"])
@pytest.mark.parametrize("number", [50, -1, 10**6])
def test_a_number_that_the_data_set_does_not_have(explore, name, number):
    panel = explore(method="pca")
    assert works(panel)
    setattr(panel, name, number if name == "image" else [3, number])
    assert told(panel) == f"There is no picture {number}: the data set has 50, numbered from 0"
    setattr(panel, name, 3 if name == "image" else [3])
    assert works(panel)
    first = explore(method="pca", **{name: number if name == "image" else [3, number]})
    assert len(first.shown.points) == 50


@pytest.mark.parametrize("image", ["nowhere.png", torch.zeros(3, 12, 12), None], ids=str)
def test_a_picture_that_is_no_number_has_no_point(explore, image):
    panel = explore(method="pca", image=4)
    assert works(panel)
    panel.image = image
    assert panel.scatter.picked == -1
    panel.layer = "0"
    assert works(panel)


def test_an_empty_selection(explore):
    panel = explore(method="pca", selection=[])
    assert works(panel)
    set_by_hand(panel.scatter, selected=b"")
    assert panel.selection == []


# added pictures


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (
            [torch.zeros(3, 9, 12)],
            "1 of the 2 added pictures cannot be used: ValueError: the picture is a float32 tensor 3×9×12",
        ),
        ([Pictures()[0], torch.zeros(3, 9, 12)], "1 of the 3 added pictures cannot be used: "),
        (
            [torch.full((3, 12, 12), torch.nan)],
            "1 of the 2 added pictures cannot be used: ValueError: the picture has 432 values",
        ),
        (["nowhere.png"], "1 of the 2 added pictures cannot be used: FileNotFoundError: there is no file"),
        ([], "There is no picture: the data set is empty"),
        (
            Image.new("RGB", (12, 12)),
            f"{NO_DATA}, got Image",
        ),
    ],
    ids=["size", "one of two", "NaN", "path", "none", "no list"],
)
def test_pictures_that_cannot_join(explore, images, sentence):
    panel = explore(method="pca")
    panel.add([Pictures()[1]])
    before = panel.scatter.positions
    with pytest.raises((ValueError, TypeError)):
        panel.add(images)
    assert panel.status.kind == "error"
    assert panel.status.message.startswith(sentence)
    assert panel.scatter.positions == before
    panel.layer = "0"
    assert works(panel)
    assert panel.add([Pictures()[2]]).shape == (1, 2)
    assert len(panel.result.added.points) == 2


def test_pictures_join_a_finished_layout_only(explore):
    panel = explore(playing=False)
    with pytest.raises(ValueError, match="the layout is paused, and pictures join a finished one"):
        panel.add([Pictures()[1]])
    assert panel.status.message.startswith("The layout is paused")
    panel.playing = True
    assert panel.result.added is None
    assert panel.add([Pictures()[1]]).shape == (1, 2)


# haste


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
    "owner, when", [(Gathering, "features"), (cw.EmbeddingExplorer, "_points_before")], ids=["gathering", "layout"]
)
def test_a_change_in_the_midst_of_a_computation_mixes_nothing(explore, change, owner, when, monkeypatch):
    midst, go_on, compute = threading.Event(), threading.Event(), getattr(owner, when)

    def stopping(self, *given):
        midst.set()
        assert go_on.wait(PATIENCE)
        return compute(self, *given)

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
    panel = explore(Pictures(20), iterations=20, compare="seeds", playing=not added)
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
    assert panel._result is None or isinstance(panel.shown, cw.panels.explored.Explored)
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
    assert panel.status.message == "Cancelled. What is shown was computed before."
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
