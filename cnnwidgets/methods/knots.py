"""The knots of a curve drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def moved(knots: list[tuple[float, float]], doing: str, where: Sequence[float], steps: int) -> list[tuple[float, float]]:
    """Knots [(step, value)] after one was moved, added or removed: at whole steps, in order, at least two.

    Parameters:
        doing: "dragged", "added" or "removed".
        where: [curve, knot, x, y] of one that was dragged, [x, y] of one to add, [curve, knot] of one to remove.
        steps: how many the curve has.
    """
    if doing == "removed":
        gone = int(where[1])
        return [knot for k, knot in enumerate(knots) if k != gone] if len(knots) > 2 else knots
    x, y = where[-2:]
    now = (float(np.clip(round(x), 0, max(1, steps - 1))), max(0.0, float(f"{y:.3g}")))
    if doing == "added":
        return sorted((dict(knots) | dict([now])).items())
    k = int(where[1])
    low = knots[k - 1][0] + 1 if k else 0
    high = knots[k + 1][0] - 1 if k + 1 < len(knots) else max(steps - 1, low)
    return [*knots[:k], (float(np.clip(now[0], low, high)), now[1]), *knots[k + 1 :]]


def values_of(knots: Sequence[Sequence[float]], steps: int) -> list[float]:
    """The values at this many steps of the straight lines between knots [(step, value)]."""
    at, values = zip(*knots, strict=True)
    return np.interp(np.arange(steps), at, values).tolist()
