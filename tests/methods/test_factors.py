"""Factors: planted ones are found again, and what they explain is what is left by least squares at each position."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.decomposition import NMF
from sklearn.metrics import roc_auc_score
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import Batch, factors
from cnnwidgets.methods.layer_sample import Positions
from cnnwidgets.net import Cancelled
from tests.methods.data_sets import Bad, Pictures
from tests.methods.small import bound
from tests.net.brute_force import lively
from tests.net.networks import CancelAt, unchanged

N = 30
DIRECTIONS = np.array([[3, 0, 1, 0, 0, 2.0], [0, 2, 0, 0, 1, 0], [0, 0, 1, 4, 0, 0]])
"""Of three kinds of stuff, what each of six units answers to it."""


class Stuff(torch.utils.data.Dataset):
    """Each pixel is a mixture of one or two of three kinds of stuff, which are the channels."""

    def __len__(self):
        return 20

    def __getitem__(self, i):
        rng = np.random.default_rng(i)
        amounts = rng.gamma(1.0, size=(3, 12, 12)) * (rng.random((3, 12, 12)) < 0.4) * np.array([4, 2, 1]).reshape(3, 1, 1)
        return torch.from_numpy(amounts).float(), i % 3


def planted(sign=1.0):
    model = nn.Sequential(nn.Conv2d(3, 6, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    with torch.no_grad():
        model[0].weight.copy_(sign * torch.from_numpy(DIRECTIONS.T)[:, :, None, None])
    return cw.bind(model, input_shape=(3, 12, 12))


def values_of(net, layer, data):
    """(pictures, positions, units)."""
    maps = net.trace(torch.stack([data[i][0] for i in range(len(data))]), [layer])[layer]
    return maps.flatten(2).movedim(1, 2).clamp(min=0).double().numpy()


def test_planted_factors_are_found_again():
    net, data = planted(), Stuff()
    with unchanged(net.module):
        found = factors(net, data, "1", 3, batch_size=7)
    lengths = np.linalg.norm(DIRECTIONS, axis=1)
    np.testing.assert_allclose(found.directions, DIRECTIONS / lengths[:, None], atol=0.02)  # the largest is the first
    amounts = np.stack([data[i][0].numpy() for i in range(20)]) * lengths[:, None, None]
    np.testing.assert_allclose(found.maps, amounts, atol=0.02 * amounts.max())
    assert found.maps.shape == (20, 3, 12, 12) and found.explained > 0.999
    assert found.indices.tolist() == list(range(20)) and found.labels.tolist() == [i % 3 for i in range(20)]
    assert found.sentence == "3 factors explain > 99.9% of the sum of squares of 1, at all 2,880 positions of 20 pictures."


@pytest.mark.parametrize("n", [1, 3, 8])
def test_maps_are_least_squares_at_each_position_and_the_rest_is_not_explained(n):
    net, data = bound(), Pictures(N)
    found = factors(net, data, "5", n, batch_size=7)
    values = values_of(net, "5", data)
    for picture in (0, 11, 29):
        for at in (0, 5, 15):
            _, least = nnls(found.directions.T.astype(float), values[picture, at])
            rest = values[picture, at] - found.maps[picture, :, at // 4, at % 4] @ found.directions
            assert np.linalg.norm(rest) == pytest.approx(least, rel=1e-3, abs=5e-3 * np.linalg.norm(values[picture, at]))
    again = np.einsum("pnij,nu->piju", found.maps, found.directions).reshape(values.shape)
    assert found.explained == pytest.approx(1 - ((values - again) ** 2).sum() / (values**2).sum(), abs=1e-6)
    assert (found.maps >= 0).all() and (found.directions >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1, rtol=1e-6)
    assert (np.diff(found.maps.sum((0, 2, 3))) <= 0).all()


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")  # of a single factor nothing is ever left to change
@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_they_explain_what_scikit_learn_s_own_run_explains_and_no_more_than_any_directions_can(n):
    net, data = bound(), Pictures(N)
    found, values = factors(net, data, "5", n), values_of(net, "5", data).reshape(-1, 8)
    peer = NMF(n, init="nndsvda", tol=1e-6, max_iter=3000, random_state=0).fit(values)
    total = (values**2).sum()
    assert found.explained == pytest.approx(1 - peer.reconstruction_err_**2 / total, abs=2e-3)
    singular = np.linalg.svd(values, compute_uv=False)
    np.testing.assert_allclose(found.sample.best, np.cumsum(singular**2) / total, rtol=1e-5)
    assert found.explained <= found.sample.best[n - 1] + 1e-9


def test_portions_of_steps_are_the_run_in_one_go():
    net, data = bound(), Pictures(N)
    found, values = factors(net, data, "5", 3), values_of(net, "5", data).reshape(-1, 8)
    order = np.lexsort((found.sample.places, found.sample.indices))
    np.testing.assert_allclose(found.sample.values[order], values, rtol=1e-6)
    peer = NMF(3, init="nndsvda", tol=0, max_iter=found.steps, random_state=0).fit(found.sample.values.astype(float))
    directions = peer.components_ / np.linalg.norm(peer.components_, axis=1, keepdims=True)
    nearest = (directions @ found.directions.T).argmax(0)
    assert sorted(nearest) == [0, 1, 2]
    np.testing.assert_allclose(found.directions, directions[nearest], atol=1e-6)


def test_another_number_of_factors_asks_nothing_of_the_network(monkeypatch):
    net, data = bound(), Pictures(N)
    found, fresh = factors(net, data, "5", 2), factors(net, data, "5", 5)
    monkeypatch.setattr(sys.modules[factors.__module__], "scan", None)
    again = found.again(5)
    assert np.array_equal(again.maps, fresh.maps) and np.array_equal(again.directions, fresh.directions)
    assert np.array_equal(again.amounts, fresh.amounts) and again.explained == fresh.explained
    with pytest.raises(ValueError, match="n is 9; expected a whole number from 1 to 8, the units of 5"):
        found.again(9)
    with pytest.raises(Cancelled):
        found.again(5, cancel=CancelAt(0))


def test_the_strongest_patches_of_a_factor_are_those_of_brute_force_one_a_picture():
    net, data = bound(), Pictures(N)
    found = factors(net, data, "5", 4)
    for factor in range(4):
        maps = found.maps[:, factor].reshape(N, -1)
        best = [i for i in np.argsort(-maps.max(1), kind="stable")[:9] if maps[i].max() > 0]
        patches = found.strongest(factor)
        assert [(patch.index, patch.row, patch.column) for patch in patches] == [
            (i, *divmod(int(maps[i].argmax()), 4)) for i in best
        ]
        np.testing.assert_allclose([patch.value for patch in patches], maps.max(1)[best], rtol=1e-4)
        assert [patch.label for patch in patches] == [int(i) % 4 for i in best]
    place = found.crop(net, data, found.strongest(1)[0])
    top, left, height, width = found.layer.receptive_field.box(found.strongest(1)[0].row, found.strongest(1)[0].column)
    seen = data[found.strongest(1)[0].index][0][
        :, max(0, int(top)) : int(top + height), max(0, int(left)) : int(left + width)
    ]
    np.testing.assert_array_equal(place.values[:, place.inside], seen.flatten(1))
    with pytest.raises(IndexError, match="there is no factor 4; expected 0 to 3, got 4"):
        found.strongest(4)


def test_a_factor_that_is_nowhere_has_no_patches():
    found = factors(planted(), Stuff(), "1", 6)  # of three kinds of stuff
    nowhere = [k for k in range(6) if not found.amounts[:, k].any()]
    assert all(found.strongest(k) == [] for k in nowhere)
    assert found.shares.sum() == pytest.approx(1) and (np.diff(found.shares) <= 1e-9).all()


def test_memory_does_not_grow_with_the_pictures(monkeypatch):
    found = factors(bound(), Pictures(N), "5", 3, positions=60, pictures=5)
    assert found.sample.values.shape == (60, 8) and found.sample.maps.shape == (5, 8, 4, 4)
    assert found.maps.shape == (5, 3, 4, 4) and found.amounts.shape == (60, 3)
    assert (np.diff(found.indices) > 0).all() and found.sample.seen == N
    every = factors(bound(), Pictures(N), "5", 3, positions=60)
    np.testing.assert_allclose(found.maps, every.maps[found.indices], atol=1e-5)
    np.testing.assert_array_equal(found.labels, found.indices % 4)
    assert found.sentence.endswith("at 60 random positions out of 480 of 30 pictures.")
    monkeypatch.setattr("cnnwidgets.methods.layer_sample.MOST_VALUES", 2 * 8 * 16 + 1)
    assert len(factors(bound(), Pictures(N), "5", 3).maps) == 2
    monkeypatch.setattr("cnnwidgets.methods.layer_sample.MOST_VALUES", 1)
    assert len(factors(bound(), Pictures(N), "5", 3).maps) == 1


def test_on_the_scenes_one_of_two_factors_is_the_digit_and_the_other_is_not():
    data = cw.samples.scenes(size=100)
    found = factors(cw.load("scenes"), data, "layer2.1.relu:2", 2)
    masks = np.stack([data.mask(int(i)) for i in found.indices]).reshape(100, 16, 4, 16, 4).mean((2, 4)) > 0.25
    there = [roc_auc_score(masks.ravel(), found.maps[:, k].ravel()) for k in range(2)]
    assert max(there) > 0.95 and min(there) < 0.2  # 0.5 is chance


def test_of_the_last_maps_of_the_scenes_each_of_ten_factors_is_a_class():
    found = factors(cw.load("scenes"), cw.samples.scenes(size=300), "layer3.1.relu:2", 10, pictures=300)
    strength = found.maps.max((2, 3))
    by_class = np.stack([strength[found.labels == label].mean(0) for label in range(10)])
    assert sorted(by_class.argmax(1)) == list(range(10))
    assert (strength.argmax(1) == by_class.argmax(1)[found.labels]).mean() > 0.9


def test_more_factors_explain_more():
    shares = [factors(bound(), Pictures(N), "5", n).explained for n in (1, 2, 4, 8)]
    assert shares == sorted(shares) and shares[0] < 0.9 and 0.99 < shares[-1] <= 1


def test_the_same_seed_gives_the_same_and_batches_and_threads_change_nothing():
    net, data = bound(), Pictures(N)
    found = factors(net, data, "5", 3, positions=100, seed=4)
    again = factors(net, data, "5", 3, positions=100, seed=4)
    assert np.array_equal(found.maps, again.maps) and np.array_equal(found.directions, again.directions)
    with ThreadPoolExecutor(2) as threads:
        other = factors(net, data, "5", 3, positions=100, seed=4, batch_size=4, executor=threads)
    np.testing.assert_allclose(other.directions, found.directions, atol=1e-5)
    np.testing.assert_allclose(other.maps, found.maps, atol=1e-3)
    assert not np.allclose(factors(net, data, "5", 3, positions=100, seed=5).directions, found.directions, atol=1e-3)
    assert found.amounts.shape == (100, 3)


LAYER = bound().layers["5"]
VALUES = torch.rand(24, *LAYER.map_shape, generator=torch.Generator().manual_seed(0))


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_sample_is_the_same_in_any_order(order):
    def gathered(numbers):
        part = Positions(LAYER, 50, 0, False)
        part.update(
            Batch(numbers, numbers % 4, torch.zeros(len(numbers), 1), None, {"5": VALUES[torch.from_numpy(numbers)]})
        )
        return part

    merged = Positions(LAYER, 50, 0, False)
    for k in order:
        merged.merge(gathered(np.arange(6 * k, 6 * k + 6)))
    whole = gathered(np.arange(24))
    np.testing.assert_array_equal(merged.values, whole.values)
    assert len(merged.values) == 50 and merged.seen == VALUES.numel()


def test_negative_values_are_refused_or_taken_to_be_zero_and_said():
    with pytest.raises(ValueError, match=r"4 gives −\d.* for picture \d+; expected no negative values, as after a R"):
        factors(bound(), Pictures(N), "4", 2)
    net, data = bound(), Pictures(N)
    found, behind = factors(net, data, "4", 3, rectify=True), factors(net, data, "5", 3)
    np.testing.assert_allclose(found.maps, behind.maps, atol=1e-5)
    maps = net.trace(torch.stack([data[i][0] for i in range(N)]), ["4"])["4"]
    assert found.sample.negative == pytest.approx((maps < 0).float().mean().item()) and behind.sample.negative == 0
    assert found.sentence.endswith(f"{100 * found.sample.negative:.1f}% of its values are negative and count as 0.")


def test_a_layer_that_is_dead_has_nothing_to_factor():
    with pytest.raises(ValueError, match="1 gives 0 at all 2,880 positions of 20 pictures: there is nothing to factor"):
        factors(planted(-1.0), Stuff(), "1", 2)


def test_bad_pictures_are_left_out_and_cancel_ends_it():
    found = factors(bound(), Bad(), "5", 2)
    assert [i for i, _ in found.skipped] == list(Bad.indices) and len(found.maps) == 50 - len(Bad.indices)
    assert not set(found.indices) & set(Bad.indices)
    with pytest.raises(Cancelled):
        factors(bound(), Pictures(N), "5", 2, batch_size=4, cancel=CancelAt(12))


REFUSED = [
    ({"n": 0}, ValueError, "n is 0; expected a whole number from 1 to 8, the units of 5"),
    ({"n": 9}, ValueError, "n is 9; expected a whole number from 1 to 8, the units of 5"),
    ({"positions": 1}, ValueError, "positions is 1; expected at least n, which is 2"),
    ({"pictures": 0}, ValueError, "pictures is 0; expected at least 1"),
    ({"layer": "7"}, ValueError, "7 gives 4: its positions have no place in the picture"),
    ({"layer": "conv"}, KeyError, "the network has no layer 'conv'."),
    ({"seed": -1}, ValueError, "seed is -1; expected a whole number from 0"),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), REFUSED)
def test_what_does_not_fit_is_told(given, kind, sentence):
    with pytest.raises(kind) as raised:
        factors(bound(), Pictures(N), **({"layer": "5", "n": 2} | given))
    assert str(raised.value).startswith(sentence)


def test_tokens_keep_their_grid():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.ReLU(), nn.Flatten(2))

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.norm, self.last = body, nn.ReLU(), nn.Linear(6, 3)

        def forward(self, x):
            return self.last(self.norm(self.body(x).transpose(1, 2)).mean(1))

    net = cw.bind(lively(Tokens()), input_shape=(3, 12, 12))
    assert net.layers["norm"].layout == "tokens"
    np.testing.assert_allclose(
        factors(net, Pictures(N), "norm", 2).maps, factors(net, Pictures(N), "body.1", 2).maps, atol=1e-5
    )
