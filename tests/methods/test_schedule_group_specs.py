"""A schedule of groups is what torch's scheduler gives an optimizer that has them; what is wrong with them is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim import SGD
from torch.optim import lr_scheduler as S

from cnnwidgets.methods import schedule
from cnnwidgets.methods.schedule_parameters import KINDS
from cnnwidgets.methods.schedules import sketch
from tests.methods.test_schedules import BY_HAND, LOSSES, executed, spec_of

GROUPS = [{"factor": 0.1, "name": "body", "weight_decay": 0.01}, {}, {"factor": 3.0, "momentum": 0.5}]


def groups_of(kind: str) -> list[dict]:
    return [{"rates": [1.0, 0.5]}, {}, {"rates": [0.3]}] if kind == "recorded" else GROUPS


def made_by_hand(kind: str, base: float):
    """An optimizer and its scheduler of GROUPS as torch's user writes them."""
    blanks = [[torch.zeros(1, requires_grad=True)] for _ in GROUPS]
    factors = [1.0] * 3 if kind == "recorded" else [0.1, 1.0, 3.0]
    optimizer = SGD([{"params": p, "lr": base * f} for p, f in zip(blanks, factors, strict=True)], lr=base, momentum=0.9)
    if kind != "recorded":
        optimizer.param_groups[2]["momentum"] = 0.5
    each = [0.5 * factor for factor in factors]
    special = {
        "cyclic": lambda: S.CyclicLR(
            optimizer, each, [2.0 * f for f in factors], 4, 7, "exp_range", 0.97, base_momentum=0.85, max_momentum=0.95
        ),
        "onecycle": lambda: S.OneCycleLR(
            optimizer, each, 50, pct_start=0.4, anneal_strategy="linear", three_phase=True, div_factor=10
        ),
        "recorded": lambda: S.LambdaLR(
            optimizer,
            [lambda n: [1.0, 0.5][min(n, 1)], lambda n: [0.3, 0.1, 0.2][min(n, 2)], lambda n: 0.3],
        ),
    }  # fmt: skip
    return optimizer, special.get(kind, lambda: BY_HAND[kind][1](optimizer))()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_of_groups_is_torchs_of_an_optimizer_with_groups(kind):
    optimizer, scheduler = made_by_hand(kind, 0.5 if KINDS[kind].rate else 1.0)
    rates, momenta = [], []
    for step in range(40):
        rates.append([group["lr"] for group in optimizer.param_groups])
        momenta.append([group["momentum"] for group in optimizer.param_groups])
        scheduler.step(*([LOSSES[step]] if kind == "plateau" else []))
    spec = spec_of(kind, groups=groups_of(kind))
    found = schedule(spec, 40)
    assert found.rates.T.tolist() == rates == executed(found.code)
    assert found.momenta.T.tolist() == momenta
    assert found.spec == spec
    if kind != "plateau":
        np.testing.assert_allclose(sketch(spec, 40, np.arange(40)), found.rates, rtol=1e-9, atol=1e-15)


def test_the_minima_of_restarts_are_those_of_all_groups():
    spec = {"kind": "restarts", "T_0": 5, "lr": 0.1}
    grouped = schedule({**spec, "groups": [{"factor": 0.0}, {"factor": 0.3}, {}]}, 17)
    assert grouped.minima.tolist() == schedule(spec, 17).minima.tolist() == [4, 9, 14, 16]


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "RMSprop", "SGD"])
def test_the_code_gives_each_group_its_own_momentum_and_decay(optimizer):
    found = schedule({"kind": "constant", "optimizer": optimizer, "groups": GROUPS}, 2)
    names: dict = {}
    exec(found.code, names)
    groups = names["optimizer"].param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0, 0.0]
    assert [group["betas"][0] if "betas" in group else group["momentum"] for group in groups] == [0.9, 0.9, 0.5]
    assert found.momenta[:, 0].tolist() == [0.9, 0.9, 0.5]
    assert [group.get("name") for group in groups] == ["body", None, None]


@pytest.mark.parametrize(
    ("groups", "error", "sentence"),
    [
        ("two", ValueError, "groups is 'two'; expected a list of dicts"),
        ([0.1], ValueError, r"groups is \[0.1\]; expected a list of dicts"),
        ([{"lr": 0.1}], TypeError, "groups has no parameter 'lr'. Each of them has: name, factor"),
        ([{"facter": 1}], TypeError, "groups has no parameter 'facter'. Did you mean 'factor'?"),
        ([{}, {"factor": -1}], ValueError, r"groups\[1\]\['factor'\] is -1; expected a number from 0"),
        ([{"name": 3}], ValueError, r"groups\[0\]\['name'\] is 3; expected a text"),
        ([{"parameters": "abc"}], ValueError, "expected a list of texts"),
        ([{"rates": [1]}], ValueError, "group 0 has rates of its own, and the schedule is step: expected a factor"),
        ([{"parameters": ["a"]}, {"parameters": ["b", "a"]}], ValueError, "'a' is in two groups of parameters"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_groups_is_said(groups, error, sentence):
    with pytest.raises(error, match=sentence):
        schedule({"kind": "step", "groups": groups}, 8)


def test_a_recorded_group_has_rates_and_no_factor():
    with pytest.raises(ValueError, match="group 0 of a recorded schedule has a factor; expected its rates"):
        schedule({"kind": "recorded", "groups": [{"factor": 2.0}]}, 8)


def test_groups_of_a_strangers_execute_nothing(tmp_path):
    trap = f"'\n__import__('pathlib').Path({str(tmp_path / 'trap')!r}).touch() #"
    found = schedule({"kind": "recorded", "groups": [{"name": trap, "parameters": [trap], "rates": [0.1]}, {}]}, 4)
    executed(found.code)
    for name in ("factor", "rates", "momentum", "weight_decay", "tensors", "weights", "frozen"):
        with pytest.raises(ValueError, match="; expected "):
            schedule({"kind": "step", "groups": [{name: trap}, {name: [trap]}]}, 4)
    assert not (tmp_path / "trap").exists()
