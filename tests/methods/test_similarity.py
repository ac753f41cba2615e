"""CKA: what its definition says, summed over all quadruples of pictures; and what turning, scaling and training do to it."""

from __future__ import annotations

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import Batch, similarity
from cnnwidgets.methods.similarity import Alignment, dependence
from cnnwidgets.net import Cancelled
from tests.methods.data_sets import Bad, Pictures
from tests.methods.small import bound, small
from tests.net.brute_force import lively
from tests.net.mixing import mixing
from tests.net.networks import CancelAt, unchanged

N = 30
OTHER = cw.bind(small(seed=3), input_shape=(3, 12, 12))


def quadruples(one, other):
    """HSIC as a U-statistic: the mean over all four different pictures i, j, q, r, with linear kernels."""
    k, m = (values @ values.T for values in (one, other))
    terms = [
        k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2 * k[i, j] * m[i, q]
        for i, j, q, r in itertools.permutations(range(len(k)), 4)
    ]
    return np.mean(terms)


def by_hand(one, other, size):
    """CKA from batches of so many pictures, of values (N, features)."""
    sums = np.zeros(3)
    for start in range(0, len(one), size):
        x, y = one[start : start + size], other[start : start + size]
        if len(x) >= 4:
            sums += len(x) * np.array([quadruples(x, y), quadruples(x, x), quadruples(y, y)])
    return sums[0] / np.sqrt(sums[1] * sums[2])


def outputs(net, layer, count):
    inputs = torch.stack([Pictures()[i][0] for i in range(count)])
    return net.trace(inputs, [layer])[layer].flatten(1).double().numpy()


@pytest.mark.parametrize(("count", "size"), [(7, 64), (17, 6), (14, 6)])  # of the last, two pictures are left out
def test_it_is_its_definition(count, size):
    net = bound()
    with unchanged(net.module), unchanged(OTHER.module):
        found = similarity(net, OTHER, Pictures(count), ["1", "5"], ["2", "5", "7"], batch_size=size)
    assert found.values.shape == (2, 3)
    for row, layer in enumerate(["1", "5"]):
        for column, other in enumerate(["2", "5", "7"]):
            wanted = by_hand(outputs(net, layer, count), outputs(OTHER, other, count), size)
            assert found.values[row, column] == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    assert found.seen == (12 if count == 14 else count)
    assert found.by_layer == {"5": found.values[1, 1]}


def test_a_network_is_like_itself():
    net = bound()
    found = similarity(net, net, Pictures(N), ["1", "5", "7"], batch_size=8)
    np.testing.assert_allclose(np.diag(found.values), 1, rtol=1e-12)
    np.testing.assert_allclose(found.values, found.values.T)
    assert (found.values[~np.eye(3, dtype=bool)] < 0.99).all()
    twin = similarity(
        net, cw.bind(copy.deepcopy(net.module), input_shape=(3, 12, 12)), Pictures(N), ["1", "5", "7"], batch_size=8
    )
    np.testing.assert_allclose(twin.values, found.values, rtol=1e-6)
    assert found.is_itself and not twin.is_itself
    assert found.sentence.startswith("CKA is largest between ") and "(1.00)" not in found.sentence
    assert "of both (1.00) and smallest between" in twin.sentence


def linear(weight, bias):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, len(weight)))
    with torch.no_grad():
        model[1].weight.copy_(weight)
        model[1].bias.copy_(bias)
    return cw.bind(model, input_shape=(3, 12, 12))


def test_turning_scaling_and_shifting_a_layer_changes_nothing_and_a_shear_does():
    generator = torch.Generator().manual_seed(1000)  # by which no picture is drawn
    weight = torch.randn(6, 432, generator=generator)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
    net = linear(weight, torch.zeros(6))
    turned = similarity(net, linear(3 * turn @ weight, torch.full((6,), 5.0)), Pictures(N), "1")
    assert turned.values.item() == pytest.approx(1, abs=1e-6)
    sheared = similarity(
        net, linear(torch.diag(torch.tensor([9.0, 1, 1, 1, 1, 1])) @ weight, torch.zeros(6)), Pictures(N), "1"
    )
    assert sheared.values.item() < 0.8
    assert turned.sentence == "CKA of 1 of both is 1.00."


def test_what_has_nothing_in_common_is_near_zero_although_it_has_many_units():
    """The biased estimate is near 1 here: with more units than pictures, each picture is like itself alone."""
    generator = torch.Generator().manual_seed(0)
    sums = np.zeros(3)
    for _ in range(50):
        one, other = (torch.randn(16, 4000, generator=generator, dtype=torch.float64) for _ in range(2))
        grams = [(values @ values.T).fill_diagonal_(0)[None] for values in (one, other)]
        sums += [dependence(*pair).item() for pair in (grams, grams[:1] * 2, grams[1:] * 2)]
    assert abs(sums[0] / np.sqrt(sums[1] * sums[2])) < 0.05


VALUES = {name: torch.randn(24, 5, generator=torch.Generator().manual_seed(k)) for k, name in enumerate("ab")}


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(4)))
def test_parts_in_any_order_give_the_same(order):
    def part(k):
        rows = slice(6 * k, 6 * k + 6)
        found = Alignment(["a"], ["b", "a"], None)
        found.update(Batch(np.arange(6), np.zeros(6, int), torch.zeros(6, 1), None, {n: v[rows] for n, v in VALUES.items()}))
        return found

    merged = Alignment(["a"], ["b", "a"], None)
    for k in order:
        merged.merge(part(k))
    values, seen = merged.result()
    assert seen == 24 and values[0, 1] == pytest.approx(1)
    one, other = (VALUES[name].double().numpy() for name in "ab")
    assert values[0, 0] == pytest.approx(by_hand(one, other, 6), rel=1e-9)


def test_executors_and_checkpoints_give_the_same(tmp_path):
    net, data = bound(), Pictures(N)
    whole = similarity(net, OTHER, data, ["1", "5"], batch_size=5)
    with ThreadPoolExecutor(2) as threads:
        other = similarity(net, OTHER, data, ["1", "5"], batch_size=5, executor=threads)
    np.testing.assert_array_equal(other.values, whole.values)
    options = {"batch_size": 5, "checkpoint": tmp_path / "scan"}
    with pytest.raises(Cancelled) as stopped:
        similarity(net, OTHER, data, ["1", "5"], cancel=CancelAt(4), **options)
    assert 0 < stopped.value.partial.seen < N
    told = []
    went_on = similarity(net, OTHER, data, ["1", "5"], on_update=lambda part, share: told.append(share), **options)
    np.testing.assert_array_equal(went_on.values, whole.values)
    assert told[-1] == 1
    with pytest.raises(ValueError, match="another scan"):
        similarity(net, cw.bind(small(seed=4), input_shape=(3, 12, 12)), data, ["1", "5"], **options)


def test_lower_layers_settle_first_and_all_come_nearer_to_the_end():
    """Raghu, Gilmer, Yosinski and Sohl-Dickstein 2017, on the checkpoints that are bundled."""
    end, data = cw.load("scenes"), cw.samples.scenes(size=200)
    items = [data[i] for i in range(len(data))]
    found = {epoch: similarity(cw.load("scenes", epoch), end, items, ["layer1", "layer2", "layer3"]) for epoch in (0, 2, 10)}
    first, second, third = (one.values.diagonal() for one in found.values())
    assert (first < second).all() and (second < third).all()
    assert second[0] > second[2] + 0.2
    assert similarity(end, end, items[:64], "layer3").values.item() == pytest.approx(1)


def test_a_network_that_mixes_its_batch_is_shown_one_picture_at_a_time():
    net = cw.bind(mixing("minus the mean"), input_shape=(3, 12, 12))
    alone = cw.bind(copy.deepcopy(net.module), input_shape=(3, 12, 12))
    found = similarity(net, alone, Pictures(10), "conv")
    assert found.values.item() == pytest.approx(1, rel=1e-6)


def test_a_layer_that_gives_the_same_for_all_pictures_has_no_similarity():
    dead = lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 3)))
    with torch.no_grad():
        dead[0].bias.fill_(-100)
    found = similarity(cw.bind(dead, input_shape=(3, 12, 12)), bound(), Pictures(N), "1", "5")
    assert np.isnan(found.values).all() and found.sentence == "There are no two layers to compare."


def test_bad_pictures_are_left_out():
    found = similarity(bound(), OTHER, Bad(), "5", batch_size=5)
    assert [i for i, _ in found.skipped] == list(Bad.indices)


REFUSED = [
    ({"layers": []}, ValueError, "layers is empty; expected at least one name of net.layers"),
    ({"layers": "conv"}, KeyError, "the network has no layer 'conv'."),
    ({"layers": "1", "other_layers": ["x"]}, KeyError, "the network has no layer 'x'."),
    (
        {"layers": "1", "other": cw.bind(small(16), input_shape=(3, 16, 16))},
        ValueError,
        "the networks take inputs of 3×12×12 and 3×16×16; expected the same",
    ),
    ({"layers": "1", "dataset": Pictures(3)}, ValueError, "no batch has 4 pictures, which the estimate needs at least"),
    ({"layers": "1", "other": nn.ReLU()}, TypeError, "other is a ReLU; expected a bound network"),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), REFUSED)
def test_what_does_not_fit_is_told(given, kind, sentence):
    with pytest.raises(kind) as raised:
        similarity(bound(), **({"other": OTHER, "dataset": Pictures(N)} | given))
    assert str(raised.value).startswith(sentence)
