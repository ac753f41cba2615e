"""Every group of parameters is followed: its rates are those that a copy of torch's own scheduler gives, stepped by hand."""

from __future__ import annotations

import copy
import json
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, AdamW, lr_scheduler

from cnnwidgets.methods import schedule
from cnnwidgets.methods.schedule_groups import label, settings_of
from cnnwidgets.methods.schedules import told
from tests.methods.learning import net, record
from tests.methods.test_schedules import LOSSES, executed, plain_state

S = lr_scheduler
STEPS = 24


def sgd(model, *more: dict, **options) -> SGD:
    groups = [{"params": [*model[1].parameters()], "lr": 0.03, "name": "body"}, {"params": [*model[5].parameters()]}, *more]
    return SGD(groups, **{"lr": 0.3, "momentum": 0.9} | options)


def adam(model) -> AdamW:
    groups = [{"params": model[1].parameters(), "betas": (0.8, 0.99)}, {"params": model[5].parameters(), "lr": 0.2}]
    return AdamW(groups, lr=0.01)


def tensors(model) -> SGD:
    return SGD([{"params": model[1].parameters(), "lr": torch.tensor(0.03)}, {"params": model[5].parameters()}], lr=0.3)


def grown(model):
    optimizer = sgd(model)
    scheduler = S.ExponentialLR(optimizer, 0.9)
    scheduler.step()
    optimizer.add_param_group({"params": model[2].parameters(), "lr": 7.0, "momentum": 0.1})
    return optimizer, scheduler


def plateau_grown(model):
    optimizer = sgd(model)
    scheduler = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    optimizer.add_param_group({"params": model[2].parameters(), "lr": 7.0})
    return optimizer, scheduler


class Wrapped(SGD):
    """Hands on the groups of the optimizer that it wraps, as libraries' do."""

    def __init__(self, optimizer: SGD):
        self.optimizer, self.defaults, self.state = optimizer, optimizer.defaults, optimizer.state

    def state_dict(self):
        return self.optimizer.state_dict()

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups):
        raise AssertionError("set")


def frozen(model) -> SGD:
    model[2].requires_grad_(False)
    return sgd(model, {"params": model[2].parameters(), "lr": 5.0}, {"params": []})


def both(make, schedule_):
    def made(model):
        optimizer = make(model)
        return optimizer, schedule_(optimizer)

    return made


THEIRS = {
    "a function for each": both(sgd, lambda o: S.LambdaLR(o, [lambda n: 0.9**n, lambda n: 1 / (1 + n)])),
    "a factor for each": both(sgd, lambda o: S.MultiplicativeLR(o, [lambda n: 0.9, lambda n: 0.5])),
    "one cycle": both(sgd, lambda o: S.OneCycleLR(o, [0.5, 0.01], 30)),
    "one cycle of Adam": both(
        adam, lambda o: S.OneCycleLR(o, [0.5, 0.01], 30, base_momentum=[0.7, 0.8], max_momentum=[0.9, 0.95])
    ),
    "cyclic": both(sgd, lambda o: S.CyclicLR(o, [0.1, 0.2], [1.0, 3.0], 4, base_momentum=[0.1, 0.2])),
    "step": both(adam, lambda o: S.StepLR(o, 5)),
    "plateau": both(sgd, lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=0, min_lr=[0.02, 0.1])),
    "one after another": both(
        sgd, lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, total_iters=6), S.CosineAnnealingLR(o, 9)], milestones=[6])
    ),
    "chained": both(adam, lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 8), S.ExponentialLR(o, 0.9)])),
    "a tensor as rate": both(tensors, lambda o: S.ExponentialLR(o, 0.9)),
    "a group added later": grown,
    "a group added to a plateau": plateau_grown,
    "a wrapped optimizer": both(lambda model: Wrapped(sgd(model)), lambda o: S.PolynomialLR(o, 9)),
    "a frozen group and an empty one": both(frozen, lambda o: S.StepLR(o, 3)),
    "restarts": both(sgd, lambda o: S.CosineAnnealingWarmRestarts(o, 5, 2)),
}  # fmt: skip


def by_hand(scheduler, losses) -> tuple[list[list[float]], list[list[float]]]:
    """The rates and momenta (groups, STEPS) of a copy."""
    if isinstance(scheduler.optimizer, Wrapped):
        scheduler.optimizer = scheduler.optimizer.optimizer
    ours = copy.deepcopy(scheduler)
    groups = ours.optimizer.param_groups
    rates, momenta = [[] for _ in groups], [[] for _ in groups]
    for step in range(STEPS):
        for k, group in enumerate(groups):
            rates[k].append(float(group["lr"]))
            momenta[k].append(group["momentum"] if "momentum" in group else group["betas"][0])
        ours.step(*([losses[step]] if losses else []))
    return rates, momenta


@pytest.mark.filterwarnings("ignore::UserWarning")  # of the copy's steps
@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("name", THEIRS)
def test_every_group_is_followed_and_all_is_left_as_it_is(name, after):
    model = net()
    optimizer, scheduler = THEIRS[name](model)
    losses = LOSSES if "plateau" in name else None
    for step in range(after):
        scheduler.step(*([losses[step]] if losses else []))
    kept = record(model), plain_state(optimizer), plain_state(scheduler), {**scheduler.__dict__}
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = schedule(scheduler, STEPS, losses=losses)

    assert (record(model), plain_state(optimizer), plain_state(scheduler), scheduler.__dict__) == kept
    assert [id(p) for group in optimizer.param_groups for p in group["params"]] == held
    assert scheduler.optimizer is optimizer
    rates, momenta = by_hand(scheduler, losses)
    assert found.rates.tolist() == rates
    np.testing.assert_array_equal(found.momenta, momenta)
    assert [list(step) for step in zip(*rates, strict=True)] == executed(found.code)
    again = schedule(json.loads(json.dumps(found.spec)), STEPS)
    assert again.rates.tobytes() == found.rates.tobytes()
    assert len({tuple(own) for own in rates}) > 1


def test_a_rate_that_is_a_tensor_stays_the_same_tensor():
    optimizer = tensors(net())
    rate = optimizer.param_groups[0]["lr"]
    schedule(S.ExponentialLR(optimizer, 0.9), STEPS)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == torch.tensor(0.03).item()


def test_one_rate_stands_for_all_groups_only_where_it_is_theirs():
    model = net()
    found = schedule(S.StepLR(sgd(model), 5), STEPS)
    with pytest.raises(ValueError, match=r"there are 2 groups of parameters, and they differ: read rates\[k\] for group k"):
        _ = found.lr
    assert found.momentum.tolist() == [0.9] * STEPS
    same = schedule(S.StepLR(SGD([{"params": [each]} for each in model.parameters()], lr=0.5), 5), STEPS)
    assert same.rates.shape == (6, STEPS)
    np.testing.assert_allclose(same.lr, 0.5 * 0.1 ** (np.arange(STEPS) // 5))


# what a legend calls them


def test_groups_of_the_same_rate_are_drawn_once_and_it_is_said():
    model = net()
    decay = {"params": [model[2].weight], "lr": 0.03, "weight_decay": 0.1}
    found = schedule(S.StepLR(sgd(model, decay, {"params": [model[2].bias]}), 5), STEPS)
    assert [(one.members, one.label) for one in found.courses] == [([0, 2], "body, group 2"), ([1, 3], "groups 1, 3")]
    assert repr(found) == (
        "<schedule: your own scheduler, 24 steps, 0.03 to 3×10⁻⁶ (body, group 2), 0.3 to 3×10⁻⁵ (groups 1, 3)>"
    )
    assert [group.get("weight_decay") for group in found.spec["groups"]] == [None, None, 0.1, None]


def test_groups_of_the_same_rate_whose_momenta_move_apart_are_drawn_apart():
    model = net()
    optimizer = SGD([{"params": [each]} for each in model.parameters()], lr=0.1, momentum=0.9)
    own = [0.5, 0.5, 0.6, 0.6, 0.5, 0.5]
    found = schedule(S.OneCycleLR(optimizer, 0.1, 30, base_momentum=own), STEPS)
    assert [one.label for one in found.courses] == ["groups 0, 1, 4, 5", "groups 2, 3"]
    assert [one.momentum.min() for one in found.courses] == [0.5, 0.6]


@pytest.mark.parametrize(
    ("groups", "members", "words"),
    [
        ([], [0], ""),
        ([{"name": "head"}], [0], ""),
        ([{}, {"tensors": 12, "weights": 3456}], [1], "group 1 · 12 tensors, 3,456 weights"),
        ([{}, {"tensors": 1, "weights": 5, "frozen": True}], [1], "group 1 · 1 tensor, 5 weights, frozen"),
        ([{}, {"tensors": 0}], [1], "group 1 · empty"),
        ([{}, {}], [1], "group 1"),
        ([{"tensors": 2}] * 9, [0, 1], "groups 0, 1"),
        ([{}] * 9, [0, 1, 2, 3, 6, 8], "groups 0 to 3, 6, 8"),
        ([{"name": "a"}, {"name": "b"}, {}], [0, 1], "a, b"),
        ([{"name": "a"}, {"name": "a"}, {}], [1, 2], "a (group 1), group 2"),
    ],
)
def test_a_legend_calls_groups_by_their_names_or_numbers(groups, members, words):
    assert label(groups, members) == words


def test_a_group_s_size_is_counted_and_what_does_not_learn_is_said():
    optimizer = frozen(net())
    spec = schedule(S.StepLR(optimizer, 5), 3).spec
    sizes = [(group["tensors"], group["weights"], group["frozen"]) for group in spec["groups"]]
    assert sizes == [(2, 25, False), (2, 12, False), (2, 10, True), (0, 0, False)]


def test_of_many_groups_a_sentence_tells_the_range():
    model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(12)))
    optimizer = SGD([{"params": each.parameters(), "lr": 0.5**k} for k, each in enumerate(model)], lr=1.0)
    found = schedule(S.ConstantLR(optimizer, 1.0), 3)
    assert told(found) == "12 groups, starting at 0.000488 to 1, ending at 0.000488 to 1"
    assert len(found.courses) == 12


# an optimizer's settings


def test_a_schedule_begins_with_the_settings_of_each_group():
    optimizer = SGD(
        [{"params": [torch.zeros(2)], "lr": 0.02, "momentum": 0.5}, {"params": [torch.zeros(3)], "weight_decay": 0.1}],
        lr=0.1,
    )
    found = schedule({"kind": "cosine", **settings_of(optimizer)}, 10)
    np.testing.assert_allclose(found.rates[:, 0], [0.02, 0.1], rtol=1e-15)
    assert found.momenta[:, 0].tolist() == [0.5, 0.0]
    assert [group.get("weight_decay", found.spec["weight_decay"]) for group in found.spec["groups"]] == [0.0, 0.1]


def test_an_optimizer_of_one_group_has_none_in_its_spec():
    model = net()
    assert "groups" not in settings_of(SGD(model.parameters(), lr=0.1), model)
    assert "groups" not in settings_of(Adagrad(model.parameters(), lr=0.1))


def test_the_weights_are_named_where_the_network_or_the_optimizer_tells():
    model = net()
    named = settings_of(sgd(model), model)["groups"]
    assert [group["parameters"] for group in named] == [["1.weight", "1.bias"], ["5.weight", "5.bias"]]
    assert "parameters" not in settings_of(sgd(model))["groups"][0]
    assert "parameters" not in settings_of(sgd(model), net())["groups"][0]  # another network
    (alone,) = settings_of(SGD(model[5].parameters(), lr=0.1), model)["groups"]
    assert alone["parameters"] == ["5.weight", "5.bias"]


def test_an_optimizer_that_was_given_names_keeps_them():
    model = net()
    optimizer = SGD([{"params": [*model[k].named_parameters(prefix=str(k))]} for k in (1, 5)], lr=0.1)
    if "param_names" not in optimizer.param_groups[0]:
        pytest.skip("this torch keeps no names")
    assert settings_of(optimizer)["groups"][1]["parameters"] == ["5.weight", "5.bias"]


# what is wrong


def test_a_scheduler_that_torch_cannot_step_any_more_says_why():
    model = net()
    optimizer = sgd(model)
    scheduler = S.LambdaLR(optimizer, [lambda n: 1.0, lambda n: 0.5])
    optimizer.add_param_group({"params": model[2].parameters()})
    with pytest.raises(ValueError, match="LambdaLR: it was made for 2 groups of parameters, but its optimizer now has 3"):
        schedule(scheduler, 3)
    assert schedule(scheduler, 1).rates.tolist() == [[0.03], [0.15], [0.3]]


def test_an_optimizer_that_sets_its_rate_itself_is_refused():
    optimizer = SGD([{"params": [torch.zeros(1)]}], lr=0.1)
    scheduler = S.StepLR(optimizer, 2)
    optimizer.param_groups[0]["lr"] = None
    with pytest.raises(ValueError, match="has lr=None, so it sets its own rate; expected a number"):
        schedule(scheduler, 3)
