"""What a cache has of a data set is what the methods give, and no picture is looked at twice for it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import FeatureCache, feature_cache, features, separation
from cnnwidgets.methods.neighbors import why_inseparable
from tests.methods.data_sets import Pictures, network


class Counting(Pictures):
    def __init__(self, *args):
        super().__init__(*args)
        self.asked: list[int] = []

    def __getitem__(self, i):
        self.asked.append(i)
        return super().__getitem__(i)


@pytest.fixture
def pictures():
    return Counting(30)


@pytest.fixture
def cache(pictures):
    return FeatureCache(network(), pictures)


def test_every_layer_comes_from_one_pass(cache, pictures):
    found = {name: cache.features(name)[0] for name in cache.layer_names}
    looked = len(pictures.asked)
    assert set(pictures.asked) == set(range(30))
    for name, one in found.items():
        own = features(cache.net, Pictures(30), name, pool="grid")
        np.testing.assert_array_equal(one.values, own.values)
        again, pixels = cache.features(name)
        assert again is one and pixels is found["input"]
    assert len(pictures.asked) == looked
    assert one.pictures.shape[0] == 30


def test_where_not_all_layers_have_room_each_comes_when_it_is_asked_for(cache, pictures, monkeypatch):
    monkeypatch.setattr(feature_cache, "ONE_PASS", 0)
    first, pixels = cache.features("2")
    looked = len(pictures.asked)
    assert (first.layer, pixels.layer) == ("2", "input")
    cache.features("5")
    assert len(pictures.asked) > looked
    assert cache.features("2")[0] is first


def test_of_more_pictures_than_wanted_the_sample_is_always_the_same(cache):
    some, pixels = cache.features("5", limit=12)
    assert len(set(some.indices)) == 12
    assert (np.diff(some.indices) > 0).all()
    np.testing.assert_array_equal(pixels.indices, some.indices)
    np.testing.assert_array_equal(FeatureCache(network(), Pictures(30)).features("2", limit=12)[0].indices, some.indices)


@pytest.mark.parametrize("change", [{"pool": "max"}, {"limit": 12}])
def test_what_is_known_of_other_pictures_or_another_pool_is_dropped(cache, change):
    first, _ = cache.features("5")
    cache.separate()
    key = cache.key
    again, _ = cache.features("5", **change)
    assert cache.key != key
    assert again is not first
    assert cache.separations == {}
    np.testing.assert_array_equal(again.values.shape[0], change.get("limit", 30))


def test_the_name_of_a_block_stands_for_the_call_that_ends_it_and_none_for_the_pixels():
    net = cw.load("scenes")
    cache = FeatureCache(net, cw.samples.scenes("test", 4))
    assert cache.features("layer1.0")[0].layer == net.layers["layer1.0"].name
    assert cache.features()[0].layer == cache.layer_names[0] == "input"


def test_classes_separate_as_the_method_says_and_are_measured_once(cache, monkeypatch):
    cache.features("5")
    told = []
    cache.separate(on_progress=lambda words, done: told.append((words, done)))
    names = cache.layer_names
    assert list(cache.separations) == names
    for name, one in cache.separations.items():
        found, _ = cache.features(name)
        assert one == separation(found.values, found.labels)
    assert told[0] == (f"How well classes separate: 1 of {len(names)} layers", 1 / len(names))
    assert told[-1][1] == 1
    cache.separate(on_progress=lambda *_: pytest.fail("measured again"))


def test_what_a_cancel_leaves_out_is_measured_next_time(cache):
    cache.features("5")
    cancel = threading.Event()
    cache.separate(on_progress=lambda *_: cancel.set(), cancel=cancel)
    assert list(cache.separations) == ["input"]
    cache.separate()
    assert list(cache.separations) == cache.layer_names


def test_it_says_how_far_it_is(cache):
    told = []
    cache.features("5", on_progress=lambda words, done: told.append((words, done)))
    assert told[-1][0].startswith(f"{cache.net.name} looks at the pictures: 30 of 30, ")
    assert told[-1][1] == 1


@pytest.mark.parametrize(
    "labels, why",
    [
        ([-1, -1], "no picture has a label"),
        ([3, 3, -1], "needs two classes"),
        ([0, 1, 2, -1], "needs two pictures of one class"),
        ([0, 1, 1, -1], ""),
    ],
)
def test_classes_separate_if_there_are_two_and_one_has_two_pictures(labels, why):
    assert why_inseparable(np.array(labels)) == why
    cache = FeatureCache(network(), [(torch.randn(3, 12, 12), label) for label in labels])
    cache.features("5")
    cache.separate()
    assert bool(cache.separations) == (not why)
