"""What is told of each point: its class in one list of names, its answer, its number; and of those that joined."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cnnwidgets.methods.embedding_state import AddedPictures, EmbeddingState
from cnnwidgets.methods.point_colors import PointColoring
from cnnwidgets.methods.point_marks import point_marks
from tests.methods.test_point_colors import features


def state(found, added=None) -> EmbeddingState:
    joined = None if added is None else AddedPictures(np.zeros((len(added.values), 2), np.float32), added)
    return EmbeddingState(found, found, SimpleNamespace(), np.zeros((len(found.values), 2)), False, added=joined)


def test_one_list_of_names_where_data_set_and_network_have_the_same():
    marks = point_marks(state(features([2, 0, -1, 1])), PointColoring((), {}, 8), "label")
    assert marks["classes"] == ["cat", "dog", "eel"]
    np.testing.assert_array_equal(marks["labels"], [2, 0, -1, 1])
    np.testing.assert_array_equal(marks["numbers"], [0, 2, 4, 6])
    assert marks["names"] == ("cat", "dog", "eel")
    assert marks["added"].tolist() == []


def test_a_class_keeps_the_networks_index_also_where_the_data_set_numbers_it_otherwise():
    coloring = PointColoring(["dog", "cat", "Aal"], {}, 8)
    assert point_marks(state(features([2, 0, -1, 1])), coloring, "label")["indices"] == [1, 0, 2]
    assert point_marks(state(features([0])), PointColoring((), {}, 8), "right or wrong")["indices"] == ()


def test_the_data_set_s_names_come_after_the_network_s_where_they_are_others():
    marks = point_marks(state(features([2, 0, -1, 1])), PointColoring(["Katze", "Hund", "Aal"], {}, 8), "label")
    assert marks["classes"] == ["cat", "dog", "eel", "Katze", "Hund", "Aal"]
    np.testing.assert_array_equal(marks["labels"], [5, 3, -1, 4])
    np.testing.assert_array_equal(marks["top"][:, 0], [0, 1, 2, 1])


def test_pictures_that_joined_come_last():
    found, added = features([2, 0, -1, 1]), features([1, -1], top=((1, 0), (2, 1)))
    marks = point_marks(state(found, added), PointColoring((), {}, 8), "prediction")
    np.testing.assert_array_equal(marks["added"], [4, 5])
    np.testing.assert_array_equal(marks["colors"], [0, 1, 2, 1, 1, 2])
    np.testing.assert_array_equal(marks["chance"], np.concatenate([found.chances, added.chances]))
    assert {len(marks[name]) for name in ("colors", "labels", "numbers", "top", "chance")} == {6}


def test_where_the_network_gives_no_probabilities_there_are_none():
    marks = point_marks(state(features([0, 1], top=None)), PointColoring(("cat", "dog"), {}, 8), "label")
    assert {"top", "chance"}.isdisjoint(marks)


def test_an_unknown_color_is_a_sentence():
    with pytest.raises(ValueError, match=r"nothing called 'labels' to color by\. Did you mean 'label'"):
        point_marks(state(features([0, 1])), PointColoring((), {}, 8), "labels")
