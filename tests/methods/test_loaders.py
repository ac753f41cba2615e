"""Loaders of every form and tasks of every kind: what trains and judges gives what the loop by hand gives."""

from __future__ import annotations

import math
from collections import UserDict, namedtuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD
from torch.utils.data import DataLoader

from cnnwidgets.methods import History, Race, Task, evaluate, lr_finder, race, train
from cnnwidgets.methods.in_memory import loader as in_batches
from cnnwidgets.methods.verdict import Verdict
from tests.methods.learning import judged, lecture, loader, net, others, pictures, record

Pair = namedtuple("Pair", "image label")


class Encoding(UserDict):
    """What a collator of transformers gives."""


class In:
    """A loader's batches in another form, every time it is iterated."""

    def __init__(self, form, batches):
        self.form, self.batches = form, batches

    def __iter__(self):
        return (self.form(x, y) for x, y in self.batches)


FORMS = {
    "triples": lambda x, y: (x, y, ["a.png"] * len(x)),
    "lists": lambda x, y: [x, y],
    "dicts": lambda x, y: {"label": y, "image": x},
    "Hugging Face": lambda x, y: Encoding(labels=y, pixel_values=x),
    "namedtuples": Pair,
    "arrays": lambda x, y: (x.numpy(), y.numpy()),
    "lists of items": lambda x, y: [{"image": one, "label": int(label)} for one, label in zip(x, y, strict=True)],
    "items side by side": lambda x, y: (tuple(x), tuple(y)),
    "int32": lambda x, y: (x, y.int()),
    "uint8": lambda x, y: (x, y.byte()),
    "a column": lambda x, y: (x, y[:, None]),
    "floats": lambda x, y: (x, y.double()),
}


@pytest.mark.parametrize("form", FORMS)
def test_loaders_of_every_form_train_and_judge_alike_to_the_last_bit(form):
    form, found = FORMS[form], []
    for loop, batches in ((lecture, loader()), (lambda *given: [tuple(one) for one in train(*given)], In(form, loader()))):
        model = net()
        torch.manual_seed(4)
        found.append(([loop(model, batches, SGD(model.parameters(), 0.3)) for _ in range(2)], record(model)))
    assert found[0] == found[1]
    assert evaluate(net(), In(form, others()))[:2] == judged(net(), others())


@pytest.mark.parametrize("form", FORMS)
def test_races_and_range_tests_take_loaders_of_every_form(form):
    plain, task = Task(net(), loader(), others()), Task(net(), In(FORMS[form], loader()), In(FORMS[form], others()))
    assert lr_finder(task, steps=20).loss.tolist() == lr_finder(plain, steps=20).loss.tolist()
    specs = [{"kind": "constant", "lr": 0.1}, {"kind": "restarts", "lr": 0.1, "T_0": 1}]
    for one, other in zip(race(task, specs, steps=2).histories, race(plain, specs, steps=2).histories, strict=True):
        for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "snapshot_accuracy", "ensemble_accuracy"):
            assert getattr(one, name).tolist() == getattr(other, name).tolist()


def test_collated_dicts_of_a_real_loader():
    rows = [{"image": x, "label": int(y), "note": "a row"} for x, y in pictures()]
    found = evaluate(net(), DataLoader(rows, batch_size=16))
    assert found[:2] == evaluate(net(), loader(shuffle=False))[:2]
    assert torch.equal(torch.cat([y for _, y in in_batches(rows, 16, shuffle=False)]), pictures().tensors[1])


def test_a_network_that_gives_logits_by_name_trains_as_one_that_gives_them_alone():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = net()

        def forward(self, pixel_values):
            return {"loss": None, "logits": self.body(pixel_values)}

    one, other = Named(), net()
    for model in (one, other):
        torch.manual_seed(0)
        list(train(model, loader(), SGD(model.parameters(), 0.3)))
    assert record(one.body) == record(other)
    assert evaluate(one, others())[:2] == judged(other, others())


# tasks other than classes


def head(outputs: int) -> nn.Module:
    model = net()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model[-1] = nn.Linear(5, outputs)
    return model


def pixels() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))


def flat(scores):
    return scores.flatten()


TASKS = {  # the network, its criterion, labels of pictures; by hand the loss, and the right answers in units of a picture
    "several labels": (
        lambda: head(3),
        nn.BCEWithLogitsLoss(),
        lambda x: (x.flatten(1)[:, :3] > 0).long(),
        lambda s, y: F.binary_cross_entropy_with_logits(s, y.float()),
        lambda s, y: ((s > 0) == y.bool()).sum().item() / 3,
    ),
    "yes or no": (
        lambda: head(1),
        nn.BCEWithLogitsLoss(),
        lambda x: (x.sum((1, 2, 3)) > 0).double(),
        lambda s, y: F.binary_cross_entropy_with_logits(flat(s), y.float()),
        lambda s, y: ((flat(s) > 0) == y.bool()).sum().item(),
    ),
    "soft classes": (
        lambda: head(3),
        nn.CrossEntropyLoss(),
        lambda x: x.flatten(1)[:, :3].double().softmax(1),
        lambda s, y: -(y.float() * s.log_softmax(1)).sum(1).mean(),
        lambda s, y: (s.argmax(1) == y.argmax(1)).sum().item(),
    ),
    "pixels": (
        pixels,
        F.cross_entropy,
        lambda x: (x[:, 0] > 0).byte() + (x[:, 0] > 1).byte(),
        lambda s, y: F.nll_loss(s.log_softmax(1), y.long()),
        lambda s, y: (s.argmax(1) == y).sum().item() / 4,
    ),
    "values": (
        lambda: head(1),
        nn.MSELoss(),
        lambda x: x.sum((1, 2, 3)).double(),
        lambda s, y: ((flat(s) - y.float()) ** 2).mean(),
        lambda s, y: math.nan,
    ),
}
RIGHT = [name for name in TASKS if name != "values"]


def made(name: str) -> tuple:
    make, criterion, label, *by_hand = TASKS[name]
    train_batches, validation = ([(x, label(x)) for x, _ in batches] for batches in (loader(shuffle=False), others()))
    return Task(make(), train_batches, validation, criterion), *by_hand


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_every_kind_train_as_by_hand(name):
    task, loss_of, right_of = made(name)
    model, again = task.start(), task.start()
    torch.manual_seed(0)
    steps = list(train(model, task.loader, SGD(model.parameters(), 0.1), criterion=task.criterion))
    torch.manual_seed(0)
    optimizer = SGD(again.parameters(), 0.1)
    for step, (x, y) in zip(steps, task.loader, strict=True):
        scores = again.train()(x)
        loss = loss_of(scores, y)
        assert step.loss == pytest.approx(loss.item(), rel=1e-5)
        assert step.accuracy == pytest.approx(right_of(scores, y) / len(y), nan_ok=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = evaluate(model, task.validation_loader, criterion=task.criterion)
    scores, labels = (
        torch.cat([again.eval()(x) for x, _ in task.validation_loader]),
        torch.cat([y for _, y in task.validation_loader]),
    )
    torch.testing.assert_close(found.scores, scores.detach(), rtol=1e-4, atol=1e-6)
    assert found.loss == pytest.approx(loss_of(scores, labels).item(), rel=1e-4)
    assert found.accuracy == pytest.approx(right_of(scores, labels) / len(labels), nan_ok=True)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_every_kind_race_and_come_back_from_a_file(name, tmp_path):
    task, *_ = made(name)
    found = race(task, [{"kind": "constant", "lr": 1e-6}, {"kind": "restarts", "lr": 0.02, "T_0": 3}], steps=9, patience=9)
    assert found.verdict.by == ("accuracy" if name in RIGHT else "loss")
    losses = [one.final_loss for one in found.histories]
    assert losses[1] < losses[0]
    if name == "values":
        assert found.verdict[:4] == (*found.names[::-1], "loss", losses[1])
        assert found.verdict.margin == pytest.approx(losses[0] - losses[1])
    one = found.histories[1]
    assert np.isfinite(one.ensemble_accuracy).all() == (name in RIGHT)
    assert one.snapshot_accuracy[-1] == pytest.approx(one.final_accuracy, nan_ok=True)
    for ending in ("json", "npz"):
        found.save(tmp_path / f"race.{ending}")
        again = Race.load(tmp_path / f"race.{ending}")
        assert again.verdict[:4] == found.verdict[:4]
        np.testing.assert_array_equal(again.histories[1].accuracy, one.accuracy)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_every_kind_have_a_rate(name):
    task, *_ = made(name)
    found = lr_finder(task, high=100.0, steps=80, momentum=0.0)
    assert 1e-4 < found.suggested < 100.0


def test_an_ensemble_of_several_labels_averages_their_probabilities():
    task, _, right_of = made("several labels")
    (found,) = race(task, [{"kind": "restarts", "lr": 0.2, "T_0": 2}], steps=4).histories
    torch.manual_seed(0)
    model = task.start()
    optimizer = SGD(model.parameters(), 0.2, momentum=0.9)
    x, y = (torch.cat(parts) for parts in zip(*task.validation_loader, strict=True))
    chances = []
    for epoch in range(4):
        optimizer.param_groups[0]["lr"] = (0.2, 0.1)[epoch % 2]
        list(train(model, task.loader, optimizer, criterion=task.criterion))
        chances.append(model.eval()(x).detach().double().sigmoid())
    assert found.ensemble_accuracy[1] == pytest.approx(right_of(torch.stack(chances[1::2]).mean(0) - 0.5, y) / len(y))


# what is refused


@pytest.mark.parametrize("name", ["yes or no", "values"])
@pytest.mark.parametrize(
    "begin", [lambda task: lr_finder(task, steps=10), lambda task: race(task, [{"kind": "constant"}], steps=2)]
)
def test_numbers_in_one_column_need_a_criterion(name, begin):
    task, *_ = made(name)
    with pytest.raises(ValueError, match=r"the network gives one score .* pass criterion=nn.BCEWithLogitsLoss\(\) where"):
        begin(Task(task.model, task.loader, task.validation_loader))
    with pytest.raises(ValueError, match="the network gives one score"):
        evaluate(task.model, task.validation_loader)


@pytest.mark.parametrize(
    "form, kind, sentence",
    [
        (lambda x, y: x, TypeError, "expected batches of pictures and labels, got a float32 tensor 16×1×2×2 without labels"),
        (lambda x, y: {"image": x}, TypeError, "without labels"),
        (lambda x, y: {"text": x, "label": y}, ValueError, "expected an item with a picture under a name such as 'image'"),
        (lambda x, y: (x, ["cat"] * 16), TypeError, "expected a batch's labels as a tensor of numbers, got a list of str"),
        (lambda x, y: (x, y + 1), ValueError, "there is a label 2, but the network gives scores of 2 classes"),
    ],
)
def test_batches_that_cannot_train_are_said(form, kind, sentence):
    with pytest.raises(kind, match=sentence):
        lr_finder(Task(net(), In(form, loader()), others()), steps=10)


# the verdict by losses


def values(name: str, *losses: float) -> list[History]:
    return [_run(name, seed, loss) for seed, loss in enumerate(losses)]


def _run(name: str, seed: int, loss: float) -> History:
    empty, nothing = np.empty(0), np.full(3, np.nan)
    return History(name, {}, seed, empty, empty, nothing, np.arange(1), np.array([loss]), nothing[:1])


def test_without_accuracies_the_lowest_mean_loss_wins():
    found = Race((*values("a", 0.5, 0.75), *values("b", 0.25, 0.25), *values("c", 0.5, 1.5)), "epoch", 1).verdict
    assert found[:5] == ("b", "a", "loss", 0.25, 0.375)  # margins 0.25 and 0.5
    assert found.spread == pytest.approx(0.25 / math.sqrt(2))


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_comes_last(broken):
    found = Race((*values("a", 0.5, broken), *values("b", 2.0, 3.0)), "epoch", 1).verdict
    assert found[:5] == ("b", "a", "loss", 2.5, math.inf)
    assert math.isnan(found.spread)
    assert isinstance(found, Verdict)
    assert Race((*values("a", broken), *values("b", broken)), "epoch", 1).verdict is None
