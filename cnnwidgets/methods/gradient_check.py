"""Is a gradient right? Central differences beside autograd, for steps from 1 to 1e-10, in float32 and in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnwidgets.methods.code.gradient_check import check_lines
from cnnwidgets.methods.criteria import Loss
from cnnwidgets.methods.differences import Differences
from cnnwidgets.methods.parts import ask
from cnnwidgets.methods.tasks import Trainable
from cnnwidgets.net.arguments import checking, is_whole
from cnnwidgets.net.layers import UnknownLayer, nearest
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number

STEPS = tuple(float(f"1e{-k // 2}") if k % 2 == 0 else 10 ** (-k / 2) for k in range(21))
"""h: 1, 0.316, 0.1, … 1e-10."""

FEW = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
"""Those by which the other parameters are judged, once a gradient is wrong."""

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}

RIGHT = 1e-6
"""A relative error in float64 that no correct gradient of ordinary numbers exceeds at its best h."""

UNSURE = 1e-3
"""Quotients of neighboring h that differ by more than this share tell nothing about a gradient."""


def true_score(scores: Tensor, labels: Tensor) -> Tensor:
    """The mean score of the true classes: of scores (N, classes) and labels (N,)."""
    return scores.gather(1, labels[:, None]).mean()


@dataclass(frozen=True, eq=False)
class CheckedGradient:
    """Central differences of a loss by some entries of a parameter, or of the input, beside what autograd says.

    Attributes:
        of: the parameter's name, or "input".
        entries: int64 (entries,), which of its values, counted row by row.
        steps: float64 (steps,), h, falling.
        analytic: float64 (2, entries), autograd's gradient in float32 and in float64.
        numeric: float64 (2, steps, entries), (f(x + h) - f(x - h)) / 2h, computed in float32 and in float64.
        kinks: int64 (steps,), how many values of ReLUs change sides, and maxima of max pooling places, between x - h and
            x + h, all entries together.
        loss: f(x) in float64.
        wrong: the names of all parameters, and "input", whose gradient is wrong, if this one is; in the network's order.
        fine: those whose gradient is not.
        settings: what the check was made with.
    """

    of: str
    entries: np.ndarray
    steps: np.ndarray
    analytic: np.ndarray
    numeric: np.ndarray
    kinks: np.ndarray
    loss: float
    wrong: tuple[str, ...]
    fine: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def errors(self) -> np.ndarray:
        """float64 (2, steps), relative: the length of numeric - analytic over the longer one's length; 0 if both are 0."""
        return _relative(self.numeric, self.analytic[:, None])

    @property
    def rounding(self) -> np.ndarray:
        """float64 (2, steps), the error that the rounding of the loss alone makes: about eps |f| / 2h over the length."""
        lengths = np.linalg.norm(self.analytic, axis=1) / math.sqrt(len(self.entries))
        kinds = PRECISIONS.values()
        return np.stack([_rounding(self.steps, self.loss, *pair) for pair in zip(lengths, kinds, strict=True)])

    @property
    def best(self) -> np.ndarray:
        """int64 (2,), the number of the step with the smallest error in each precision."""
        return np.where(np.isnan(self.errors), np.inf, self.errors).argmin(1)

    @property
    def right(self) -> bool | None:
        """Whether autograd's gradient is right, as far as float64 can tell; None if its quotients tell nothing.

        Where the quotients of neighboring h agree best, they are as good as they get. They then agree with a right gradient
        about as well as with each other, unless x itself lies on a kink: there is no derivative there.
        """
        return _judged(self.numeric[1], self.analytic[1], self.kinks, self.steps, self.loss)

    @property
    def summary(self) -> str:
        """The finding, and facts in lines below it."""
        first, facts = self._finding, []
        crossed = np.flatnonzero(self.kinks)
        if len(crossed):
            below = crossed[-1] + 1
            none = f"; none from h = {power(self.steps[below])} on down" if below < len(self.steps) else ""
            facts.append(f"At h = {power(self.steps[crossed[0]])} a step crosses {_kinks(self.kinks[crossed[0]])}{none}.")
        lost = np.flatnonzero(self.errors[0] > 0.01)
        small = [k for k in lost if k > self.best[0]]
        if small:
            facts.append(f"In float32 the quotient is more than 1% off from h = {power(self.steps[small[0]])} on down.")
        if self.wrong:
            facts.append(f"Wrong are {', '.join(self.wrong)}; right are {', '.join(self.fine) or 'none'}.")
        return "\n".join([first, *facts])

    @property
    def _finding(self) -> str:
        at = [f"{number(self.errors[k, best])} at h = {power(self.steps[best])}" for k, best in enumerate(self.best)]
        if not self.analytic[1].any() and not self.numeric[1].any():
            return f"The gradient of {self.of} is 0, and so are the quotients."
        if self.right is None:
            why = f"x lies on {_kinks(self.kinks[-1])}" if self.kinks.all() else "it drowns in rounding"
            return f"It cannot be told whether the gradient of {self.of} is right: {why}."
        if not self.right:
            return f"The gradient of {self.of} is wrong: in float64 no h brings the error below {at[1].split(' at ')[0]}."
        return f"The gradient of {self.of} is right: it is off by {at[1]} in float64, by {at[0]} in float32."

    def code(self, task: Trainable) -> str:
        """Plain PyTorch lines that put the relative error in float64 at each h into ``values``.

        Parameters:
            task: what was checked: a sample's name; or a task or network of your own, whose loaders the reader fills in.
        """
        return check_lines(task, self.of, self.entries.tolist(), self.settings)


@checking("entries", "steps")
def gradient_check(
    module: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    of: str = "input",
    entries: int = 5,
    steps: Sequence[float] = STEPS,
    criterion: Loss = F.cross_entropy,
    seed: int = 0,
    on_update: OnUpdate[CheckedGradient] | None = None,
    cancel: Cancel | None = None,
) -> CheckedGradient:
    """Compare a gradient of a network's loss with central differences.

    >>> cw.methods.gradient_check(model, images, labels, of="conv1.weight").summary

    A large h sees the curve bend (an error of h² f''' / 6), a small one sees the loss rounded (eps |f| / h): the error is a
    V over h. Where an activation has a kink between x - h and x + h, the quotient is none of the derivative.

    Parameters:
        module: the network; copies of it in evaluation mode are looked at.
        images, labels: a batch.
        of: the name of a parameter, or "input".
        entries: how many of its values, drawn at random; all if it has fewer.
        steps: h, each above 0.
        criterion: scores and labels to their loss.
        seed: of the entries.
        on_update: called with a partial :class:`CheckedGradient` and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError: there is no such parameter; similar names are listed.
        ValueError: a number is out of range, or the network cannot be copied.
        Cancelled: cancel was set.
    """
    if not is_whole(entries) or entries < 1:
        raise ValueError(f"entries is {entries!r}; expected a whole number of at least 1")
    sizes = np.sort(np.asarray(steps, float))[::-1]
    if sizes.ndim != 1 or not len(sizes) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError(f"steps are {steps!r}; expected numbers above 0")
    names = ["input", *(name for name, _ in module.named_parameters())]
    if of not in names:
        raise UnknownLayer(f"the network has no parameter {of!r}.{nearest(of, names)}")
    losses = [Differences(module, images, labels, kind, criterion, seed) for kind in PRECISIONS.values()]
    chosen = losses[1].chosen(of, entries, seed)
    analytic = np.array([each.gradient(of, chosen) for each in losses])
    numeric = np.full((2, len(sizes), len(chosen)), np.nan)
    kinks = np.zeros(len(sizes), np.int64)
    settings = {"criterion": criterion, "steps": sizes.tolist(), "pictures": len(images), "seed": seed}
    loss = losses[1].loss()

    def made(count: int, wrong: Sequence[str] = (), fine: Sequence[str] = ()) -> CheckedGradient:
        part = sizes[:count], analytic, numeric[:, :count], kinks[:count]
        return CheckedGradient(of, chosen, *part, loss, tuple(wrong), tuple(fine), settings)

    for k, h in enumerate(sizes):
        for precision, each in enumerate(losses):
            ask(cancel)
            numeric[precision, k], crossed = each.quotients(of, chosen, h)
        kinks[k] = crossed
        if on_update:
            on_update(made(k + 1), (k + 1) / len(sizes))
    found = made(len(sizes))
    if found.right is not False:
        return found
    wrong, fine = list[str](), list[str]()
    for name in [*names[1:], "input"]:
        ask(cancel)
        few = losses[1].chosen(name, 3, seed)
        tried = [losses[1].quotients(name, few, h) for h in FEW]
        quotients, kinked = (np.array([each[k] for each in tried]) for k in (0, 1))
        verdict = _judged(quotients, losses[1].gradient(name, few), kinked, np.array(FEW), loss)
        if verdict is not None:
            (fine if verdict else wrong).append(name)
    return made(len(sizes), wrong, fine)


def power(h: float) -> str:
    """A step as a reader writes it: 10⁻⁵, not 1×10⁻⁵."""
    return number(h).removeprefix("1×")


def _kinks(count: int) -> str:
    return f"{count:,} {'kink' if count == 1 else 'kinks'}"


def _relative(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The length of their difference over the longer one's length, along the last axis; 0 if both are 0."""
    apart = np.linalg.norm(one - other, axis=-1)
    longer = np.maximum(np.linalg.norm(one, axis=-1), np.linalg.norm(other, axis=-1))
    return np.divide(apart, longer, out=np.zeros_like(apart), where=longer != 0)


def _judged(numeric: np.ndarray, analytic: np.ndarray, kinks: np.ndarray, steps: np.ndarray, loss: float) -> bool | None:
    """Whether a gradient (entries,) is right, by its quotients (steps, entries) in float64, and kinks (steps,)."""
    if not numeric.any() and not analytic.any():
        return True
    noise = _rounding(steps, loss, np.maximum(np.linalg.norm(analytic), np.linalg.norm(numeric, axis=1)), torch.float64)
    if len(steps) > 1:
        noise = np.maximum(noise[1:], _relative(numeric[1:], numeric[:-1]))
    best = int(np.where(np.isnan(noise), np.inf, noise).argmin())
    if not noise[best] <= UNSURE:
        return None
    if _relative(numeric[best : best + 2], analytic).min() <= max(RIGHT, 100 * noise[best]):
        return True
    return None if kinks[best : best + 2].all() else False


def _rounding(steps: np.ndarray, loss: float, length: Any, kind: torch.dtype) -> np.ndarray:
    """About how far a quotient is off because its two losses are rounded, as a share of the gradient's length."""
    with np.errstate(divide="ignore"):
        return torch.finfo(kind).eps * abs(loss) / 2 / steps / np.asarray(length, float)
