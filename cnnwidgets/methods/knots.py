"""The knots of a curve that is drawn by hand."""

from __future__ import annotations

from typing import Any

import numpy as np


def moved(knots: list[tuple[float, float]], change: Any, steps: int) -> list[tuple[float, float]]:
    """Knots [(step, value)] after one was moved, added or removed: whole steps, in order, at least two of them.

    Parameters:
        change: its ``name`` is "removed", "added", or that of a move; its ``new`` [..., x, y], before which stands, where
            there is a knot already, its number at place 1.
        steps: of the curve.
    """
    if change.name == "removed":
        gone = int(change.new[1])
        return [knot for k, knot in enumerate(knots) if k != gone] if len(knots) > 2 else knots
    x, y = change.new[-2:]
    now = (float(np.clip(round(x), 0, max(1, steps - 1))), max(0.0, float(f"{y:.3g}")))
    if change.name == "added":
        return sorted((dict(knots) | dict([now])).items())
    k = int(change.new[1])
    low = knots[k - 1][0] + 1 if k else 0
    high = knots[k + 1][0] - 1 if k + 1 < len(knots) else max(steps - 1, low)
    return [*knots[:k], (float(np.clip(now[0], low, high)), now[1]), *knots[k + 1 :]]
