"""What can be set of a method: values with their range and a line that says what each does. A table that controls read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnwidgets.net.arguments import is_number
from cnnwidgets.net.layers import nearest


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
                raise ValueError(f"{name} is {value!r}; expected a list of numbers")
            if not self.whole and set(map(type, value)) == {float}:  # many, often: no look at each of them
                rows = np.array(value)
                if ((rows >= self.low) & (rows <= self.high)).all():
                    return list(value)
            return [self._number(name, one) for one in value]
        if self.choices:
            if np.ndim(value) or isinstance(value, dict) or value not in self.choices:
                raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, self.choices))}")
            return self.choices[self.choices.index(value)]
        return self._number(name, value)

    def _number(self, name: str, value: Any) -> int | float:
        if not is_number(value) or not self.low <= value <= self.high or (self.whole and value % 1):
            kind = "a whole number" if self.whole else "a number"
            raise ValueError(f"{name} is {value!r}; expected {kind} from {self.low:g} to {self.high:g}")
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Text(Parameter):
    """A text, or a list of texts where there are ``many``."""

    def check(self, name: str, value: Any) -> Any:
        if value is None and self.default is None:
            return None
        if self.many and isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
            return list(value)
        if self.many or not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}; expected {'a list of texts' if self.many else 'a text'}")
        return value


@dataclass(frozen=True)
class Rows(Parameter):
    """A list of dicts, which may be empty.

    Attributes:
        rows: what each dict may hold.
    """

    rows: dict[str, Parameter] = field(default_factory=dict)

    def check(self, name: str, value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, dict) for one in value):
            raise ValueError(f"{name} is {value!r}; expected a list of dicts")
        for key in (key for one in value for key in one if key not in self.rows):
            near = nearest(str(key), [*self.rows])
            raise TypeError(f"{name} has no parameter {key!r}.{near} Each of them has: {', '.join(self.rows)}")
        return [
            {key: self.rows[key].check(f"{name}[{k}][{key!r}]", each) for key, each in one.items()}
            for k, one in enumerate(value)
        ]


def settle_by(table: dict[str, Parameter], key: str, given: Any, first: str | None = None) -> dict[str, Any]:
    """The values of a dict, checked by a table; those that are not given stay away.

    Parameters:
        key: what a sentence calls the dict.
        first: the name of the value that may be given alone, in place of a dict.

    Raises:
        TypeError: it is no dict, or has a name that is not in the table; the nearest one is offered.
        ValueError: a value is out of range.
    """
    if first is not None and not isinstance(given, dict):
        given = {first: given}
    if not isinstance(given, dict):
        raise TypeError(f"{key} is {given!r}; expected a dict with any of: {', '.join(table)}")
    for name in given:
        if name not in table:
            raise TypeError(f"{key} has no {name!r}.{nearest(str(name), [*table])} It has: {', '.join(table)}")
    return {name: table[name].check(f"{key}[{name!r}]" if name != first else key, value) for name, value in given.items()}
