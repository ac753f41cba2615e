"""Training is the loop of a lecture, to the last bit; evaluating leaves a model as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, lr_scheduler

from cnnwidgets.methods import evaluate, train
from cnnwidgets.methods.training import accuracy
from tests.methods.learning import lecture, loader, net, others, pictures, record


@pytest.mark.parametrize("make", [lambda p: SGD(p, lr=0.3, momentum=0.9), lambda p: Adam(p, lr=0.02, weight_decay=0.1)])
@pytest.mark.parametrize("with_scheduler", [False, True])
def test_training_is_the_loop_of_a_lecture_to_the_last_bit(make, with_scheduler):
    found = []
    for loop in (lecture, lambda *given: [tuple(step) for step in train(*given)]):
        model = net()
        optimizer = make(model.parameters())
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9) if with_scheduler else None
        torch.manual_seed(4)
        found.append(([loop(model, loader(), optimizer, scheduler) for _ in range(3)], record(model)))
    assert found[0] == found[1]
    assert len({step[2] for epoch in found[0][0] for step in epoch}) == (9 if with_scheduler else 1)


def test_any_criterion_trains():
    def squares(scores, labels):
        return (scores.softmax(1) - F.one_hot(labels, 2)).pow(2).mean()

    one, other = net(), net()
    torch.manual_seed(0)
    wanted = lecture(one, loader(), SGD(one.parameters(), 0.1), criterion=squares)
    torch.manual_seed(0)
    assert list(train(other, loader(), SGD(other.parameters(), 0.1), criterion=squares)) == wanted
    assert record(one) == record(other)


def test_steps_are_made_one_at_a_time_when_they_are_asked_for():
    model = net().eval()
    before = model[1].weight.clone()
    steps = train(model, loader(), SGD(model.parameters(), 0.1))
    assert torch.equal(model[1].weight, before)
    assert next(steps).size == 16
    after = model[1].weight.clone()
    assert not torch.equal(after, before)
    assert model.training
    assert [step.size for step in steps] == [16, 8]


def test_a_model_that_was_frozen_in_part_stays_so():
    model = net()
    model[1].requires_grad_(False)
    before, last = model[1].weight.clone(), model[5].weight.clone()
    list(train(model, loader(), SGD(model.parameters(), 0.1)))
    assert torch.equal(model[1].weight, before)
    assert not torch.equal(model[5].weight, last)


def test_evaluating_is_what_torch_says_by_hand():
    model = net()
    found = evaluate(model, others())
    x, y = pictures(30, seed=1).tensors
    model.eval()
    scores = model(x).detach()
    torch.testing.assert_close(found.scores, scores)
    assert torch.equal(found.labels, y)
    assert found.loss == pytest.approx(nn.NLLLoss()(F.log_softmax(scores, 1), y).item(), rel=1e-6)
    assert found.accuracy == sum(a.argmax() == b for a, b in zip(scores, y, strict=True)).item() / 30


def test_the_last_batch_counts_by_its_size():
    x, y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 0, 1])
    model = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
    found = evaluate(model, [(x[:2], y[:2]), (x[2:], y[2:])])
    losses = [torch.tensor(-a).exp().log1p().item() for a in (1.0, 1.0)] + [torch.tensor(3.0).exp().log1p().item()]
    assert found.loss == pytest.approx(sum(losses) / 3)
    assert found.accuracy == 2 / 3


@pytest.mark.parametrize("fails", [False, True])
def test_evaluating_leaves_modes_buffers_and_gradients_as_they_were(fails):
    model = net()
    model[4].eval()
    F.cross_entropy(model(pictures().tensors[0]), pictures().tensors[1]).backward()
    before = record(model)
    if fails:
        with pytest.raises(RuntimeError, match="shape"):
            evaluate(model, [(torch.zeros(2, 3, 3), torch.zeros(2).long())])
    else:
        evaluate(model, [*others()])
    assert record(model) == before


def test_nothing_to_evaluate_on_is_said():
    for empty in ([], iter([]), (each for each in ())):
        with pytest.raises(ValueError, match="there is nothing to evaluate on: the loader is empty"):
            evaluate(net(), empty)


def test_accuracy_is_the_share_of_right_answers_and_of_two_alike_the_first_counts():
    scores = torch.tensor([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0]])
    assert accuracy(scores, torch.tensor([1, 1, 0])) == 2 / 3
    assert accuracy(scores, torch.tensor([1, 1, 1])) == 1 / 3
