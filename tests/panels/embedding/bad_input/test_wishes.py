"""Whatever is wished: a sentence in the strip, the last good picture stays, the next good wish works."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image

from tests.methods.data_sets import Pictures
from tests.panels.embedding.bad_input.telling import NO_DATA, told, works
from tests.panels.embedding.seen import draw_around

WISHES = {
    "a misspelled layer": ({"layer": "66"}, r"The network has no layer '66'\."),
    "a layer of another network": ({"layer": "relu4"}, r"The network has no layer 'relu4'\."),
    "an unknown color": ({"color": "labels"}, "There is nothing called 'labels' to color by. Did you mean 'label'"),
    "a perplexity beyond a third": (
        {"method": "tsne", "perplexity": 17.0},
        "perplexity is 17, and 50 pictures allow at most",
    ),
    "a perplexity beyond all": (
        {"method": "tsne", "perplexity": 900.0},
        "perplexity is 900.0; expected a number from 1 to",
    ),
    "a negative perplexity": ({"method": "tsne", "perplexity": -3.0}, r"perplexity is -3.0; expected a number from 1 to"),
    "no iterations": ({"method": "tsne", "n_iter": -1}, "n_iter is -1; expected a whole number from 1"),
    "too many neighbors": ({"method": "umap", "n_neighbors": 50}, "n_neighbors is 50, and 50 pictures have at most 49 each"),
    "PCA with other seeds": ({"compare": "seeds"}, "PCA has neither a perplexity nor a random seed to compare: choose"),
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
    assert told(panel) == f"The data set has no picture {number}: its 50 pictures are numbered from 0"
    setattr(panel, name, 3 if name == "image" else [3])
    assert works(panel)
    first = explore(method="pca", **{name: number if name == "image" else [3, number]})
    assert len(first.shown.points) == 50


@pytest.mark.parametrize("image", ["nowhere.png", torch.zeros(3, 12, 12), None], ids=str)
def test_a_picture_that_is_no_number_has_no_point(explore, image):
    panel = explore(method="pca", image=4)
    assert works(panel)
    panel.image = image
    assert (panel.scatter.picked == -1) == (image is not None)  # None: one that is worth a look
    panel.layer = "0"
    assert works(panel)


def test_an_empty_selection(explore):
    panel = explore(method="pca", selection=[])
    assert works(panel)
    draw_around(panel, [])
    assert panel.selection == []


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
            "1 of the 2 added pictures cannot be used: ValueError: 432 of the 432 values of the picture are NaN",
        ),
        (["nowhere.png"], "1 of the 2 added pictures cannot be used: FileNotFoundError: there is no file"),
        ([], "Expected pictures to scan, got none: the data set is empty"),
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
