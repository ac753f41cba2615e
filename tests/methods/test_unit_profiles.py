"""Profiles of units: what scikit-learn and NumPy give of all maxima, whatever the order of the parts."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import Batch, LayerProfiles, unit_profiles
from cnnwidgets.methods.responses import Responses
from cnnwidgets.methods.unit_profiles import profiles_of
from cnnwidgets.net import Cancelled
from tests.methods.data_sets import Bad, Pictures, network
from tests.methods.small import bound
from tests.net.networks import CancelAt, unchanged

N = 40


@pytest.fixture(scope="module")
def data():
    return Pictures(N)


def maxima(net, data, layer) -> np.ndarray:
    """(pictures, units): the maxima of the maps, picture by picture."""
    each = [net.trace(data[i][0], [layer])[layer] for i in range(len(data))]
    return np.stack([one.reshape(one.shape[1], -1).amax(1).numpy() for one in each])


@pytest.mark.parametrize("layer", ["0", "5", "7"])
def test_responses_are_the_maxima_of_the_maps(data, layer):
    net = bound()
    with unchanged(net.module):
        found = unit_profiles(net, data, layer, batch_size=7)
    profiles = found[layer]
    np.testing.assert_allclose(profiles.responses, maxima(net, data, layer), rtol=1e-5, atol=1e-6)
    assert profiles.indices.tolist() == list(range(N)) and profiles.labels.tolist() == [data[i][1] for i in range(N)]
    assert (found.seen, found.total, found.skipped) == (N, N, []) and profiles.responses.dtype == np.float32


def test_means_are_those_of_each_class_and_active_is_a_share(data):
    found = unit_profiles(bound(), data, "5")["5"]
    for label in range(4):
        np.testing.assert_allclose(found.means[:, label], found.responses[found.labels == label].mean(0), rtol=1e-6)
    np.testing.assert_array_equal(found.active, [(column > 0).sum() / N for column in found.responses.T])
    assert found.counts.tolist() == [10, 10, 10, 10]


def profiles(responses, labels, classes=3):
    """Of a layer with as many units as there are columns."""
    values = np.asarray(responses, np.float32)
    row = cw.bind(nn.Conv2d(1, values.shape[1], 1), input_shape=(1, 2, 2)).layers[0]
    return LayerProfiles(row, values, np.arange(len(values)), np.asarray(labels), classes, ~values.any(0))


TABLES = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=n, max_size=n),
        st.lists(st.integers(-1, 2), min_size=n, max_size=n),
    )
)


@given(TABLES)
@settings(deadline=None, max_examples=80)
def test_the_auc_is_scikit_learn_s_also_with_ties(table):
    responses, labels = np.array(table[0], np.float32), np.array(table[1])
    found = profiles(responses, labels)
    known = labels >= 0
    for label in range(3):
        one = labels[known] == label
        for unit in range(2):
            if one.all() or not one.any():
                assert np.isnan(found.auc[unit, label])
            else:
                assert found.auc[unit, label] == pytest.approx(roc_auc_score(one, responses[known, unit]), abs=1e-12)


def test_twins_are_those_that_correlate_most():
    random = np.random.default_rng(0)
    responses = random.normal(size=(50, 6)).astype(np.float32)
    responses[:, 4] = 3 * responses[:, 1] + 2  # a twin, with another size
    responses[:, 5] = 7  # always the same
    found, wanted = profiles(responses, np.zeros(50, int)), np.corrcoef(responses[:, :5].T)
    for unit in range(5):
        twins = dict(found.twins(unit, 10))
        assert set(twins) == set(range(5)) - {unit}
        np.testing.assert_allclose(list(twins.values()), sorted((wanted[unit, k] for k in twins), reverse=True), atol=1e-6)
        assert all(twins[other] == pytest.approx(wanted[unit, other], abs=1e-6) for other in twins)
    assert found.twins(1)[0][0] == 4 and found.twins(5) == []


def test_a_dead_unit_is_told_and_has_no_best_class():
    responses = np.stack([np.zeros(8), np.arange(8) % 2 - 1], 1)
    found = profiles(responses, np.arange(8) % 2, 2)
    assert found.dead.tolist() == [True, False] and found.best(0) == [] and found.best(1) == [(1, 1.0)]
    assert found.sentence(0).endswith(" is dead: it gives 0 at every position of 8 pictures.")
    assert "alone it separates b best: AUC 1.00." in found.sentence(1, ["a", "b"])
    assert "alone it separates class 1 best" in found.sentence(1)
    assert found.active.tolist() == [0, 0]


def test_a_unit_that_is_negative_somewhere_is_not_dead():
    """Its maximum is 0 in every picture; only all positions tell."""
    net = cw.bind(nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Hardtanh(-1, 0)), input_shape=(1, 2, 2), outputs="values")
    with torch.no_grad():
        net.module[0].weight.copy_(torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1))
    pictures = [torch.tensor([[[-1.0, 1.0], [2.0, 3.0]]]), torch.tensor([[[1.0, -2.0], [2.0, 3.0]]])]
    assert unit_profiles(net, pictures, "1")["1"].dead.tolist() == [False, True]


def batch(numbers) -> Batch:
    numbers = np.array(numbers)
    maps = torch.stack([torch.randn(8, 4, 4, generator=torch.Generator().manual_seed(int(k))) for k in numbers])
    return Batch(numbers, numbers % 3 - 1, torch.zeros(len(numbers), 3, 2, 2), torch.zeros(len(numbers), 4), {"5": maps})


@given(st.permutations(range(12)), st.lists(st.integers(1, 11), max_size=4, unique=True))
@settings(deadline=None, max_examples=40)
def test_parts_merged_in_any_order_give_the_same(numbers, cuts):
    layer = network().layers["5"]
    whole = Responses(layer)
    whole.update(batch(range(12)))
    parts = []
    for some in np.split(np.array(numbers), sorted(cuts)):
        parts.append(Responses(layer))
        parts[-1].update(batch(some))
    total = Responses(layer)
    for part in parts:
        total.merge(copy.deepcopy(part))
    one, other = profiles_of(whole, 4), profiles_of(total, 4)
    for name in ("responses", "indices", "labels", "dead"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_every_executor_and_a_checkpoint_give_the_same(data, tmp_path):
    net, wanted = bound(), unit_profiles(bound(), data, ["5"], batch_size=8)["5"]
    with ThreadPoolExecutor(3) as executor:
        found = unit_profiles(net, data, ["5"], batch_size=8, executor=executor)["5"]
    file = tmp_path / "scan"
    with pytest.raises(Cancelled) as stopped:
        unit_profiles(net, data, ["5"], batch_size=8, checkpoint=file, cancel=CancelAt(3))
    assert 0 < stopped.value.partial.seen < N
    again = unit_profiles(net, data, ["5"], batch_size=8, checkpoint=file)["5"]
    for one in (found, again):
        np.testing.assert_array_equal(one.responses, wanted.responses)
        np.testing.assert_array_equal(one.dead, wanted.dead)


def test_what_does_not_fit_is_told(data):
    net = bound()
    with pytest.raises(KeyError, match="no layer '99'"):
        unit_profiles(net, data, "99")
    with pytest.raises(ValueError, match="layers is empty; expected at least one name"):
        unit_profiles(net, data, [])
    found = unit_profiles(net, data, "5")["5"]
    for ask in (found.twins, found.best, found.sentence):
        with pytest.raises(IndexError, match="5 has no unit 8; expected 0 to 7, got 8"):
            ask(8)


def test_pictures_that_cannot_be_used_are_left_out_and_listed():
    found = unit_profiles(bound(), Bad(16), "5", indices=[5, 1, 3])
    assert found["5"].indices.tolist() == [1, 5] and found.seen == 2 and [i for i, _ in found.skipped] == [3]
    assert repr(found) == "<profiles of 5: 2 of 3 pictures, 1 skipped>"
