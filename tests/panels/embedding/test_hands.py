"""Every picture keeps its number: what is selected, picked and nearest."""

from __future__ import annotations

import numpy as np
import pytest

from tests.base.tiny import is_shown
from tests.methods.data_sets import Bad
from tests.panels.embedding.seen import (
    draw_around,
    pick,
    settled,
)


def test_a_lasso_selects_numbers_of_the_data_set(explore):
    panel = explore(method="pca")
    numbers = panel.result.features.indices
    draw_around(panel, [3, 17, 28])
    assert panel.selection == numbers[[3, 17, 28]].tolist()
    assert panel.beside.selected.title == "3 selected"


def test_a_selection_shows_in_the_view(explore):
    panel = explore(method="pca")
    numbers = panel.result.features.indices
    panel.selection = numbers[[9, 4]].tolist()
    np.testing.assert_array_equal(panel.scatter.selection, [4, 9])
    assert panel.selection == numbers[[9, 4]].tolist()
    panel.selection = []
    assert not panel.scatter.selected
    assert not is_shown(panel, panel.beside.selected)


def test_selecting_says_so_once(explore):
    panel, said = explore(method="pca"), []
    _ = panel.result
    panel.observe(said.append, ["selection", "image"])
    draw_around(panel, [3, 5])
    pick(panel, 7)
    assert [(change.name, change.new) for change in said] == [
        ("selection", panel.result.features.indices[[3, 5]].tolist()),
        ("image", int(panel.result.features.indices[7])),
    ]
    panel.layer = "fc1"
    _ = panel.result
    assert len(said) == 2


def test_a_click_picks_a_picture_and_back(explore):
    panel = explore(method="pca")
    numbers = panel.result.features.indices
    pick(panel, 7)
    assert panel.image == numbers[7]
    panel.image = int(numbers[2])
    assert panel.scatter.picked == 2


@pytest.mark.parametrize(
    "change",
    [{"layer": "conv1"}, {"method": "pca"}, {"limit": 40}, {"limit": 500}, {"color": "prediction"}, {"pool": "max"}],
    ids=str,
)
def test_selection_and_picture_stay(explore, change):
    panel = explore()
    numbers = panel.result.features.indices
    kept = [i for i in explore(limit=40, method="pca").result.features.indices.tolist() if i in numbers][:3]
    panel.selection, panel.image = [*kept, int(numbers[-1])], kept[1]
    before = panel.state
    panel.restore(change)
    shown = panel.result.features.indices
    assert panel.state == before | change
    np.testing.assert_array_equal(shown[panel.scatter.selection], np.intersect1d(panel.selection, shown))
    assert shown[panel.scatter.picked] == kept[1]


def test_numbers_are_the_data_set_s_where_pictures_are_left_out(bad):
    numbers = [i for i in range(50) if i not in Bad.indices]
    assert bad.result.features.indices.tolist() == numbers
    draw_around(bad, [0, 9])
    assert bad.selection == [1, 16]
    pick(bad, 12)
    assert bad.image == numbers[12]
    assert "9 pictures could not be used; the first, 0: OSError: the file is truncated" in bad.status.message
    assert bad.status.kind == "ready"


def test_a_selected_picture_that_has_no_point_stays_selected_and_is_said(explore):
    panel = explore(method="pca")
    hidden = int(np.setdiff1d(np.arange(500), panel.result.features.indices)[0])
    shown = int(panel.result.features.indices[8])
    panel.selection = [hidden, shown]
    assert panel.selection == [hidden, shown]
    assert panel.scatter.selection.tolist() == [8]
    assert panel.beside.selected.title == "1 selected, 1 not on the map"


def brute(values: np.ndarray, point: int, k: int) -> list[int]:
    far = ((values.astype(float) - values[point]) ** 2).sum(1)
    return [i for i in np.argsort(far, kind="stable").tolist() if i != point][:k]


@pytest.mark.parametrize("make", ["digits", "skipped"])
def test_the_neighbors_are_the_nearest_in_the_layer_and_in_pixels(explore, bad, net, pictures, make):
    panel = explore(method="pca") if make == "digits" else bad
    found = panel.result
    panel.image = int(found.features.indices[11])
    beside = settled(panel)
    numbers = found.features.indices
    inputs = np.stack([panel.net.prepare(panel.dataset[i][0])[0].numpy().ravel() for i in numbers.tolist()])
    for grid, values in ((beside.alike, found.features.values), (beside.near, inputs)):
        wanted = numbers[brute(values, 11, 8)].tolist()
        opened = []
        for place in range(8):
            grid.set_state({"selected": place})
            opened.append(panel.image)
            panel.image = int(numbers[11])
            settled(panel)
        assert opened == wanted
    assert beside.picture.title.startswith(f'Picture {numbers[11]}, a "{panel.coloring.words(found.features)[11]}"')
    shown = np.frombuffer(beside.picture.pixels, np.uint8).reshape(*beside.picture.shape, 3)
    own = panel.net.picture(panel.net.prepare(panel.dataset[int(numbers[11])][0])[0])
    np.testing.assert_array_equal(shown, own)


def test_neighbors_follow_the_layer(explore):
    panel = explore(method="pca")
    panel.image = int(panel.result.features.indices[11])
    shown = []
    for layer in ("relu4", "conv1"):
        panel.layer = layer
        found, beside = panel.result.features, settled(panel)
        shown.append(beside.alike.maps)
        np.testing.assert_allclose(shown[-1], found.pictures[brute(found.values, 11, 8)], atol=1)
        assert beside.alike.title == "Nearest by this layer"
    assert not np.array_equal(*shown)
    panel.layer = "input"
    assert panel.result and settled(panel).alike.title == "Nearest by pixels"
    assert not is_shown(panel, panel.beside.near)


def test_at_first_the_most_confident_mistake_is_open_until_a_hand_picks_another(explore):
    panel = explore(method="pca", limit=500)
    found = panel.result.features
    wrong = np.flatnonzero(found.top[:, 0] != found.labels)
    worst = wrong[found.chances[wrong, 0].argmax()]
    beside = settled(panel)
    assert panel.scatter.picked == worst
    assert panel.image is None
    assert beside.picture.title.startswith(f"Picture {found.indices[worst]}, a ")
    assert beside.picture.caption.startswith("The most confident mistake. ")
    assert beside.picture.caption.endswith("Click a point to see another picture.")
    pick(panel, 7)
    assert settled(panel).picture.title.startswith(f"Picture {found.indices[7]}, ")
    assert "Click" not in beside.picture.caption
    assert "mistake" not in beside.picture.caption


def test_a_picture_without_a_point_is_shown_without_neighbors(explore):
    panel = explore(method="pca")
    hidden = int(np.setdiff1d(np.arange(500), panel.result.features.indices)[0])
    panel.image = int(panel.result.features.indices[3])
    settled(panel)
    panel.image = hidden
    assert settled(panel).picture.title == f"Picture {hidden}"
    assert "It is not on the map." in panel.beside.picture.caption
    assert not is_shown(panel, panel.beside.alike)
    assert panel.scatter.picked == -1
