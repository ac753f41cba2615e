"""Every point keeps its face and has its color; others can join."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

import cnnwidgets as cw
from tests.base.tiny import PATIENCE, control
from tests.methods.data_sets import Pictures, network
from tests.panels.embedding.seen import (
    draw_around,
    floats,
    has_the_faces_of_its_points,
    pick,
    places,
    settled,
    tiles,
)


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


@pytest.mark.parametrize("state", [{"method": "pca"}, {}, {"method": "pca", "layer": "conv1"}], ids=str)
def test_a_known_picture_joins_next_to_itself_with_a_mark_and_the_others_stay(explore, pictures, state):
    panel = explore(n_iter=300, **state)
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


def test_added_pictures_stay_with_every_layer_and_color(explore, pictures):
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
    draw_around(panel, [4, 60])
    assert panel.selection == panel.result.features.indices[[4]].tolist()
    pick(panel, 60)
    assert panel.image is None


@pytest.mark.parametrize(
    "color", ["label", "prediction", "right or wrong", "confidence", "trustworthiness", "neighbors kept", "size", "word"]
)
def test_the_view_has_the_colors(explore, pictures, color):
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
        "neighbors kept": (trust.kept, []),
        "size": (found.indices / 500, []),
        "word": (found.indices % 3, ["word 0", "word 1", "word 2"]),
    }[color]
    assert panel.scatter.names == list(names)
    if names:
        np.testing.assert_array_equal(floats(panel.scatter.group, np.uint16), wanted)
    else:
        lo, hi = panel.scatter.span
        np.testing.assert_allclose(floats(panel.scatter.value, np.uint16) / 65534 * (hi - lo) + lo, wanted, atol=1e-4)
    assert color in dict(control(panel, "color")["options"])


def test_trust_is_not_measured_while_points_move(explore):
    panel = explore(color="trustworthiness", playing=False)
    _ = panel.result
    assert len(set(panel.scatter.value)) > 2
    colors = []
    panel.scatter.observe(lambda change: colors.append(set(change.new)), "value")
    panel.playing = True
    assert panel.result.finished
    known = [one for one in colors if one]  # each show empties them first
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
        == "The network gives a float32 tensor 1×8×4×4: there is no prediction to color by; take the label"
    )
    panel.color = "label"
    assert panel.result
