"""Sanity checks: what is random, what stays, and what a map says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm

import cnnwidgets as cw
from cnnwidgets.methods import gradient_x_input, randomized, saliency, sanity_check
from cnnwidgets.methods.sanity import agreement, cascade
from cnnwidgets.net import Cancelled
from tests.methods.small import bound, picture
from tests.net.networks import CancelAt, Function, LeNet5, unchanged


def weights(net):
    return {name: value.detach().clone() for name, value in net.module.named_parameters()}


def test_depth_counts_from_the_last_layer_and_only_weights_become_random():
    net = cw.load("digits")
    before = weights(net)
    for depth, names in [(0, []), (1, ["fc3"]), (2, ["fc3", "fc2"]), (5, ["fc3", "fc2", "fc1", "conv2", "conv1"])]:
        after = weights(randomized(net, depth))
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {f"{name}.weight" for name in names}


def test_a_random_weight_has_the_mean_and_deviation_of_the_learned_one():
    net = cw.load("digits")
    before, after = weights(net)["fc1.weight"], weights(randomized(net, 3))["fc1.weight"]  # 48,000 numbers
    assert after.mean().item() == pytest.approx(before.mean().item(), abs=4 * before.std().item() / 48_000**0.5)
    assert after.std().item() == pytest.approx(before.std().item(), rel=0.02)
    assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.02
    assert stats.kurtosis(after.ravel().numpy()) == pytest.approx(0, abs=0.1)  # normal


def test_depth_three_has_the_numbers_of_depth_two_and_a_seed_gives_them_again():
    net = cw.load("digits")
    two, three = weights(randomized(net, 2)), weights(randomized(net, 3))
    assert all(torch.equal(two[name], three[name]) for name in ("fc3.weight", "fc2.weight"))
    assert all(torch.equal(one, two[name]) for name, one in weights(randomized(net, 2)).items())
    assert not torch.equal(weights(randomized(net, 2, seed=1))["fc3.weight"], two["fc3.weight"])


def test_the_networks_own_weights_and_the_random_generator_are_left_alone():
    net = bound()
    net.module.train()
    with unchanged(net.module):
        random = randomized(net, 2)
        sanity_check(net, picture(), depths=[2])
    shared = {one.data_ptr() for one in net.module.parameters()} & {one.data_ptr() for one in random.module.parameters()}
    assert not shared


def test_the_copy_is_bound_alike_and_has_the_layer_table_at_once():
    net = cw.load("scenes")
    random = randomized(net, 1)
    assert random.layers is net.layers
    assert (random.classes, random.input_shape, random.device) == (net.classes, net.input_shape, net.device)
    pixels = cw.samples.scenes().picture(0)
    assert torch.equal(random.prepare(pixels), net.prepare(pixels))
    assert repr(random) == "<scenes, last 1 layer random: 3×64×64, 175,258 parameters, 10 logits>"


def test_a_weight_that_is_used_twice_or_tied_counts_once():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    tied = nn.Conv2d(3, 3, 3, padding=1)
    tied.weight = conv.weight
    network = Function(
        lambda self, x: self.fc(self.tied(self.conv(self.conv(x).relu()).relu()).mean((2, 3))),
        conv=conv,
        tied=tied,
        fc=nn.Linear(3, 2),
    )
    net = cw.bind(network, input_shape=(3, 5, 5))
    assert [row.name for row in cascade(net)] == ["fc", "tied"]
    after = randomized(net, 2).module
    assert after.tied.weight is after.conv.weight
    assert not torch.equal(after.conv.weight, conv.weight)


def test_a_functional_network_forgets_as_well():
    net = cw.bind(LeNet5(), input_shape=(1, 32, 32))
    assert not torch.equal(randomized(net, 1).scores(torch.ones(1, 32, 32)), net.scores(torch.ones(1, 32, 32)))
    assert len(cascade(net)) == 5


def test_a_parametrized_weight_is_replaced_and_one_that_hooks_compute_is_refused():
    normed = cw.bind(parametrizations.weight_norm(nn.Conv2d(1, 2, 4)).eval(), input_shape=(1, 4, 4))
    normed = cw.bind(nn.Sequential(normed.module, nn.Flatten()), input_shape=(1, 4, 4))
    after = randomized(normed, 1)
    assert not torch.allclose(after.module[0].weight, normed.module[0].weight)
    shown = torch.ones(1, 4, 4)
    wanted = after.module[0].weight.sum((1, 2, 3)) + after.module[0].bias
    torch.testing.assert_close(after.scores(shown)[0], wanted.detach())
    hooked = spectral_norm(nn.Conv2d(1, 2, 4))
    with pytest.raises(ValueError, match="cannot be randomized"):
        randomized(cw.bind(nn.Sequential(hooked, nn.Flatten()), input_shape=(1, 4, 4)), 1)


@pytest.mark.parametrize("depth", [-1, 4])
def test_a_depth_that_there_is_not_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth is {depth}; Sequential has 3 layers with weights"):
        randomized(bound(), depth)


# the check


def test_a_linear_networks_map_is_its_weights_and_so_is_the_correlation():
    torch.manual_seed(0)
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), input_shape=(1, 8, 8))
    result = sanity_check(net, torch.ones(1, 8, 8), 1, methods=["saliency"])
    before, after = (one.module[1].weight[1].abs().detach().numpy() for one in (net, randomized(net, 1)))
    np.testing.assert_allclose(result.original[0].ravel(), before, rtol=1e-6)
    np.testing.assert_allclose(result.maps[0, 1].ravel(), after, rtol=1e-6)
    assert result.correlation.tolist() == [[pytest.approx(1), pytest.approx(stats.spearmanr(before, after).statistic)]]
    shown = [np.minimum(one / np.quantile(one, 0.995), 1).reshape(8, 8) for one in (before, after)]
    assert result.similarity[0, 0] == pytest.approx(1)
    assert result.similarity[0, 1] == pytest.approx(structural_similarity(*shown, data_range=1.0), abs=1e-5)
    assert (result.depths, result.layers, result.methods) == ((0, 1), ("", "1"), ("saliency",))


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_picture_of_few_pixels_has_no_structural_similarity(side):
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(side**2, 2)).eval(), input_shape=(1, side, side))
    result = sanity_check(net, torch.ones(1, side, side), 1, methods=["saliency"])
    assert np.isnan(result.similarity).all() == (side < 3)


def test_the_target_stays_the_one_that_the_network_itself_predicts():
    net = cw.load("scenes")
    scene = cw.samples.scenes()[0]
    result = sanity_check(net, scene, methods=["saliency"], depths=[3])
    random = randomized(net, 3)
    predicted, instead = (int(one.scores(scene).argmax()) for one in (net, random))
    assert predicted != instead
    assert result.target == predicted
    np.testing.assert_array_equal(result.maps[0, 0], saliency(random, scene, predicted).values)
    assert result.probability == pytest.approx(random.scores(scene).softmax(1)[0, predicted].item())


def test_guided_backpropagation_hardly_notices_four_forgotten_layers_where_the_gradient_does():
    """The paper's finding, on the bundled network."""
    net, scenes = cw.load("scenes"), cw.samples.scenes()
    found = [sanity_check(net, scenes[i], methods=["saliency", "guided_backprop"], depths=[4]) for i in range(6)]
    plain, guided = np.mean([one.correlation[:, 0] for one in found], 0)
    assert guided > plain + 0.2
    plain, guided = np.mean([one.similarity[:, 0] for one in found], 0)
    assert guided > plain + 0.3


def test_a_map_with_its_signs_turned_has_the_same_ranks_and_another_display():
    found = gradient_x_input(bound(), picture(), 0)
    turned = agreement(found, replace(found, values=-found.values))
    assert turned.correlation == pytest.approx(1)
    assert turned.similarity < 0


@pytest.mark.parametrize("wrong", [{"depths": []}, {"depths": [4]}, {"depths": [-1]}, {"methods": []}])
def test_a_check_of_nothing_or_too_deep_is_refused(wrong):
    with pytest.raises(ValueError, match="depths of 0 to 3"):
        sanity_check(bound(), picture(), **wrong)


def test_a_flat_map_has_no_ranks():
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), input_shape=(1, 8, 8))
    nn.init.zeros_(net.module[1].weight)
    flat = saliency(net, torch.ones(1, 8, 8), 0)
    assert np.isnan(agreement(flat, flat).correlation)


def test_updates_are_the_depths_so_far_and_a_cancelled_check_hands_them_out():
    seen = []
    result = sanity_check(bound(), picture(), on_update=lambda part, done: seen.append((part.depths, done)))
    assert seen == [((0,), 1 / 4), ((0, 1), 2 / 4), ((0, 1, 2), 3 / 4), ((0, 1, 2, 3), 1)]
    assert result.maps.shape == (3, 4, 12, 12)
    with pytest.raises(Cancelled) as raised:
        sanity_check(bound(), picture(), cancel=CancelAt(2))
    assert raised.value.partial.depths == (0, 1)
    np.testing.assert_array_equal(raised.value.partial.maps, result.maps[:, :2])
