"""Optimizers on surfaces of two weights: the paths that torch's own optimizers take, and when they arrive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.code.surfaces import descent_lines
from cnnwidgets.methods.parts import ask
from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.schedules import Scheduled, check_steps, title
from cnnwidgets.methods.surfaces import SURFACES, Surface, best_rate, critical_momentum
from cnnwidgets.net.arguments import checked, one_of
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number

ARRIVED = 1e-3
"""A path has reached a minimum once it stays within this share of its first height above it."""

FAR = 1e6
"""A weight beyond this has diverged."""

ADAPTIVE = ("RMSprop", "Adam", "AdamW")

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": "SGD", "momentum": 0.0},
    "momentum": {"optimizer": "SGD"},
    "dampened": {"optimizer": "SGD"},
    "Nesterov": {"optimizer": "SGD", "nesterov": True},
    "RMSprop": {"optimizer": "RMSprop", "momentum": 0.0},
    "Adam": {"optimizer": "Adam"},
    "AdamW": {"optimizer": "AdamW", "weight_decay": 0.01},
}
"""What races here, by name, as far as it is no slider. AdamW decays as it does by default."""


@checked
def optimizer_specs(
    names: Sequence[str], rate: float, adaptive_rate: float, momentum: float, **more: Any
) -> list[dict[str, Any]]:
    """A spec for each optimizer, for :func:`descend` and for a race.

    "dampened" is momentum as it is often written, v = b v + (1 - b) g: torch's ``dampening=b``, but for its first step,
    which torch takes whole. Without momentum, "Nesterov" is SGD.

    Parameters:
        rate, adaptive_rate: of SGD in all its forms, and of RMSprop, Adam and AdamW.
        momentum: b; of Adam its first beta.
        more: what all specs have.
    """
    specs = []
    for name in names:
        spec = {"name": name, "kind": "constant", "lr": adaptive_rate if name in ADAPTIVE else rate, "momentum": momentum}
        spec |= OPTIMIZERS[one_of("the optimizer", name, OPTIMIZERS)]
        if name == "dampened":
            spec["dampening"] = momentum
        if name == "Nesterov":
            spec["nesterov"] = momentum > 0
        specs.append({**more, **spec})
    return specs


@dataclass(frozen=True, eq=False)
class Descent:
    """The path of one optimizer.

    Attributes:
        name: of its spec.
        spec: see :func:`cnnwidgets.methods.schedule`.
        path: float64 (n + 1, 2), the weights from the start on; it ends where it diverges.
        losses: float64 (n + 1,), without the noise.
        reached: after how many steps it stays within :data:`ARRIVED` of a minimum; None if it does not.
        diverged: whether it left for infinity.
    """

    name: str
    spec: dict[str, Any]
    path: np.ndarray
    losses: np.ndarray
    reached: int | None
    diverged: bool


@dataclass(frozen=True, eq=False)
class Descents:
    """The paths of several optimizers from one start.

    Attributes:
        surface: its name.
        each: the paths.
        steps: how many each may take.
        condition, noise, seed: as they were given.
        x, y: float64 (columns,), (rows,): where ``heights`` are.
        heights: float64 (rows, columns), the loss.
        marked: the step that is on screen while all are gone through; None otherwise.
    """

    surface: str
    each: tuple[Descent, ...]
    steps: int
    condition: float
    noise: float
    seed: int
    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    heights: np.ndarray = field(repr=False)
    marked: int | None = None

    @property
    def above(self) -> dict[str, np.ndarray]:
        """float64 (n + 1,) by name: how far each path is above the minimum, step by step."""
        return {one.name: one.losses - SURFACES[self.surface].lowest for one in self.each}

    @property
    def paths(self) -> np.ndarray:
        """float64 (optimizers, steps + 1, 2), NaN where a path has diverged."""
        found = np.full((len(self.each), self.steps + 1, 2), np.nan)
        for k, one in enumerate(self.each):
            found[k, : len(one.path)] = one.path
        return found

    @property
    def summary(self) -> str:
        """Who reaches the minimum, in how many steps; then what theory says of a bowl."""
        there = sorted((one for one in self.each if one.reached is not None), key=lambda one: one.reached or 0)
        away = [one for one in self.each if one.reached is None and not one.diverged]
        gone = [f"{one.name} diverges" for one in self.each if one.diverged]
        if there:
            first, *others = there
            told = [f"{one.name} in {one.reached}" for one in others]
            line = ", ".join([f"{_upper(first.name)} reaches the minimum in {first.reached} steps", *told])
            late = [f"{_listed([one.name for one in away])} not in {self.steps}"] if away else []
            lines = ["; ".join([line, *late, *gone]) + "."]
        else:
            ends = {one.name: self._rest(one) for one in away}
            near = sorted(ends, key=lambda name: ends[name])
            closest = [f"{_upper(near[0])} comes closest: {number(ends[near[0]], 2)} above it"] if near else []
            later = [f"{name} {number(ends[name], 2)}" for name in near[1:]]
            lines = ["; ".join([f"None stays at the minimum in {self.steps} steps", *closest, *later, *gone]) + "."]
            lines += ["Heights are means over the last quarter of the steps."] if near else []
        return "\n".join([*lines, *self._facts()])

    def _rest(self, one: Descent) -> float:
        """The mean height above the minimum over the last quarter of a path."""
        return float(one.losses[-max(1, len(one.losses) // 4) :].mean()) - SURFACES[self.surface].lowest

    def _facts(self) -> list[str]:
        facts = [SURFACES[self.surface].about]
        if self.surface == "bowl":
            low, high = 1.0, self.condition
            best = best_rate(min(low, high), max(low, high))
            facts.append(f"On this bowl plain SGD is fastest at rate {number(best)}, 2 / (1 + {number(high)}), and diverges "
                         f"above {number(2 / max(low, high))}.")  # fmt: skip
            if rate := next((one.spec["lr"] for one in self.each if one.name == "momentum"), None):
                facts.append(
                    f"At rate {number(rate)} momentum is critically damped along the floor at "
                    f"{number(critical_momentum(rate, min(low, high)))}: more of it swings."
                )
        if any(one.name == "dampened" for one in self.each):
            facts.append("Dampened momentum takes its first step whole; each later gradient counts by 1 minus the momentum.")
        return facts

    def code(self) -> str:
        """Plain PyTorch lines that put each path, (n + 1, 2), into a dict ``values``."""
        function = SURFACES[self.surface].function(self.condition)
        start = self.each[0].path[0].tolist() if self.each else [0.0, 0.0]
        return descent_lines(function, start, [one.spec for one in self.each], self.steps, self.noise, self.seed, FAR)


@checked
def descend(
    surface: str,
    specs: Sequence[Mapping[str, Any]],
    *,
    start: Sequence[float] | None = None,
    steps: int = 200,
    condition: float = 100.0,
    noise: float | None = None,
    seed: int = 0,
    cancel: Cancel | None = None,
) -> Descents:
    """Let torch's optimizers go down a surface.

    >>> specs = cw.methods.optimizer_specs(["SGD", "momentum"], rate=0.012, adaptive_rate=0.1, momentum=0.9)
    >>> found = cw.methods.descend("bowl", specs, steps=300)
    >>> [one.reached for one in found.each]

    Parameters:
        surface: one of ``cw.methods.SURFACES``.
        specs: optimizers, as a race takes them, see :func:`cnnwidgets.methods.schedule`.
        start: x and y; by default the surface's own.
        steps: of each path at most.
        condition: of the bowl: how many times steeper it is in y than in x.
        noise: standard deviation of what is added to each of a gradient's two numbers, the same for each optimizer; by
            default the surface's own.
        seed: of the noise.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: there is no such surface, or a spec is wrong, in a sentence.
        Cancelled: cancel was set.
    """
    about, steps = SURFACES[one_of("surface", surface, SURFACES)], check_steps(steps)
    noise = about.noise if noise is None else noise
    if condition <= 0 or noise < 0:
        raise ValueError(f"condition is {condition:g} and noise {noise:g}; expected a number above 0 and one of at least 0")
    begin = about.start if start is None else start
    if len(begin) != 2 or not all(map(math.isfinite, begin)):
        raise ValueError(f"start is {start!r}; expected two numbers, x and y")
    found = [_path(about, spec, begin, steps, condition, noise, seed, cancel) for spec in specs]
    x, y = (np.linspace(*ends, 161) for ends in about.bounds)
    grid = torch.from_numpy(np.stack(np.meshgrid(x, y), -1))
    return Descents(surface, tuple(found), steps, condition, noise, seed, x, y, about.loss(grid, condition).numpy())


def _path(
    surface: Surface,
    spec: Mapping[str, Any],
    start: Sequence[float],
    steps: int,
    condition: float,
    noise: float,
    seed: int,
    cancel: Cancel | None,
) -> Descent:
    weights = torch.tensor([float(value) for value in start], dtype=torch.float64, requires_grad=True)
    scheduled = Scheduled(settle(dict(spec), steps), [weights])
    generator = torch.Generator().manual_seed(seed)
    path = [weights.detach().clone()]
    for _ in range(steps):
        ask(cancel)
        (gradient,) = torch.autograd.grad(surface.loss(weights, condition), weights)
        weights.grad = gradient + noise * torch.randn(2, generator=generator, dtype=torch.float64)
        scheduled.optimizer.step()
        path.append(weights.detach().clone())
        if not (path[-1].abs() < FAR).all():
            break
        scheduled.step()
    walked = torch.stack(path)
    diverged = not bool((walked[-1].abs() < FAR).all())
    losses = surface.loss(walked, condition).numpy()
    return Descent(
        title(dict(spec)), dict(spec), walked.numpy(), losses, None if diverged else _arrival(losses, surface), diverged
    )


def _arrival(losses: np.ndarray, surface: Surface) -> int | None:
    """After how many steps a path stays near a minimum."""
    height = losses - surface.lowest
    outside = np.flatnonzero(height > ARRIVED * height[0])
    arrived = int(outside[-1]) + 1 if outside.size else 0
    return arrived if arrived < len(losses) else None


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
