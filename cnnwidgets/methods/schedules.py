"""Learning-rate schedules: what torch's own schedulers give, step by step, and the code that gives it."""

from __future__ import annotations

import copy
import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from cnnwidgets.methods.code.schedules import listing, making
from cnnwidgets.methods.schedule_groups import alike, label, momentum_of, rate_of, recorded, shared
from cnnwidgets.methods.schedule_parameters import KINDS, plain, schedule_kind, settle
from cnnwidgets.methods.variations.telling import told as told_of
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checking, is_number
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number

MOST_TOLD = 4
"""How many groups with rates of their own are told one by one."""

ASK_EVERY = 1_000
"""Steps between two looks at whether the computation was cancelled."""


class Course(NamedTuple):
    """What the groups of parameters do that share a rate.

    Attributes:
        members: the numbers of the groups.
        label: what a legend calls them; empty for a schedule with one group.
        lr, momentum: float64 (n,), as in a :class:`Schedule`.
    """

    members: list[int]
    label: str
    lr: np.ndarray
    momentum: np.ndarray

    @property
    def moves_momentum(self) -> bool:
        return bool(np.ptp(self.momentum) > 0)


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """The learning rates at each of n steps, of g groups of parameters: one, unless an optimizer has more.

    Attributes:
        steps: int64 (n,), 0 to n - 1: epochs, or batches.
        rates: float64 (g, n), the rate of each group at each step.
        momenta: float64 (g, n), likewise (Adam's first beta); NaN where the optimizer has none.
        code: plain PyTorch lines that put the same rates into a list ``lr``: one number per step, or one list with a rate
            per group.
        spec: the dict that gives it, as JSON can carry it; ``spec["groups"]`` lists the groups.
    """

    steps: np.ndarray
    rates: np.ndarray
    momenta: np.ndarray
    code: str
    spec: dict[str, Any]

    @property
    def lr(self) -> np.ndarray:
        """float64 (n,), the rate of all groups; a ValueError if they differ."""
        return shared(self.rates, "rates")

    @property
    def momentum(self) -> np.ndarray:
        """float64 (n,), the momentum of all groups; a ValueError if they differ."""
        return shared(self.momenta, "momenta")

    @property
    def moves_momentum(self) -> bool:
        """Whether the momentum of any group changes."""
        return bool((np.ptp(self.momenta, axis=1) > 0).any())

    @property
    def courses(self) -> list[Course]:
        """The groups' rates; those that are equal at every step are together, unless their momenta differ."""
        rows = np.concatenate([self.rates, self.momenta], axis=1) if self.moves_momentum else self.rates
        found = alike(row.tobytes() for row in rows)
        groups = self.spec.get("groups", ())
        return [Course(some, label(groups, some), self.rates[some[0]], self.momenta[some[0]]) for some in found]

    @property
    def minima(self) -> np.ndarray:
        """The last step of each cycle, int64: those after which the rates jump up, and the very last."""
        rate = self.rates.sum(0)
        rises = rate[1:] > rate[:-1]
        falls_before = np.r_[False, rate[1:-1] <= rate[:-2]]
        return np.append(np.flatnonzero(rises & falls_before), len(rate) - 1)

    def __repr__(self) -> str:
        return f"<schedule: {title(self.spec)}, {len(self.steps):,} steps, {told(self)}>"


@checking("steps")
def schedule(
    spec: dict[str, Any] | LRScheduler,
    steps: int,
    *,
    losses: Sequence[float] | None = None,
    network: nn.Module | None = None,
    cancel: Cancel | None = None,
) -> Schedule:
    """The learning rate of each group of parameters at each step, as torch's scheduler gives it when stepped.

    >>> cw.methods.schedule({"kind": "multistep", "lr": 0.5, "milestones": [30, 80], "gamma": 0.1}, 100).lr[[29, 30, 80]]
    array([0.5  , 0.05 , 0.005])

    Parameters:
        spec: a dict with a ``kind``, any of the names in ``SCHEDULES[kind]``, and perhaps a ``name`` for the reader. Its
            ``groups`` are dicts with what differs between groups of parameters: a ``factor`` of the rate, a ``momentum``,
            a ``weight_decay``, a ``name``, the names of its ``parameters``.
            Or a scheduler of your own, which stays as it is and is followed from where it stands, in every group.
        steps: how many, at least 1: epochs or batches, whichever the scheduler counts.
        losses: for ReduceLROnPlateau the validation loss after each step, at least ``steps - 1`` of them; a spec of the
            kind "plateau" may hold its own.
        network: what a scheduler of your own trains; the spec then says which of its weights are in which group.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: what is wrong with the spec, in a sentence.
        Cancelled: cancel was set.
    """
    steps, given = check_steps(steps), losses
    if isinstance(spec, LRScheduler):
        followed: Scheduled | _Copied = _Copied(spec)
        losses = _check_losses(losses, steps) if isinstance(spec, ReduceLROnPlateau) else None
    else:
        settled = settle(spec, steps)
        followed = Scheduled(settled, stand_ins(settled))
        losses = None
        if settled["kind"] == "plateau":
            losses = _check_losses(settled["losses"] if given is None else given, steps)
    logs: list[tuple[dict[str, Any], list, list]] = [(group, [], []) for group in followed.optimizer.param_groups]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schedulers that are stepped and optimizers that are not
        for step in range(steps):
            if step % ASK_EVERY == 0 and cancel is not None and cancel.is_set():
                raise Cancelled("cancelled")
            for group, lr, momentum in logs:
                lr.append(rate_of(group))
                momentum.append(momentum_of(group))
            if step < steps - 1:
                followed.step(losses[step] if losses else None)
    rates, momenta = (np.array([log[k] for log in logs]) for k in (1, 2))
    if isinstance(spec, LRScheduler):
        spec, losses = recorded(spec.optimizer, rates, network), None
        settled = settle(spec, steps)
    return Schedule(np.arange(steps), rates, momenta, listing(settled, steps, losses), plain(spec))


def sketch(spec: dict[str, Any], steps: int, at: np.ndarray) -> np.ndarray:
    """The rates at m rising steps, float64 (g, m), by the closed forms of torch's schedulers.

    They differ from the stepped ones by rounding only, and take no longer for many steps: for a slider that is moving.

    Raises:
        ValueError: the spec is wrong, or of a plateau, which must be followed step by step.
    """
    settled = settle(spec, check_steps(steps))
    if settled["kind"] == "plateau":
        raise ValueError("a plateau must be followed step by step: there is no sketch of it")
    warmup = settled["warmup"]
    followed = Scheduled(settled, stand_ins(settled))
    rates, now = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in at.tolist():
            for _ in range(now, min(step, warmup)):
                followed.step()
            now = max(now, min(step, warmup))
            rates.append(followed.rates_at(step - warmup) if step > warmup or not warmup else followed.rates)
    return np.array(rates).T


class Scheduled:
    """An optimizer and its scheduler, made by the very lines that a schedule's code shows.

    Parameters:
        settled: a spec with all its parameters.
        parameters: what is optimized; for a spec with groups one list for each of them.

    Raises:
        ValueError: torch does not accept it.
    """

    def __init__(self, settled: dict[str, Any], parameters: Sequence[Any]):
        made: dict[str, Any] = {"torch": torch, "np": np, "parameters": parameters}
        try:
            exec(making(settled), made)  # its values are checked numbers, some words, and names as literals
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise ValueError(f"torch does not accept this schedule: {error}") from error
        self.optimizer: Optimizer = made["optimizer"]
        self._scheduler: Any = made["scheduler"]
        self._main: Any = made["main"]
        self._warming: Any = made.get("warmup")
        self._on_plateau, self._warmup, self._steps = settled["kind"] == "plateau", settled["warmup"], 0

    @property
    def rates(self) -> list[float]:
        """The rate of each group."""
        return [rate_of(group) for group in self.optimizer.param_groups]

    def step(self, loss: float | None = None) -> None:
        """Go one step on; ReduceLROnPlateau needs the validation loss."""
        if self._on_plateau and self._steps >= self._warmup:
            self._scheduler.step(loss)
        elif self._on_plateau:
            self._warming.step()
        else:
            self._scheduler.step()
        self._steps += 1

    def rates_at(self, step: int) -> list[float]:
        """The rate of each group after this many steps, in any order."""
        main = self._main
        main.last_epoch = step
        if isinstance(main, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts):
            main.T_cur, main.T_i = step % main.T_0 if main.T_mult == 1 else step, main.T_0
            while main.T_cur >= main.T_i:  # torch's step(epoch) takes a logarithm, which is rounded to a wrong cycle
                main.T_cur, main.T_i = main.T_cur - main.T_i, main.T_i * main.T_mult
        return (main._get_closed_form_lr if hasattr(main, "_get_closed_form_lr") else main.get_lr)()


class _Copied:
    """A copy of somebody's scheduler, with a stand-in for its optimizer that has the same groups and no weights."""

    def __init__(self, scheduler: LRScheduler):
        theirs = scheduler.optimizer
        memo: dict[int, Any] = {id(p): torch.zeros(1) for group in theirs.param_groups for p in group["params"]}
        self.optimizer = memo[id(theirs)] = Optimizer.__new__(Optimizer)
        self.optimizer.param_groups = copy.deepcopy(theirs.param_groups, memo)
        self.optimizer.defaults, self.optimizer.state = copy.deepcopy(theirs.defaults, memo), defaultdict(dict)
        self._scheduler: Any = copy.deepcopy(scheduler, memo)

    def step(self, loss: float | None = None) -> None:
        try:
            self._scheduler.step(*([] if loss is None else [loss]))
        except (ValueError, RuntimeError) as error:
            now, one = len(self.optimizer.param_groups), self._scheduler
            one = getattr(one, "_schedulers", [one])[0]
            had = len(getattr(one, "min_lrs", getattr(one, "base_lrs", self.optimizer.param_groups)))
            if had == now:
                raise
            raise ValueError(
                f"torch cannot step this {type(self._scheduler).__name__}: it was made for {had} groups of parameters, but "
                f"its optimizer now has {now}; make the scheduler after the last add_param_group"
            ) from error


def stand_ins(settled: dict[str, Any]) -> list[Any]:
    """What is optimized where there is no network: one tensor, or one per group."""
    alone = torch.zeros(1, requires_grad=True)
    return [[torch.zeros(1, requires_grad=True)] for _ in settled["groups"]] or [alone]


def check_steps(steps: Any) -> int:
    """A number of steps, or a ValueError that says what it must be."""
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"steps is {steps!r}; expected a whole number of at least 1")
    return int(steps)


def told(schedule: Schedule) -> str:
    """Where the rates start and end, in a few words."""
    courses = schedule.courses
    if len(courses) <= MOST_TOLD:
        return ", ".join(
            f"{number(one.lr[0])} to {number(one.lr[-1])}" + (f" ({one.label})" if one.label else "") for one in courses
        )
    first, last = schedule.rates[:, 0], schedule.rates[:, -1]
    return (
        f"{len(schedule.rates)} groups, starting at {number(first.min())} to {number(first.max())}, "
        f"ending at {number(last.min())} to {number(last.max())}"
    )


def title(spec: dict[str, Any]) -> str:
    """A spec in a few words: its name; or its schedule's kind with what was set, and what else it varies."""
    if spec.get("name"):
        return str(spec["name"])
    if schedule_kind(spec) not in [*KINDS]:
        return f"kind {spec.get('kind')!r}"
    if "kind" not in spec:
        return ", ".join(told_of(spec))
    own = KINDS[spec["kind"]].parameters
    parts = [f"{name} {_short(spec[name])}" for name in own if name in spec and name not in ("losses", "rates", "at")]
    start = f" {number(spec['lr'])}" if is_number(spec.get("lr")) else ""
    schedule = KINDS[spec["kind"]].title + start + (f" ({', '.join(parts)})" if parts else "")
    return ", ".join([schedule, *told_of(spec)])


def brief(names: Sequence[str]) -> list[str]:
    """Titles without the values in parentheses, as far as that still tells them apart."""
    cut = [re.sub(r" \(\w+ [^()]*\)$", "", name) for name in names]
    return [short if cut.count(short) == 1 else name for short, name in zip(cut, names, strict=True)]


def _short(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _check_losses(losses: Sequence[float] | None, steps: int) -> list[float]:
    if losses is None or len(losses) < steps - 1:
        given = "none" if losses is None else len(losses)
        raise ValueError(f"ReduceLROnPlateau needs the validation loss after each step: expected {steps - 1}, got {given}")
    return [float(loss) for loss in losses]
