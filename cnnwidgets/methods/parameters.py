"""What can be set of a method: values with their range and a line that says what each does. A table that controls read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Parameter:
    """One value of a method.

    Attributes:
        default: None where it follows from others, which ``help`` then says.
        help: one line for the reader of a control.
        low, high: the range, both ends in it; None for a choice.
        choices: what there is to choose from, if it is not a number.
        whole: whether it is a whole number.
        many: whether it is a list of such numbers, at least one.
    """

    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    whole: bool = False
    many: bool = False

    def check(self, name: str, value: Any) -> Any:
        """The value as the method takes it; ValueError if it is none of the choices or out of range."""
        if value is None and self.default is None:
            return None
        if self.many:
            if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__") or not len(value):
                raise ValueError(f"{name} is {value!r}; it must be a list of numbers")
            return [self._number(name, one) for one in value]
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, self.choices))}")
            return self.choices[self.choices.index(value)]
        return self._number(name, value)

    def _number(self, name: str, value: Any) -> int | float:
        number = hasattr(value, "__float__") and not np.ndim(value)
        if not number or not self.low <= value <= self.high or (self.whole and value % 1):
            kind = "a whole number" if self.whole else "a number"
            raise ValueError(f"{name} is {value!r}; it must be {kind} from {self.low:g} to {self.high:g}")
        return int(value) if self.whole else float(value)
