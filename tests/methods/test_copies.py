"""What trains is a copy, also of what ``copy.deepcopy`` refuses: the losses are those of the network's own training."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

from cnnwidgets.methods import Task, lr_finder, race
from cnnwidgets.methods.copies import trainable_copy
from tests.methods.learning import judged, lecture, loader, net, others, record

X = torch.ones(3, 1, 2, 2)


def run_once(model):
    model(X)
    return model


def pruned():
    model = net()
    prune.l1_unstructured(model[1], "weight", 0.5)
    return model


def normed(norm):
    model = net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        norm(model[1])
    return model


class Keeps(nn.Module):
    """Keeps the map of its last pass."""

    def __init__(self):
        super().__init__()
        self.inner = net()

    def forward(self, x):
        self.kept = self.inner[1](x.flatten(1))
        return self.inner(x)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x.flatten(1)))[:, :2]


NETWORKS = {
    "plain": net,
    "pruned": pruned,
    "pruned, after a pass": lambda: run_once(pruned()),
    "weight norm of old": lambda: run_once(normed(nn.utils.weight_norm)),
    "weight norm": lambda: run_once(normed(nn.utils.parametrizations.weight_norm)),
    "spectral norm of old": lambda: run_once(normed(nn.utils.spectral_norm)),
    "a kept map": lambda: run_once(Keeps()),
    "tied weights": Tied,
    "compiled": lambda: torch.compile(net(), backend="eager"),
    "scripted": lambda: torch.jit.script(net()),
    "a function of its own": lambda: with_function(lambda x: F.relu(x) * 2),
}


def with_function(function):
    model = net()
    model[3].forward = function
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_copy_trains_as_the_network_would_and_leaves_it_as_it_is(name):
    torch.manual_seed(1)
    model = NETWORKS[name]()
    torch.manual_seed(1)
    mine = NETWORKS[name]()
    before = record(model)
    (found,) = race(Task(model, loader(), others()), [{"kind": "constant", "lr": 0.05}], steps=2, seeds=(3,)).histories
    assert record(model) == before
    torch.manual_seed(3)
    optimizer = torch.optim.SGD(mine.parameters(), 0.05, momentum=0.9)
    losses = []
    for _ in range(2):
        losses += [step[0] for step in lecture(mine, loader(), optimizer)]
        judged(mine, others())
    assert found.loss.tolist() == losses


def test_what_was_pruned_away_stays_away():
    model = pruned()
    copied = trainable_copy(model)
    list(lecture(copied, loader(), torch.optim.SGD(copied.parameters(), 0.5)))
    assert torch.equal(copied[1].weight == 0, model[1].weight == 0)
    assert not torch.equal(copied[1].weight_orig, model[1].weight_orig)


def test_parts_in_evaluation_mode_and_frozen_weights_stay_so():
    model = net()
    model[2].eval()
    model[1].requires_grad_(False)
    copied = trainable_copy(model)
    assert [part.training for part in copied.modules()] == [part.training for part in model.modules()]
    assert [p.requires_grad for p in copied.parameters()] == [p.requires_grad for p in model.parameters()]


class Closes(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = net()
        self.run = lambda x: self.inner(x)

    def forward(self, x):
        return self.run(x)


def by_a_method():
    model = net()
    before = model[1].forward
    model[1].forward = lambda x: before(x) * 2
    return model


def by_a_function_that_it_calls():
    model = net()
    weight = model[1].weight

    def inner(x):
        return F.linear(x, weight)

    model[1].forward = lambda x: inner(x)
    return model


def by_a_hook():
    model = net()
    model[3].register_forward_hook(lambda part, args, output: output + model[1].bias)
    return model


def by_a_default():
    model = net()
    model[3].forward = lambda x, first=model[1]: x + first.bias
    return model


@pytest.mark.parametrize("make", [Closes, by_a_method, by_a_function_that_it_calls, by_a_hook, by_a_default])
def test_a_network_whose_copy_would_train_the_network_itself_is_refused(make):
    model = make()
    before = record(model)
    mine = Task(model, loader(), others())
    for train in (lambda: race(mine, [{"kind": "constant"}], steps=2), lambda: lr_finder(mine, steps=10)):
        with pytest.raises(ValueError, match=r"holds a function that uses the network itself, so a copy would train yours"):
            train()
    assert record(model) == before


def test_a_name_that_a_function_looks_up_at_an_object_is_no_global(monkeypatch):
    model = net()
    monkeypatch.setitem(globals(), "weight", model[1].weight)
    model[3].forward = lambda x: x + x.new_ones(1).weight if hasattr(x, "weight") else x
    trainable_copy(model)


def test_an_exported_network_says_what_can_be_trained():
    exported = torch.export.export(net().eval(), (X,)).module()
    with pytest.raises(ValueError, match=r"a network of torch.export cannot be trained: expected the network that was"):
        trainable_copy(exported)


def test_what_cannot_be_copied_says_so():
    model = net()
    model.file = (each for each in ())
    with pytest.raises(ValueError, match=r"a copy of the network is trained, and it cannot be copied .*generator"):
        trainable_copy(model)
