"""Evolution is similarity to the last checkpoint, and top patches of each, by brute force; it leaves no trace."""

from __future__ import annotations

import copy
import importlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from torch.nn import functional as F
from torch.optim import SGD

import cnnwidgets as cw
from cnnwidgets.methods import checkpoints as module
from cnnwidgets.methods import embed, evolution, monitor, similarity, top_patches
from cnnwidgets.methods.checkpoints import checkpoints_of
from cnnwidgets.methods.course_layouts import course_layouts
from cnnwidgets.methods.stages import local, stages
from cnnwidgets.net import Cancelled
from tests.methods.data_sets import Bad, Pictures
from tests.methods.small import bound, small
from tests.net.networks import CancelAt, unchanged

N = 40
LAYERS = ["0", "2", "5", "7"]
STATES = [(name, small(seed=seed).state_dict()) for name, seed in (("start", 1), ("middle", 2), ("end", 3))]
NETS = [cw.bind(small(seed=seed), input_shape=(3, 12, 12)) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def found():
    return evolution(bound(), Pictures(N), STATES, LAYERS, k=3, batch_size=16)


def test_similarity_is_that_of_each_checkpoint_with_the_last_which_is_1_with_itself(found):
    assert found.names == ("start", "middle", "end")
    for k, net in enumerate(NETS):
        wanted = similarity(net, NETS[-1], Pictures(N), LAYERS, batch_size=16)
        np.testing.assert_allclose(found.similarity[:, k], [*wanted.by_layer.values()], rtol=1e-9)
    np.testing.assert_allclose(found.similarity[:, -1], 1, rtol=1e-12)
    assert (abs(found.similarity[:, 0]) < 0.98).all()


def test_patches_are_those_of_each_checkpoint(found):
    for net, patches in zip(NETS, found.patches, strict=True):
        wanted = top_patches(net, Pictures(N), LAYERS, 3)
        for name in LAYERS:
            assert (patches[name].dead == wanted[name].dead).all()
            for unit in range(len(wanted[name].dead)):
                mine, theirs = patches[name].strongest(unit), wanted[name].strongest(unit)
                assert [(one.index, one.row, one.column) for one in mine] == [
                    (one.index, one.row, one.column) for one in theirs
                ]
                np.testing.assert_allclose([one.value for one in mine], [one.value for one in theirs], rtol=1e-5)


def test_features_are_the_means_of_the_maps_and_accuracy_is_counted(found):
    inputs = torch.stack([Pictures()[i][0] for i in range(N)])
    for k, net in enumerate(NETS):
        maps = net.trace(inputs, LAYERS)
        for name in LAYERS:
            means = maps[name].flatten(2).mean(2) if maps[name].ndim == 4 else maps[name]
            np.testing.assert_allclose(found.features[k][name], means.numpy(), rtol=1e-4, atol=1e-6)
        right = (net.scores(list(inputs)).argmax(1) == torch.arange(N) % 4).float().mean()
        assert found.accuracy[k] == pytest.approx(float(right))
    assert found.indices.tolist() == [*range(N)] and found.labels.tolist() == [i % 4 for i in range(N)]


def test_pictures_that_cannot_be_used_are_left_out():
    found = evolution(bound(), Bad(N), STATES, ["5"], batch_size=16)
    assert [index for index, _ in found.skipped] == [i for i in Bad.indices if i < N]
    assert found.seen == N - len(found.skipped) == len(found.indices)
    wanted = similarity(NETS[0], NETS[-1], Bad(N), "5", batch_size=16)
    assert found.similarity[0, 0] == pytest.approx(wanted.values.item(), rel=1e-9)


def test_it_leaves_no_trace():
    net, states = bound(), [(name, {key: value.clone() for key, value in state.items()}) for name, state in STATES]
    parameters, before = [*net.module.parameters()], copy.deepcopy(states)
    with unchanged(net.module), unchanged(NETS[0].module), unchanged(NETS[2].module):
        evolution(net, Pictures(12), states, ["5"])
        evolution(net, Pictures(12), [NETS[0], NETS[2]], ["5"])
    assert all(one is other for one, other in zip(parameters, net.module.parameters(), strict=True))
    assert all(
        torch.equal(state[key], value)
        for (_, state), (_, old) in zip(states, before, strict=True)
        for key, value in old.items()
    )


def test_threads_find_the_same(found):
    with ThreadPoolExecutor(2) as executor:
        other = evolution(bound(), Pictures(N), STATES, LAYERS, k=3, batch_size=16, executor=executor)
    np.testing.assert_allclose(other.similarity, found.similarity, atol=1e-6)
    assert np.array_equal(other.indices, found.indices)
    assert other.patches[1]["5"].strongest(2) == found.patches[1]["5"].strongest(2)


def test_updates_grow_and_a_cancel_leaves_what_there_is():
    seen = []
    evolution(
        bound(), Pictures(N), STATES, ["5"], batch_size=8, on_update=lambda part, share: seen.append((part.seen, share))
    )
    assert seen[-1] == (N, 1.0)
    with pytest.raises(Cancelled) as stopped:
        evolution(bound(), Pictures(N), STATES, ["5"], batch_size=8, cancel=CancelAt(4))
    assert 0 < stopped.value.partial.seen < N
    np.testing.assert_allclose(stopped.value.partial.similarity[:, -1], 1)


def test_of_many_pictures_the_features_are_of_a_sample(monkeypatch):
    monkeypatch.setattr(importlib.import_module("cnnwidgets.methods.evolution"), "SAMPLE", 10)
    found = evolution(bound(), Pictures(N), STATES, ["5"], batch_size=16)
    whole = evolution(bound(), Pictures(N), STATES, ["5"], batch_size=16, indices=found.indices)
    assert len(found.indices) == 10 and found.seen == N
    np.testing.assert_allclose(found.features[0]["5"], whole.features[0]["5"], rtol=1e-4, atol=1e-6)


# the checkpoints


def test_what_cw_monitor_kept_is_what_is_compared(tmp_path):
    model, losses = small(), []
    batches = [(torch.stack([Pictures()[i][0] for i in range(k, k + 10)]), torch.arange(k, k + 10) % 4) for k in (0, 10)]
    optimizer, states = SGD(model.parameters(), lr=0.1), [copy.deepcopy(model.state_dict())]
    with monitor(model, batches, optimizer, checkpoints=tmp_path):
        for _ in range(3):
            model.train()
            for x, y in batches:
                optimizer.zero_grad()
                losses.append(F.cross_entropy(model(x), y))
                losses[-1].backward()
                optimizer.step()
            states.append(copy.deepcopy(model.state_dict()))
    found = evolution(bound(), Pictures(N), tmp_path, ["5"], batch_size=16)
    by_hand = evolution(
        bound(), Pictures(N), [(f"epoch {k}", state) for k, state in enumerate(states)], ["5"], batch_size=16
    )
    assert found.names == by_hand.names == ("epoch 0", "epoch 1", "epoch 2", "epoch 3")
    assert np.array_equal(found.similarity, by_hand.similarity) and found.similarity[0, 0] < 0.999


def test_a_bundled_network_has_its_own():
    found = checkpoints_of(cw.load("digits", 5))
    assert found.names == ("epoch 0", "epoch 1", "epoch 2", "epoch 5", "epoch 10", "epoch 60")
    for epoch, net in zip(found.epochs, found.nets, strict=True):
        wanted = cw.samples.sample("digits", epoch).module.state_dict()
        assert all(torch.equal(value, wanted[name]) for name, value in net.module.state_dict().items())


def test_of_the_scenes_lower_stages_are_nearer_to_their_end_at_first():
    found = evolution(cw.load("scenes"), cw.samples.scenes(size=200))
    assert found.layers == ("conv1", "relu", "layer1", "layer2", "layer3", "fc")
    by_layer = dict(zip(found.layers, found.similarity, strict=True))
    at_2 = [by_layer[name][2] for name in ("layer1", "layer2", "layer3")]
    np.testing.assert_allclose(at_2, [0.79, 0.63, 0.42], atol=0.06)
    assert by_layer["conv1"][0] > 0.9  # random filters already tell pictures apart as those of the end do
    assert by_layer["relu"][4] < by_layer["relu"][1]  # and it does not settle first
    assert found.settled["conv1"] == "epoch 0" and found.settled["layer3"] == "epoch 40"
    assert (
        found.sentence
        == "CKA with the end stays at 0.9 or more in conv1 from epoch 0 on; 5 of 6 layers reach it only at the end."
    )
    assert found.said(2).startswith("epoch 2: ")


def test_more_than_there_is_room_for_are_thinned_and_said(monkeypatch):
    size = sum(value.nbytes for value in STATES[0][1].values())
    monkeypatch.setattr(module, "ROOM", 3 * size)
    many = [(f"step {k}", STATES[k % 3][1]) for k in range(7)]
    found = evolution(bound(), Pictures(8), many, ["5"])
    assert found.names == ("step 0", "step 3", "step 6")
    assert "3 of 7 checkpoints are used, since all of them would fill the memory" in found.notes


WRONG = {
    "none ship": (
        None,
        ValueError,
        "no checkpoints ship with Sequential: give checkpoints=, a folder written by cw.monitor",
    ),
    "a number": (3, TypeError, "checkpoints is 3; expected a folder written by cw.monitor"),
    "one": (STATES[:1], ValueError, "expected at least two checkpoints, got 1"),
    "no pairs": ([STATES[0][1], STATES[1][1]], TypeError, r"checkpoints\[0\] is .*; expected a folder"),
    "a folder that is not there": ("nowhere", FileNotFoundError, "there is no folder 'nowhere'"),
    "a weight less": (
        [("a", {k: v for k, v in STATES[0][1].items() if k != "4.bias"}), STATES[1]],
        ValueError,
        r"the checkpoint 'a' has no 4\.bias: it belongs to another network",
    ),
    "a weight more": ([("a", {**STATES[0][1], "9.bias": torch.ones(1)}), STATES[1]], ValueError, r"has a 9\.bias, and the"),
    "another shape": (
        [("a", {**STATES[0][1], "4.bias": torch.ones(3)}), STATES[1]],
        ValueError,
        r"4\.bias of the checkpoint 'a' is 3; expected 8",
    ),
    "another input": (
        [NETS[0], cw.load("digits")],
        ValueError,
        "takes inputs of 1×32×32; expected 3×12×12, as Sequential takes",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_are_no_checkpoints_is_said(what):
    given, kind, sentence = WRONG[what]
    with pytest.raises(kind, match=sentence):
        evolution(bound(), Pictures(8), given)


def test_a_training_that_diverged_is_named():
    broken = {name: value.clone() for name, value in STATES[1][1].items()}
    broken["0.weight"][0] = float("nan")
    with pytest.raises(ValueError, match=r"^step 9: 0 gives values that are not finite for picture 0"):
        evolution(bound(), Pictures(8), [STATES[0], ("step 9", broken), STATES[2]], ["0"])


def test_grass_has_no_checkpoints_and_three_pictures_are_too_few():
    with pytest.raises(ValueError, match="expected at least two checkpoints with 'grass', got 1"):
        evolution(cw.load("grass"), cw.samples.scenes(size=8))
    with pytest.raises(ValueError, match="no batch has 4 pictures"):
        evolution(bound(), Pictures(3), STATES, ["5"])
    with pytest.raises(ValueError, match="layers is empty"):
        evolution(bound(), Pictures(8), STATES, [])
    with pytest.raises(KeyError, match="no layer '55'"):
        evolution(bound(), Pictures(8), STATES, ["55"])


# which layers


def test_stages_are_what_each_hands_on():
    assert stages(cw.load("scenes")) == ["conv1", "relu", "layer1", "layer2", "layer3", "fc"]
    assert stages(cw.load("digits")) == ["conv1", "pool1", "pool2", "relu3", "relu4", "fc3"]
    assert stages(cw.load("resnet18", None)) == ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4", "fc"]
    assert len(stages(cw.load("vgg11", None))) == 8


def test_a_local_layer_sees_at_most_half_of_the_picture():
    net = cw.load("scenes")
    assert local(net, stages(net)) == "layer1"  # 19 of 64 pixels, layer2 sees 47
    assert local(net, ["fc"]) == "fc" and local(net, []) is None


# the layouts


def test_turned_and_scaled_features_lie_at_one_place_and_the_end_is_its_pca():
    rng = np.random.default_rng(0)
    end = rng.standard_normal((50, 6)) @ np.diag([5, 3, 1, 1, 1, 1])
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    other = rng.standard_normal((50, 6))
    points = course_layouts([7 * end @ turn + 3, other, end])
    np.testing.assert_allclose(points[0], points[2], atol=1e-5)
    np.testing.assert_allclose(pdist(points[2]) / pdist(embed(end, "pca").points), 1 / points_scale(end), rtol=1e-4)
    assert not np.allclose(points[1], points[2], atol=0.5)


def points_scale(values) -> float:
    return float(np.sqrt(((values - values.mean(0)) ** 2).sum(1).mean()))


def test_on_one_screen_points_lie_nearer_to_the_end_than_by_pcas_of_their_own(found):
    features = [some["5"] for some in found.features]
    points = course_layouts(features)
    for k in (0, 1):
        own = embed(features[k], "pca").points / points_scale(features[k])
        assert ((points[k] - points[2]) ** 2).sum() < ((own - points[2]) ** 2).sum()


def test_a_tsne_begins_where_the_one_after_it_has_ended():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(4), 20, 0) * 20
    features = [groups + rng.standard_normal((80, 4)) for _ in range(2)]
    before, end = course_layouts(features, "tsne")
    middles = [np.stack([one[k : k + 20].mean(0) for k in range(0, 80, 20)]) for one in (before, end)]
    assert (np.linalg.norm(middles[0] - middles[1], axis=1) < 0.3).all()  # of a spread of 1


def test_equal_features_lie_at_one_point():
    values = np.random.default_rng(0).standard_normal((20, 3))
    for method in ("pca", "tsne"):
        points = course_layouts([np.ones((20, 3)), values], method)
        assert not points[0].any() and points[1].any()
    with pytest.raises(ValueError, match="method is 'umap'"):
        course_layouts([values], "umap")


@pytest.mark.parametrize("last", [1, None])
def test_a_network_that_names_no_classes_is_right_of_nothing(last):
    parts = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()]
    tail = [torch.nn.Flatten(), torch.nn.Linear(400, last)] if last else []  # a regression, or maps
    module = torch.nn.Sequential(*parts, *tail)
    found = evolution(cw.bind(module, input_shape=(3, 12, 12)), Pictures(8), [("a", module.state_dict())] * 2, ["1"])
    assert np.isnan(found.accuracy).all()
    assert "right" not in found.said(0)


# the code


def test_the_code_gives_the_same():
    data, net = cw.samples.digits(), cw.load("digits")
    found = evolution(net, data, indices=range(0, 60, 2), layers=["conv1", "relu4"], batch_size=16)
    space: dict = {}
    exec(found.code(net, data), space)
    np.testing.assert_allclose(space["values"], found.similarity, atol=1e-6)
    own = evolution(bound(), Pictures(8), STATES, ["5"])
    assert "models = ...  # your network at each checkpoint, a list" in own.code(bound(), Pictures(8))
