"""A schedule is what torch's scheduler, built by hand and stepped, gives, value for value; its code says the same."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, Adam, lr_scheduler

from cnnwidgets.methods import schedule
from cnnwidgets.methods.schedule_parameters import KINDS
from cnnwidgets.methods.schedules import sketch, title
from cnnwidgets.net import Cancelled
from tests.methods.learning import record
from tests.net.networks import CancelAt

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of schedulers stepped, and optimizers not

LOSSES = [1.0, 0.5, 0.6, 0.7, 0.8, 0.49, 0.6, 0.6, 0.6, 0.6, 0.4, 0.5] + [0.45] * 30

BY_HAND = {
    "constant": ({}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": ({"step_size": 7, "gamma": 0.3}, lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
    "multistep": ({"milestones": [3, 20, 20], "gamma": 0.5}, lambda o: lr_scheduler.MultiStepLR(o, [3, 20, 20], 0.5)),
    "exponential": ({"gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "inverse": ({"gamma": 0.2}, lambda o: lr_scheduler.LambdaLR(o, lambda n: 1 / (1 + 0.2 * n))),
    "polynomial": ({"total_iters": 30, "power": 2.5}, lambda o: lr_scheduler.PolynomialLR(o, 30, 2.5)),
    "cosine": ({"T_max": 15, "eta_min": 0.01}, lambda o: lr_scheduler.CosineAnnealingLR(o, 15, 0.01)),
    "restarts": (
        {"T_0": 5, "T_mult": 2, "eta_min": 0.001},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, 0.001),
    ),
    "cyclic": (
        {"max_lr": 2.0, "step_size_up": 4, "step_size_down": 7, "mode": "exp_range", "gamma": 0.97},
        lambda o: lr_scheduler.CyclicLR(
            o, 0.5, 2.0, 4, 7, "exp_range", 0.97, cycle_momentum=True, base_momentum=0.85, max_momentum=0.95
        ),
    ),
    "onecycle": (
        {"total_steps": 50, "pct_start": 0.4, "anneal_strategy": "linear", "three_phase": True, "div_factor": 10.0},
        lambda o: lr_scheduler.OneCycleLR(
            o, 0.5, 50, pct_start=0.4, anneal_strategy="linear", three_phase=True, div_factor=10, final_div_factor=1e4
        ),
    ),
    "plateau": (
        {"factor": 0.5, "patience": 1, "cooldown": 2, "min_lr": 0.05, "losses": LOSSES},
        lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=2, min_lr=0.05),
    ),
    "drawn": (
        {"at": [0, 10.5, 30], "rates": [0.1, 1.0, 0.0]},
        lambda o: lr_scheduler.LambdaLR(o, lambda n: float(np.interp(n, [0, 10.5, 30], [0.1, 1.0, 0.0]))),
    ),
    "recorded": (
        {"rates": [0.3, 0.1, 0.2]},
        lambda o: lr_scheduler.LambdaLR(o, lambda n: [0.3, 0.1, 0.2, *[0.2] * 100][n]),
    ),
}  # fmt: skip


def spec_of(kind: str, **more) -> dict:
    return {"kind": kind, **({"lr": 0.5} if KINDS[kind].rate else {}), **BY_HAND[kind][0], **more}


def optimizer_for(kind: str) -> SGD:
    return SGD([torch.zeros(1, requires_grad=True)], lr=0.5 if KINDS[kind].rate else 1.0, momentum=0.9)


def stepped(optimizer, steps: int, advance) -> tuple[list, list]:
    """The rates and the momenta at each step: a number, or a list of several groups'."""
    rates, momenta = [], []
    for step in range(steps):
        groups = optimizer.param_groups
        rates.append([group["lr"] for group in groups] if len(groups) > 1 else groups[0]["lr"])
        own = [group["momentum"] if "momentum" in group else group["betas"][0] for group in groups]
        momenta.append(own if len(groups) > 1 else own[0])
        optimizer.step()
        if step < steps - 1:
            advance(step)
    return rates, momenta


def executed(code: str) -> list[float]:
    names: dict = {}
    exec(code, names)
    return names["lr"]


# what torch gives


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_torchs_scheduler_stepped(kind):
    optimizer = optimizer_for(kind)
    scheduler = BY_HAND[kind][1](optimizer)
    advance = (lambda step: scheduler.step(LOSSES[step])) if kind == "plateau" else (lambda _: scheduler.step())
    rates, momentum = stepped(optimizer, 40, advance)
    found = schedule(spec_of(kind), 40)
    assert found.lr.tolist() == rates
    assert found.momentum.tolist() == momentum
    assert found.moves_momentum == (kind in ("cyclic", "onecycle"))
    assert found.steps.tolist() == list(range(40))
    assert len(set(rates)) > 1 or kind == "constant"


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_up_before_every_kind(kind):
    optimizer = optimizer_for(kind)
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=6)
    main = BY_HAND[kind][1](optimizer)
    if kind == "plateau":

        def advance(step):
            warmup.step() if step < 6 else main.step(LOSSES[step])
    else:
        both = lr_scheduler.SequentialLR(optimizer, [warmup, main], milestones=[6])

        def advance(_):
            both.step()

    rates, momentum = stepped(optimizer, 40, advance)
    found = schedule(spec_of(kind, warmup=6, warmup_factor=0.2), 40)
    assert found.lr.tolist() == rates
    assert found.momentum.tolist() == momentum
    assert rates[0] < rates[3] < rates[6] or kind in ("drawn", "recorded")
    assert executed(found.code) == rates


def test_the_lectures_step_decay_from_a_half():
    lr = schedule({"kind": "step", "lr": 0.5, "step_size": 30, "gamma": 0.1}, 100).lr
    assert lr[[0, 29]].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(lr, 0.5 * 0.1 ** (np.arange(100) // 30), rtol=1e-15)
    np.testing.assert_allclose(lr[[30, 59, 60, 89, 90, 99]], [0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005], rtol=1e-15)


def test_the_lectures_drops_at_30_and_80():
    lr = schedule({"kind": "multistep", "lr": 0.5, "milestones": [30, 80], "gamma": 0.1}, 100).lr
    np.testing.assert_allclose(lr, np.repeat([0.5, 0.05, 0.005], [30, 50, 20]), rtol=1e-15)


@pytest.mark.parametrize("optimizer, momentum", [("Adam", 0.8), ("AdamW", 0.8), ("RMSprop", 0.8), ("SGD", 0.8)])
def test_momentum_is_adams_first_beta(optimizer, momentum):
    found = schedule({"kind": "constant", "optimizer": optimizer, "momentum": momentum}, 3)
    assert found.momentum.tolist() == [momentum] * 3
    moving = schedule({"kind": "onecycle", "lr": 1.0, "optimizer": optimizer}, 10).momentum
    torchs = [torch.zeros(1, requires_grad=True)]
    options = {"betas": (0.8, 0.999)} if optimizer.startswith("Adam") else {"momentum": 0.8}
    theirs = getattr(torch.optim, optimizer)(torchs, lr=1.0, **options)
    scheduler = lr_scheduler.OneCycleLR(theirs, 1.0, 10)
    assert moving.tolist() == stepped(theirs, 10, lambda _: scheduler.step())[1]


def test_what_is_left_out_follows_from_the_steps():
    assert schedule({"kind": "cosine", "warmup": 5}, 30).code.count("T_max=25") == 1
    assert schedule({"kind": "polynomial"}, 30).lr[29] == pytest.approx(0.1 / 30)
    assert schedule({"kind": "cyclic", "lr": 0.2}, 30).lr.max() == 2.0
    assert schedule({"kind": "onecycle", "lr": 0.2}, 30).lr.max() == pytest.approx(0.2)


@given(st.integers(2, 12), st.integers(1, 4), st.integers(1, 120), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_minima_are_the_steps_before_the_restarts_and_the_last(first, times, steps, warmup):
    found = schedule({"kind": "restarts", "T_0": first, "T_mult": times, "warmup": warmup}, steps)
    restarts, length, now = [], first, warmup + first
    while now < steps:
        restarts.append(now)
        length *= times
        now += length
    assert found.minima.tolist() == [*(restart - 1 for restart in restarts), steps - 1]


@pytest.mark.parametrize("kind", ["constant", "step", "cosine", "exponential"])
def test_without_restarts_the_last_step_is_the_only_minimum(kind):
    assert schedule({"kind": kind}, 25).minima.tolist() == [24]


def test_a_long_schedule_can_be_cancelled():
    with pytest.raises(Cancelled):
        schedule({"kind": "step"}, 5_000, cancel=CancelAt(3))
    assert len(schedule({"kind": "step"}, 2_500, cancel=CancelAt(3)).lr) == 2_500


# any settings


def floats(low, high):
    return st.floats(low, high, allow_nan=False)


def anything(kind: str, steps: int) -> st.SearchStrategy:
    """Specs of a kind with random values for a random part of its parameters."""
    lr = floats(1e-6, 10)
    own: dict[str, st.SearchStrategy] = {
        "constant": {},
        "step": {"step_size": st.integers(1, 40), "gamma": floats(0, 1)},
        "multistep": {"milestones": st.lists(st.integers(0, 60), min_size=1, max_size=5), "gamma": floats(0, 1)},
        "exponential": {"gamma": floats(0.5, 1)},
        "inverse": {"gamma": floats(0, 10)},
        "polynomial": {"total_iters": st.integers(1, 80), "power": floats(0, 5)},
        "cosine": {"T_max": st.integers(1, 80), "eta_min": floats(0, 0.1)},
        "restarts": {"T_0": st.integers(1, 30), "T_mult": st.integers(1, 10), "eta_min": floats(0, 0.1)},
        "cyclic": {
            "max_lr": floats(10, 50),
            "step_size_up": st.integers(1, 20),
            "step_size_down": st.integers(1, 20),
            "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
            "gamma": floats(0.5, 1),
            "cycle_momentum": st.booleans(),
        },
        "onecycle": {
            "total_steps": st.integers(steps, 200),
            "pct_start": floats(0, 0.99),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "div_factor": floats(1, 100),
            "three_phase": st.booleans(),
            "cycle_momentum": st.booleans(),
        },
        "plateau": {
            "factor": floats(0, 0.9),
            "patience": st.integers(0, 5),
            "threshold": floats(0, 0.5),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 5),
            "min_lr": floats(0, 0.01),
        },
        "drawn": {},
        "recorded": {"rates": st.lists(floats(0, 10), min_size=1, max_size=70)},
    }[kind]
    always = {"kind": st.just(kind)}
    if kind == "plateau":
        always["losses"] = st.lists(floats(0, 2), min_size=steps, max_size=steps)
    if kind == "drawn":
        knots = st.lists(st.tuples(floats(0, 60), floats(0, 10)), min_size=1, max_size=6, unique_by=lambda knot: knot[0])
        always |= {"at": knots.map(sorted)}
    common = {"warmup": st.integers(0, 20), "warmup_factor": floats(0.01, 1)}
    common |= {"optimizer": st.sampled_from(["SGD", "Adam", "AdamW", "RMSprop"])}
    if KINDS[kind].rate:
        common["lr"] = lr
    found = st.fixed_dictionaries(always, optional={**own, **common})
    if kind == "drawn":
        return found.map(lambda spec: spec | {"at": [a for a, _ in spec["at"]], "rates": [r for _, r in spec["at"]]})
    return found


specs = st.sampled_from([*KINDS]).flatmap(
    lambda kind: st.integers(1, 60).flatmap(lambda n: st.tuples(anything(kind, n), st.just(n)))
)


@given(specs)
@settings(max_examples=150, deadline=None)
def test_the_code_gives_the_same_rates_and_the_spec_survives_json(drawn):
    spec, steps = drawn
    try:
        found = schedule(spec, steps)
    except ValueError as error:
        assert "torch does not accept this schedule" in str(error)  # one cycle that rises in exactly one step
        return
    assert executed(found.code) == found.lr.tolist()
    again = schedule(json.loads(json.dumps(found.spec)), steps)
    assert again.lr.tobytes() == found.lr.tobytes()
    assert again.code == found.code
    assert found.spec == spec


@given(specs)
@settings(max_examples=150, deadline=None)
def test_a_sketch_is_the_stepped_schedule_but_for_rounding(drawn):
    spec, steps = drawn
    at = np.unique(np.linspace(0, steps - 1, 17).astype(int))
    for places in (at, np.arange(steps)):
        try:
            found = sketch(spec, steps, places)
        except ValueError:
            return
        if spec["kind"] == "plateau":
            assert found is None
            return
        np.testing.assert_allclose(found, schedule(spec, steps).rates[:, places], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("times, first", [(2, 1), (3, 1), (5, 2), (6, 1), (7, 3), (10, 1)])
def test_a_sketch_knows_the_cycle_where_a_logarithm_would_be_rounded(times, first):
    spec, steps = {"kind": "restarts", "T_0": first, "T_mult": times}, 1_200
    np.testing.assert_allclose(sketch(spec, steps, np.arange(steps)), schedule(spec, steps).rates, rtol=1e-9, atol=1e-16)


def test_the_code_runs_in_a_process_of_its_own():
    found = [schedule(spec_of(kind, **more), 40) for kind in KINDS for more in ({}, {"warmup": 5, "optimizer": "Adam"})]
    program = (
        "import json, sys, warnings; warnings.simplefilter('ignore'); rates = []\n"
        "for code in json.load(sys.stdin):\n    names = {}; exec(code, names); rates.append(names['lr'])\n"
        "json.dump(rates, sys.stdout)"
    )
    codes = json.dumps([each.code for each in found])
    done = subprocess.run([sys.executable, "-c", program], input=codes, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [each.lr.tolist() for each in found]
    assert not any("cnnwidgets" in each.code for each in found)


# somebody's own scheduler


def theirs() -> dict:
    """Optimizers and schedulers as a user makes them: of every class of torch, and one of their own."""
    model = torch.nn.Linear(3, 2)

    def sgd():
        return SGD(model.parameters(), lr=0.5, momentum=0.9)

    def groups():
        return SGD([{"params": [model.weight], "lr": 0.3}, {"params": [model.bias]}], lr=0.1, momentum=0.5)

    def adam():
        return Adam(model.parameters(), lr=0.01)

    class Warm:
        """A callable with a state."""

        def __init__(self):
            self.called = 0

        def __call__(self, step):
            self.called += 1
            return min(1.0, (step + 1) / 10)

    class Own(lr_scheduler.LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) ** 0.5 for base in self.base_lrs]

    s = lr_scheduler
    made = {
        "constant": (adam(), lambda o: s.ConstantLR(o, 0.5, 7)),
        "linear": (sgd(), lambda o: s.LinearLR(o, 0.1, 1.0, 9)),
        "step": (adam(), lambda o: s.StepLR(o, 4, 0.5)),
        "multistep": (sgd(), lambda o: s.MultiStepLR(o, [5, 9])),
        "exponential": (groups(), lambda o: s.ExponentialLR(o, 0.9)),
        "lambda": (adam(), lambda o: s.LambdaLR(o, lambda step: 0.9**step)),
        "a callable": (sgd(), lambda o: s.LambdaLR(o, Warm())),
        "multiplicative": (sgd(), lambda o: s.MultiplicativeLR(o, lambda step: 0.95)),
        "polynomial": (sgd(), lambda o: s.PolynomialLR(o, 12, 2)),
        "cosine": (adam(), lambda o: s.CosineAnnealingLR(o, 8)),
        "restarts": (sgd(), lambda o: s.CosineAnnealingWarmRestarts(o, 3, 2)),
        "cyclic": (sgd(), lambda o: s.CyclicLR(o, 0.1, 1.0, 3)),
        "cyclic by a function": (adam(), lambda o: s.CyclicLR(o, 0.1, 1.0, 3, scale_fn=lambda x: 0.9**x)),
        "one cycle": (adam(), lambda o: s.OneCycleLR(o, 0.1, 30)),
        "sequential": (
            sgd(),
            lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=6), s.ExponentialLR(o, 0.9)], milestones=[6]),
        ),
        "chained": (adam(), lambda o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 8), s.ExponentialLR(o, 0.9)])),
        "plateau": (adam(), lambda o: s.ReduceLROnPlateau(o, patience=1, factor=0.5)),
        "of their own": (sgd(), Own),
    }  # fmt: skip
    return {name: (model, optimizer, make(optimizer)) for name, (optimizer, make) in made.items()}


def some_training(model, optimizer, scheduler, steps: int) -> None:
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).pow(2).sum().backward()
        optimizer.step()
        scheduler.step(*[LOSSES[step]] * isinstance(scheduler, lr_scheduler.ReduceLROnPlateau))


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize("name", theirs())
def test_a_scheduler_of_ones_own_is_followed_from_where_it_stands_and_left_as_it_is(name, after):
    model, optimizer, scheduler = theirs()[name]
    some_training(model, optimizer, scheduler, after)
    kept = record(model), plain_state(optimizer), plain_state(scheduler)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    gradients = [p.grad for p in model.parameters()]
    losses = LOSSES[after:] if name == "plateau" else None

    found = schedule(scheduler, 20, losses=losses)

    assert (record(model), plain_state(optimizer), plain_state(scheduler)) == kept
    assert [id(p) for group in optimizer.param_groups for p in group["params"]] == held
    assert scheduler.optimizer is optimizer
    assert all(p.grad is gradient for p, gradient in zip(model.parameters(), gradients, strict=True))

    advance = (lambda step: scheduler.step(losses[step])) if losses else (lambda _: scheduler.step())
    rates, momenta = stepped(optimizer, 20, advance)
    assert np.squeeze(found.rates.T).tolist() == rates
    assert np.squeeze(found.momenta.T).tolist() == momenta
    assert executed(found.code) == rates
    assert schedule(json.loads(json.dumps(found.spec)), 20).rates.tobytes() == found.rates.tobytes()


def plain_state(owner) -> str:
    """The state of an optimizer or a scheduler to the last bit; tensors as lists, functions by their address."""

    def plain(value):
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        return value.tolist() if isinstance(value, torch.Tensor) else value

    return repr(plain(owner.state_dict()))


@pytest.mark.parametrize("name", ["cyclic", "one cycle"])
def test_momentum_of_ones_own_cycles_moves(name):
    _, _, scheduler = theirs()[name]
    assert schedule(scheduler, 20).moves_momentum


def test_the_weights_are_not_copied():
    class Heavy(torch.nn.Parameter):
        def __deepcopy__(self, memo):
            raise AssertionError("copied")

    optimizer = Adam([Heavy(torch.zeros(3))], lr=0.1)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    assert schedule(lr_scheduler.StepLR(optimizer, 2), 3).lr.tolist() == [0.1, 0.1, 0.1 * 0.1]


def test_an_optimizer_without_momentum_has_none():
    optimizer = torch.optim.Adagrad([torch.zeros(1)], lr=0.1)
    found = schedule(lr_scheduler.StepLR(optimizer, 2), 3)
    assert np.isnan(found.momentum).all()
    assert not found.moves_momentum


# plateaus


def test_losses_of_a_plateau_may_be_an_array_and_hold_no_numbers():
    losses = np.array([1.0, np.nan, np.inf, 0.5, 0.6, 0.7])
    optimizer = SGD([torch.zeros(1)], lr=0.5)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    rates = []
    for loss in losses:
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(loss)
    found = schedule({"kind": "plateau", "lr": 0.5, "patience": 0}, 6, losses=losses)
    assert found.lr.tolist() == rates == executed(found.code)


def test_losses_that_are_given_go_before_those_of_the_spec():
    spec = {"kind": "plateau", "patience": 0, "losses": [1.0, 2.0, 3.0]}
    np.testing.assert_allclose(schedule(spec, 4).lr, [0.1, 0.1, 0.01, 0.001])
    assert schedule(spec, 4, losses=[3, 2, 1]).lr.tolist() == [0.1] * 4


# what is wrong


@pytest.mark.parametrize("steps", [0, -3, 2.0, 2.5, "9", None, float("nan")])
def test_a_number_of_steps_is_whole_and_positive(steps):
    for function in (lambda: schedule({"kind": "step"}, steps), lambda: sketch({"kind": "step"}, steps, np.arange(1))):
        with pytest.raises(ValueError, match=rf"steps is {steps!r}; expected a whole number of at least 1"):
            function()


@pytest.mark.parametrize(
    "spec, error, sentence",
    [
        ({"kind": "cosin"}, ValueError, r"no kind of schedule 'cosin': use constant, step, .* Did you mean 'cosine'"),
        ({}, ValueError, "no kind of schedule None"),
        ({"kind": ["step"]}, ValueError, r"no kind of schedule \['step'\]"),
        ({"kind": 3}, ValueError, "no kind of schedule 3"),
        ("cosine", TypeError, "a schedule is a str; expected a dict with a kind, or a scheduler"),
        (None, TypeError, "a schedule is a NoneType; expected a dict"),
        ({"kind": "step", "stepsize": 3}, TypeError, r"step has no parameter 'stepsize'. Did you mean 'step_size'"),
        ({"kind": "step", "T_max": 3}, TypeError, r"step has no parameter 'T_max'.* It has: lr, step_size, gamma, warmup"),
        ({"kind": "step", 3: 3}, TypeError, r"step has no parameter 3\. It has"),
        ({"kind": "drawn", "lr": 3}, TypeError, "drawn has no parameter 'lr'"),
        ({"kind": "step", "lr": -1}, ValueError, r"lr is -1; expected a number from 1e-12 to 100"),
        ({"kind": "step", "lr": 0}, ValueError, "lr is 0; expected a number from"),
        ({"kind": "step", "lr": 1e9}, ValueError, "lr is 1000000000.0; expected"),
        ({"kind": "step", "lr": math.nan}, ValueError, "lr is nan; expected"),
        ({"kind": "step", "lr": math.inf}, ValueError, "lr is inf; expected"),
        ({"kind": "step", "lr": None}, ValueError, "lr is None; expected"),
        ({"kind": "step", "lr": "0.1"}, ValueError, "lr is '0.1'; expected"),
        ({"kind": "step", "lr": np.ones(2)}, ValueError, r"lr is array\(\[1., 1.\]\); expected a number"),
        ({"kind": "step", "lr": 1j}, ValueError, "lr is 1j; expected"),
        ({"kind": "step", "step_size": 0}, ValueError, "step_size is 0; expected a whole number from 1 to 1e"),
        ({"kind": "step", "step_size": 2.5}, ValueError, "step_size is 2.5; expected a whole number"),
        ({"kind": "step", "gamma": 1.5}, ValueError, "gamma is 1.5; expected a number from 0 to 1"),
        ({"kind": "step", "momentum": 1}, ValueError, "momentum is 1; expected a number from 0 to 0.999999"),
        ({"kind": "step", "warmup": -1}, ValueError, "warmup is -1; expected a whole number from 0"),
        ({"kind": "step", "optimizer": "sgd"}, ValueError, "optimizer is 'sgd'; expected one of 'SGD', 'Adam'"),
        ({"kind": "multistep", "milestones": []}, ValueError, r"milestones is \[\]; expected a list of numbers"),
        ({"kind": "multistep", "milestones": 30}, ValueError, "milestones is 30; expected a list of numbers"),
        ({"kind": "multistep", "milestones": "30"}, ValueError, "milestones is '30'; expected a list"),
        ({"kind": "multistep", "milestones": [3, -1]}, ValueError, "milestones is -1; expected a whole number from 0"),
        ({"kind": "multistep", "milestones": [[3]]}, ValueError, r"milestones is \[3\]; expected a whole number"),
        ({"kind": "drawn", "at": [0, 9, 5], "rates": [1, 1, 1]}, ValueError, "out of order: 5 comes after 9"),
        ({"kind": "drawn", "at": [0, 5, 5], "rates": [1, 1, 1]}, ValueError, "out of order: 5 comes after 5"),
        ({"kind": "drawn", "at": [0, 5], "rates": [1, 1, 1]}, ValueError, "there are 2 knots and 3 rates"),
        ({"kind": "cyclic", "lr": 1, "max_lr": 0.1}, ValueError, "the highest rate 0.1 is below the lowest, 1"),
        ({"kind": "cyclic", "mode": "square"}, ValueError, "mode is 'square'; expected one of 'triangular'"),
        ({"kind": "onecycle", "total_steps": 7}, ValueError, "one cycle of 7 steps ends before the 8 steps of the schedule"),
        ({"kind": "onecycle", "total_steps": 5, "warmup": 2}, ValueError, "one cycle of 5 steps ends before the 8 steps"),
        ({"kind": "onecycle", "pct_start": 1 / 8}, ValueError, "torch does not accept this schedule: float division"),
        ({"kind": "plateau"}, ValueError, "needs the validation loss after each step: expected 7, got none"),
        ({"kind": "plateau", "losses": [1, 1]}, ValueError, "expected 7, got 2"),
        ({"kind": "plateau", "losses": ["1"] * 8}, ValueError, "losses is '1'; expected a number"),
        ({"kind": "recorded", "rates": []}, ValueError, r"rates is \[\]; expected a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_spec_is_said(spec, error, sentence):
    with pytest.raises(error, match=sentence):
        schedule(spec, 8)


def test_a_plateau_of_ones_own_wants_losses_too():
    with pytest.raises(ValueError, match="expected 7, got none"):
        schedule(lr_scheduler.ReduceLROnPlateau(SGD([torch.zeros(1)], lr=0.1)), 8)


def test_a_spec_of_a_strangers_executes_nothing(tmp_path):
    trap = f"__import__('pathlib').Path({str(tmp_path / 'trap')!r}).touch() or 1"
    for kind in KINDS:
        spec = spec_of(kind)
        names = {*spec, "warmup", "warmup_factor", "optimizer", "momentum", "weight_decay", *KINDS[kind].parameters}
        for name in names - {"kind"}:
            for value in (trap, [trap], {"a": trap}):
                with pytest.raises(ValueError, match="; expected "):
                    schedule({**spec, name: value}, 8)
        with pytest.raises(TypeError, match="has no parameter"):
            schedule({**spec, trap: 1}, 8)
        assert schedule({**spec, "name": trap}, 8).lr.tolist() == schedule(spec, 8).lr.tolist()
        assert trap not in schedule({**spec, "name": trap}, 8).code
    assert not (tmp_path / "trap").exists()


# what a spec is


def test_numbers_of_any_kind_end_as_plain_ones():
    spec = {
        "kind": "onecycle",
        "lr": np.float32(0.5),
        "total_steps": np.int64(20),
        "three_phase": np.bool_(True),
        "momentum": torch.tensor(0.5),
        "cycle_momentum": 0,
        "name": "mine",
        "div_factor": 10,
    }
    found = schedule(spec, 20)
    assert json.loads(json.dumps(found.spec)) == {
        "kind": "onecycle",
        "lr": 0.5,
        "total_steps": 20,
        "three_phase": True,
        "momentum": 0.5,
        "cycle_momentum": False,
        "name": "mine",
        "div_factor": 10.0,
    }
    assert "np." not in found.code
    milestones = schedule({"kind": "multistep", "milestones": np.array([3, 5])}, 20).spec["milestones"]
    assert milestones == [3, 5]
    assert isinstance(milestones, list)


def test_a_spec_that_is_given_stays_as_it_is():
    spec = {"kind": "multistep", "milestones": [3, 5]}
    schedule(spec, 20).spec["milestones"].append(7)
    assert spec == {"kind": "multistep", "milestones": [3, 5]}


def test_a_title_says_what_was_set():
    assert title({"kind": "step", "lr": 0.5, "step_size": 30}) == "step decay 0.5 (step_size 30)"
    assert title({"kind": "multistep", "milestones": [30, 80]}) == "drops at given steps (milestones [30, 80])"
    assert title({"kind": "cosine", "name": "the usual"}) == "the usual"


def test_no_warning_reaches_the_reader():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in KINDS:
            schedule(spec_of(kind), 20)
            if kind != "plateau":
                sketch(spec_of(kind, warmup=3), 20, np.arange(20))
