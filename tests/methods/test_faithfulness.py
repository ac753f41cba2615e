"""Deletion, insertion and pointing, where the best order is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import Attribution, attribute, faithfulness, pointing_game
from cnnwidgets.net import Cancelled
from tests.methods.small import bound, picture
from tests.net.networks import CancelAt, Function, unchanged

WEIGHTS = np.array([[0.0, 3.0, -1.0], [2.0, 0.5, -2.0], [1.0, -0.5, 0.25]])


def linear(weights=WEIGHTS):
    """Scores (w·x, 0): the first class has the probability 1 / (1 + exp(-w·x))."""
    weights = torch.as_tensor(weights, dtype=torch.float32)
    network = Function(lambda self, x: torch.stack([(x[:, 0] * weights).sum((1, 2)), 0 * x[:, 0, 0, 0]], 1))
    return cw.bind(network, input_shape=(1, *weights.shape), classes=["a", "b"])


def given(values, target: int | None = 0, size=None):
    values = np.asarray(values, np.float32)
    unit = None if target is not None else ("conv", 0)
    return Attribution(values, "given", target, unit, 0.0, size or values.shape[-2:], signed=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def test_a_linear_network_loses_its_weights_from_the_largest_on():
    result = faithfulness(linear(), torch.ones(1, 3, 3), given(WEIGHTS), steps=9, fill="zero")
    falling = np.sort(WEIGHTS.ravel())[::-1]
    moved = np.concatenate([[0], np.cumsum(falling)])
    np.testing.assert_allclose(result.deletion, sigmoid(WEIGHTS.sum() - moved), rtol=1e-5)
    np.testing.assert_allclose(result.insertion, sigmoid(moved), rtol=1e-5)
    np.testing.assert_allclose(result.fractions, np.arange(10) / 9)


def test_no_order_deletes_below_the_exact_one_nor_inserts_above_it():
    exact = faithfulness(linear(), torch.ones(1, 3, 3), given(WEIGHTS), steps=9, fill="zero", randoms=40)
    assert (exact.random >= exact.deletion - 1e-6).all()
    assert (exact.random[:, ::-1] <= exact.insertion + 1e-6).all()
    assert (exact.random[:, 1:-1] > exact.deletion[1:-1] + 1e-3).any()
    worst = faithfulness(linear(), torch.ones(1, 3, 3), given(-WEIGHTS), steps=9, fill="zero")
    assert worst.deletion_area > exact.random_area > exact.deletion_area
    assert worst.insertion_area < exact.random_area < exact.insertion_area


def test_the_area_is_the_trapezoids():
    result = faithfulness(linear(), torch.ones(1, 3, 3), given(WEIGHTS), steps=4, fill="zero")
    assert result.fractions.tolist() == [0, 2 / 9, 4 / 9, 7 / 9, 1]  # whole pixels
    trapezoids = np.diff(result.fractions) * (result.deletion[1:] + result.deletion[:-1]) / 2
    assert result.deletion_area == pytest.approx(trapezoids.sum())
    mean, spread = result.random_areas.mean(), np.std(result.random_areas, ddof=1)
    assert (result.random_area, result.random_spread) == (pytest.approx(mean), pytest.approx(spread))
    assert result.random.shape == (5, 5)


@pytest.mark.parametrize("fill", ["mean", "zero", "noise", "blur"])
def test_every_curve_begins_and_ends_with_the_networks_own_probabilities(fill):
    net = bound()
    result = faithfulness(net, picture(), attribute(net, picture(), 2), steps=5, fill=fill, seed=3)
    clean, filled = (net.scores(shown).softmax(1)[0, 2].item() for shown in (picture(), filling(net, fill)))
    np.testing.assert_allclose(result.deletion[[0, -1]], [clean, filled], rtol=1e-5)
    np.testing.assert_allclose(result.insertion[[0, -1]], [filled, clean], rtol=1e-5)
    np.testing.assert_allclose(result.random[:, [0, -1]], [[clean, filled]] * 5, rtol=1e-5)
    assert abs(clean - filled) > 1e-3


def filling(net, fill):
    from cnnwidgets.methods.fills import fill_picture

    return fill_picture(net, picture()[None], fill, (3, 3), 3)


def test_a_map_of_equal_values_is_a_random_order_and_not_reading_order():
    many = np.zeros((16, 16))
    many[:4] = 1  # what decides comes first in reading order
    equal = [
        faithfulness(linear(many / 8), torch.ones(1, 16, 16), given(0 * many), steps=8, fill="zero", seed=seed)
        for seed in range(3)
    ]
    exact = faithfulness(linear(many / 8), torch.ones(1, 16, 16), given(many), steps=8, fill="zero")
    assert min(one.deletion_area for one in equal) > exact.deletion_area + 0.1
    assert len({one.deletion_area for one in equal}) == 3


def test_channels_are_summed_up_by_size_and_small_maps_are_enlarged():
    net = bound(6)
    channels = np.random.default_rng(0).standard_normal((3, 6, 6))
    folded, unfolded = (
        faithfulness(net, picture(6), given(values), steps=16) for values in (np.abs(channels).sum(0), channels)
    )
    np.testing.assert_array_equal(folded.deletion, unfolded.deletion)
    coarse = given([[2.0, 1.0], [0.0, -1.0]], size=(6, 6))
    enlarged = given(coarse.at_input())
    one, other = (faithfulness(net, picture(6), values, steps=16).deletion for values in (coarse, enlarged))
    np.testing.assert_array_equal(one, other)


def test_the_same_seed_gives_the_same_orders_however_much_memory_there_is():
    net = bound()
    shown = attribute(net, picture(), 1)
    first, small = (faithfulness(net, picture(), shown, steps=4, max_memory=memory) for memory in (2**29, 1))
    np.testing.assert_allclose(first.random, small.random, rtol=1e-5)
    assert not np.allclose(first.random, faithfulness(net, picture(), shown, steps=4, seed=1).random)


def test_on_scenes_what_knows_the_place_is_more_faithful_than_chance_and_the_opposite_less():
    net, scenes = cw.load("scenes"), cw.samples.scenes("test")
    areas = []
    for i in range(4):
        target = int(net.scores(scenes[i][0]).argmax())
        true = scenes.mask(i).astype(np.float32)
        knows, opposite = (
            faithfulness(net, scenes[i], given(values, target), steps=12, randoms=3) for values in (true, -true)
        )
        areas.append([knows.deletion_area, knows.random_area, opposite.deletion_area])
    knows, chance, opposite = np.mean(areas, 0)
    assert knows < chance - 0.05
    assert chance < opposite - 0.05


def test_a_cancelled_one_leaves_the_network_as_it_was():
    net = bound()
    with unchanged(net.module), pytest.raises(Cancelled):
        faithfulness(net, picture(), given(np.eye(12)), max_memory=1, cancel=CancelAt(3))


def test_updates_tell_the_fraction_done():
    told = []
    faithfulness(
        bound(), picture(), given(np.eye(12)), steps=3, randoms=1, max_memory=1, on_update=lambda _, done: told.append(done)
    )
    np.testing.assert_allclose(told, np.arange(1, 13) / 12)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"attribution": given(np.eye(12), target=None), "target": 1, "unit": ("4", 0)}, "not both"),
        ({"attribution": given(np.eye(5))}, "of 5×5 pixels, the picture has 12×12"),
        ({"steps": 0}, "steps is 0; expected a whole number from 1 to 144"),
        ({"steps": 145}, "steps is 145; expected a whole number from 1 to 144"),
        ({"randoms": 0}, "randoms is 0; expected a whole number of at least 1"),
        ({"fill": "fog"}, "fill is 'fog'"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        faithfulness(bound(), picture(), **{"attribution": given(np.eye(12)), **wrong})


# pointing


def test_the_maximum_hits_where_the_mask_is():
    values = np.zeros((4, 6))
    values[1, 4] = 1
    mask = np.zeros((4, 6), bool)
    mask[1, 3:5] = True
    found = pointing_game(given(values), mask)
    assert found
    assert found.place == (1, 4)
    assert found.chance == 2 / 24
    mask[1, 4] = False
    assert not pointing_game(given(values), mask)
    near = pointing_game(given(values), mask, tolerance=1)
    assert near
    assert near.chance == 5 / 24  # the pixel and its four neighbors


def test_a_plateau_points_to_its_middle_and_a_flat_map_nowhere():
    values = np.zeros((5, 5))
    values[1:4, 2:5] = 7
    everywhere = np.ones((5, 5), bool)
    assert pointing_game(given(values), everywhere).place == (2, 3)
    flat = pointing_game(given(0 * values), everywhere)
    assert (flat.hit, flat.place, flat.chance) == (False, None, 1)


def test_random_maps_hit_as_often_as_chance_says():
    mask = np.zeros((10, 10), bool)
    mask[2:6, 3:8] = True
    rng = np.random.default_rng(0)
    games = [pointing_game(given(rng.random((10, 10))), mask) for _ in range(2000)]
    assert np.mean([game.hit for game in games]) == pytest.approx(games[0].chance, abs=0.03)


@pytest.mark.parametrize("mask, sentence", [(np.zeros((4, 4)), "mask is empty"), (np.ones((3, 4)), "mask is 3×4")])
def test_a_mask_that_does_not_fit_is_refused(mask, sentence):
    with pytest.raises(ValueError, match=sentence):
        pointing_game(given(np.eye(4)), mask)
