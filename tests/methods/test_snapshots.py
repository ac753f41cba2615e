"""A snapshot ensemble averages the probabilities of the networks at the restarts' minima."""

from __future__ import annotations

import pytest
import torch
from torch.optim import SGD, lr_scheduler

from cnnwidgets.methods import Task, race
from cnnwidgets.methods.snapshots import Snapshots
from tests.methods.learning import Net, lecture, loader, others


def test_probabilities_are_averaged_and_not_scores():
    """One member is very sure of class 0; the other two favor class 1. By scores 0 would win, by probabilities 1 does."""
    members = [torch.tensor([[20.0, 0.0]]), torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 3.0]])]
    snapshots, label = Snapshots(), torch.tensor([1])
    for scores in members:
        snapshots.add(scores, label)
    assert sum(members).argmax() == 0
    assert sum(scores.softmax(1) for scores in members).argmax() == 1
    assert snapshots.accuracy == [0.0, 1.0, 1.0]
    assert snapshots.ensemble == [0.0, 0.0, 1.0]


def test_members_may_be_right_together_where_each_is_wrong_somewhere():
    torch.manual_seed(0)
    labels = torch.randint(0, 5, (200,))
    scores = [torch.randn(200, 5) + 1.5 * torch.nn.functional.one_hot(labels, 5) for _ in range(4)]
    snapshots, total = Snapshots(), torch.zeros(200, 5)
    for k, each in enumerate(scores):
        snapshots.add(each, labels)
        total += each.softmax(1)
        assert snapshots.accuracy[k] == (each.argmax(1) == labels).sum().item() / 200
        assert snapshots.ensemble[k] == (total.argmax(1) == labels).sum().item() / 200
    assert snapshots.ensemble[-1] > max(snapshots.accuracy)


@pytest.mark.parametrize(
    "unit, steps, ends",
    [("epoch", 11, [3 * 3, 9 * 3, 11 * 3]), ("epoch", 9, [9, 27]), ("batch", 11, [3, 9, 11]), ("batch", 2, [2])],
)
def test_members_are_the_networks_before_the_restarts(unit, steps, ends):
    """Trained again by hand, and saved at the ends of the cycles of 3, 6 and 12 steps."""
    spec = {"kind": "restarts", "lr": 0.5, "T_0": 3, "T_mult": 2}
    (found,) = race(Task(Net, loader(), others()), [spec], steps=steps, unit=unit, seeds=[2]).histories
    assert found.snapshot_ends.tolist() == ends

    torch.manual_seed(2)
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.5, momentum=0.9)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2)
    log, saved = [], []
    while len(log) < ends[-1]:
        for batch in loader():
            log += lecture(model, [batch], optimizer, scheduler if unit == "batch" else None)
            if unit == "batch" and len(log) in ends:
                saved.append(_probabilities(model))
            if len(log) == ends[-1]:
                break
        validated = _probabilities(model)
        if unit == "epoch":
            saved += [validated] * (len(log) in ends)
            scheduler.step()
    y = others().dataset.tensors[1]
    assert found.loss.tolist() == [step[0] for step in log]
    assert found.snapshot_accuracy.tolist() == [(each.argmax(1) == y).sum().item() / 30 for each in saved]
    means = [torch.stack(saved[: k + 1]).mean(0) for k in range(len(saved))]
    assert found.ensemble_accuracy.tolist() == [(mean.argmax(1) == y).sum().item() / 30 for mean in means]


def _probabilities(model):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(x) for x, _ in others()]).double().softmax(1)


def test_without_restarts_there_is_no_snapshot():
    (found,) = race(Task(Net, loader(), others()), [{"kind": "cosine"}], steps=2).histories
    assert len(found.snapshot_ends) == len(found.snapshot_accuracy) == len(found.ensemble_accuracy) == 0
