"""Colors of points: what is known of each picture, by name."""

from __future__ import annotations

import numpy as np
import pytest

from cnnwidgets.methods import Features
from cnnwidgets.methods.neighbors import trust
from cnnwidgets.methods.point_colors import PointColoring, places_of
from cnnwidgets.net.output import Output

GIVES = Output("logits", 3, "by default")


def features(
    labels, classes=("cat", "dog", "eel"), top=((0, 1), (1, 0), (2, 0), (1, 2)), output=None, regression=None
) -> Features:
    n = len(labels)
    top = None if top is None else np.array(top)
    chances = None if top is None else np.linspace(0.9, 0.6, 2 * n, dtype=np.float32).reshape(n, 2)
    classes = () if top is None else classes
    values = np.arange(3.0 * n, dtype=np.float32).reshape(n, 3) ** 2
    indices, labels = 2 * np.arange(n), np.array(labels)
    return Features("fc", values, indices, labels, classes, top, chances, None, [], n, 1.0, 0.0, output or GIVES, regression)


def named(colors) -> list[str]:
    return [colors.names[k] if k >= 0 else "" for k in colors.colors]


def test_labels_have_the_data_set_s_names():
    assert named(PointColoring(["Katze", "Hund", "Aal"], {}, 8).of("label", features([2, 0, -1, 1]), None)) == [
        "Aal", "Katze", "", "Hund",
    ]  # fmt: skip


@pytest.mark.parametrize("labels", [(), None])
def test_without_names_of_its_own_they_are_the_network_s(labels):
    assert named(PointColoring(labels, {}, 8).of("label", features([2, 0, 0, 1]), None)) == ["eel", "cat", "cat", "dog"]


def test_labels_beyond_all_names_are_their_numbers():
    colors = PointColoring((), {}, 8).of("label", features([7, 10**12, -1, 7]), None)
    assert named(colors) == ["7", "1000000000000", "", "7"]
    assert len(colors.names) == 2


@pytest.mark.parametrize("top", [None, ((0,), (0,), (0,), (0,))])
def test_without_labels_there_is_no_color(top):
    colors = PointColoring((), {}, 8).of("label", features([-1] * 4, top=top), None)
    assert not colors.names or set(named(colors)) == {""}
    assert colors.names or np.isnan(colors.colors).all()


def test_predictions_and_their_probability():
    found = features([0, 1, 2, 0])
    assert named(PointColoring((), {}, 8).of("prediction", found, None)) == ["cat", "dog", "eel", "dog"]
    np.testing.assert_array_equal(PointColoring((), {}, 8).of("confidence", found, None).colors, found.chances[:, 0])


def test_right_or_wrong_by_number():
    assert named(PointColoring((), {}, 8).of("right or wrong", features([0, 0, -1, 1]), None)) == [
        "right",
        "wrong",
        "",
        "right",
    ]


def test_right_or_wrong_by_name_where_data_set_and_network_number_the_same_names():
    colors = PointColoring(["dog", "eel", "cat"], {}, 8).of("right or wrong", features([2, 2, 1, 0]), None)
    assert named(colors) == ["right", "wrong", "right", "right"]


def test_right_or_wrong_by_number_where_no_name_is_shared():
    colors = PointColoring(["Katze", "Hund", "Aal"], {}, 8).of("right or wrong", features([0, 2, 2, 1]), None)
    assert named(colors) == ["right", "wrong", "right", "right"]


@pytest.mark.parametrize("what", ["prediction", "right or wrong", "confidence"])
def test_a_network_without_scores_is_a_sentence(what):
    found = features([0, 1, 2, 0], top=None, output=Output("structure", 0, "a tuple"))
    with pytest.raises(ValueError, match=f"the network gives a tuple: there is no {what} to color by; take the label"):
        PointColoring((), {}, 8).of(what, found, None)


def test_a_regression_colors_by_its_value():
    values = np.array([[1.5], [-2], [0], [7]], np.float32)
    found = features([-1] * 4, top=None, output=Output("values", 1, "by default"), regression=values)
    for what in ("prediction", "confidence"):
        colors = PointColoring((), {}, 8).of(what, found, None)
        assert (colors.colors.tolist(), colors.names, colors.span) == ([1.5, -2, 0, 7], (), None)
        assert colors.quantity == "value that is predicted"
    with pytest.raises(ValueError, match=r"the network gives one value \(by default\): there is no right or wrong to color"):
        PointColoring((), {}, 8).of("right or wrong", found, None)


@pytest.mark.parametrize("what, of", [("trustworthiness", "trustworthiness"), ("neighbors kept", "kept")])
def test_trust_is_measured_of_the_layout_and_unknown_while_it_moves(what, of):
    found, points = features([0, 1, 2, 0]), np.array([[0.0, 0], [5, 1], [1, 1], [3, 0]], np.float32)
    measured = trust(found.values, points)
    colors = PointColoring((), {}, 8).of(what, found, measured)
    np.testing.assert_array_equal(colors.colors, getattr(measured, of))
    assert colors.span == (0.0, 1.0)
    assert np.isnan(PointColoring((), {}, 8).of(what, found, None).colors).all()


COLUMNS = {
    "floats": (np.arange(8) / 4, [0.0, 0.5, 1.0, 1.5], ()),
    "whole numbers": ([30, 20, 30, 10, 20, 0, 10, 0], [2, 2, 1, 0], ("10", "20", "30")),
    "words": (list("abcdbfah"), [0, 2, 1, 0], ("a", "b", "c")),
    "yes and no": ([True, False] * 4, [0, 0, 0, 0], ("True",)),
}


@pytest.mark.parametrize("name", ["floats", "whole numbers", "words", "yes and no"])
def test_own_columns_are_a_scale_or_classes(name):
    values, shades, names = COLUMNS[name]
    colors = PointColoring((), {name: values}, 8).of(name, features([0, 1, 2, 0]), None)
    assert colors.names == names
    np.testing.assert_array_equal(colors.colors, shades)


def test_very_many_whole_numbers_are_a_scale():
    n = 1200
    found = features([0] * n, top=np.zeros((n, 2), int))
    colors = PointColoring((), {"number": np.arange(2 * n)}, 2 * n).of("number", found, None)
    assert colors.names == ()
    np.testing.assert_array_equal(colors.colors, found.indices)


def test_a_column_may_take_the_place_of_the_labels():
    coloring = PointColoring((), {"label": list("abcdbfah")}, 8)
    assert named(coloring.of("label", features([-1] * 4), None)) == ["a", "c", "b", "a"]
    names = [name for _, name in coloring.options()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("values", [range(7), np.zeros((8, 2)), "abcdefgh"])
def test_a_column_of_another_length_is_refused(values):
    with pytest.raises(ValueError, match=r"the column 'size' has shape .*; the data set has 8 items"):
        PointColoring((), {"size": values}, 8)


def test_a_misspelled_color_offers_the_nearest():
    with pytest.raises(ValueError, match=r"nothing called 'sise' to color by. Did you mean 'size'"):
        PointColoring((), {"size": range(8)}, 8).of("sise", features([0, 1, 2, 0]), None)


def test_pictures_that_join_have_the_color_of_what_the_network_says():
    found, others = features([0, 1, 2, 0]), features([0, 1, 2, 0], top=((2, 0), (2, 0), (1, 0), (0, 1)))
    coloring = PointColoring((), {}, 8)
    like = coloring.of("prediction", found, None)
    np.testing.assert_array_equal(coloring.of_others("prediction", like, others), [2, 2, 1, 0])
    np.testing.assert_array_equal(coloring.of_others("label", coloring.of("label", found, None), others), -1)
    assert np.isnan(coloring.of_others("trustworthiness", coloring.of("trustworthiness", found, None), others)).all()


def test_labels_stand_where_their_class_does():
    np.testing.assert_array_equal(places_of(np.array([5, -1, 2, 3]), {2: "b", 5: "e"}), [1, -1, 0, -1])
    np.testing.assert_array_equal(places_of(np.array([0, -1]), {}), [-1, -1])
