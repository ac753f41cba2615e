"""The numbers that BackwardRules starts with: an example's, or the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.base.fitting import Unfit
from cnnwidgets.methods.backward_rules import EXAMPLES, table

NUMBERS = ("input", "weights", "above")
"""The traits that are tables of numbers."""


def numbers_of(state: Any) -> dict[str, list[list[float]]]:
    """The numbers of a panel or of its state, by name."""
    start = EXAMPLES[state.example]
    own = {name: getattr(state, name) or getattr(start, name) for name in NUMBERS}
    return {name: values for name, values in own.items() if getattr(start, name) is not None}


def are_own(state: Any) -> bool:
    """Whether any number is not the example's."""
    return any(values != getattr(EXAMPLES[state.example], name) for name, values in numbers_of(state).items())


def fits(name: str, values: Any, example: str) -> bool:
    """Whether the numbers have the shape of an example's; None stands for those."""
    return values is None or np.shape(values) == np.shape(getattr(EXAMPLES[example], name))


def checked(name: str, values: Any, example: str) -> list[list[float]]:
    """The user's own numbers as lists.

    Raises:
        Unfit: they are not numbers, or not of the example's shape.
    """
    try:
        return table(values, np.shape(getattr(EXAMPLES[example], name))).tolist()
    except ValueError as error:
        raise Unfit(f"{name} of the example {example!r}: {error}") from None
