"""Learning-rate schedules: what torch's own schedulers give, step by step, and the code that says so."""

from __future__ import annotations

import copy
import math
import textwrap
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from cnnwidgets.methods.schedule_parameters import KINDS, OPTIMIZERS, plain, settle
from cnnwidgets.net import Cancelled

ASK_EVERY = 1_000
"""Steps after which a computation looks whether it was cancelled."""

STAND_IN = "[torch.zeros(1, requires_grad=True)]"


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """The learning rate at each step.

    Attributes:
        steps: int64 (n,), 0 to n - 1: epochs, or batches.
        lr: float64 (n,), the rate used at each step.
        momentum: float64 (n,), likewise (Adam's first beta); NaN where the optimizer has none.
        code: plain PyTorch lines that put the same rates into a list ``lr``.
        spec: the dict that gives it, as JSON can carry it.
    """

    steps: np.ndarray
    lr: np.ndarray
    momentum: np.ndarray
    code: str
    spec: dict[str, Any]

    @property
    def moves_momentum(self) -> bool:
        return bool(np.ptp(self.momentum) > 0)

    @property
    def minima(self) -> np.ndarray:
        """The last step of each cycle: int64, those before which the rate jumps up at the next, and the last of all."""
        rises = self.lr[1:] > self.lr[:-1]
        falls_before = np.r_[False, self.lr[1:-1] <= self.lr[:-2]]
        return np.append(np.flatnonzero(rises & falls_before), len(self.lr) - 1)

    def __repr__(self) -> str:
        return f"<schedule: {title(self.spec)}, {len(self.lr):,} steps from {self.lr[0]:.3g} to {self.lr[-1]:.3g}>"


def schedule(
    spec: dict[str, Any] | LRScheduler, steps: int, *, losses: Sequence[float] | None = None, cancel=None
) -> Schedule:
    """The learning rate at each of so many steps, as torch's scheduler gives it when it is stepped.

    >>> cw.methods.schedule({"kind": "multistep", "lr": 0.5, "milestones": [30, 80], "gamma": 0.1}, 100).lr[[29, 30, 80]]
    array([0.5  , 0.05 , 0.005])

    Parameters:
        spec: a dict with a ``kind`` and what :data:`KINDS` and :data:`COMMON` name; a ``name`` is for the reader. Or a
            scheduler of one's own, which is left as it is: it is followed from where it stands.
        steps: how many, at least 1: epochs or batches, whatever the scheduler is stepped by.
        losses: for a ``ReduceLROnPlateau`` the validation loss after each step, at least ``steps - 1`` of them; a spec
            of the kind "plateau" may hold its own.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: what is wrong with the spec, in a sentence.
        Cancelled: cancel was set.
    """
    steps, given = check_steps(steps), losses
    if isinstance(spec, LRScheduler):
        followed: Scheduled | _Copied = _Copied(spec)
        settled = None
        losses = _check_losses(losses, steps) if isinstance(spec, ReduceLROnPlateau) else None
    else:
        settled = settle(spec, steps)
        followed = Scheduled(settled, [torch.zeros(1, requires_grad=True)])
        losses = None
        if settled["kind"] == "plateau":
            losses = _check_losses(settled["losses"] if given is None else given, steps)
    rates, momentum = np.empty(steps), np.empty(steps)
    group = followed.optimizer.param_groups[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schedulers that are stepped and optimizers that are not
        for step in range(steps):
            if step % ASK_EVERY == 0 and cancel is not None and cancel.is_set():
                raise Cancelled("cancelled")
            rates[step], momentum[step] = group["lr"], momentum_of(group)
            if step < steps - 1:
                followed.step(losses[step] if losses else None)
    if settled is None:
        spec, losses = {"kind": "recorded", "rates": rates.tolist()}, None
        settled = settle(spec, steps)
    return Schedule(np.arange(steps), rates, momentum, _listing(settled, steps, losses), plain(spec))  # type: ignore[arg-type]


def sketch(spec: dict[str, Any], steps: int, at: np.ndarray) -> np.ndarray:
    """The rates at a few rising steps, float64, by the closed forms that torch's schedulers have beside their stepping.

    They differ from the stepped ones by rounding only, and take no longer for many steps: for a hand that moves a slider.

    Raises:
        ValueError: there is none of a plateau, which must be followed, or the spec is wrong.
    """
    settled = settle(spec, check_steps(steps))
    if settled["kind"] == "plateau":
        raise ValueError("a plateau must be followed step by step: there is no sketch of it")
    warmup = settled["warmup"]
    followed = Scheduled(settled, [torch.zeros(1, requires_grad=True)])
    rates, now = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in at.tolist():
            for _ in range(now, min(step, warmup)):
                followed.step()
            now = max(now, min(step, warmup))
            rates.append(followed.rate_at(step - warmup) if step > warmup or not warmup else followed.rate)
    return np.array(rates)


class Scheduled:
    """An optimizer and its scheduler, made by the very lines that a schedule's code shows.

    Parameters:
        settled: a spec with all its parameters.
        parameters: what is optimized.

    Raises:
        ValueError: what torch has against it.
    """

    def __init__(self, settled: dict[str, Any], parameters: Sequence[torch.Tensor]):
        made: dict[str, Any] = {"torch": torch, "np": np, "parameters": parameters}
        try:
            exec(making(settled), made)  # every value in it has been checked to be a number or one of some words
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise ValueError(f"torch does not take this schedule: {error}") from error
        self.optimizer: Optimizer = made["optimizer"]
        self._scheduler: Any = made["scheduler"]
        self._main: Any = made["main"]
        self._warming: Any = made.get("warmup")
        self._on_plateau, self._warmup, self._steps = settled["kind"] == "plateau", settled["warmup"], 0

    @property
    def rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    def step(self, loss: float | None = None) -> None:
        """Go on by a step; a plateau wants the validation loss."""
        if self._on_plateau and self._steps >= self._warmup:
            self._scheduler.step(loss)
        elif self._on_plateau:
            self._warming.step()
        else:
            self._scheduler.step()
        self._steps += 1

    def rate_at(self, step: int) -> float:
        """The rate of the scheduler after so many steps of its own, which need not come in order."""
        main = self._main
        main.last_epoch = step
        if isinstance(main, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts):
            main.T_cur, main.T_i = step % main.T_0 if main.T_mult == 1 else step, main.T_0
            while main.T_cur >= main.T_i:  # torch's step(epoch) takes a logarithm, which is rounded to a wrong cycle
                main.T_cur, main.T_i = main.T_cur - main.T_i, main.T_i * main.T_mult
        return (main._get_closed_form_lr if hasattr(main, "_get_closed_form_lr") else main.get_lr)()[0]


class _Copied:
    """A copy of somebody's scheduler, with an optimizer that has their settings and none of their weights."""

    def __init__(self, scheduler: LRScheduler):
        theirs = scheduler.optimizer
        memo: dict[int, Any] = {id(p): torch.zeros(1) for group in theirs.param_groups for p in group["params"]}
        memo[id(theirs.state)] = defaultdict(dict)
        self._scheduler: Any = copy.deepcopy(scheduler, memo)
        self.optimizer = self._scheduler.optimizer

    def step(self, loss: float | None = None) -> None:
        self._scheduler.step(*([] if loss is None else [loss]))


def momentum_of(group: dict[str, Any]) -> float:
    """The momentum of a group of an optimizer's parameters, or Adam's first beta."""
    return group.get("momentum", group.get("betas", (float("nan"),))[0])


def check_steps(steps: Any) -> int:
    """A number of steps, or a ValueError that says what it must be."""
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"steps is {steps!r}; it must be a whole number of at least 1")
    return int(steps)


def title(spec: dict[str, Any]) -> str:
    """A schedule in a few words: its name, or its kind and what was set of it."""
    if spec.get("name"):
        return str(spec["name"])
    own = KINDS[spec["kind"]].parameters
    told = [f"{name} {_short(spec[name])}" for name in own if name in spec and name not in ("losses", "rates", "at")]
    start = f" {spec['lr']:.3g}" if "lr" in spec else ""
    return KINDS[spec["kind"]].title + start + (f" ({', '.join(told)})" if told else "")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


# the code


def making(settled: dict[str, Any]) -> str:
    """The lines that make the optimizer and the scheduler of ``parameters``."""
    shown = {name: repr(value) for name, value in settled.items()}
    lines = [f"optimizer = torch.optim.{OPTIMIZERS[settled['optimizer']].format(**shown | {'parameters': 'parameters'})}"]
    if settled["kind"] == "recorded":
        lines.insert(0, f"rates = {shown['rates']}")
    package = "torch.optim.lr_scheduler"
    main = f"main = {package}.{KINDS[settled['kind']].scheduler.format(**shown)}"
    if not settled["warmup"]:
        return "\n".join([*lines, main, "scheduler = main"])
    lines.append(
        f"warmup = {package}.LinearLR(optimizer, start_factor={shown['warmup_factor']}, total_iters={shown['warmup']})"
    )
    both = "main" if settled["kind"] == "plateau" else (
        f"{package}.SequentialLR(optimizer, [warmup, main], milestones=[{settled['warmup']}])"
    )  # fmt: skip
    return "\n".join([*lines, main, f"scheduler = {both}"])


def _listing(settled: dict[str, Any], steps: int, losses: Sequence[float] | None) -> str:
    """The whole code: what makes the scheduler, and the loop that steps it."""
    lines = making(settled)
    if lines.endswith("\nscheduler = main"):
        lines = lines.removesuffix("\nscheduler = main").replace("main = ", "scheduler = ")
    advance = "scheduler.step()"
    if losses is not None:
        values = ", ".join(repr(loss) if math.isfinite(loss) else f'float("{loss}")' for loss in losses)
        lines += f"\nlosses = [{values}]  # validation loss, step by step"
        advance = f"if step < {steps - 1}:\n    scheduler.step(losses[step])"
        if settled["warmup"]:
            advance = f"if step < {settled['warmup']}:\n    warmup.step()\nel{advance}"
    numpy = "import numpy as np\n" if "np." in lines else ""
    return "\n".join([
        f"{numpy}import torch",
        f"\nparameters = {STAND_IN}  # here your model.parameters()",
        lines,
        f"\nlr = []\nfor step in range({steps}):",
        '    lr.append(optimizer.param_groups[0]["lr"])',
        "    optimizer.step()  # after the gradients of your loss",
        textwrap.indent(advance, "    "),
    ])  # fmt: skip


def _check_losses(losses: Sequence[float] | None, steps: int) -> list[float]:
    if losses is None or len(losses) < steps - 1:
        given = "none is given" if losses is None else f"{len(losses)} are given"
        raise ValueError(f"a plateau is seen in a validation loss after each step: {steps - 1} are wanted, {given}")
    return [float(loss) for loss in losses]
