"""Ablation: what zeroing by hand gives, and what a network keeps of its accuracy."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import ablate
from cnnwidgets.net import Cancelled
from tests.methods.data_sets import Bad, Pictures
from tests.methods.small import bound, small
from tests.net.brute_force import lively
from tests.net.mixing import mixing
from tests.net.networks import CancelAt, Function, unchanged
from tests.net.random_networks import branch_on_values

N = 30


def logits(model, layer, units, data, value=0.0):
    """(N, classes): what a plain copy gives picture by picture, whose hook sets some units."""
    model = copy.deepcopy(model)

    def hook(module, args, output):
        output = output.clone()
        output[:, units] = torch.as_tensor(value).reshape(-1, *[1] * (output.ndim - 2))
        return output

    if len(units):
        model.get_submodule(layer).register_forward_hook(hook)
    with torch.no_grad():
        return torch.cat([model(data[i][0][None]) for i in range(len(data))])


def outcome(scores, labels):
    """Accuracy, mean probability of the label, and accuracy by label."""
    right = (scores.argmax(1) == labels).double()
    chance = scores.softmax(1)[torch.arange(len(labels)), labels].double()
    return right.mean().item(), chance.mean().item(), [right[labels == k].mean().item() for k in range(4)]


LABELS = torch.arange(N) % 4
SETS = [("1", 4), ("5", [2, 3, 7]), ("5", np.arange(8)), ("0", (0, 5)), ("7", 1)]


@pytest.mark.parametrize("batch_size", [7, 64])
def test_it_is_zeroing_by_hand(batch_size):
    net, data = bound(), Pictures(N)
    with unchanged(net.module):
        found = ablate(net, data, SETS, batch_size=batch_size)
    rows = [("0", [])] + [(layer, np.atleast_1d(units)) for layer, units in SETS]
    for k, (layer, units) in enumerate(rows):
        accuracy, chance, by_class = outcome(logits(net.module, layer, units, data), LABELS)
        if not k:
            assert found.intact == pytest.approx(accuracy)
            assert found.intact_probability == pytest.approx(chance, rel=1e-5)
        else:
            assert found.accuracy[k - 1] == pytest.approx(accuracy)
            assert found.change[k - 1] == pytest.approx(accuracy - found.intact)
            assert found.probability[k - 1] == pytest.approx(chance, rel=1e-5)
        np.testing.assert_allclose(found.by_class[k], by_class)
    assert found.sets == (("1", (4,)), ("5", (2, 3, 7)), ("5", tuple(range(8))), ("0", (0, 5)), ("7", (1,)))
    assert (found.pictures, found.counts.tolist(), found.skipped) == (N, [8, 8, 7, 7], [])
    assert found.worst == min(range(len(SETS)), key=lambda k: (found.accuracy[k], found.probability[k]))
    assert len(set(found.probability)) == len(SETS)


def test_the_mean_is_that_over_pictures_and_positions():
    net, data = bound(), Pictures(N)
    maps = net.trace(torch.stack([data[i][0] for i in range(N)]), ["5"])["5"]
    found = ablate(net, data, ("5", [2, 3]), to="mean")
    wanted = logits(net.module, "5", [2, 3], data, maps.mean((0, 2, 3))[[2, 3]])
    assert found.probability[0] == pytest.approx(outcome(wanted, LABELS)[1], rel=1e-5)
    assert found.to == "mean"
    assert found.probability[0] != pytest.approx(ablate(net, data, ("5", [2, 3])).probability[0], rel=1e-3)


def test_whole_passes_give_the_same_and_are_said():
    parts = {"body": small()[:6], "last": small()[6:]}
    branching = lively(Function(lambda self, x: self.last(branch_on_values(self, self.body(x))), **parts), seed=0)
    data = Pictures(N)
    found = ablate(cw.bind(branching, input_shape=(3, 12, 12)), data, [("body.5", 3), ("body.0", 3)])
    assert [note.partition(":")[0] for note in found.notes] == [
        "whole passes are made for body.5",
        "whole passes are made for body.0",
    ]
    told = ablate(cw.bind(branching, input_shape=(3, 12, 12)), data, ("body.5", 3)).notes
    assert told == ("whole passes are made for body.5: torch.fx cannot follow its forward pass (it branches on values)",)
    for k, layer in enumerate(["body.5", "body.0"]):
        wanted = outcome(logits(branching, layer, [3], data), LABELS)
        assert (found.accuracy[k], found.probability[k]) == pytest.approx(wanted[:2], rel=1e-5)


def test_a_unit_that_does_nothing_changes_nothing_at_all():
    model = small()
    with torch.no_grad():
        model[7].weight.view(4, 8, 4, 4)[:, 6] = 0
    found = ablate(cw.bind(model, input_shape=(3, 12, 12)), Pictures(N), [("5", 6), ("5", 7)])
    assert found.change[0] == 0 and found.probability[0] == found.intact_probability
    assert found.probability[1] != found.intact_probability
    assert found.sentence(0).endswith(f"instead of {100 * found.intact:.1f}%.")


def test_pictures_of_a_network_that_mixes_them_are_shown_one_by_one():
    net = cw.bind(mixing("minus the mean"), input_shape=(3, 12, 12))
    data = [(picture, label % 3) for picture, label in (Pictures()[i] for i in range(8))]
    found = ablate(net, data, ("conv", 2))
    alone = logits(net.module, "conv", [2], data)
    chance = alone.softmax(1)[torch.arange(8), torch.tensor([label for _, label in data])].mean()
    assert found.probability[0] == pytest.approx(chance.item(), rel=1e-5)


def test_bad_pictures_are_left_out_and_those_without_a_label_do_not_count():
    found = ablate(bound(), Bad(), ("5", 1))
    assert [i for i, _ in found.skipped] == list(Bad.indices)
    assert found.pictures == 50 - len(Bad.indices)
    mixed = [Pictures()[i] if i % 2 else (Pictures()[i][0],) for i in range(20)]
    assert ablate(bound(), mixed, ("5", 1)).pictures == 10
    with pytest.raises(ValueError, match="none of the 5 pictures has a label; expected labels"):
        ablate(bound(), [(Pictures()[i][0],) for i in range(5)], ("5", 1))


def test_threads_checkpoints_and_cancel_give_the_same(tmp_path):
    net, data = bound(), Pictures(N)
    whole = ablate(net, data, SETS, batch_size=4)
    with ThreadPoolExecutor(2) as threads:
        other = ablate(net, data, SETS, batch_size=4, executor=threads)
    np.testing.assert_array_equal(other.chances, whole.chances)
    path, parts = tmp_path / "scan", []
    with pytest.raises(Cancelled) as stopped:
        ablate(net, data, SETS, batch_size=4, checkpoint=path, cancel=CancelAt(30))
    assert 0 < stopped.value.partial.pictures < N
    went_on = ablate(net, data, SETS, batch_size=4, checkpoint=path, on_update=lambda part, share: parts.append(part))
    np.testing.assert_array_equal(went_on.chances, whole.chances)
    assert parts[-1].pictures == N
    with pytest.raises(ValueError, match="another scan"):
        ablate(net, data, SETS[:2], batch_size=4, checkpoint=path)


def test_no_unit_of_the_scenes_stands_for_a_feature():
    """Without any one of 64 units the accuracy stays within a point; a random half of them is hardly missed."""
    net, data = cw.load("scenes"), cw.samples.scenes(size=200)
    found = ablate(net, data, [("layer3", k) for k in range(64)] + [("layer3", range(64))])
    assert found.change[:64].min() >= -0.01
    assert found.worst == 64
    assert found.accuracy[64] == pytest.approx(0.1, abs=0.05)  # the class that the bias alone names
    assert found.sentences[0] == "Of 65 sets, 64 of the 64 units of layer3 cost most."


SENTENCES = [
    (3, ValueError, "units is 3; expected (layer, unit), (layer, units), or a list of them"),
    ([], ValueError, "units is empty; expected (layer, unit)"),
    ("5", ValueError, "units is '5'; expected (layer, unit)"),
    (("5", []), ValueError, "the units of 5 are []; expected a whole number, or a list of them"),
    (("5", [1.5]), ValueError, "the units of 5 are [1.5]; expected a whole number"),
    (("5", 8), IndexError, "there is no unit 8: 5 has 8, numbered from 0"),
    ([("5", 1), ("5", [2, -1])], IndexError, "there is no unit -1: 5 has 8, numbered from 0"),
    (("fiv", 1), KeyError, "the network has no layer 'fiv'."),
]


@pytest.mark.parametrize(("units", "kind", "sentence"), SENTENCES)
def test_units_that_do_not_fit_are_told(units, kind, sentence):
    with pytest.raises(kind) as raised:
        ablate(bound(), Pictures(N), units)
    assert str(raised.value).startswith(sentence)


def test_other_values_and_networks_without_classes_are_told():
    with pytest.raises(ValueError, match="to is 'noise'; expected one of 'zero', 'mean'"):
        ablate(bound(), Pictures(N), ("5", 1), to="noise")
    values = cw.bind(
        lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(400, 3))), input_shape=(3, 12, 12), outputs="values"
    )
    with pytest.raises(ValueError, match="there are no classes to count"):
        ablate(values, Pictures(N), ("0", 1))
