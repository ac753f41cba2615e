"""The V of truncation and rounding, kinks, and a gradient that is wrong: against closed forms and torch's own gradcheck."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnnwidgets.methods import Task, gradient_check, task
from cnnwidgets.methods.gradient_check import STEPS, true_score
from cnnwidgets.net import Cancelled
from tests.methods.learning import loader, others, record
from tests.net.networks import CancelAt

SIZES = np.array(STEPS)


class Power(nn.Module):
    """A polynomial of one weight: the score of class 0, which is the loss."""

    def __init__(self, degree: int, at: float):
        super().__init__()
        self.w, self.degree = nn.Parameter(torch.tensor([at], dtype=torch.float64)), degree

    def forward(self, x):
        return self.w.pow(self.degree).expand(len(x), 1) + 0 * x.sum()


def of_weight(model, **options):
    one = torch.zeros(1, 1), torch.zeros(1, dtype=torch.long)
    return gradient_check(model, *one, **{"of": "w", "criterion": true_score, **options})


def test_a_cubic_is_off_by_h_squared_and_a_quadratic_by_nothing():
    """Central differences leave h^2 f''' / 6: of w^3 exactly h^2."""
    found = of_weight(Power(3, 0.5))
    assert found.analytic[1] == pytest.approx([3 * 0.25], rel=1e-15)
    apart = (found.numeric[1, :, 0] - found.analytic[1, 0])[SIZES > 1e-4]
    np.testing.assert_allclose(apart, SIZES[SIZES > 1e-4] ** 2, rtol=1e-4)
    quadratic = of_weight(Power(2, 0.5))
    assert (quadratic.errors[1] < 2 * np.finfo(float).eps * 0.25 / SIZES).all()  # rounding alone
    assert found.right and quadratic.right


def test_what_is_left_below_the_best_h_is_rounding_of_the_loss():
    found = of_weight(Power(3, 0.7))
    for precision, eps in enumerate((np.finfo(np.float32).eps, np.finfo(float).eps)):
        best = found.best[precision]
        assert 0.03 * eps ** (1 / 3) < SIZES[best] < 30 * eps ** (1 / 3)  # where h^2 and eps / h meet
        later = SIZES[best] > SIZES
        bound = 3 * (2 * eps * 0.7**3 / (2 * SIZES) + eps * 3 * 0.7**2 * 0.7 / SIZES)  # of the loss, and of w + h
        assert (np.abs(found.numeric[precision, later, 0] - found.analytic[precision, 0]) <= bound[later]).all()
    assert found.errors[0, -1] == 1  # w + h is w
    np.testing.assert_allclose(found.rounding[1], np.finfo(float).eps * 0.7**3 / 2 / SIZES / (3 * 0.49), rtol=1e-12)


class Kink(nn.Module):
    def __init__(self, at: float):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([at]))

    def forward(self, x):
        return F.relu(self.w).expand(len(x), 1)


def test_kinks_are_counted_where_the_step_crosses_them_and_spoil_the_quotient():
    found = of_weight(Kink(1e-3))
    crossed = SIZES > 1e-3
    assert found.kinks.tolist() == crossed.astype(int).tolist()
    expected = np.where(crossed, (1e-3 + SIZES) / (2 * SIZES), 1)  # (relu(w + h) - 0) / 2h
    np.testing.assert_allclose(found.numeric[1, :, 0], expected, rtol=1e-5)
    assert found.right
    assert "At h = 1 a step crosses 1 kink; none from h = 0.001 on down." in found.summary


def test_on_a_kink_there_is_no_verdict():
    found = of_weight(Kink(0.0))
    assert found.kinks.all() and found.right is None
    assert found.summary.startswith("It cannot be told whether the gradient of w is right: x lies on 1 kink.")


def test_maxima_of_pooling_count_where_the_other_place_had_less():
    pool = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 1, bias=False))
    labels = torch.zeros(1, dtype=torch.long)
    for second, kinks in ((0.98, SIZES > 0.02), (1.0, SIZES > 0)):
        x = torch.tensor([[[[1.0, second], [0.0, 0.0]]]])
        found = gradient_check(pool, x, labels, entries=1, seed=first_place(), criterion=true_score)
        assert found.entries.tolist() == [0]
        assert found.kinks.tolist() == kinks.astype(int).tolist()
    both = nn.Sequential(nn.Flatten(2), Shift(), nn.Unflatten(2, (2, 2)), pool)
    equal = gradient_check(both, torch.zeros(1, 1, 2, 2), labels, of="1.by", criterion=true_score)
    assert equal.right and not equal.kinks.any()  # all four move together: the maximum does not notice


def first_place() -> int:
    """A seed that draws the first of four."""
    return next(seed for seed in range(99) if np.random.default_rng(seed).choice(4, 1, replace=False)[0] == 0)


class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.by


class WrongTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (1 - ctx.saved_tensors[0].tanh())  # the square is missing


class Wrong(nn.Module):
    def forward(self, x):
        return WrongTanh.apply(x)


def tanh_net(middle: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), middle, nn.Linear(6, 2))


def batch():
    return next(iter(loader(shuffle=False)))


def test_a_wrong_backward_is_found_out_and_what_comes_before_it_is_named():
    x, y = batch()
    found = gradient_check(tanh_net(Wrong()), x, y, of="3.weight")
    assert found.right is False
    assert found.errors[1].min() > 0.01  # no h helps
    assert found.wrong == ("1.weight", "1.bias", "3.weight", "3.bias", "input") and found.fine == ("5.weight", "5.bias")
    first, *_, last = found.summary.split("\n")
    assert first.startswith("The gradient of 3.weight is wrong: in float64 no h brings the error below 0.")
    assert last == "Wrong are 1.weight, 1.bias, 3.weight, 3.bias, input; right are 5.weight, 5.bias."
    assert gradient_check(tanh_net(Wrong()), x, y, of="5.weight").right
    assert not torch.autograd.gradcheck(WrongTanh.apply, x.double().requires_grad_(), raise_exception=False)


@pytest.mark.parametrize("of", ["input", "1.weight", "3.bias", "5.weight"])
def test_a_right_one_is_off_by_little_in_float64_and_torch_s_own_check_agrees(of):
    model, (x, y) = tanh_net(nn.Tanh()), batch()
    found = gradient_check(model, x, y, of=of, entries=8, seed=1)
    assert found.right and found.errors[1].min() < 1e-8 and found.wrong == found.fine == ()
    assert 1e-7 < found.errors[0].min() < 2e-3
    assert found.errors[0, SIZES < 1e-5].min() > 0.01  # lost in float32
    double = tanh_net(nn.Tanh()).double()
    inputs = x.double().requires_grad_() if of == "input" else dict(double.named_parameters())[of]
    loss = F.cross_entropy(double(inputs if of == "input" else x.double()), y)
    (gradient,) = torch.autograd.grad(loss, inputs)
    np.testing.assert_allclose(found.analytic[1], gradient.flatten()[found.entries], rtol=1e-12)
    if of == "input":
        assert torch.autograd.gradcheck(lambda x: F.cross_entropy(double(x), y), (inputs,))


def test_a_parameter_that_nothing_depends_on_has_the_gradient_0():
    model = tanh_net(nn.Tanh())
    model.register_parameter("idle", nn.Parameter(torch.ones(2)))
    found = gradient_check(model, *batch(), of="idle")
    assert not found.errors.any() and found.right
    assert found.summary == "The gradient of idle is 0, and so are the quotients."


def test_a_gradient_that_drowns_in_rounding_is_not_called_wrong():
    faint = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        faint[1].weight.zero_()
        faint[1].bias.fill_(1e9)  # the loss is that of equal scores; 1e9 swallows small changes
    x, y = batch()
    found = gradient_check(faint, 1e-9 * x, y, of="1.weight", criterion=lambda scores, labels: scores.sum())
    assert found.right is None and "it drowns in rounding" in found.summary


@pytest.mark.parametrize("of", ["input", "conv1.weight"])
@pytest.mark.parametrize("criterion", [F.cross_entropy, true_score])
def test_the_code_of_a_sample_gives_the_errors(of, criterion):
    digits = task("digits")
    model, _ = digits.stream(3)
    for generator in digits.generators:
        generator.manual_seed(3)
    x, y = next(iter(digits.loader))
    found = gradient_check(model, x[:2], y[:2], of=of, entries=2, steps=[1e-2, 1e-4, 1e-6], criterion=criterion, seed=3)
    code, space = found.code("digits"), {}
    assert code.count("cw.") == 1
    exec(code, space)
    np.testing.assert_allclose(space["values"], found.errors[1], rtol=1e-3, atol=1e-9)


def test_the_code_of_your_own_asks_for_your_task():
    mine = Task(tanh_net(nn.Tanh()), loader(shuffle=False), others())
    x, y = batch()
    found = gradient_check(mine.model, x, y, of="3.weight", steps=[0.1, 1e-3])
    space = {"own": mine}
    exec(found.code(mine).replace("cw.methods.Task(model, loader, loader)  # yours", "own"), space)
    np.testing.assert_allclose(space["values"], found.errors[1], rtol=1e-6)


def test_the_network_stays_as_it_is_also_after_an_error_or_a_cancel():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.ReLU(), nn.Linear(3, 2))
    model[1].weight.requires_grad_(False)
    model[5].weight.grad = torch.ones(2, 3)
    x, y = batch()
    before, states = record(model), (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    assert gradient_check(model, x, y, of="1.weight").right  # frozen, and checked all the same; no dropout
    with pytest.raises(Cancelled):
        gradient_check(model, x, y, cancel=CancelAt(5))
    with pytest.raises(ValueError, match="there is a label"):
        gradient_check(model, x, y + 5)
    assert record(model) == before and x.grad is None
    assert [parameter.requires_grad for parameter in model.parameters()].count(False) == 1
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1:] == (np.random.get_state()[1].tolist(), random.getstate())


class Noisy(nn.Module):
    def forward(self, x):
        return x * (1 + torch.rand_like(x))


def test_a_network_that_draws_in_evaluation_mode_draws_the_same_each_time():
    x, y = batch()
    model = tanh_net(Noisy())
    before = torch.get_rng_state()
    assert gradient_check(model, x, y, of="3.weight").right
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_decides_the_entries_and_updates_grow():
    x, y = batch()
    some = [gradient_check(tanh_net(nn.Tanh()), x, y, of="1.weight", steps=[1e-3], seed=seed).entries for seed in (0, 0, 1)]
    assert some[0].tolist() == some[1].tolist() != some[2].tolist() and len(set(some[0].tolist())) == 5
    told = []
    few = {"entries": 99, "steps": [1e-4, 1e-2], "on_update": lambda now, part: told.append((now.steps.tolist(), part))}
    assert len(gradient_check(tanh_net(nn.Tanh()), x, y, of="5.bias", **few).entries) == 2
    assert told == [([1e-2], 0.5), ([1e-2, 1e-4], 1.0)]


WRONG = [
    ({"of": "1.wieght"}, KeyError, "the network has no parameter '1.wieght'. Did you mean '1.weight'"),
    ({"entries": 0}, ValueError, "entries is 0; expected a whole number of at least 1"),
    ({"entries": 1.5}, ValueError, "entries is 1.5; expected"),
    ({"steps": []}, ValueError, r"steps are \[\]; expected numbers above 0"),
    ({"steps": [0.1, 0]}, ValueError, r"steps are \[0.1, 0\]; expected numbers above 0"),
    ({"of": 3}, TypeError, "of is 3; expected a text"),
]


@pytest.mark.parametrize(("options", "kind", "sentence"), WRONG)
def test_what_does_not_fit_is_told(options, kind, sentence):
    with pytest.raises(kind, match=sentence):
        gradient_check(tanh_net(nn.Tanh()), *batch(), **options)
