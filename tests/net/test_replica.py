"""What is run is a double: it computes what the network computes, shares its weights' memory, and follows its changes."""

from __future__ import annotations

import copy
import functools
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.nn.utils import parametrizations, prune, weight_norm

import cnnwidgets as cw
from cnnwidgets.net import bind
from cnnwidgets.net.replica import Replica
from cnnwidgets.net.runner import CANCEL
from tests.net.networks import CancelAt, Function, Residual, cheap, unchanged

IMAGE = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def truth(model: nn.Module, images: torch.Tensor = IMAGE) -> torch.Tensor:
    """What a copy of the network gives in evaluation mode."""
    with torch.no_grad():
        return copy.deepcopy(model).eval()(images)


@pytest.mark.parametrize(
    "name", "resnet18 vgg11 densenet121 mobilenet_v3_small efficientnet_b0 googlenet vit_b_32 shufflenet_v2_x0_5".split()
)
def test_a_double_has_the_same_weights_in_the_same_memory_and_gives_the_same_to_the_bit(name):
    model = cheap(getattr(torchvision.models, name))
    double = Replica(model.train())
    assert [p.data_ptr() for p in double.module.parameters()] == [p.data_ptr() for p in model.parameters()]
    assert not {b.data_ptr() for b in double.module.buffers() if b.numel()} & {b.data_ptr() for b in model.buffers()}
    image = torch.randn(1, 3, 224, 224)
    with unchanged(model, values=False), torch.no_grad(), double.running() as running:
        found = running(image)
    with torch.no_grad():
        assert torch.equal(found, model.eval()(image))


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    model[1].weight = model[0].weight
    double = Replica(model).module
    assert double[1].weight is double[0].weight is not model[0].weight


class Remembers(nn.Module):
    """Writes down all that a forward pass may write down."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("average", torch.zeros(4))
        self.register_buffer("seen", torch.zeros(1, 1))
        self.scale = torch.ones(())
        self.calls, self.log, self.table = 0, [], {"last": None}
        self.counts = np.zeros(3)

    def forward(self, x):
        x = self.conv(x) * self.scale
        self.average = 0.9 * self.average + 0.1 * x.mean((0, 2, 3))
        self.seen = torch.cat([self.seen, x.detach().mean().view(1, 1)])
        self.calls += 1
        self.log.append(x)
        self.table["last"] = x
        self.counts[0] += 1
        self.features = x
        self.register_buffer("new", x.detach())
        self.scale += 1
        return x.mean((2, 3)) + self.average + self.calls + self.counts[0] + self.seen.numel()


def test_whatever_a_forward_pass_writes_down_is_forgotten():
    model = Remembers()
    net = bind(model, input_shape=(3, 16, 16))
    before = vars(model).copy(), model._buffers.copy()
    wanted = torch.cat([truth(model, one) for one in IMAGE.split(1)])  # its average is over the batch
    for _ in range(3):
        torch.testing.assert_close(net.scores(IMAGE), wanted)
    assert (vars(model), model._buffers) == before
    assert (model.log, model.table, model.counts.tolist(), float(model.scale)) == ([], {"last": None}, [0, 0, 0], 1)


def test_what_the_network_has_written_down_itself_is_taken_over():
    model = Remembers().train()
    net = bind(model, input_shape=(3, 16, 16))
    net.scores(IMAGE)
    model(IMAGE)  # buffers of other sizes, and with a graph
    torch.testing.assert_close(net.scores(IMAGE), torch.cat([Remembered(model)(one) for one in IMAGE.split(1)]))


class Remembered:
    """The network's next answer, by hand."""

    def __init__(self, model: Remembers):
        self.model = model

    def __call__(self, images):
        model = self.model
        with torch.no_grad():
            x = model.conv(images) * model.scale
            average = 0.9 * model.average + 0.1 * x.mean((0, 2, 3))
        return x.mean((2, 3)) + average + model.calls + 1 + model.counts[0] + 1 + model.seen.numel() + 1


CHANGES = {
    "a step of training": lambda model: model.conv1.weight.data.add_(1),
    "a step in place": lambda model: torch.no_grad()(model.conv1.weight.mul_)(2),
    "other values in the same parameter": lambda model: setattr(model.conv1.weight, "data", torch.ones(4, 3, 3, 3)),
    "another parameter": lambda model: setattr(model.conv1, "weight", nn.Parameter(torch.ones(4, 3, 3, 3))),
    "statistics": lambda model: model.bn1.running_mean.add_(3),
    "assigned statistics": lambda model: setattr(model.bn1, "running_var", torch.full((4,), 4.0)),
    "a setting": lambda model: setattr(model.bn1, "eps", 10.0),
    "another layer": lambda model: setattr(model, "fc", nn.Linear(8, 7)),
    "a layer by name": lambda model: model.add_module("drop", nn.Hardtanh(0, 0.1)),
    "loaded weights": lambda model: model.load_state_dict(Residual().state_dict()),
    "assigned weights": lambda model: model.load_state_dict(Residual().state_dict(), assign=True),
    "a hook": lambda model: model.conv2.register_forward_hook(lambda part, args, output: output + 1),
    "a method": lambda model: setattr(model.conv2, "forward", functools.partial(F.relu, inplace=False)),
    "pruning": lambda model: prune.l1_unstructured(model.conv2, "weight", 0.5),
    "weight norm": lambda model: weight_norm(model.conv2),
    "spectral norm": lambda model: parametrizations.spectral_norm(model.conv2),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("change", CHANGES)
def test_the_double_follows_every_change_of_the_network(change):
    torch.manual_seed(0)
    model = Residual().train()
    net = bind(model, input_shape=(3, 16, 16))
    assert torch.equal(net.scores(IMAGE), truth(model))
    CHANGES[change](model)
    wanted = model.eval()(IMAGE).detach()
    model.train()
    with unchanged(model):
        assert torch.equal(net.scores(IMAGE), wanted)
        assert len(net.classes) == wanted.shape[1] == net.layers[-1].output_shape[0]
        assert net.predict(IMAGE)[0][0][0] == str(wanted[0].argmax().item())


def test_another_head_is_surveyed_anew():
    """``model.fc = nn.Linear(8, 7)`` after the network was bound."""
    model = Residual()
    net = bind(model, input_shape=(3, 16, 16))
    assert (net.target(4), net.layers["fc"].output_shape) == (4, (5,))
    model.fc = nn.Linear(8, 7)
    assert (net.target(6), net.layers["fc"].output_shape, len(net.classes)) == (6, (7,), 7)
    assert cw.methods.saliency(net, IMAGE[0], 6).target == 6


def test_as_long_as_nothing_changes_nothing_is_copied_or_surveyed_anew():
    model = Residual()
    net = bind(model, input_shape=(3, 16, 16))
    runner = net.runner
    net.scores(IMAGE)
    model.train()(IMAGE).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    model.eval()
    net.trace(IMAGE)
    assert net.runner is runner


PRUNED = {
    "pruned": lambda: prune.l1_unstructured(nn.Conv2d(3, 4, 3), "weight", 0.5),
    "weight norm": lambda: weight_norm(nn.Conv2d(3, 4, 3)),
    "parametrized weight norm": lambda: parametrizations.weight_norm(nn.Conv2d(3, 4, 3)),
    "spectral norm": lambda: torch.nn.utils.spectral_norm(nn.Conv2d(3, 4, 3)),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("kind", PRUNED)
def test_weights_that_a_hook_computes_are_doubled_too(kind):
    """``copy.deepcopy`` refuses them, once the network has run with gradients."""
    model = nn.Sequential(PRUNED[kind](), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    model(IMAGE).sum().backward()
    wanted = model.eval()(IMAGE).detach()
    net = bind(model, input_shape=(3, 16, 16))
    with unchanged(model):
        torch.testing.assert_close(net.scores(IMAGE), wanted)
        cw.methods.saliency(net, IMAGE[0])
        assert cw.methods.randomized(net, 1).scores(IMAGE).shape == (2, 3)
    assert net.runner.double.note == ""


# what has no double


def closure() -> nn.Module:
    model = Residual()
    model.forward = lambda x: model.fc(model.relu(model.bn1(model.conv1(x))).mean((2, 3)).repeat(1, 2))
    return model


def without_deepcopy() -> nn.Module:
    class Refuses(Residual):
        def __deepcopy__(self, memo):
            raise TypeError("no copies of me")

    return Refuses()


def holds_a_generator() -> nn.Module:
    model = Residual()
    model.items = (i for i in range(3))
    return model


@pytest.mark.parametrize("make", [closure, without_deepcopy, holds_a_generator])
def test_what_cannot_be_doubled_is_run_itself_put_back_and_told(make):
    model = make().train()
    net = bind(model, input_shape=(3, 16, 16))
    parts = [(part, part.training) for part in model.modules()]
    with unchanged(model):
        found = net.scores(IMAGE)
        net.trace(IMAGE)
        cw.methods.saliency(net, IMAGE[0])
    model.eval()
    torch.testing.assert_close(found, model(IMAGE).detach())
    assert "cannot be copied" in net.runner.double.note
    assert [part.training for part, _ in parts] == [False] * len(parts)


def test_a_lock_or_a_logger_is_no_obstacle():
    import logging

    model = Residual()
    model.log, model.lock, model.ready = logging.getLogger("model"), threading.Lock(), threading.Event()
    assert bind(model, input_shape=(3, 16, 16)).runner.double.note == ""


def test_a_data_set_that_a_network_holds_is_not_copied():
    model = Residual()
    model.data = torch.utils.data.TensorDataset(torch.zeros(3))
    net = bind(model, input_shape=(3, 16, 16))
    with net.running() as double:
        assert double.data is model.data


def test_the_users_hooks_run():
    model, seen = Residual(), []
    model.conv1.register_forward_hook(lambda part, args, output: seen.append(tuple(output.shape)))
    bind(model, input_shape=(3, 16, 16)).scores(IMAGE)
    assert seen[-1] == (2, 4, 16, 16)


def test_a_compiled_network_is_run_as_it_was_before():
    model = Residual().eval()
    net = bind(torch.compile(model), input_shape=(3, 16, 16))
    with unchanged(model):
        assert torch.equal(net.scores(IMAGE), truth(model))
        assert cw.methods.saliency(net, IMAGE[0]).values.any()
    assert net.layers.names[0] == "conv1"


# somebody trains


def test_gradients_while_the_weights_change_are_those_of_a_moment():
    """Autograd refuses a gradient whose weights were changed meanwhile: another pass is made, the third of a copy."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 12 * 12, 3))
    net = bind(model, input_shape=(3, 16, 16))
    passes = []

    def work(passed):
        passes.append(copy.deepcopy(model))
        with torch.no_grad():
            model[2].weight.mul_(2)  # a step of training, between the pass and its gradient
        return passed.gradient(passed.output[0, 1])

    found = net.differentiate(IMAGE[:1], work)
    assert len(passes) == 3
    image = IMAGE[:1].clone().requires_grad_()
    (wanted,) = torch.autograd.grad(passes[-1](image)[0, 1], image)
    torch.testing.assert_close(found, wanted)


def test_an_error_of_the_networks_own_is_raised():
    net = bind(Function(lambda self, x: (x * 1).relu().add_(1).flatten(1)), input_shape=(3, 16, 16))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        cw.methods.saliency(net, IMAGE[0], 0)


def test_two_networks_with_the_same_weights_on_two_threads():
    model = Residual()
    wanted, found = truth(model), []
    nets = [bind(model, input_shape=(3, 16, 16)) for _ in range(4)]
    threads = [threading.Thread(target=lambda net=net: found.append(net.scores(IMAGE))) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(torch.equal(one, wanted) for one in found)


def test_a_look_at_a_network_that_has_changed_can_be_cancelled():
    model = Residual()
    net, seen = bind(model, input_shape=(3, 16, 16)), []
    net.scores(IMAGE)
    model.bn1.eps = 1.0
    token = CANCEL.set(CancelAt(3))
    try:
        with unchanged(model), pytest.raises(cw.Cancelled):
            net.run(IMAGE, lambda name, output: seen.append(name))
    finally:
        CANCEL.reset(token)
    assert not seen
    assert torch.equal(net.scores(IMAGE), truth(model))
