"""Optimizers in a spec: what they do to the weights is what their papers, and torch, say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnnwidgets.methods import Task, race, schedule
from tests.methods.learning import Net, loader, others

RATE, MOMENTUM = 0.05, 0.9


def plain(weights, gradients, _):
    return [(w - RATE * g, None) for w, g in zip(weights, gradients, strict=True)]


def heavy_ball(dampening):
    def step(weights, gradients, before):
        found = []
        for k, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            v = g if before is None else MOMENTUM * before[k] + (1 - dampening) * g
            found.append((w - RATE * v, v))
        return found

    return step


def nesterov(weights, gradients, before):
    found = []
    for k, (w, g) in enumerate(zip(weights, gradients, strict=True)):
        v = g if before is None else MOMENTUM * before[k] + g
        found.append((w - RATE * (g + MOMENTUM * v), v))
    return found


BY_HAND = {
    "plain": ({"momentum": 0.0}, plain),
    "momentum": ({"momentum": MOMENTUM}, heavy_ball(0.0)),
    "dampening": ({"momentum": MOMENTUM, "dampening": 0.9}, heavy_ball(0.9)),
    "nesterov": ({"momentum": MOMENTUM, "nesterov": True}, nesterov),
}


class Smooth(torch.nn.Sequential):
    """In float64, so that another order of the same sums shows in the last digits alone."""

    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
        self.double()

    def forward(self, x):
        return super().forward(x.double())


@pytest.mark.parametrize("name", BY_HAND)
def test_a_race_steps_as_the_formula_says(name):
    options, step = BY_HAND[name]
    task = Task(Smooth, loader(shuffle=False), others())
    spec = {"kind": "constant", "lr": RATE, **options}
    (found,) = race(task, [spec], steps=3).histories

    model, _ = task.stream(0)
    before, losses = None, []
    for _ in range(3):
        for x, y in task.loader:
            loss = F.cross_entropy(model(x), y)
            losses.append(loss.item())
            weights = [*model.parameters()]
            with torch.no_grad():
                pairs = step(weights, torch.autograd.grad(loss, weights), before)
                for weight, (value, _) in zip(weights, pairs, strict=True):
                    weight.copy_(value)
            before = [kept for _, kept in pairs]
    np.testing.assert_allclose(found.loss, losses, rtol=1e-12)


@pytest.mark.parametrize("options", [options for options, _ in BY_HAND.values()])
def test_a_race_steps_as_torchs_own_optimizer_to_the_last_bit(options):
    task = Task(Net, loader(), others())
    (found,) = race(task, [{"kind": "constant", "lr": RATE, **options}], steps=2).histories
    torch.manual_seed(0)
    model = task.start()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, **options)
    losses = []
    for _ in range(2):
        model.train()
        for x, y in task.loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert len([*others()]) == 2  # what validates draws from the generator, too
    assert found.loss.tolist() == losses


def test_dampening_takes_a_whole_first_step_and_a_tenth_of_each_gradient_after_it():
    task = Task(Smooth, loader(shuffle=False), others())
    specs = [
        {"kind": "constant", "lr": RATE, "momentum": 0.9, "dampening": 0.9, "name": "slide"},
        {"kind": "constant", "lr": RATE, "momentum": 0.9, "name": "torch"},
    ]
    found = race(task, specs, steps=3, unit="batch")
    slide, theirs = (found.of(name)[0].loss for name in ("slide", "torch"))
    assert slide[:2].tolist() == theirs[:2].tolist()  # the loss is that before the step
    assert slide[2] != theirs[2]
    weights = [torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    optimizers = [torch.optim.SGD([w], lr=1.0, momentum=0.9, dampening=d) for w, d in zip(weights, (0.9, 0.0), strict=True)]
    moves = []
    for gradient in (0.0, 1.0):  # no momentum after a gradient of 0: the second step is the gradient's alone
        for w, optimizer in zip(weights, optimizers, strict=True):
            w.grad = torch.full_like(w, gradient)
            optimizer.step()
        moves.append([-w.item() for w in weights])
    assert moves[0] == [0, 0]
    assert moves[1] == [pytest.approx(0.1), 1.0]


def test_the_code_says_what_is_set_and_nothing_else():
    usual = schedule({"kind": "constant", "momentum": 0.9}, 2).code
    assert "SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.0)" in usual
    damped = schedule({"kind": "constant", "momentum": 0.9, "dampening": 0.9}, 2).code
    assert "weight_decay=0.0, dampening=0.9)" in damped
    assert "weight_decay=0.0, nesterov=True)" in schedule({"kind": "constant", "nesterov": True}, 2).code


def test_ones_own_optimizer_keeps_its_nesterov_and_dampening():
    weight = torch.zeros(1, requires_grad=True)
    for own in ({"nesterov": True}, {"dampening": 0.5}):
        optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.8, **own)
        found = schedule(torch.optim.lr_scheduler.StepLR(optimizer, 2), 3)
        assert found.spec.items() >= own.items()
        assert found.spec["momentum"] == 0.8


@pytest.mark.parametrize(
    "spec, sentence",
    [
        ({"optimizer": "Adam", "nesterov": True}, "Adam has no nesterov; expected the optimizer SGD with it"),
        ({"optimizer": "RMSprop", "dampening": 0.5}, "RMSprop has no dampening"),
        ({"nesterov": True, "momentum": 0.0}, "expected a momentum above 0 and no dampening"),
        ({"nesterov": True, "dampening": 0.1}, "expected a momentum above 0 and no dampening"),
        ({"dampening": 2}, "dampening is 2; expected a number from 0 to 1"),
        ({"nesterov": 3}, "nesterov is 3; expected one of False, True"),
    ],
)
def test_what_does_not_go_together_is_said(spec, sentence):
    with pytest.raises(ValueError, match=sentence):
        schedule({"kind": "constant", **spec}, 2)
