"""Each symptom is named on a training that has it, and on a sound one it is not."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, lr_scheduler

from cnnwidgets.methods import SYMPTOMS, Record, diagnose
from tests.methods.sick import Digits, Training, mlp

SOUND = {
    "normed": Training(),
    "tanh": Training(model=lambda: mlp(nn.Tanh), optimizer=lambda model: SGD(model.parameters(), lr=0.05, momentum=0.9)),
    "scheduled": Training(epochs=8, scheduler=lambda own: lr_scheduler.CosineAnnealingLR(own, 8)),
    "deep": Training(model=lambda: mlp(nn.ReLU, depth=6)),
}
HEALTHY: set[str] = {"normed", "tanh", "scheduled", "deep"}


@cache
def sound(name: str) -> Record:
    return SOUND[name].run()


def sgd(lr, **options):
    return lambda model: SGD(model.parameters(), lr=lr, **options)


def filled(value):
    def change(model):
        with torch.no_grad():
            for each in model.parameters():
                each.fill_(value)

    return change


def weights(std, rows=slice(None)):
    def change(model):
        for part in [part for part in model.modules() if isinstance(part, (nn.Linear, nn.Conv2d))][rows]:
            nn.init.normal_(part.weight, std=std)

    return change


def killed(model):
    with torch.no_grad():
        model[1].bias.fill_(-1e3)


def frozen(model):
    model[1].requires_grad_(False)


def one_label_each(y):
    return torch.tensor(0 if y % 10 < 7 else int(y))


class Cut(nn.Sequential):
    """Its second layer is not reached by a gradient."""

    def forward(self, x):
        return self[4](self[3](self[2](self[1](self[0](x)).detach())))


class Sorted(Digits):
    def __init__(self):
        super().__init__("train", 320)
        order = self.labels.argsort(stable=True)
        self.images, self.labels = self.images[order], self.labels[order]


class ByChance(Digits):
    """A few pictures whose labels were drawn."""

    def __init__(self):
        super().__init__("train", 100)
        self.labels = torch.randint(10, (100,), generator=torch.Generator().manual_seed(0))


def decayed_apart(model):
    return Adam([{"params": model.parameters(), "weight_decay": 0.01}], lr=3e-3)


def head_alone(model):
    return Adam([*model[4].parameters(), *model[7].parameters()], lr=3e-3)


SICK: dict[str, Training] = {
    "NaN or infinity": Training(model=mlp, optimizer=sgd(1e30), epochs=2),
    "inputs in [0, 255]": Training(model=mlp, data=lambda: Digits("train", 320, lambda x: (x + 0.4) * 60), epochs=1),
    "inputs not centered": Training(data=lambda: Digits("train", 320, lambda x: x + 4), epochs=1),
    "other preprocessing at test time": Training(others=lambda: Digits("test", 200, lambda x: x / 2 + 1), epochs=2),
    "augmentation on validation": Training(
        others=lambda: Digits("test", 200, lambda x: x.flip(-1) if torch.rand(()) < 0.5 else x), epochs=2
    ),
    "labels shifted or permuted": Training(others=lambda: Digits("test", 200, label=lambda y: (y + 1) % 10)),
    "unshuffled data": Training(data=Sorted, shuffle=False, epochs=1),
    "same order in each epoch": Training(shuffle=False, epochs=2),
    "imbalance": Training(data=lambda: Digits("train", 320, label=one_label_each), epochs=1),
    "softmax before cross-entropy": Training(model=lambda: mlp().append(nn.Softmax(1)), epochs=1),
    "scores without log-softmax": Training(criterion=F.nll_loss, epochs=1),
    "first loss is not ln(classes)": Training(change=weights(5.0, slice(-1, None)), epochs=1),
    "summed loss": Training(criterion=lambda scores, y: F.cross_entropy(scores, y, reduction="sum"), epochs=1),
    "not in the optimizer": Training(optimizer=head_alone, epochs=1),
    "zero initialization": Training(model=mlp, change=filled(0.0), epochs=1),
    "equal initialization": Training(model=mlp, change=filled(0.01), epochs=1),
    "no gradient": Training(model=lambda: Cut(*mlp(depth=2)[:3], nn.Dropout(0.0), nn.Linear(48, 10)), epochs=1),
    "frozen part with a rate": Training(change=frozen, epochs=1),
    "weight decay on everything": Training(optimizer=decayed_apart, epochs=1),
    ".eval() forgotten": Training(eval=False, epochs=2),
    ".train() forgotten": Training(train=False, epochs=4),
    "scheduler stepped before the optimizer": Training(
        scheduler=lambda own: lr_scheduler.StepLR(own, 3), step_first=True, epochs=1
    ),
    "scheduler in the wrong place": Training(
        scheduler=lambda own: lr_scheduler.CosineAnnealingLR(own, 6), by_batch=True, epochs=6
    ),
    "rate spent": Training(scheduler=lambda own: lr_scheduler.StepLR(own, 5, 0.1), by_batch=True, epochs=6),
    "exploding gradients": Training(model=lambda: mlp(nn.Identity, depth=8), change=weights(1.0), optimizer=sgd(1e-20)),
    "vanishing gradients": Training(model=lambda: mlp(nn.Sigmoid, depth=8), optimizer=sgd(0.1)),
    "dead ReLUs": Training(model=mlp, change=killed, epochs=3),
    "saturated units": Training(model=lambda: mlp(nn.Tanh), change=weights(1.0), epochs=2),
    "rate too high": Training(model=mlp, optimizer=sgd(3.0, momentum=0.9), epochs=4),
    "rate too low": Training(model=mlp, optimizer=sgd(1e-5), epochs=6),
    "plateau": Training(data=ByChance, model=lambda: mlp(width=2), epochs=20, optimizer=sgd(0.05)),
    "over-fitting": Training(
        data=lambda: Digits("train", 60), model=mlp, epochs=30, optimizer=lambda m: Adam(m.parameters(), lr=0.01)
    ),
    "too little time": Training(epochs=5, model=mlp, optimizer=sgd(0.02)),
}


def test_every_symptom_has_a_sick_training():
    assert {symptom.name for symptom in SYMPTOMS} == SICK.keys()


@pytest.mark.parametrize("name", [*SICK])
def test_a_symptom_is_named_on_a_training_that_has_it_and_not_on_a_sound_one(name):
    found = diagnose(SICK[name].run()).named(name)
    assert found is not None, diagnose(SICK[name].run()).summary
    assert any(letter.isdigit() for letter in found.evidence) or name in ("no gradient", "not in the optimizer"), found
    assert "{" not in found.evidence + found.remedy
    judged = [one for one in HEALTHY if name in diagnose(sound(one)).judged]
    assert judged, "no sound training can be judged"
    for one in judged:
        assert diagnose(sound(one)).named(name) is None, (one, diagnose(sound(one)).summary)
