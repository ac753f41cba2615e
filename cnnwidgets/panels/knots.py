"""The knots of a curve that is drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def moved(knots: list[tuple[float, float]], what: str, where: Sequence[float], steps: int) -> list[tuple[float, float]]:
    """Knots [(step, value)] after one was "dragged", "added" or "removed": whole steps, in order, at least two of them.

    Parameters:
        where: what a :class:`~cnnwidgets.views.ChartView` has in the trait of that name.
    """
    if what == "removed":
        gone = int(where[1])
        return [knot for k, knot in enumerate(knots) if k != gone] if len(knots) > 2 else knots
    x, y = where[-2:]
    now = (float(np.clip(round(x), 0, max(1, steps - 1))), max(0.0, float(f"{y:.3g}")))
    if what == "added":
        return sorted((dict(knots) | dict([now])).items())
    k = int(where[1])
    low = knots[k - 1][0] + 1 if k else 0
    high = knots[k + 1][0] - 1 if k + 1 < len(knots) else max(steps - 1, low)
    return [*knots[:k], (float(np.clip(now[0], low, high)), now[1]), *knots[k + 1 :]]
