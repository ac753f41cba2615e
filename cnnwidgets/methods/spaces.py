"""A space to search: for each value of a spec the range, or the choices, that it is drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from cnnwidgets.methods.schedule_parameters import VARIED, schedule_kind, settle
from cnnwidgets.methods.variations import settled
from cnnwidgets.net.arguments import is_number, is_whole

Space: TypeAlias = Mapping[str, Any]
"""By name of a value: (low, high), (low, high, "log"), or a list of choices."""


@dataclass(frozen=True)
class Axis:
    """The range of one value.

    Attributes:
        name: of the value in the spec; a dot goes into a dict: "regularize.dropout".
        low, high: the ends, both in it.
        log: whether it is a range of powers: from 0.01 to 1, half lies below 0.1.
        whole: whether the values are whole numbers.
        choices: the values, if it is no range; then ``low`` and ``high`` are the numbers of the first and the last.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def at(self, share: float) -> Any:
        """The value at a share, 0 to 1, of the axis."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.whole:  # each whole number has as much room as any other
            low, high = self._scaled(self.low - 0.5), self._scaled(self.high + 0.5)
            return int(min(max(round(self._plain(low + share * (high - low))), self.low), self.high))
        low, high = self._scaled(self.low), self._scaled(self.high)
        return min(max(self._plain(low + share * (high - low)), self.low), self.high)

    def share(self, value: Any) -> float:
        """Where on the axis a value is, 0 to 1."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(value) - low) / (high - low) if high > low else 0.5

    def place(self, value: Any) -> float:
        """Where a chart has a value: the number itself, or that of the choice."""
        return float(self.choices.index(value)) if self.choices else float(value)

    @property
    def range(self) -> Any:
        """The axis as a space has it."""
        if self.choices:
            return list(self.choices)
        return (self.low, self.high, *(["log"] if self.log else []))

    def narrowed(self, low: float, high: float) -> Axis:
        """The part of it from one place to another, in either order; an axis with no room becomes its nearest value."""
        low, high = sorted((float(low), float(high)))
        if self.choices:
            first, last = (int(min(max(round(end), 0), len(self.choices) - 1)) for end in (low, high))
            return axis_of(self.name, self.choices[first : last + 1])
        low, high = (min(max(end, self.low), self.high) for end in (low, high))
        if self.whole:
            low, high = round(low), round(high)
        return Axis(self.name, low, high, self.log, self.whole)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else float(value)

    def _plain(self, value: float) -> float:
        return math.exp(value) if self.log else value


def axis_of(name: str, given: Any) -> Axis:
    """An axis, as a space has it.

    Raises:
        TypeError, ValueError: what is wrong with it, in a sentence.
    """
    if isinstance(given, list) or (isinstance(given, tuple) and not all(map(is_number, given[:2]))):
        if not given:
            raise ValueError(f"there is nothing to choose from for {name!r}: expected at least one value")
        return Axis(name, 0, len(given) - 1, choices=tuple(given))
    ends: Any = given[:2] if isinstance(given, tuple) else ()
    if len(ends) != 2 or given[2:] not in ((), ("log",)):
        raise TypeError(f"the range of {name!r} is {given!r}; expected (low, high), (low, high, 'log') or a list of values")
    low, high = ends
    log, whole = given[2:] == ("log",), is_whole(low) and is_whole(high)
    if low > high or (log and low <= 0):
        wanted = "numbers above 0, the lower one first" if log else "the lower number first"
        raise ValueError(f"the range of {name!r} is {given!r}; expected {wanted}")
    return Axis(name, int(low), int(high), log, True) if whole else Axis(name, float(low), float(high), log)


def axes_of(space: Space, base: Mapping[str, Any], steps: int) -> dict[str, Axis]:
    """The axes of a space, whose ends all make specs that will do.

    Raises:
        TypeError, ValueError: a range is none, or a spec does not take its values.
    """
    if not isinstance(space, Mapping) or not space:
        raise TypeError(f"space is {space!r}; expected a dict such as {{'lr': (1e-4, 1, 'log'), 'momentum': (0.0, 0.99)}}")
    axes = {name: axis_of(name, given) for name, given in space.items()}
    middle = {name: axis.at(0.5) for name, axis in axes.items()}
    for name, axis in axes.items():
        for value in axis.choices or (axis.low, axis.high):
            spec = spec_of(base, {**middle, name: value})
            settle(spec, steps)
            settled(spec)
    return axes


def spec_of(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A spec with these values in it; without a kind its rate is constant.

    >>> spec_of({"optimizer": "Adam"}, {"lr": 0.1, "regularize.dropout": 0.5})
    {'kind': 'constant', 'optimizer': 'Adam', 'lr': 0.1, 'regularize': {'dropout': 0.5}}
    """
    spec = {"kind": "constant", **base} if schedule_kind({**base}) in (None, "constant") else {**base}
    for name, value in values.items():
        key, *more = str(name).split(".")
        if not more:
            spec[key] = value
            continue
        inner = spec.get(key) or {}
        if key not in VARIED or not isinstance(inner, Mapping) or len(more) > 1:
            raise TypeError(f"space has {name!r}; expected a name with one dot at most, such as 'regularize.dropout'")
        spec[key] = {**inner, more[0]: value}
    return spec


Way: TypeAlias = Literal["random", "grid", "evolution"]

WAYS: tuple[Way, ...] = ("random", "grid", "evolution")

POPULATION, SAMPLE, STEP = 8, 3, 0.15
"""Of evolution: how many trials live, among how many a parent is found, and how far a child goes, as a share of an axis."""


def shares_of(way: Way, axes: Mapping[str, Axis], runs: int, seed: int) -> np.ndarray:
    """float64 (runs, axes): where on each axis the trials of "random" or "grid" are, 0 to 1.

    Random ones are the same whatever ``runs`` is, as far as they go. A grid's are the middles of equal cells, in an order
    that the seed draws; there are as many as fit into ``runs``.
    """
    if way == "random":
        return np.random.default_rng(seed).random((runs, len(axes)))
    counts = dict.fromkeys(axes, 1)
    while True:
        wider = [name for name in axes if _fits(counts, name, runs) and counts[name] < _most(axes[name])]
        if not wider:
            break
        counts[min(wider, key=counts.__getitem__)] += 1
    levels = [(np.arange(count) + 0.5) / count for count in counts.values()]
    cells = np.stack([each.ravel() for each in np.meshgrid(*levels, indexing="ij")], axis=1)
    return cells[np.random.default_rng(seed).permutation(len(cells))]


def _fits(counts: Mapping[str, int], wider: str, runs: int) -> bool:
    return math.prod(count + (name == wider) for name, count in counts.items()) <= runs


def _most(axis: Axis) -> float:
    """How many values an axis has."""
    return len(axis.choices) or (axis.high - axis.low + 1 if axis.whole else 1.0 if axis.low == axis.high else math.inf)


def child(
    axes: Mapping[str, Axis], living: list[tuple[dict[str, Any], float]], generator: np.random.Generator
) -> np.ndarray:
    """float64 (axes,): where a child of the best of a few trials is: one value changes.

    Regularized evolution: Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier architecture search"
    (AAAI 2019). A number moves by a normal step, and is reflected at the ends; a choice becomes another one.

    Parameters:
        living: the values of the trials that live, and how good each is: the higher the better.
    """
    drawn = generator.choice(len(living), min(SAMPLE, len(living)), replace=False)
    values, _ = max((living[k] for k in sorted(drawn)), key=lambda one: one[1])
    shares = np.array([axis.share(values[name]) for name, axis in axes.items()])
    movable = [k for k, axis in enumerate(axes.values()) if _most(axis) > 1]
    if not movable:
        return shares
    k = int(generator.choice(movable))
    axis = [*axes.values()][k]
    if axis.choices:
        step = generator.integers(1, len(axis.choices))
        shares[k] = (shares[k] + step / len(axis.choices)) % 1
    else:
        moved = abs(shares[k] + generator.normal(0, STEP)) % 2
        shares[k] = min(moved, 2 - moved)
    return shares
