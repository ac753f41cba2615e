"""Features of the same pictures are in memory once, as long as they are the same and somebody holds them."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import torch

from cnnwidgets.methods import FeatureCache, feature_cache, features
from tests.methods.data_sets import Pictures, network


class Changing(Pictures):
    """Item ``changed`` has another picture or another label than before."""

    changed, what = -1, "picture"

    def __getitem__(self, i):
        picture, label = super().__getitem__(i)
        if i != self.changed:
            return picture, label
        return (picture + 1e-3, label) if self.what == "picture" else (picture, label + 1)


@pytest.fixture
def net():
    return network()


def held(cache, layer="5", **asked) -> np.ndarray:
    return cache.features(layer, **asked)[0].values


def test_two_caches_of_the_same_pictures_hold_one_array_of_each_layer(net):
    pictures = Pictures(30)
    first, second = FeatureCache(net, pictures), FeatureCache(net, pictures)
    for layer in first.layer_names:
        assert held(first, layer) is held(second, layer)
        np.testing.assert_array_equal(held(second, layer), features(net, pictures, layer, pool="grid").values)


def test_it_is_freed_when_nobody_holds_it_any_more(net):
    pictures = Pictures(30)
    first, second = FeatureCache(net, pictures), FeatureCache(net, pictures)
    array = weakref.ref(held(first))
    assert held(second) is array()
    del first
    gc.collect()
    assert held(second) is array()
    del second
    gc.collect()
    assert array() is None


@pytest.mark.parametrize("what", ["picture", "label"])
def test_pictures_that_have_changed_have_features_of_their_own(net, what):
    pictures = Changing(30)
    first = FeatureCache(net, pictures)
    before = held(first).copy()
    pictures.changed, pictures.what = 7, what
    second = FeatureCache(net, pictures)
    assert held(second) is not held(first)
    np.testing.assert_array_equal(held(second), features(net, pictures, "5", pool="grid").values)
    np.testing.assert_array_equal(held(first), before)
    (other,) = np.flatnonzero(first.features("5")[0].labels != second.features("5")[0].labels) if what == "label" else [7]
    assert other == 7


@pytest.mark.parametrize("change", [torch.Tensor.zero_, lambda tensor: tensor.copy_(tensor.flip(0))], ids=["zero", "order"])
def test_a_network_that_has_changed_has_features_of_its_own(net, change):
    pictures = Pictures(30)
    first = FeatureCache(net, pictures)
    before = held(first, "2").copy()
    change(next(net.module.parameters()).data)  # which leaves no version behind
    second = FeatureCache(net, pictures)
    np.testing.assert_array_equal(held(second, "2"), features(net, pictures, "2", pool="grid").values)
    assert (held(second, "2") != before).any()
    np.testing.assert_array_equal(held(first, "2"), before)


@pytest.mark.parametrize("other", [{"pool": "max"}, {"limit": 12}], ids=str)
def test_asked_for_otherwise_they_are_others(net, other):
    pictures = Pictures(30)
    first, second = FeatureCache(net, pictures), FeatureCache(net, pictures)
    assert held(first) is not held(second, **other)
    assert held(second) is held(first)  # and again the same, once the same is asked for


def test_where_each_layer_comes_when_it_is_asked_for_it_is_shared_too(net, monkeypatch):
    monkeypatch.setattr(feature_cache, "ONE_PASS", 0)
    pictures = Pictures(30)
    first, second = FeatureCache(net, pictures), FeatureCache(net, pictures)
    for layer in ("2", "5"):
        assert held(first, layer) is held(second, layer)
    held(first, "7")
    second.separate()
    assert list(second.separations) == ["input", "2", "5"]  # what it was not asked for it does not know


def test_of_two_that_look_at_the_same_time_one_takes_over(net):
    both = threading.Barrier(2, timeout=60)

    class Meeting(Pictures):
        def __getitem__(self, i):
            if i == 0 and threading.current_thread() is not threading.main_thread():
                both.wait()
            return super().__getitem__(i)

    pictures = Meeting(30)
    caches = [FeatureCache(net, pictures) for _ in range(2)]
    threads = [threading.Thread(target=held, args=[cache]) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(caches[0]) is held(caches[1])


def test_nobody_can_write_into_what_others_see(net):
    found, pixels = FeatureCache(net, Pictures(30)).features("5")
    for array in (found.values, found.labels, found.top, found.chances, found.pictures, pixels.values):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
