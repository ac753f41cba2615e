"""What depth does to a signal: the lecture's numbers, closed forms, and a network's values by hand."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn
from torch.nn import functional as F

from cnnwidgets.methods import Task, initial_weights, initialize, signal, signals, task, vary
from cnnwidgets.methods.stacks import LinearStack, expected_std
from cnnwidgets.net import Cancelled
from cnnwidgets.samples.stacks import ACTIVATIONS
from tests.methods.learning import Net, lecture, loader, net, others, pictures, record
from tests.net.networks import CancelAt


def lecture_stack(scheme: str, activation: str = "tanh", **options):
    """Ten layers of 500 units, and 500 normal numbers for each of 100 pictures, as the slides have it."""
    torch.manual_seed(0)
    stack = LinearStack(500, activation=activation, **options)
    initialize(stack, **({"scheme": scheme} if isinstance(scheme, str) else scheme))
    return stack, signal(stack, torch.randn(100, 500), torch.randint(10, (100,)))


def test_uniform_with_tanh_dies_it_does_not_saturate():
    _, found = lecture_stack("uniform")
    std = found.activations.std
    by_quadrature = integrate.quad(lambda z: math.tanh(z / math.sqrt(3)) ** 2 * stats.norm.pdf(z), -9, 9)[0] ** 0.5
    assert std[0] == pytest.approx(by_quadrature, rel=0.02) == pytest.approx(0.46, abs=0.01)
    assert std[4] == pytest.approx(0.047, abs=0.003)
    assert std[9] == pytest.approx(0.003, abs=0.0004)
    assert found.saturated.max() < 1e-4 and found.saturated[1:].max() == 0
    assert found.finding == f"The signal dies: its deviation falls from {std[0]:.3g} in layer 1 to {std[9]:.3g} in layer 10."
    assert found.gradients.std[0] < 0.02 * found.gradients.std[9]


def test_what_saturates_is_a_deviation_of_1():
    _, found = lecture_stack({"scheme": "normal", "std": 1.0})
    inside = math.atanh(0.99)
    first = 2 * stats.norm.sf(inside / math.sqrt(500))  # the sums have the variance 500
    later = 2 * stats.norm.sf(inside / math.sqrt(500 * found.activations.std[8] ** 2))
    assert found.saturated[0] == pytest.approx(first, abs=0.01)
    assert found.saturated[9] == pytest.approx(later, abs=0.01) == pytest.approx(0.9, abs=0.01)
    assert found.finding.startswith("The signal saturates: 90.")


def test_xavier_keeps_a_linear_signal_and_kaiming_one_through_relu():
    for scheme, activation in (("xavier", "identity"), ("orthogonal", "identity"), ("kaiming", "relu")):
        found = lecture_stack(scheme, activation)[1].activations
        square = found.std**2 + found.mean**2
        assert (
            np.abs(np.log(square / square[0])).max() < 0.35
        )  # 1.4 times; ten layers of 500 units vary by a few percent each
    uniform = lecture_stack("uniform", "identity")[1].activations.std
    np.testing.assert_allclose(uniform, 3.0 ** -(np.arange(1, 11) / 2), rtol=0.15)


def rows_of(scheme, sizes):
    return [initial_weights(nn.Linear(*pair), scheme)[0] for pair in itertools.pairwise(sizes)]


def test_the_recursion_of_a_linear_stack_is_the_closed_form():
    x, sizes = torch.randn(30, 64), [64, 20, 50, 50]
    square = x.double().square().mean().item()
    factors = {
        "uniform": [1 / 3] * 3,
        "xavier": [2 * 64 / 84, 2 * 20 / 70, 1],
        "kaiming": [2] * 3,
        "orthogonal": [1, 20 / 50, 1],
        "zero": [0] * 3,
    }
    for scheme, each in factors.items():
        expected = np.sqrt(square * np.cumprod(each))
        np.testing.assert_allclose(expected_std(x, rows_of(scheme, sizes), "identity"), expected, rtol=1e-9)
    assert np.isnan(expected_std(x, rows_of("equal", sizes), "identity")).all()


def test_the_recursion_through_relu_halves_the_mean_square():
    """Of a normal variable with mean square v, ReLU keeps v / 2 of the square and v / 2 pi of the square of the mean."""
    x, sizes = torch.randn(1, 64), [64, 30, 40]
    square = x.double().square().mean().item()
    for scheme, factor in (("kaiming", 2), ("uniform", 1 / 3)):
        expected = [math.sqrt(square * factor * (factor / 2) ** k * (1 / 2 - 1 / (2 * math.pi))) for k in range(2)]
        np.testing.assert_allclose(expected_std(x, rows_of(scheme, sizes), "relu"), expected, rtol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scheme", ["uniform", "xavier", "orthogonal"])
def test_a_wide_stack_has_the_deviation_of_an_infinitely_wide_one(activation, scheme):
    x, y = torch.randn(60, 400, generator=torch.Generator().manual_seed(1)), torch.zeros(60, dtype=torch.long)
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        stack = LinearStack(400, activation=activation, depth=4, width=400)
        initialize(stack, scheme)
        found.append(signal(stack, x, y).activations.std)
    expected = expected_std(x, initial_weights(stack, scheme)[:-1], activation)
    np.testing.assert_allclose(np.mean(found, axis=0), expected, rtol=0.1)  # a layer varies by a few percent


class Odd(nn.Module):
    """A module used twice, in place; a function; and a convolution's maps."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(1, 4, 2, padding=1), nn.ReLU(inplace=True)
        self.first, self.last = nn.Linear(36, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = F.leaky_relu(self.conv(x), 0.1).mul_(2)  # what comes before is seen, too
        return self.last(torch.tanh(self.act(self.first(self.act(x - 0.5).flatten(1)))))


def test_each_layer_s_numbers_are_those_of_the_pass_by_hand():
    torch.manual_seed(3)
    odd, x, y = Odd(), torch.randn(8, 1, 2, 2), torch.randint(3, (8,))
    found = signal(odd, x, y)
    leaky = F.leaky_relu(odd.conv(x), 0.1)
    maps = F.relu(2 * leaky - 0.5)
    first = F.relu(odd.first(maps.flatten(1)))
    second = torch.tanh(first)
    loss = F.cross_entropy(odd.last(second), y)
    values = [leaky, maps, first, second]
    gradients = torch.autograd.grad(loss, values)
    assert found.layers == ("leaky_relu", "act", "act:2", "tanh")
    assert found.functions == ("leaky_relu", "relu", "relu", "tanh")
    assert found.loss == pytest.approx(loss.item())
    for kept, tensors in ((found.activations, values), (found.gradients, gradients)):
        for k, tensor in enumerate(tensors):
            mine = tensor.detach().double().numpy()
            assert kept.mean[k] == pytest.approx(mine.mean(), abs=1e-7)
            assert kept.std[k] == pytest.approx(mine.std(), rel=1e-5)
            assert kept.between[k] == pytest.approx(math.sqrt(mine.var(0).mean()), rel=1e-5)
            assert kept.counts[k].sum() == mine.size  # all are counted; those beyond the ends in the end bins
            inner = np.histogram(mine, kept.edges)[0]
            assert (np.abs(kept.counts[k][1:-1] - inner[1:-1]) <= 1).all()
    dead = (maps == 0).all(0).all(1).all(1).double().mean(), (first == 0).all(0).double().mean()
    assert found.dead.tolist() == [0, *dead, dead[1]]  # tanh of a dead unit is 0 as well
    assert np.isnan(found.saturated[:3]).all() and found.saturated[3] == (second.abs() > 0.99).double().mean()
    assert not found.alike.any()


def test_a_network_without_activations_shows_its_weighted_layers_and_names_choose():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 2))
    x, y = pictures()[:16]
    assert signal(linear, x, y).layers == ("1", "2")
    assert signal(linear, x, y, layers=["2"]).layers == ("2",)
    with pytest.raises(AttributeError, match="layer9"):
        signal(linear, x, y, layers=["layer9"])
    with pytest.raises(ValueError, match="no layer is seen in this network: expected one with activations"):
        signal(Shift(), x.flatten(1)[:, :2], y)


class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return x + self.by


def test_zero_and_equal_weights_are_found_out():
    x, y = pictures()[:16]
    for scheme, words in (("zero", "There is no signal: every value is 0 from layer 1 on."), ("equal", "All units of a")):
        stack = LinearStack(4, activation="relu", depth=3, width=5)
        initialize(stack, scheme)
        found = signal(stack, x, y)
        assert found.finding.startswith(words)
        assert found.alike.all() and (found.dead == (scheme == "zero")).all()


def test_sigmoid_makes_one_of_all_pictures():
    found = lecture_stack("uniform", "sigmoid")[1]
    assert found.activations.std[9] > 0.05 and found.activations.between[9] < 1e-5
    assert found.finding.startswith("All pictures become one: the deviation from picture to picture falls from 0.13")


@pytest.mark.parametrize("options", [{"batch_norm": True}, {"residual": True}])
def test_batch_norm_and_residuals_save_the_signal(options):
    found = lecture_stack("uniform", **options)[1]
    assert found.finding.startswith("The signal lives") and found.facts[0].startswith("The gradient gets through")


def test_a_batch_norm_sees_the_batch_and_the_network_stays_as_it_is():
    model = net()
    model[1].weight.grad = torch.ones_like(model[1].weight)
    model.eval()
    before, states = record(model), (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    x, y = pictures()[:16]
    found = signal(model, x, y)
    normed = F.relu(F.batch_norm(model[1](x.flatten(1)), None, None, training=True))  # not the running statistics
    assert found.activations.std[0] == pytest.approx(normed.std(correction=0).item(), rel=1e-5)
    with pytest.raises(ValueError):
        signal(model, x[:1], y[:1])  # of which torch's batch norm makes no statistics
    assert record(model) == before and x.grad is None and not x.requires_grad
    assert not model[1]._forward_hooks and not model[1]._forward_pre_hooks
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1:] == (np.random.get_state()[1].tolist(), random.getstate())


def stack_task(**options) -> Task:
    return vary(task("digits"), model={"builder": "linear_stack", **options})


def own(model=None) -> Task:
    return Task(model or net(), loader(), others())


def test_after_training_it_is_the_signal_of_a_lecture_s_loop():
    found = signals(own(Net), {"scheme": "xavier"}, steps=7, lr=0.05, seed=4)
    torch.manual_seed(4)
    mine = Net()
    initialize(mine, "xavier")
    x, y = next(iter(loader()))
    np.testing.assert_array_equal(found.before.activations.std, signal(mine, x, y, seed=4).activations.std)
    optimizer = torch.optim.SGD(mine.parameters(), lr=0.05, momentum=0.9)
    log = [step for _ in range(3) for step in lecture(mine, loader(), optimizer)][:7]
    assert found.losses.tolist() == [step[0] for step in log]


def test_a_sentence_says_what_training_has_done():
    done = signals(own(), "kaiming", steps=3)
    first, before, after, *_ = done.summary.split("\n")
    assert first.startswith("After 3 steps the loss is ") and first.endswith("of the batch is right.")
    assert before.startswith("Before: The signal") and after.startswith("After: The signal")
    broken = signals(own(), "kaiming", steps=50, lr=1e30)
    assert broken.diverged and len(broken.losses) < 50
    assert broken.summary.startswith(f"The training diverges: after {len(broken.losses)} steps the loss is NaN.")


STACKS = [
    {},
    {"activation": "leaky_relu", "batch_norm": True},
    {"activation": "relu", "residual": True},
    {"activation": "elu", "residual": True, "width": 1024},
    {"activation": "sigmoid", "depth": 1, "batch_norm": True, "residual": True},
]


@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("options", STACKS)
def test_the_lines_of_a_stack_give_its_deviations(options, steps):
    found = signals(stack_task(**{"depth": 3, "width": 40, **options}), "xavier", steps=steps, seed=2)
    space = {}
    lines = found.code(None)
    assert lines.count("cw.") == 1 and "yours" not in lines
    exec(lines, space)
    np.testing.assert_allclose(space["values"], (found.after or found.before).activations.std, rtol=1e-3 if steps else 1e-5)


def test_the_lines_of_a_stack_that_is_yours_ask_for_your_task():
    mine = Task(LinearStack(4, 2, depth=3, width=8, residual=True), loader(), others())
    found = signals(mine, "orthogonal", seed=1)
    space = {"own": mine}
    exec(found.code(mine).replace("cw.methods.Task(model, loader, loader)  # yours", "own"), space)
    np.testing.assert_allclose(space["values"], found.before.activations.std, rtol=1e-5)


@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("make", [Net, Odd])
def test_the_lines_of_a_network_of_your_own_give_its_deviations(make, steps):
    torch.manual_seed(1)
    mine = own(make())
    found = signals(mine, {"scheme": "orthogonal", "gain": 2.0}, steps=steps, seed=5)
    space = {"own": mine}
    exec(found.code(mine).replace("cw.methods.Task(model, loader, loader)  # yours", "own"), space)
    np.testing.assert_allclose(space["values"], (found.after or found.before).activations.std, rtol=1e-3 if steps else 1e-5)


def test_cancelled_it_stops_and_what_is_wrong_is_a_sentence():
    with pytest.raises(Cancelled):
        signals(own(), "xavier", steps=100, cancel=CancelAt(2))
    told = []
    signals(own(), "xavier", steps=10, on_update=lambda now, fraction: told.append((len(now.losses), fraction)))
    assert told == [(0, 0.0), (5, 0.5)]
    with pytest.raises(ValueError, match="steps is -1; expected a whole number of at least 0"):
        signals(own(), steps=-1)
    with pytest.raises(ValueError, match=r"activation is 'tan'; expected one of .*'tanh'"):
        LinearStack(activation="tan")
    with pytest.raises(ValueError, match="depth is 0; expected a whole number from 1 to 50"):
        LinearStack(depth=0)
    with pytest.raises(ValueError, match="the training loader gives no batch"):
        signals(Task(net(), iter(()), others()))
