"""What is behind a layer, run again with its output changed: what a hook gives that changes it in a whole pass."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import cnnwidgets as cw
from cnnwidgets.net import Cancelled
from cnnwidgets.net.incremental.reruns import Reruns
from cnnwidgets.net.incremental.tail import Tail
from tests.net import random_networks
from tests.net.brute_force import lively
from tests.net.networks import CancelAt, Function, LeNet5, Residual, cheap, unchanged


def zeroed(output):
    """A layer's output without its unit 1."""
    output = output.clone()
    output[:, 1] = 0
    return output


def by_hook(model, name, call, inputs):
    """What a plain copy gives, whose hook changes the output of a module's n-th call."""
    model, calls = copy.deepcopy(model), []

    def hook(module, args, output):
        calls.append(1)
        return zeroed(output) if len(calls) == call else None

    model.get_submodule(name).register_forward_hook(hook)
    with torch.no_grad():
        return model(inputs.clone())


def pictures(net, count=4):
    return torch.randn(count, *net.input_shape, generator=torch.Generator().manual_seed(0))


class Written(Residual):
    """The same forward pass by functions that give something new; what one call gives is changed by hand."""

    at = ""

    def then(self, name, value):
        return zeroed(value) if name == self.at else value

    def forward(self, x):
        x = self.then("conv1", self.conv1(x))
        x = self.then("bn1", self.bn1(x))
        x = self.then("relu", F.relu(x))
        y = self.then("conv2", self.conv2(x))
        y = self.then("add", y + x)
        y = self.then("relu:2", F.relu(y))
        total = self.then("add:2", x + y)
        again = self.then("relu:3", F.relu(y))
        x = self.then("cat", torch.cat([total, again], 1))
        x = self.then("mean", self.drop(x).mean((2, 3)))
        return self.then("fc", self.fc(x))


LAYERS = ["conv1", "bn1", "relu", "conv2", "add", "relu:2", "add:2", "relu:3", "cat", "mean", "fc"]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("whole", [False, True])
def test_shortcuts_functions_and_what_is_done_in_place(layer, whole):
    model = lively(Residual())
    written = Written().eval()
    written.load_state_dict(model.state_dict())
    written.at = layer
    net = cw.bind(model, input_shape=(3, 6, 6))
    assert layer in net.layers.names
    inputs = pictures(net)
    reruns = Reruns(net, net.layers[layer])
    reruns.why_whole = "as it is tried here" if whole else ""
    with unchanged(model), torch.no_grad():
        first, second, intact = reruns.answers(inputs, [zeroed, zeroed, None])
        torch.testing.assert_close(first, written(inputs))
        torch.testing.assert_close(second, written(inputs))  # nothing that is kept was overwritten
        torch.testing.assert_close(intact, model(inputs))
    assert bool(reruns.why_whole) == whole


NETWORKS = {
    "functions": lambda: (lively(LeNet5()), (1, 32, 32)),
    "residual": lambda: (cheap(torchvision.models.resnet18), (3, 64, 64)),
    "concatenated": lambda: (cheap(torchvision.models.densenet121), (3, 32, 32)),
    "branches": lambda: (cheap(torchvision.models.googlenet, aux_logits=False, init_weights=False), (3, 64, 64)),
    "squeezed": lambda: (cheap(torchvision.models.mobilenet_v3_small), (3, 64, 64)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_field_give_what_a_hook_gives_from_any_module(name):
    model, shape = NETWORKS[name]()
    net = cw.bind(model, input_shape=shape)
    rows = [row for row in net.layers if row.source[0] == "module" and row.is_map]
    assert len(rows) >= 2
    inputs = pictures(net)
    matters = []
    for row in rows[:: max(1, len(rows) // 6)]:
        reruns = Reruns(net, row)
        given, intact = reruns.answers(inputs, [zeroed, None])
        wanted = by_hook(model, row.source[1], row.source[2], inputs)
        assert not reruns.why_whole, reruns.why_whole
        torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
        matters.append(not torch.equal(given, intact))  # which a unit that is dead does not
    assert sum(matters) >= 2


@pytest.mark.parametrize("seed", range(25))
def test_random_networks_give_the_same_both_ways(seed):
    model, shape, _ = random_networks.network(seed)
    net = cw.bind(model, input_shape=shape)
    if not net.takes_batches():
        return
    inputs = pictures(net, 3)
    with unchanged(model):
        for row in net.layers:
            if len(row.output_shape) < 1 or row.output_shape[0] < 2:
                continue
            reruns, whole = Reruns(net, row), Reruns(net, row)
            whole.why_whole = "as it is tried here"
            for one, other in zip(
                reruns.answers(inputs, [zeroed, None]), whole.answers(inputs, [zeroed, None]), strict=True
            ):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def branching():
    parts = {"conv": nn.Conv2d(3, 4, 3), "last": nn.Linear(4, 3)}
    forward = random_networks.branch_on_values
    return lively(Function(lambda self, x: self.last(forward(self, self.conv(x)).mean((2, 3))), **parts))


def test_a_forward_pass_that_branches_on_values_is_run_as_a_whole_and_gives_what_a_hook_gives():
    net = cw.bind(branching(), input_shape=(3, 8, 8))
    reruns = Reruns(net, net.layers["conv"])
    inputs = pictures(net)
    (given,) = reruns.answers(inputs, [zeroed])
    torch.testing.assert_close(given, by_hook(net.module, "conv", 1, inputs))
    assert reruns.why_whole == "torch.fx cannot follow its forward pass (it branches on values)"


def test_a_graph_that_gives_something_else_is_not_used(monkeypatch):
    net = cw.bind(lively(LeNet5()), input_shape=(1, 32, 32))
    wrong = net.layers["conv1"]
    monkeypatch.setattr("cnnwidgets.net.incremental.reruns.Tail", lambda module, layer, inputs: Tail(module, wrong, inputs))
    reruns = Reruns(net, net.layers["conv2"])
    inputs = pictures(net)
    (given,) = reruns.answers(inputs, [zeroed])
    torch.testing.assert_close(given, by_hook(net.module, "conv2", 1, inputs))
    assert reruns.why_whole == "its graph gives other answers than the network itself"


def test_nothing_before_the_layer_is_run_again():
    model = cheap(torchvision.models.resnet18)
    net = cw.bind(model, input_shape=(3, 64, 64))
    calls = []
    model.layer3[0].conv1.register_forward_hook(lambda *_: calls.append("before"))
    model.layer4[0].conv1.register_forward_hook(lambda *_: calls.append("behind"))
    assert len([*Reruns(net, net.layers["layer3"]).answers(pictures(net), [zeroed] * 3)]) == 3
    first = calls.index("behind", len(calls) - 4)
    assert calls[first:] == ["behind"] * 3 and calls[first - 1] == "before"


def test_weights_that_were_replaced_meanwhile_are_taken(monkeypatch):
    monkeypatch.setattr("cnnwidgets.net.incremental.reruns.HELD", 0)
    net = cw.bind(lively(LeNet5()), input_shape=(1, 32, 32))
    reruns = Reruns(net, net.layers["conv2"])
    inputs = pictures(net)
    answers = reruns.answers(inputs, [zeroed] * 2)
    torch.testing.assert_close(next(answers), by_hook(net.module, "conv2", 1, inputs))
    net.module.fc3 = lively(nn.Linear(84, 10), seed=5)
    wanted = by_hook(net.module, "conv2", 1, inputs)
    torch.testing.assert_close(next(answers), wanted)
    torch.testing.assert_close([*reruns.answers(inputs, [zeroed])], [wanted])


def test_it_travels_and_can_be_cancelled():
    net = cw.bind(lively(LeNet5()), input_shape=(1, 32, 32))
    reruns = Reruns(net, net.layers["conv2"])
    inputs = pictures(net)
    other = pickle.loads(pickle.dumps(reruns))
    torch.testing.assert_close([*other.answers(inputs, [zeroed])], [*reruns.answers(inputs, [zeroed])])
    reruns.cancel = CancelAt(2)
    with pytest.raises(Cancelled):
        [*reruns.answers(inputs, [zeroed] * 3)]
    assert reruns.cancel.asked == 3


def test_a_layer_that_gives_several_tensors_is_refused():
    parts = {"rows": nn.LSTM(4, 5, batch_first=True), "last": nn.Linear(5, 3)}
    model = lively(Function(lambda self, x: self.last(self.rows(x[:, 0])[0][:, -1]), **parts))
    net = cw.bind(model, input_shape=(1, 4, 4))
    with pytest.raises(ValueError, match="rows gives a tuple; expected a layer that gives one tensor"):
        [*Reruns(net, net.layers["rows"]).answers(pictures(net), [zeroed])]
