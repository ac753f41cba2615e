"""What can be set of each kind of learning-rate schedule, by the names of ``torch.optim.lr_scheduler``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from cnnwidgets.methods.parameters import Parameter, Rows, Text
from cnnwidgets.net.layers import nearest

HIGHEST = 100.0
"""The largest learning rate that is accepted."""

MOST_STEPS = 10_000_000

ON_OFF = (False, True)

VARIED = ("model", "init", "data", "freeze", "loss", "tasks", "regularize", "until")
"""What a spec may say besides optimizer and schedule, see :func:`cnnwidgets.methods.vary`."""


def _rate(default: float | None, help: str) -> Parameter:
    return Parameter(default, help, 0.0, HIGHEST)


def _steps(default: int | None, help: str, low: int = 1) -> Parameter:
    return Parameter(default, help, low, MOST_STEPS, whole=True)


def _share(default: float, help: str, low: float = 0.0, high: float = 1.0) -> Parameter:
    return Parameter(default, help, low, high)


_RATES = Parameter([0.1], "The rate at every step; after the last one it stays.", 0.0, HIGHEST, many=True)
_MOMENTUM = _share(0.9, "Momentum; for Adam its first beta.", high=0.999999)
_DECAY = Parameter(0.0, "Weight decay: L2 penalty on the weights (decoupled for AdamW).", 0.0, 100.0)

_CYCLE_MOMENTUM = {
    "cycle_momentum": Parameter(True, "Let the momentum move against the rate.", choices=ON_OFF),
    "base_momentum": _share(0.85, "Momentum where the rate is highest."),
    "max_momentum": _share(0.95, "Momentum where the rate is lowest."),
}


@dataclass(frozen=True)
class Kind:
    """A kind of schedule.

    Attributes:
        title: what a menu calls it.
        scheduler: the expression that makes torch's scheduler, with the parameters' names in braces.
        parameters: what it alone has, by torch's names.
        rate: what ``lr`` means here; None where the schedule itself holds the rates.
    """

    title: str
    scheduler: str
    parameters: dict[str, Parameter]
    rate: str | None = "Learning rate at the start."


KINDS: dict[str, Kind] = {
    "constant": Kind("constant", "ConstantLR(optimizer, factor=1.0)", {}, "Learning rate at every step."),
    "step": Kind(
        "step decay",
        "StepLR(optimizer, step_size={step_size}, gamma={gamma})",
        {
            "step_size": _steps(30, "Steps between two drops."),
            "gamma": _share(0.1, "Each drop multiplies the rate by this."),
        },
    ),
    "multistep": Kind(
        "drops at given steps",
        "MultiStepLR(optimizer, milestones={milestones}, gamma={gamma})",
        {
            "milestones": Parameter([30, 80], "Steps at which the rate drops.", 0, MOST_STEPS, whole=True, many=True),
            "gamma": _share(0.1, "Each drop multiplies the rate by this."),
        },
    ),
    "exponential": Kind(
        "exponential decay",
        "ExponentialLR(optimizer, gamma={gamma})",
        {"gamma": _share(0.95, "Every step multiplies the rate by this.")},
    ),
    "inverse": Kind(
        "inverse decay",
        "LambdaLR(optimizer, lambda step: 1 / (1 + {gamma} * step))",
        {"gamma": Parameter(0.1, "How fast it falls: lr / (1 + gamma * step).", 0.0, HIGHEST)},
    ),
    "polynomial": Kind(
        "polynomial decay",
        "PolynomialLR(optimizer, total_iters={total_iters}, power={power})",
        {
            "total_iters": _steps(None, "Steps until the rate is 0; by default all of them."),
            "power": Parameter(1.0, "1 is a straight line, 2 falls fast at first.", 0.0, 20.0),
        },
    ),
    "cosine": Kind(
        "cosine",
        "CosineAnnealingLR(optimizer, T_max={T_max}, eta_min={eta_min})",
        {
            "T_max": _steps(None, "Steps from the highest rate to the lowest; by default all of them."),
            "eta_min": _rate(0.0, "Lowest rate."),
        },
    ),
    "restarts": Kind(
        "cosine with restarts",
        "CosineAnnealingWarmRestarts(optimizer, T_0={T_0}, T_mult={T_mult}, eta_min={eta_min})",
        {
            "T_0": _steps(20, "Steps until the first restart."),
            "T_mult": Parameter(1, "Each cycle is this many times longer than the one before.", 1, 10, whole=True),
            "eta_min": _rate(0.0, "Lowest rate."),
        },
    ),
    "cyclic": Kind(
        "cyclic",
        "CyclicLR(optimizer, base_lr={lr}, max_lr={max_lr}, step_size_up={step_size_up}, step_size_down={step_size_down}, "
        "mode={mode}, gamma={gamma}, cycle_momentum={cycle_momentum}, base_momentum={base_momentum}, "
        "max_momentum={max_momentum})",
        {
            "max_lr": _rate(None, "Highest rate; by default ten times the lowest."),
            "step_size_up": _steps(10, "Steps from the lowest rate to the highest."),
            "step_size_down": _steps(None, "Steps from the highest rate back to the lowest; by default as many."),
            "mode": Parameter(
                "triangular",
                "Whether cycles keep their height, halve it, or shrink by gamma at every step.",
                choices=("triangular", "triangular2", "exp_range"),
            ),
            "gamma": _share(1.0, "For exp_range: every step multiplies the height by this."),
            **_CYCLE_MOMENTUM,
        },
        "Lowest learning rate.",
    ),
    "onecycle": Kind(
        "one cycle",
        "OneCycleLR(optimizer, max_lr={lr}, total_steps={total_steps}, pct_start={pct_start}, "
        "anneal_strategy={anneal_strategy}, cycle_momentum={cycle_momentum}, base_momentum={base_momentum}, "
        "max_momentum={max_momentum}, div_factor={div_factor}, final_div_factor={final_div_factor}, "
        "three_phase={three_phase})",
        {
            "total_steps": _steps(None, "Steps of the cycle; by default all of them."),
            "pct_start": _share(0.3, "Share of the steps in which the rate rises."),
            "anneal_strategy": Parameter("cos", "Whether the rate bends or is straight.", choices=("cos", "linear")),
            "div_factor": Parameter(25.0, "How many times lower than the highest rate it starts.", 1.0, 1e9),
            "final_div_factor": Parameter(1e4, "How many times lower than the first rate it ends.", 1.0, 1e12),
            "three_phase": Parameter(False, "Mirror the rise in a second phase, and fall in a third.", choices=ON_OFF),
            **_CYCLE_MOMENTUM,
        },
        "Highest learning rate.",
    ),
    "plateau": Kind(
        "reduce on plateau",
        "ReduceLROnPlateau(optimizer, factor={factor}, patience={patience}, threshold={threshold}, "
        "threshold_mode={threshold_mode}, cooldown={cooldown}, min_lr={min_lr})",
        {
            "factor": _share(0.1, "Each drop multiplies the rate by this.", high=0.999999),
            "patience": _steps(10, "Steps to wait for a better validation loss before a drop.", low=0),
            "threshold": _share(1e-4, "How much lower a loss must be to count as better."),
            "threshold_mode": Parameter(
                "rel", "Whether the threshold is a share of the best loss, or a difference from it.", choices=("rel", "abs")
            ),
            "cooldown": _steps(0, "Steps to wait after a drop before watching the loss again.", low=0),
            "min_lr": _rate(0.0, "Lowest rate."),
            "losses": Parameter(
                None, "The validation loss that drives it: one value per step.", -1e30, 1e30, many=True
            ),
        },
    ),
    "drawn": Kind(
        "drawn by hand",
        "LambdaLR(optimizer, lambda step: float(np.interp(step, {at}, {rates})))",
        {
            "at": Parameter([0, 30, 60, 99], "Steps of the knots.", 0, MOST_STEPS, many=True),
            "rates": Parameter(
                [0.01, 0.1, 0.1, 0.001], "Rates at the knots, joined by straight lines.", 0.0, HIGHEST, many=True
            ),
        },
        rate=None,
    ),
    "recorded": Kind(
        "your own scheduler",
        "LambdaLR(optimizer, [lambda step, own=own: own[min(step, len(own) - 1)] for own in rates])",
        {"rates": _RATES},
        rate=None,
    ),
}  # fmt: skip
"""By kind, in the order of the menu."""

OPTIMIZERS = {
    "SGD": "SGD({parameters}, lr={lr}, momentum={momentum}, weight_decay={weight_decay}{sgd})",
    "Adam": "Adam({parameters}, lr={lr}, betas=({momentum}, 0.999), weight_decay={weight_decay})",
    "AdamW": "AdamW({parameters}, lr={lr}, betas=({momentum}, 0.999), weight_decay={weight_decay})",
    "RMSprop": "RMSprop({parameters}, lr={lr}, momentum={momentum}, weight_decay={weight_decay})",
}

SGD: dict[str, Parameter] = {
    "dampening": _share(0.0, "Share of each gradient that momentum leaves out; the first step is whole, as in torch."),
    "nesterov": Parameter(False, "Nesterov's momentum, which looks ahead.", choices=ON_OFF),
}
"""What can be set of SGD alone; its line has those that are set."""

GROUP: dict[str, Parameter] = {
    "name": Text("", "Name in the legend."),
    "factor": Parameter(1.0, "Its rate as a multiple of the schedule's.", 0.0, 1e12),
    "rates": replace(_RATES, help="In a recorded schedule: its rate at every step."),
    "momentum": _MOMENTUM,
    "weight_decay": _DECAY,
    "tensors": _steps(1, "How many tensors it holds.", low=0),
    "weights": Parameter(1, "How many numbers those hold.", 0, 10**15, whole=True),
    "frozen": Parameter(False, "Whether none of them is trained.", choices=ON_OFF),
    "parameters": Text([], "Their names in the network.", many=True),
}
"""What can be set of each group of parameters, where an optimizer has several."""

COMMON: dict[str, Parameter] = {
    "lr": Parameter(0.1, "Learning rate.", 1e-12, HIGHEST),
    "warmup": _steps(0, "Steps of a linear warm-up before the schedule; 0 for none.", low=0),
    "warmup_factor": _share(0.1, "The warm-up starts at this multiple of the rate.", low=1e-9),
    "optimizer": Parameter("SGD", "Which optimizer is scheduled.", choices=tuple(OPTIMIZERS)),
    "momentum": _MOMENTUM,
    "weight_decay": _DECAY,
    **SGD,
    "groups": Rows([], "Groups of parameters, with the values of each; empty for a single group.", rows=GROUP),
}
"""What can be set of every kind."""


def parameters_of(kind: str) -> dict[str, Parameter]:
    """All that can be set of a kind: the rate, then what it alone has, then what every kind has."""
    own, common = KINDS[kind], dict(COMMON)
    lr = common.pop("lr")
    rate = {"lr": replace(lr, help=own.rate)} if own.rate else {}
    return {**rate, **own.parameters, **common}


SCHEDULES: dict[str, dict[str, Parameter]] = {kind: parameters_of(kind) for kind in KINDS}
"""What can be set of each kind of schedule: by kind, then by name."""


def schedule_kind(spec: dict[str, Any]) -> Any:
    """The kind of a spec's schedule; one that varies something else may leave it out, and is constant."""
    return spec.get("kind", "constant" if spec.keys() & {*VARIED} else None)


def settle(spec: dict[str, Any], steps: int) -> dict[str, Any]:
    """All parameters of a spec for this many steps: those given, and defaults for the others.

    Raises:
        TypeError: the spec is not a dict, or has a name that its kind does not have; similar names are offered.
        ValueError: there is no such kind, a value is out of range, or values do not fit each other.
    """
    if not isinstance(spec, dict):
        raise TypeError(f"a schedule is a {type(spec).__name__}; expected a dict with a kind, or a scheduler")
    kind = schedule_kind(spec)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"there is no kind of schedule {kind!r}: use {', '.join(KINDS)}.{nearest(str(kind), [*KINDS])}")
    table = parameters_of(kind)
    for name in spec.keys() - {"kind", "name", *VARIED}:
        if name not in table:
            raise TypeError(f"{kind} has no parameter {name!r}.{nearest(str(name), [*table])} It has: {', '.join(table)}")
    full = {"kind": kind, "lr": 1.0, **{name: row.check(name, spec.get(name, row.default)) for name, row in table.items()}}
    if kind == "onecycle" and full["total_steps"] is not None and full["total_steps"] + full["warmup"] < steps:
        raise ValueError(
            f"one cycle of {full['total_steps']} steps ends before the {steps} steps of the schedule: "
            f"raise total_steps, or leave it out for all of them"
        )
    if kind == "drawn":
        _check_knots(full["at"], full["rates"])
    if kind == "cyclic" and full["max_lr"] is not None and full["max_lr"] < full["lr"]:
        raise ValueError(f"the highest rate {full['max_lr']:g} is below the lowest, {full['lr']:g}")
    _check_optimizer(full)
    _check_groups(full)
    full["groups"] = [_settled_group(group, full) for group in full["groups"]]
    usual = {
        **dict.fromkeys(("total_iters", "T_max", "total_steps"), max(1, steps - full["warmup"])),
        "max_lr": 10 * full["lr"],
        "step_size_down": full.get("step_size_up"),
    }
    return {name: usual.get(name) if value is None else value for name, value in full.items()}


def plain(spec: dict[str, Any]) -> dict[str, Any]:
    """A valid spec with plain Python numbers, as JSON can carry it."""
    kind = schedule_kind(spec)
    table, given = parameters_of(kind), {"kind": kind, **spec}
    return {name: table[name].check(name, value) if name in table else value for name, value in given.items()}


def _settled_group(group: dict[str, Any], full: dict[str, Any]) -> dict[str, Any]:
    """A group with what it shares with the others, and its own rate ``lr``."""
    common = {name: full[name] for name in ("rates", "momentum", "weight_decay") if name in full}
    factor = group.get("factor", 1.0)
    return {**common, "factor": factor, **group, "lr": full["lr"] * factor}


def _check_optimizer(full: dict[str, Any]) -> None:
    for name, row in SGD.items():
        if full[name] != row.default and full["optimizer"] != "SGD":
            raise ValueError(f"{full['optimizer']} has no {name}; expected the optimizer SGD with it")
    if full["nesterov"] and (full["dampening"] or not full["momentum"]):
        raise ValueError(
            f"nesterov is True with momentum {full['momentum']:g} and dampening {full['dampening']:g}; expected a momentum "
            f"above 0 and no dampening"
        )


def _check_groups(full: dict[str, Any]) -> None:
    for k, group in enumerate(full["groups"]):
        if full["kind"] == "recorded" and "factor" in group:
            raise ValueError(f"group {k} of a recorded schedule has a factor; expected its rates")
        if full["kind"] != "recorded" and "rates" in group:
            raise ValueError(f"group {k} has rates of its own, and the schedule is {full['kind']}: expected a factor")
    held = [name for group in full["groups"] for name in group.get("parameters", ())]
    if twice := next((name for name in held if held.count(name) > 1), None):
        raise ValueError(f"{twice!r} is in two groups of parameters; expected each in one")


def _check_knots(at: list[float], rates: list[float]) -> None:
    if len(at) != len(rates):
        raise ValueError(f"there are {len(at)} knots and {len(rates)} rates; expected one rate per knot")
    for one, following in itertools.pairwise(at):
        if following <= one:
            raise ValueError(f"the knots are out of order: {following:g} comes after {one:g}")
