"""Trainings of several groups of parameters: every group's rate is told and kept, and each trains with its own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.optim import SGD, AdamW, lr_scheduler

from cnnwidgets.methods import History, Race, Task, race, schedule, train
from cnnwidgets.methods.training import Step
from tests.methods.learning import Net, judged, lecture, loader, net, others, record

GROUPS = [
    {"name": "body", "parameters": ["1.weight", "1.bias", "2.weight", "2.bias"], "factor": 0.1, "weight_decay": 0.01},
    {"name": "head", "parameters": ["5.weight", "5.bias"]},
]


def by_hand(model, **options) -> SGD:
    body = {"params": [*model[1].parameters(), *model[2].parameters()], "lr": 0.3 * 0.1, "weight_decay": 0.01}
    return SGD([body, {"params": model[5].parameters()}], **{"lr": 0.3, "momentum": 0.9} | options)


def test_a_step_tells_the_rate_of_every_group():
    found = []
    for loop in (lecture, lambda *given: [tuple(step) for step in train(*given)]):
        model = net()
        optimizer = by_hand(model)
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)
        torch.manual_seed(4)
        found.append(([loop(model, loader(), optimizer, scheduler) for _ in range(2)], record(model)))
    assert found[0] == found[1]
    assert found[0][0][0][0][2] == (0.3 * 0.1, 0.3)


def test_one_rate_is_told_of_a_step_only_where_all_groups_have_it():
    assert Step(1.0, 0.5, (0.1, 0.1), 4).lr == 0.1
    with pytest.raises(ValueError, match=r"there are 2 groups of parameters, and they differ: read rates\[k\] for group k"):
        _ = Step(1.0, 0.5, (0.1, 0.2), 4).lr


def test_a_rate_that_is_a_tensor_is_told_as_it_was_at_the_step():
    model = net()
    optimizer = AdamW(model.parameters(), lr=torch.tensor(0.5, dtype=torch.float64))
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)  # which writes into that tensor
    assert [step.lr for step in train(model, loader(), optimizer, scheduler)] == [0.5, 0.25, 0.125]


@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize("model", [net(), Net])
def test_each_group_trains_with_its_own_rate_to_the_last_bit(model, unit):
    spec = {"kind": "step", "lr": 0.3, "step_size": 2, "gamma": 0.5, "groups": GROUPS}
    steps = 4 if unit == "epoch" else 12
    (found,) = race(Task(model, loader(), others()), [spec], steps=steps, unit=unit, seeds=(3,)).histories
    torch.manual_seed(3)
    mine = Net() if model is Net else net()
    optimizer = by_hand(mine)
    scheduler = lr_scheduler.StepLR(optimizer, 2, 0.5)
    log, losses = [], []
    for _ in range(4):
        log += lecture(mine, loader(), optimizer, scheduler if unit == "batch" else None)
        losses.append(judged(mine, others())[0])
        if unit == "epoch":
            scheduler.step()
    assert found.loss.tolist() == [step[0] for step in log]
    assert found.rates.T.tolist() == [list(step[2]) for step in log]
    np.testing.assert_allclose(found.validation_loss, losses, rtol=1e-6)


def test_weights_in_no_group_stay_as_they_were():
    model = net()
    head = {"kind": "constant", "lr": 0.5, "groups": GROUPS[1:]}
    trained = []

    class Watched(Net):
        def __init__(self):
            super().__init__()
            self.load_state_dict(model.state_dict())
            trained.append(self)

    race(Task(Watched, loader(), others()), [head], steps=2)
    assert torch.equal(trained[0][1].weight, model[1].weight)
    assert not torch.equal(trained[0][5].weight, model[5].weight)


def test_a_followed_scheduler_trains_the_network_as_it_would_itself():
    model = net()
    optimizer = by_hand(model)
    scheduler = lr_scheduler.LambdaLR(optimizer, [lambda n: 0.9**n, lambda n: 1 / (1 + n)])
    spec = schedule(scheduler, 3, network=model).spec
    (found,) = race(Task(model, loader(), others()), [json.loads(json.dumps(spec))], steps=3).histories
    torch.manual_seed(0)
    mine = net()
    own = by_hand(mine)
    theirs = lr_scheduler.LambdaLR(own, [lambda n: 0.9**n, lambda n: 1 / (1 + n)])
    losses = []
    for _ in range(3):
        losses += [step[0] for step in lecture(mine, loader(), own)]
        judged(mine, others())  # whose loader draws too
        theirs.step()
    assert found.loss.tolist() == losses
    with pytest.raises(ValueError, match=r"there are 2 groups of parameters"):
        _ = found.lr


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_race_of_groups_comes_back_from_a_file_to_the_last_bit(tmp_path, suffix):
    found = race(Task(net(), loader(), others()), [{"kind": "cosine", "groups": GROUPS}, {"kind": "cosine"}], steps=3)
    found.save(tmp_path / f"a{suffix}")
    again = Race.load(tmp_path / f"a{suffix}")
    for one, other in zip(again.histories, found.histories, strict=True):
        assert (one.rates.shape, one.rates.tobytes()) == (other.rates.shape, other.rates.tobytes())
        assert one.spec == other.spec
    assert History.load(tmp_path / f"a{suffix}").rates.shape == (2, 9)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            [{}, {"factor": 0.1}],
            "the schedule has 2 groups of parameters but does not say which weights are in which",
        ),
        (
            [{"parameters": ["5.wait"]}],
            "a group of the schedule holds '5.wait', but Net has no such parameter. Did you mean '5.weight'",
        ),
    ],
)
def test_groups_that_are_not_the_network_s_are_refused(groups, sentence):
    with pytest.raises(ValueError, match=sentence):
        race(Task(net(), loader(), others()), [{"kind": "constant", "groups": groups}], steps=2)
