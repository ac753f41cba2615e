"""Numbers that a method is given, checked for their bounds; of which kind they are, its annotations say."""

from __future__ import annotations

import math
from typing import Any, SupportsFloat, cast

import numpy as np

from cnnwidgets.net.arguments import said
from cnnwidgets.net.checks import whole_or_none


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number within bounds, of whatever type: ``3``, ``np.int64(3)``, ``3.0``.

    Raises:
        ValueError: it is something else.
    """
    found = whole_or_none(value)
    if found is None or (least is not None and found < least) or (most is not None and found > most):
        raise ValueError(f"{name} is {said(value)}; expected a whole number{_bounds(least, most)}")
    return found


def real(
    name: str, value: Any, least: float | None = None, *, above: float | None = None, below: float | None = None
) -> float:
    """A finite number within bounds.

    Parameters:
        above, below: what it must be larger, smaller than.

    Raises:
        ValueError: it is something else.
    """
    found = _real_or_none(value)
    if above is not None and below is not None:
        bounds = f" between {above:g} and {below:g}"
    else:
        bounds = f" above {above:g}" if above is not None else _bounds(least, None)
    fits = found is not None and (least is None or found >= least) and (above is None or found > above)
    if not fits or (below is not None and cast(float, found) >= below):
        raise ValueError(f"{name} is {said(value)}; expected a number{bounds}")
    return cast(float, found)


def _real_or_none(value: Any) -> float | None:
    if isinstance(value, (str, bytes)) or np.ndim(value):
        return None
    try:
        found = float(cast(SupportsFloat, value))
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least:,g} to {most:,g}"
    return f" of at least {least:,g}" if least is not None else ""
