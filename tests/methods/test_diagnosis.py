"""Each symptom is named on a training that has it, and on a sound one it is not."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, lr_scheduler
from torch.utils.data import DataLoader

from cnnwidgets.methods import SYMPTOMS, History, Record, Task, diagnose, over_fit
from tests.methods.learning import record
from tests.methods.sick import Digits, Training, mlp, normed


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


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


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
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


def curve(loss, validation=None, train=None) -> History:
    """A history by hand: ten steps an epoch."""
    loss = np.asarray(loss, float)
    ends = np.arange(10, len(loss) + 1, 10) if validation is not None else np.empty(0, np.int64)
    judged = np.asarray(validation if validation is not None else [], float)
    return History(
        "by hand", {}, 0, np.full((1, len(loss)), 0.1), loss, np.full(len(loss), math.nan), ends, judged, judged * math.nan
    )


def falling(start, end, steps=200, noise=0.02):
    drawn = np.random.default_rng(0).normal(0, noise, steps)
    return end + (start - end) * np.exp(-np.arange(steps) / (steps / 6)) + drawn * start


@pytest.mark.parametrize(
    "loss, name",
    [
        (falling(2.3, 0.1), None),
        (falling(2.3, 1.0), None),
        (np.full(200, 2.3) + np.random.default_rng(0).normal(0, 0.05, 200), "plateau"),
        (2.3 - np.linspace(0, 0.2, 200) + np.random.default_rng(0).normal(0, 0.05, 200), "rate too low"),
        (np.geomspace(2.3, 500, 200), "rate too high"),
        ([*falling(2.3, 0.1), math.nan, *[math.nan] * 20], "NaN or infinity"),
    ],
)
def test_a_history_tells_what_its_curve_allows(loss, name):
    found = diagnose(curve(loss))
    assert [one.name for one in found.findings][:1] == ([name] if name else [])
    assert ".eval() forgotten" in found.open


def test_a_loss_that_only_begins_high_has_not_jumped():
    rest = np.full(100, 2.4)
    assert diagnose(curve([11.7, 3.5, 2.7, *rest])).named("rate too high") is None
    assert "jumps from 2.4 to 11.7 at step 1" in diagnose(curve([2.4, 11.7, *rest])).named("rate too high").evidence.lower()


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.05))
@settings(max_examples=25, deadline=None)
def test_a_curve_that_falls_and_wavers_is_sound(seed, noise):
    rng = np.random.default_rng(seed)
    loss = np.abs(falling(2.3, 0.2) + rng.normal(0, noise, 200))
    judged = np.abs(loss.reshape(20, 10).mean(1) + rng.normal(0, noise / 2, 20))
    assert not diagnose(curve(loss, judged)).findings


def test_a_training_that_goes_on_or_warms_up_is_not_judged_too_soon():
    found = SICK["too little time"].run()
    assert diagnose(replace(found, facts=found.facts | {"epochs": 6})).named("too little time") is None
    slow = curve(2.3 - np.linspace(0, 0.2, 200))
    assert diagnose(slow).named("rate too low") is not None
    assert diagnose(replace(slow, rates=np.linspace(0, 0.1, 200)[None])).named("rate too low") is None


@pytest.mark.parametrize("epoch", [3, 8, 12])
def test_over_fitting_is_dated(epoch):
    """The epoch is that of the lowest validation loss, counted from 1."""
    judged = 1 + 0.05 * np.abs(np.arange(20) - (epoch - 1))
    found = diagnose(curve(np.geomspace(2, 0.01, 200), judged)).named("over-fitting")
    assert found.evidence.startswith(f"the validation loss has risen since epoch {epoch}, from 1 to ")
    assert found.step == 10 * epoch
    assert f"Keep the weights of epoch {epoch} " in found.remedy


def test_a_network_that_was_trained_before_is_not_judged_by_its_own_low_start():
    jump = np.full(60, 0.001)
    jump[4] = 0.04
    for loss in (jump, np.full(60, 0.001), np.geomspace(0.001, 0.02, 60)):
        one = replace(curve(loss), accuracy=np.ones(60))
        assert not diagnose(one).findings
    assert diagnose(replace(one, loss=np.geomspace(0.001, 20, 60))).named("rate too high") is not None


def test_the_worst_is_said_first():
    found = diagnose(SICK["rate spent"].run())
    severities = [one.severity for one in found.findings]
    assert severities == sorted(severities, reverse=True)
    lines = found.summary.splitlines()
    assert lines[0] == found.findings[0].sentence
    assert lines[1] == found.findings[0].remedy
    assert len(lines) == len(found.findings) + 1


def test_the_layer_and_the_step_are_told():
    found = diagnose(Training(model=mlp, change=killed, epochs=3, every=1).run()).named("dead ReLUs")
    assert (found.layer, found.step) == ("2", 4)  # the fifth batch is the first by which it can be told
    found = diagnose(Training(model=lambda: mlp(nn.Tanh), change=weights(1.0), epochs=1, every=1).run())
    assert found.named("saturated units").layer == "2"
    found = diagnose(Training(model=mlp, change=filled(math.inf), epochs=1).run()).named("NaN or infinity")
    assert found.step == 0


def task(model=None, data=None, others=None) -> Task:
    loaders = [
        DataLoader(each, batch_size=32, shuffle=True)
        for each in (data or Digits("train", 320), others or Digits("test", 64))
    ]
    return Task(model or normed(), *loaders)


@pytest.mark.parametrize(
    "name", ["inputs in [0, 255]", "other preprocessing at test time", "augmentation on validation", "unshuffled data"]
)
def test_a_network_and_its_loaders_tell_what_can_be_tried(name):
    sick = SICK[name]
    batches = DataLoader(sick.data(), batch_size=32, shuffle=sick.shuffle)
    found = diagnose(normed(), batches, validation_loader=DataLoader(sick.others(), batch_size=32, shuffle=True))
    assert found.named(name) is not None
    assert diagnose(task()).named(name) is None
    assert "plateau" in found.open


@pytest.mark.parametrize(
    "name", ["zero initialization", "equal initialization", "no gradient", "softmax before cross-entropy"]
)
def test_a_network_before_its_training_tells_how_it_starts(name):
    model = SICK[name].model()
    SICK[name].change(model)
    assert diagnose(task(model)).named(name) is not None
    assert diagnose(task()).named(name) is None


def test_an_optimizer_tells_what_it_holds():
    model = normed()
    found = diagnose(model, task().loader, optimizer=head_alone(model))
    assert found.named("not in the optimizer").layer == "0"
    assert "weight decay on everything" in found.judged
    assert diagnose(model, task().loader, optimizer=Adam(model.parameters())).named("not in the optimizer") is None


def test_nothing_is_changed_by_trying():
    model = normed().eval()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before, state = record(model), torch.get_rng_state()
    own = task(model)
    diagnose(own)
    over_fit(own, steps=3)
    assert record(model) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part._forward_hooks for part in model.modules())


def test_a_sound_network_learns_a_few_by_heart_and_one_with_two_softmaxes_does_not():
    torch.manual_seed(0)
    own = task(mlp())
    found = over_fit(own)
    assert found.succeeded
    assert found.pictures == 20
    assert found.loss[-1] < 0.01 * found.loss[0]
    assert found.accuracy == 1
    assert over_fit(own).loss.tolist() == found.loss.tolist()
    stuck = over_fit(task(mlp().append(nn.Softmax(1))), steps=30)
    assert not stuck.succeeded
    assert stuck.summary.startswith("It cannot even learn 20 pictures by heart: the loss goes from 2.3")


class NoGradient(nn.Sequential):
    def forward(self, x):
        return super().forward(x).detach()


@pytest.mark.parametrize(
    "what, options, error, words",
    [
        (3, {}, TypeError, "what is 3; expected"),
        (mlp(), {}, ValueError, "needs a training loader"),
        (mlp(), {"loader": []}, ValueError, "the training loader is empty"),
        (mlp(), {"loader": iter(())}, ValueError, "gives no batch"),
        (NoGradient(*mlp()), {"loader": task().loader}, ValueError, "the loss has no gradient"),
        (mlp(), {"loader": task().loader, "criterion": lambda a, b: (a.sum(1) - b) ** 2}, ValueError, "expected one number"),
    ],
)
def test_what_is_wrong_is_said(what, options, error, words):
    with pytest.raises(error, match=words):
        diagnose(what, **options)


def test_nan_from_the_start_is_found_before_the_training():
    model = mlp()
    with torch.no_grad():
        model[3].weight.fill_(math.nan)
    found = diagnose(task(model)).findings[0]
    assert (found.name, found.step) == ("NaN or infinity", 0)
