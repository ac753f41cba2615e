"""EmbeddingExplorer: what is on screen is what the methods give; every picture keeps its number, its place and its face."""

from __future__ import annotations

import io
import json
import threading
import time
import weakref

import numpy as np
import pytest
from PIL import Image
from torch import nn
from torch.utils.data import Subset

import cnnwidgets as cw
from cnnwidgets.base import jobs
from cnnwidgets.methods import feature_cache, separation
from cnnwidgets.net import Cancelled
from cnnwidgets.panels.panel import FIRST_PICTURE
from tests.base.tiny import PATIENCE, are_gone, under
from tests.methods.data_sets import Bad, Pictures, network
from tests.net.networks import unchanged

QUICK = {"limit": 60, "iterations": 60}


@pytest.fixture(scope="module")
def net():
    return cw.load("digits")


@pytest.fixture(scope="module")
def pictures():
    return cw.samples.digits()


@pytest.fixture
def explore(net, pictures):
    """Make a panel of 60 of the digits, or of what is given; closed after the test."""
    made = []

    def make(*given, **options):
        made.append(cw.EmbeddingExplorer(*(given or (net, pictures)), **QUICK | options))
        return made[-1]

    yield make
    for panel in made:
        panel.close()


@pytest.fixture
def bad(explore):
    """A panel of 41 pictures; 9 others of the data set cannot be used."""
    return explore(network(), Bad(), method="pca")


def floats(data: bytes, dtype=np.float32) -> np.ndarray:
    return np.frombuffer(data, dtype)


def places(view) -> np.ndarray:
    return floats(view.positions).reshape(-1, 2)


def tiles(view) -> np.ndarray:
    """The pictures in a view's atlas, (rows x columns, height, width, 3)."""
    sheet = np.asarray(Image.open(io.BytesIO(view.atlas)).convert("RGB"), float)
    height, width, columns = view.tile
    grid = sheet.reshape(-1, height, columns, width, 3).swapaxes(1, 2)
    return grid.reshape(-1, height, width, 3)


def has_the_faces_of_its_points(panel) -> bool:
    """Whether tile i of the atlas shows the picture that point i stands for, and no other as well."""
    dataset = panel.dataset
    numbers = panel.result.features.indices
    wanted = np.stack([panel.net.picture(panel.net.prepare(dataset[i][0])[0]) for i in numbers.tolist()]).astype(float)
    shown = tiles(panel.scatter)[: len(wanted)]
    far = ((shown[:, None] - wanted[None]) ** 2).mean((2, 3, 4))
    return (far.argmin(1) == np.arange(len(wanted))).all() and far.diagonal().max() < 60


# layouts


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
    own = cw.methods.embed(pca.features, "tsne", iterations=60)
    aligned = cw.methods.align(own.points, panel.result.points)
    np.testing.assert_allclose(aligned.points, panel.result.points, atol=1e-3)
    (first, start), (last, _) = drawn[0], drawn[-1]
    assert (first, last) == (0, 60)
    np.testing.assert_allclose(start, pca.points, atol=0.1)  # up to the noise by which equal pictures can part
    panel.close()


def test_the_result_waits_for_the_end(explore):
    panel = explore()
    assert panel.result.finished
    assert panel.status.message.startswith("relu4: 60 pictures, 84 values each · t-SNE, 60 iterations, divergence ")
    assert f"trustworthiness {panel.result.embedding.trustworthiness:.3f}" in panel.status.message


def test_not_playing_shows_pca_and_play_goes_on_to_the_points_of_an_uninterrupted_run(explore):
    whole, panel = explore(), explore(playing=False)
    assert not panel.result.finished
    assert panel.status.message.startswith("relu4: 60 pictures, 84 values each · paused, t-SNE, 0 of 60 iterations")
    assert (panel.play.description, panel.play.disabled) == ("Play", False)
    panel.play.click()
    assert panel.playing
    np.testing.assert_array_equal(panel.result.points, whole.result.points)
    assert panel.play.disabled


def test_pausing_stops_and_playing_goes_on_from_there(explore):
    whole = explore(iterations=80)
    panel = explore(iterations=80, playing=False)
    _ = panel.result
    paused = threading.Event()

    def pause(change):
        if panel.status.kind == "busy" and not paused.is_set():
            paused.set()
            panel.play.click()

    panel.scatter.observe(pause, "positions")
    panel.play.click()
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
        assert panel.result.mirrored == ("mirrored" in panel.scatter.note)
        notes.append(panel.scatter.note)
    assert set(notes) == {"", "mirrored, to lie as the layout before"}


def test_so_many_of_so_many_are_said(explore):
    panel = explore(method="pca", limit=300)
    assert panel.wait(PATIENCE)
    assert panel.scatter.note == "300 of 500 pictures"
    panel.limit = 500
    assert len(panel.result.points) == 500
    assert "of 500" not in panel.scatter.note


def test_umap_moves_too_and_supervised_its_listing_has_the_labels(explore):
    panel = explore(method="umap", epochs=12, supervised=True)
    assert panel.result.finished
    assert "UMAP, 12 epochs" in panel.status.message
    assert f"fit_transform(values, np.array({panel.result.features.labels.tolist()}))" in panel.code()
    panel.supervised = False
    points = panel.result.points
    assert "fit_transform(values)" in panel.code()
    panel.supervised = True
    assert not np.array_equal(panel.result.points, points)


# numbers


def test_a_lasso_selects_numbers_of_the_data_set(explore):
    panel = explore(method="pca")
    numbers = panel.result.features.indices
    panel.scatter.selection = [3, 17, 28]
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
    assert panel.beside.selected.layout.display == "none"


def test_selecting_says_so_once(explore):
    panel, said = explore(method="pca"), []
    _ = panel.result
    panel.observe(said.append, ["selection", "image"])
    panel.scatter.selection = [3, 5]
    panel.scatter.picked = 7
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
    panel.scatter.picked = 7
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
    bad.scatter.selection = [0, 9]
    assert bad.selection == [1, 16]
    bad.scatter.picked = 12
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
    assert panel.beside.selected.title == "1 selected, 1 not shown"


# neighbours


def settled(panel):
    assert panel.wait(PATIENCE)
    assert jobs.POOL.wait(PATIENCE)
    return panel.beside


def brute(values: np.ndarray, point: int, k: int) -> list[int]:
    far = ((values.astype(float) - values[point]) ** 2).sum(1)
    return [i for i in np.argsort(far, kind="stable").tolist() if i != point][:k]


@pytest.mark.parametrize("make", ["digits", "skipped"])
def test_the_neighbours_are_the_nearest_in_the_layer_and_in_pixels(explore, bad, net, pictures, make):
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
            grid.selected = place
            opened.append(panel.image)
            panel.image = int(numbers[11])
            settled(panel)
        assert opened == wanted
    assert beside.picture.title.startswith(f"Picture {numbers[11]}: {panel.coloring.words(found.features)[11]}")
    shown = np.frombuffer(beside.picture.pixels, np.uint8).reshape(*beside.picture.shape, 3)
    own = panel.net.picture(panel.net.prepare(panel.dataset[int(numbers[11])][0])[0])
    np.testing.assert_array_equal(shown, own)


def test_neighbours_follow_the_layer(explore):
    panel = explore(method="pca", image=None)
    panel.image = int(panel.result.features.indices[11])
    titles = [settled(panel).alike.title]
    panel.layer = "conv1"
    titles.append(settled(panel).alike.title)
    assert titles == ["Nearest in relu4", "Nearest in conv1"]


def test_a_picture_without_a_point_is_shown_without_neighbours(explore):
    panel = explore(method="pca")
    hidden = int(np.setdiff1d(np.arange(500), panel.result.features.indices)[0])
    panel.image = int(panel.result.features.indices[3])
    settled(panel)
    panel.image = hidden
    assert settled(panel).picture.title == f"Picture {hidden}, which has no point"
    assert panel.beside.alike.layout.display == "none"
    assert panel.scatter.picked == -1


# faces


@pytest.mark.parametrize(
    "change", [{}, {"method": "tsne"}, {"layer": "conv1"}, {"limit": 33}, {"color": "confidence"}], ids=str
)
def test_thumbnails_belong_to_their_points(explore, change):
    panel = explore(method="pca")
    _ = panel.result
    panel.restore(change)
    assert has_the_faces_of_its_points(panel)


def test_thumbnails_belong_to_their_points_where_pictures_are_left_out(bad):
    assert has_the_faces_of_its_points(bad)
    bad.layer = "0"
    assert has_the_faces_of_its_points(bad)


# added pictures


@pytest.mark.parametrize("state", [{"method": "pca"}, {}, {"method": "pca", "layer": "conv1"}], ids=str)
def test_a_known_picture_joins_next_to_itself_with_a_mark_and_the_others_stay(explore, pictures, state):
    panel = explore(iterations=300, **state)
    before, numbers = panel.result.points, panel.result.features.indices
    panel.selection, panel.image = numbers[:3].tolist(), int(numbers[5])
    joined = panel.add([pictures[int(numbers[9])], pictures[int(numbers[30])][0]])
    np.testing.assert_array_equal(panel.result.points, before)
    for point, twin in zip(joined, (9, 30), strict=True):
        far = np.linalg.norm(before - point, axis=1)
        assert np.argsort(far).tolist().index(twin) <= (0 if state else 5)
    np.testing.assert_array_equal(places(panel.scatter), np.concatenate([before, joined]))
    assert floats(panel.scatter.added, np.int32).tolist() == [60, 61]
    assert (panel.selection, panel.image) == (numbers[:3].tolist(), numbers[5])
    assert (panel.scatter.selection.tolist(), panel.scatter.picked) == ([0, 1, 2], 5)
    assert has_the_faces_of_its_points(panel)
    faces = tiles(panel.scatter)
    np.testing.assert_allclose(faces[60], faces[9], atol=12)
    np.testing.assert_allclose(faces[61], faces[30], atol=12)


def test_added_pictures_stay_with_every_layer_and_colour(explore, pictures):
    panel = explore(method="pca")
    number = int(panel.result.features.indices[9])
    panel.add([pictures[number]])
    for change in (
        {"layer": "fc1"},
        {"method": "tsne"},
        {"color": "prediction"},
        {"color": "trustworthiness"},
        {"method": "pca"},
    ):
        panel.restore(change)
        added = panel.result.added
        assert floats(panel.scatter.added, np.int32).tolist() == [60]
        np.testing.assert_array_equal(places(panel.scatter)[60], added.points[0])
        if panel.method == "pca":
            np.testing.assert_allclose(added.points[0], panel.result.points[9], atol=1e-4)
    assert len(panel.add([pictures[3], pictures[4]])) == 2
    assert floats(panel.scatter.added, np.int32).tolist() == [60, 61, 62]


def test_an_added_picture_is_no_number_of_the_data_set(explore, pictures):
    panel = explore(method="pca")
    panel.add([pictures[3]])
    panel.scatter.selection = [4, 60]
    assert panel.selection == panel.result.features.indices[[4]].tolist()
    panel.scatter.picked = 60
    assert panel.image is None


# colours


@pytest.mark.parametrize(
    "color", ["label", "prediction", "right or wrong", "confidence", "trustworthiness", "neighbours kept", "size", "word"]
)
def test_the_view_has_the_colours(explore, pictures, color):
    columns = {"size": np.arange(500) / 500, "word": [f"word {i % 3}" for i in range(500)]}
    panel = explore(method="pca", color=color, columns=columns)
    found, trust = panel.result.features, panel.result.embedding.trust
    labels = np.array([pictures[i][1] for i in found.indices])
    wanted, names = {
        "label": (labels, pictures.classes),
        "prediction": (found.predicted, panel.net.classes),
        "right or wrong": (found.predicted == labels, ["wrong", "right"]),
        "confidence": (found.confidence, []),
        "trustworthiness": (trust.trustworthiness, []),
        "neighbours kept": (trust.kept, []),
        "size": (found.indices / 500, []),
        "word": (found.indices % 3, ["word 0", "word 1", "word 2"]),
    }[color]
    assert panel.scatter.names == list(names)
    if names:
        np.testing.assert_array_equal(floats(panel.scatter.group, np.uint16), wanted)
    else:
        lo, hi = panel.scatter.span
        np.testing.assert_allclose(floats(panel.scatter.value, np.uint16) / 65534 * (hi - lo) + lo, wanted, atol=1e-4)
    assert color in dict(panel.controls["color"].options)


def test_trust_is_not_measured_while_points_move(explore):
    panel = explore(color="trustworthiness", playing=False)
    _ = panel.result
    assert len(set(panel.scatter.value)) > 2
    colours = []
    panel.scatter.observe(lambda change: colours.append(set(change.new)), "value")
    panel.playing = True
    assert panel.result.finished
    known = [one for one in colours if one]  # each show empties them first
    assert known[0] == {255}
    assert len(known) == 2


def test_names_of_the_data_set_and_of_the_network_stand_side_by_side(explore):
    class German(Pictures):
        classes = ("null", "eins", "zwei", "drei")

    panel = explore(network(), German(), method="pca")
    _ = panel.result
    assert panel.scatter.names == list(German.classes)
    assert panel.scatter.classes == ["0", "1", "2", "3", *German.classes]
    np.testing.assert_array_equal(floats(panel.scatter.labels, np.int32), 4 + np.arange(50) % 4)


def test_without_labels_there_are_points_and_a_sentence(explore, pictures):
    panel = explore(cw.load("digits"), [pictures[i][0] for i in range(30)], method="pca")
    assert len(panel.result.points) == 30
    assert "no picture has a label" in panel.status.message
    assert panel.result.separation == {}
    assert set(floats(panel.scatter.group, np.uint16)) == {65535}


def test_a_network_without_scores_has_labels_and_points(explore):
    body = nn.Sequential(*list(network().module)[:6])
    panel = explore(cw.bind(body, input_shape=(3, 12, 12)), Pictures(), layer="5", method="pca")
    assert panel.result.features.top is None
    assert panel.scatter.names == ["0", "1", "2", "3"]
    assert not panel.scatter.top
    panel.image = 3
    assert settled(panel).picture.caption == ""
    panel.color = "prediction"
    assert panel.wait(PATIENCE)
    assert (
        panel.status.message
        == "The network gives a float32 tensor 1×8×4×4: there is no prediction to colour by; take the label"
    )
    panel.color = "label"
    assert panel.result


# beside it


@pytest.mark.parametrize(
    ("compare", "titles"),
    [
        ("perplexities", ["perplexity 5", "perplexity 15"]),
        ("seeds", ["seed 1", "seed 2"]),
        ("noise", ["noise of the same shape"]),
    ],
)
def test_what_lies_beside_is_the_method_s(explore, compare, titles):
    panel = explore(compare=compare)
    assert [title for title, _, _ in panel.result.compared] == titles
    options = {"perplexities": [{"perplexity": 5}, {"perplexity": 15}], "seeds": [{"seed": 1}, {"seed": 2}], "noise": [{}]}
    values = panel.result.features.values
    data = cw.methods.noise_like(values) if compare == "noise" else values
    for (_, points, same), own in zip(panel.result.compared, options[compare], strict=True):
        layout = cw.methods.embed(data, "tsne", iterations=60, **own)
        aligned = cw.methods.align(layout.points, points, mirror=True)
        np.testing.assert_allclose(aligned.points, points, atol=1e-3)
        assert same == (compare != "noise")
    shown = [view for view in panel.compared if view.layout.display != "none"]
    assert [view.title for view in shown] == titles
    panel.compare = "nothing"
    assert not panel.result.compared
    assert {view.layout.display for view in panel.compared} == {"none"}


def test_what_lies_beside_follows_the_layer_and_the_colour(explore):
    panel = explore(compare="seeds")
    for change in ({}, {"layer": "conv1"}, {"color": "confidence"}, {"layer": "relu4"}):
        panel.restore(change)
        for view, (_, points, _) in zip(panel.compared, panel.result.compared, strict=False):
            np.testing.assert_array_equal(places(view), points)
            assert (view.group, view.value) == (panel.scatter.group, panel.scatter.value)


# depth


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
    panel.chart.clicked = [1, panel.layer_names.index("pool2")]
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
    panel.chart.clicked = [0, 2]
    assert panel.result.features.layer == "relu4"
    assert panel.chart.marked == 2


# manners


def test_hidden_and_locked_controls(explore):
    panel = explore(method="pca", hide=["perplexity"], lock=["layer", "image", "selection", "playing"])
    numbers = panel.result.features.indices
    assert "perplexity" not in panel.controls
    assert panel.controls["layer"].disabled
    assert panel.scatter.lock == ["picked", "selected"]
    assert panel.play.disabled
    panel.chart.clicked = [0, 1]
    assert panel.layer == "relu4"
    panel.image = int(numbers[3])
    settled(panel).alike.selected = 0
    assert panel.image == numbers[3]


def test_only_the_method_s_own_controls_are_there(explore):
    panel = explore(method="pca")
    assert {"perplexity", "neighbours"} <= {name for name, one in panel.controls.items() if one.layout.display == "none"}
    panel.method = "umap"
    panel.cancel()
    assert (panel.controls["perplexity"].layout.display, panel.controls["neighbours"].layout.display) == ("none", "")
    assert panel.wait(PATIENCE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("perplexity", 600.0), ("perplexity", -5.0), ("limit", 150_000), ("seed", 20_000), ("minimum_distance", 0.0)],
)
def test_a_number_that_code_sets_is_not_changed_by_its_control(explore, name, value):
    panel = explore(playing=False, minimum_distance=0.5)
    setattr(panel, name, value)
    assert getattr(panel, name) == value
    assert panel.controls[name].value == value


def test_a_zero_in_a_field_stands_for_the_usual(explore):
    panel = explore(playing=False, perplexity=7)
    panel.controls["perplexity"].value = 0
    assert panel.perplexity is None
    panel.controls["perplexity"].value = 12
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
    assert panel.status.message.startswith("Cancelled. relu4: 60 pictures, 84 values each · paused, t-SNE, ")
    panel.stops = False
    assert panel.play.description == "Play"
    panel.play.click()
    assert panel.playing
    np.testing.assert_array_equal(panel.result.points, whole.result.points)
    panel.close()


def test_a_linked_browser_opens_the_picked_picture(explore, net, pictures):
    panel, browser = explore(method="pca"), cw.FeatureMapBrowser(net, 4, "conv1", images=pictures)
    numbers = panel.result.features.indices
    cw.link(panel, browser)
    assert (panel.image, browser.layer) == (4, "relu4")
    panel.scatter.picked = 7
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
    gone = [weakref.ref(one) for one in (panel, panel.scatter, panel._layouts, panel.result.embedding)]
    panel.close()
    assert all(widget.comm is None for widget in under(panel))
    del panel
    assert jobs.POOL.wait(PATIENCE)
    assert are_gone(gone)


def test_closing_stops_the_layout(net, pictures):
    panel = cw.EmbeddingExplorer(net, pictures, iterations=100_000, limit=60)
    assert panel._job.wait_for_picture(PATIENCE)
    panel.close()
    assert panel.wait(PATIENCE)


def test_state_brings_the_panel_back(explore):
    panel = explore(method="pca")
    panel.restore(
        {"layer": "fc1", "color": "confidence", "seed": 3, "selection": [1, 4], "perplexity": 9, "iterations": None}
    )
    other = explore()
    other.restore(panel.state)
    assert other.state == panel.state
    np.testing.assert_allclose(other.result.points, panel.result.points, atol=1e-6)
    assert (
        repr(other)
        == repr(panel)
        == ("EmbeddingExplorer(digits, layer='fc1', method='pca', color='confidence', limit=60, perplexity=9.0, seed=3)")
    )


# the still picture


class Display:
    """IPython's display, and the handle that it gives."""

    def __init__(self):
        self.shown, self.updates = [], []

    def __call__(self, data, raw, display_id=False):
        self.shown.append(data)
        return self if display_id else None

    def update(self, data, raw):
        self.updates.append(data)


@pytest.fixture
def display(monkeypatch):
    made = Display()
    monkeypatch.setattr("IPython.display.display", made)
    return made


def test_showing_does_not_wait_for_the_end_and_the_still_picture_is_drawn_again_once(explore, display):
    panel = explore(iterations=100_000)
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

        def _run_on(self, run, job, tell):
            assert self.gate.wait(PATIENCE)
            super()._run_on(run, job, tell)

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
    assert first.get_title("left").startswith("t-SNE of relu4")
    assert [axes.get_title("left") for axes in others[:2]] == ["seed 1", "seed 2"]
    for axes, (_, points, _) in zip(others, panel.result.compared, strict=False):
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), points)
    counts = np.bincount(panel.result.features.labels)
    assert [text.get_text() for text in first.get_legend().get_texts()] == [f"{k} ({counts[k]})" for k in range(10)]
    assert others[2].get_title("left") == "How well the classes separate, by depth"


def test_the_still_picture_has_added_points_the_picked_one_and_its_neighbours(explore):
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
