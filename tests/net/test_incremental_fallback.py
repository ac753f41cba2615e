"""Where windows would be wrong, or cannot be found, the scores are right all the same, and ``how`` says what was done."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnwidgets.methods import occlusion
from cnnwidgets.net.incremental import folding, program
from cnnwidgets.net.incremental.refusals import NotTraceable
from tests.net.brute_force import lively
from tests.net.networks import Function, unchanged
from tests.net.occluding import PATCH, assert_right, bound, picture


def plain(size=10):
    return bound(
        lambda self, x: self.head(self.relu(self.conv2(self.relu(self.conv1(x)))).flatten(1)),
        size,
        conv1=nn.Conv2d(2, 4, 3),
        relu=nn.ReLU(),
        conv2=nn.Conv2d(4, 3, 3),
        head=nn.Linear(3 * (size - 4) ** 2, 3),
    )


# what looks at whole maps


def squeeze_excite(self, x):
    x = F.relu(self.conv1(x))
    x = x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))
    return self.head(self.conv2(x).mean((2, 3)))


def group_norm(self, x):
    return self.head(self.conv2(F.relu(self.norm(self.conv1(x)))).flatten(1).view(x.shape[0], 4, -1).amax(2))


def attention(self, x):
    tokens = self.conv1(x).flatten(2).transpose(1, 2)
    return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))


def channels_last(self, x):
    x = self.norm(self.conv1(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return self.head(self.conv2(x).mean((2, 3)))


def centered(self, x):
    return self.head(F.relu(self.conv2(self.conv1(x - x.mean((2, 3), keepdim=True)))).amax((2, 3)))


def with_places(self, x):
    return self.head(F.relu(self.conv2(self.conv1(x) + self.places.weight.view(1, 4, 8, 8))).mean((2, 3)))


@pytest.mark.parametrize(
    "function, parts, how",
    [
        (squeeze_excite, {"squeeze": nn.Conv2d(4, 4, 1)}, "exact windows in 1 of 3 convolutions"),
        (group_norm, {"norm": nn.GroupNorm(2, 4)}, "exact windows in 1 of 2 convolutions"),
        (attention, {"attention": nn.MultiheadAttention(4, 2, batch_first=True)}, "exact windows in 1 of"),
        (channels_last, {"norm": nn.LayerNorm(4)}, "exact windows in 1 of 2 convolutions"),
        (with_places, {"places": nn.Embedding(4, 64)}, "exact windows in 1 of 2 convolutions"),
        (centered, {}, "whole maps of the folded network"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_looks_at_whole_maps_is_given_whole_maps(function, parts, how):
    net = bound(function, conv1=nn.Conv2d(2, 4, 3), conv2=nn.Conv2d(4, 4, 3), head=nn.Linear(4, 3), **parts)
    assert assert_right(net).startswith(how)


def test_a_network_of_fully_connected_layers_takes_whole_pictures():
    net = bound(lambda self, x: self.head(x.flatten(1)), head=nn.Linear(200, 3))
    assert assert_right(net).startswith("whole maps")


# what torch.fx cannot follow


def branching(self, x):
    x = self.conv1(x)
    if x.sum() > 0:
        x = F.relu(x)
    return self.head(x.mean((2, 3)))


def test_a_forward_pass_that_branches_on_values_runs_plainly():
    net = bound(branching, conv1=nn.Conv2d(2, 4, 3), head=nn.Linear(4, 3))
    # each picture takes its own branch: a batch would take one for all
    with torch.no_grad():
        net.module.conv1.bias.sub_(net.module.conv1(picture()[None]).mean() - 0.001)
    assert assert_right(net).startswith("one picture after the other: torch.fx cannot follow its forward pass (")


def test_a_forward_pass_made_for_one_picture_runs_one_by_one():
    net = bound(lambda self, x: self.head(self.conv1(x).view(1, -1)), conv1=nn.Conv2d(2, 4, 3), head=nn.Linear(256, 3))
    assert assert_right(net).startswith("one picture after the other: ")


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_without_running_statistics_sees_each_picture_alone(affine):
    net = bound(
        lambda self, x: self.head(F.relu(self.norm(self.conv1(x))).amax((2, 3))),
        conv1=nn.Conv2d(2, 4, 3),
        norm=nn.BatchNorm2d(4, affine=affine, track_running_stats=False),
        head=nn.Linear(4, 3),
    )
    assert assert_right(net).startswith("one picture after the other: ")


WINDOWS = "exact windows in 1 of 1 convolutions"


@pytest.mark.parametrize(
    "forward, how",
    [
        (lambda self, x: self.head((F.relu_(x := self.conv1(x)) + x).flatten(1)), WINDOWS),
        (lambda self, x: self.head((self.relu(x := self.conv1(x)) * x).flatten(1)), WINDOWS),
        (lambda self, x: self.head(((x := self.conv1(x)).add_(1) * x).flatten(1)), WINDOWS),
        (
            lambda self, x: self.head(((x := self.conv1(x))[:, :2].relu_().amax((1, 2, 3), True) + x).flatten(1)),
            "plain batches: relu_ writes into a part of network_conv1, which is used again",
        ),
        (
            lambda self, x: self.head(
                ((x := self.conv1(x)).flatten(2).relu_().amax((1, 2))[:, None, None, None] + x).flatten(1)
            ),
            "plain batches: relu_ writes into a part of network_conv1, which is used again",
        ),
    ],
    ids=["F.relu_", "module", "add_", "part of it", "view of it"],
)
def test_a_tensor_that_is_overwritten_and_used_again(forward, how):
    net = bound(forward, conv1=nn.Conv2d(2, 4, 3), relu=nn.ReLU(inplace=True), head=nn.Linear(256, 3))
    assert assert_right(net) == how


# the proof


def test_a_hook_that_makes_a_layer_depend_on_the_place_is_part_of_the_network():
    net = plain()

    def tilt(module, args, output):
        return output + torch.linspace(0, 1, output.shape[3])  # zero-sum windows would not notice

    handle = net.module.relu.register_forward_hook(tilt)
    assert assert_right(net) == "exact windows in 1 of 2 convolutions"
    handle.remove()
    assert assert_right(net) == "exact windows in 2 of 2 convolutions"


def test_a_hook_that_comes_later_is_part_of_the_network_too():
    net = plain()
    assert assert_right(net) == "exact windows in 2 of 2 convolutions"
    net.module.relu.register_forward_hook(lambda module, args, output: output + torch.linspace(0, 1, output.shape[3]))
    assert assert_right(net) == "exact windows in 1 of 2 convolutions"


def test_a_hook_on_a_convolution_keeps_it_from_being_folded():
    net = plain()
    net.module.conv2.register_forward_hook(lambda module, args, output: output * 2)
    assert assert_right(net) == "exact windows in 1 of 2 convolutions"


def test_pictures_that_are_mixed_only_where_one_is_extreme_are_found_out():
    def forward(self, x):
        x = self.conv1(x)
        return self.head((x * (1 + (x.abs().amax((0, 1, 2, 3), keepdim=True) > 20).to(x))).flatten(1))

    net = bound(forward, conv1=nn.Conv2d(2, 4, 3), head=nn.Linear(256, 3))
    assert assert_right(net).endswith("windows of its maps do not give the scores of whole pictures")


def test_an_operation_wrongly_taken_for_pointwise_is_found_out(monkeypatch):
    net = bound(
        lambda self, x: self.head(self.conv2(torch.flip(self.conv1(x), (3,))).flatten(1)),
        conv1=nn.Conv2d(2, 4, 3),
        conv2=nn.Conv2d(4, 3, 3),
        head=nn.Linear(108, 3),
    )
    right = program.is_pointwise
    monkeypatch.setattr(program, "is_pointwise", lambda node, module: node.target is torch.flip or right(node, module))
    assert assert_right(net) == "plain batches: windows of its maps are not those of whole pictures"
    monkeypatch.undo()
    with torch.no_grad():
        net.module.head.bias.add_(0)  # the program is found anew
    assert assert_right(net) == "exact windows in 1 of 2 convolutions"


# changed weights


def step(module):
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    module(picture()[None]).square().sum().backward()
    optimizer.step()


def load(module):
    module.load_state_dict({name: value * 0.7 + 0.1 for name, value in module.state_dict().items()})


def through_data(module):
    module.conv2.weight.data.mul_(1.5)


def replace(module):
    module.conv1 = lively(nn.Conv2d(2, 4, 3), seed=5)


def rotate(module):
    module.conv1.weight = nn.Parameter(module.conv1.weight.detach().roll(1, 0))


@pytest.mark.parametrize("change", [step, load, through_data, replace, rotate], ids=lambda change: change.__name__)
def test_changed_weights_are_noticed(change):
    net = plain()
    before = occlusion(net, picture(), 0, score="logit", **PATCH).values
    change(net.module)
    assert assert_right(net) == "exact windows in 2 of 2 convolutions"
    assert not np.allclose(before, occlusion(net, picture(), 0, score="logit", **PATCH).values)


def test_the_same_network_is_folded_once(monkeypatch):
    net, calls = plain(), []
    monkeypatch.setattr("cnnwidgets.net.incremental.scorer.fold", lambda *args: calls.append(args) or folding.fold(*args))
    for _ in range(3):
        occlusion(net, picture(), **PATCH)
    assert len(calls) == 1


# threads


def test_tracing_disturbs_no_other_thread():
    other, batch = (
        lively(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))),
        torch.randn(1, 1, 8, 8),
    )
    wanted = other(batch)
    begun, finished, folded = threading.Event(), threading.Event(), []

    def forward(self, x):
        begun.set()  # while it is traced, torch.fx has patched nn.Module
        assert finished.wait(10)
        return self.conv(x)

    module = lively(Function(forward, conv=nn.Conv2d(2, 4, 3)))
    thread = threading.Thread(target=lambda: folded.append(folding.fold(module)))
    thread.start()
    try:
        assert begun.wait(10)
        assert torch.equal(other(batch), wanted)
    finally:
        finished.set()
        thread.join()
    assert [node.op for node in folded[0].graph.nodes] == ["placeholder", "call_module", "output"]


def test_batch_norm_is_folded_into_the_convolution_before_it():
    parts = [nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.BatchNorm2d(3)]
    module = lively(nn.Sequential(*parts))
    graph = folding.fold(module)
    assert [node.op for node in graph.graph.nodes] == ["placeholder", *["call_module"] * 2, "output"]  # with its ReLU
    for wanted, nodes in (("0", 6), ("1", 5), ("2", 4)):  # the output of that module is wanted, too
        assert len(folding.fold(module, keep=frozenset([wanted])).graph.nodes) == nodes
    torch.testing.assert_close(graph(picture()[None]), module(picture()[None]))


@pytest.mark.parametrize(
    "addition, activations",
    [
        (lambda x, y: x + y, ["relu"]),
        (lambda x, y: x.add(y), ["relu"]),
        (lambda x, y: torch.add(x, y), ["relu"]),
        (lambda x, y: x + y + x, ["none"]),
        (lambda x, y: torch.add(x, y, alpha=2), []),
        (lambda x, y: x + y[:, :1], []),
        (lambda x, y: (x + x) * y, []),
    ],
)
def test_an_addition_of_maps_of_the_same_shape_is_done_by_a_convolution(addition, activations):
    def forward(self, x):
        return self.head(F.relu(addition(self.one(x), self.two(x))).mean((2, 3)))

    net = bound(forward, one=nn.Conv2d(2, 4, 3), two=nn.Conv2d(2, 4, 3), head=nn.Linear(4, 3))
    steps = program.Program(folding.fold(net.module), picture()[None]).steps
    assert [step.activation for step in steps if step.added] == activations
    assert assert_right(net) == "exact windows in 2 of 2 convolutions"


@pytest.mark.parametrize("kernels", [(1, 5), (5, 1), (3, 3)], ids=str)
def test_what_is_added_may_reach_further_than_the_convolution_that_adds_it(kernels):
    one, two = (nn.Conv2d(2, 4, size, padding=size // 2) for size in kernels)
    forward = lambda self, x: self.head(F.relu(self.one(x) + self.two(x)).amax((2, 3)))  # noqa: E731
    net = bound(forward, one=one, two=two, head=nn.Linear(4, 3))
    assert [step.added is not None for step in program.Program(folding.fold(net.module), picture()[None]).steps].count(
        True
    ) == 1
    assert assert_right(net) == "exact windows in 2 of 2 convolutions"


def test_folding_leaves_no_trace():
    net = bound(
        lambda self, x: self.head(self.conv(x + torch.ones(2, 1, 1)).mean((2, 3))),
        conv=nn.Conv2d(2, 4, 3),
        head=nn.Linear(4, 3),
    )
    with unchanged(net.module):
        folding.fold(net.module)
    assert assert_right(net) == "exact windows in 1 of 1 convolutions"
    broken = bound(branching, conv1=nn.Conv2d(2, 4, 3), head=nn.Linear(4, 3))
    with unchanged(broken.module), pytest.raises(NotTraceable):
        folding.fold(broken.module)
