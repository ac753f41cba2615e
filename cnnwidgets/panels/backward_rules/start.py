"""The numbers that BackwardRules begins with: an example's, or one's own in their place."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.base.fitting import Unfit
from cnnwidgets.methods.backward_rules import EXAMPLES, table

NUMBERS = ("input", "weights", "above")
"""The traits that are tables of numbers."""


def numbers_of(state: Any) -> dict[str, list[list[float]]]:
    """The numbers of a panel, or of a state of it, by name."""
    start = EXAMPLES[state.example]
    own = {name: getattr(state, name) or getattr(start, name) for name in NUMBERS}
    return {name: values for name, values in own.items() if getattr(start, name) is not None}


def are_own(state: Any) -> bool:
    """Whether there are other numbers than the example's."""
    return any(values != getattr(EXAMPLES[state.example], name) for name, values in numbers_of(state).items())


def fits(name: str, values: Any, example: str) -> bool:
    """Whether there are as many numbers as an example has; None stands for those."""
    return values is None or np.shape(values) == np.shape(getattr(EXAMPLES[example], name))


def checked(name: str, values: Any, example: str) -> list[list[float]]:
    """One's own numbers as lists.

    Raises:
        Unfit: they are none, or not as many as the example has.
    """
    try:
        return table(values, np.shape(getattr(EXAMPLES[example], name))).tolist()
    except ValueError as error:
        raise Unfit(f"{name} of the example {example!r}: {error}") from None
