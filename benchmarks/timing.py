"""Times that a busy machine cannot easily spoil: what is compared runs in turn, and medians and ratios are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """A line of the report; ``ok`` is None where nothing was asked."""

    what: str
    asked: str
    measured: str
    ok: bool | None


def in_turn(functions: Mapping[str, Callable[[], object]], rounds: int = 15, warm_up: int = 2) -> dict[str, np.ndarray]:
    """Seconds of every call, (rounds,) a name: one call of each in every round; what they return is dropped."""
    for _ in range(warm_up):
        for function in functions.values():
            function()
    times = [[_seconds(function) for function in functions.values()] for _ in range(rounds)]
    return dict(zip(functions, np.array(times).T, strict=True))


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def figure(what: str, values, unit: str, *, most: float | None = None, least: float | None = None) -> Figure:
    """The median of some values with their range, beside what was asked of it."""
    values = np.atleast_1d(np.asarray(values, float))
    middle = np.median(values)
    measured = f"{_short(middle)} {unit}"
    if len(values) > 1:
        measured += f" ({_short(values.min())} to {_short(values.max())})"
    if most is not None:
        return Figure(what, f"at most {_short(most)} {unit}", measured, bool(middle <= most))
    if least is not None:
        return Figure(what, f"at least {_short(least)} {unit}", measured, bool(middle >= least))
    return Figure(what, "", measured, None)


def table(figures: Iterable[Figure]) -> str:
    """The figures as aligned lines."""
    verdict = {True: "ok", False: "MISSED", None: ""}
    rows = [("figure", "asked", "measured", ""), *((f.what, f.asked, f.measured, verdict[f.ok]) for f in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
