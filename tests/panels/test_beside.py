"""What lies beside a picture is a part of the state: a picture, or its number. A network is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cnnwidgets as cw
from tests.base.tiny import is_shown


@pytest.fixture(scope="module")
def digits():
    return cw.load("digits")


@pytest.fixture(scope="module")
def data():
    return cw.samples.digits()


def test_a_number_is_that_of_a_picture_in_the_data_set(digits, data):
    panel = cw.FeatureMapBrowser(digits, 3, images=data, beside=5)
    wanted = cw.methods.activations(digits, data[5][0], "conv1")["conv1"].values
    np.testing.assert_array_equal(panel.data()["beside"], wanted)
    assert panel.state["beside"] == 5
    assert "beside=5" in repr(panel)


def test_it_comes_back_from_a_state_in_a_panel_that_had_none(digits, data):
    first = cw.FeatureMapBrowser(digits, 3, images=data, beside=5)
    second = cw.FeatureMapBrowser(digits, 3, images=data)
    assert "beside" not in second.data()
    assert not is_shown(second, second.second)
    second.restore(json.loads(json.dumps(first.state)))
    np.testing.assert_array_equal(second.data()["beside"], first.data()["beside"])
    assert is_shown(second, second.second)
    second.beside = None
    assert "beside" not in second.data()
    assert not is_shown(second, second.second)


def test_a_picture_comes_back_from_a_state_too(digits, data):
    first = cw.FeatureMapBrowser(digits, 3, images=data, beside=data[7][0])
    second = cw.FeatureMapBrowser(digits, 3, images=data)
    second.restore(json.loads(json.dumps(first.state)))
    np.testing.assert_array_equal(second.data()["beside"], first.data()["beside"])


def test_another_picture_beside_has_its_own_maps(digits, data):
    panel = cw.FeatureMapBrowser(digits, 3, images=data, beside=5)
    _ = panel.result
    for number in (6, 5, 7):
        panel.beside = number
        wanted = cw.methods.activations(digits, data[number][0], "conv1")["conv1"].values
        np.testing.assert_array_equal(panel.data()["beside"], wanted)


NETWORKS = {
    "bound": lambda: cw.load("digits", weights="0"),
    "module": cw.samples.LeNet5,
    "state": lambda: {"network": "digits after 0 epochs", "id": 139_872},  # as a state had it before 0.1.0
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_is_refused_in_a_sentence_that_says_where_it_goes_and_nothing_changes(digits, data, kind):
    sentence = "^expected a picture or its number, got a network; cw.TwoNetworks compares two networks$"
    network = NETWORKS[kind]()
    with pytest.raises(ValueError, match=sentence):
        cw.FeatureMapBrowser(digits, 3, images=data, beside=network)
    panel = cw.FeatureMapBrowser(digits, 3, images=data, beside=5)
    before = panel.state
    with pytest.raises(ValueError, match=sentence):
        panel.beside = network
    with pytest.raises(ValueError, match=sentence):
        panel.restore({**before, "image": 4, "beside": network})
    assert panel.state == before
    wanted = cw.methods.activations(digits, data[5][0], "conv1")["conv1"].values
    np.testing.assert_array_equal(panel.data()["beside"], wanted)
    panel.close()


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        (500, "The data set has no picture 500: its 500 pictures are numbered from 0"),
        ("nowhere.png", r"There is no file 'nowhere\.png'"),
        ({"a": 1}, "Expected an item with a picture under a name such as 'image'"),
    ],
)
def test_what_cannot_lie_beside_is_told_and_the_next_one_works(digits, data, beside, sentence):
    panel = cw.FeatureMapBrowser(digits, 3, images=data, beside=beside)
    assert panel.wait(30)
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(panel.status.message)
    panel.beside = 5
    assert panel.data()["beside"].shape == (6, 28, 28)
    assert panel.status.kind == "ready"


def test_a_number_without_a_data_set_is_told_of_both(digits, data):
    panel = cw.FeatureMapBrowser(digits, data[3][0], beside=5)
    assert panel.wait(30)
    assert panel.status.message == "5 is the number of a picture; pass its data set as images=, or the picture itself"
