"""What a public trait accepts, in words: any other value is refused in one sentence, and nothing changes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.net.arguments import is_number, said
from cnnwidgets.net.layers import nearest

_NOBODY = t.HasTraits()
"""The owner for which a value is tried, so that no panel's own validators see it."""


class Unfit(t.TraitError, ValueError):
    """A value that a trait refuses; the message says what it expects."""


class Fitting(t.HasTraits):
    """Traits tagged ``control=`` accept NumPy's and torch's numbers, and refuse other values in one sentence.

    Raises:
        Unfit: on assignment; the trait keeps its value.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        trait = getattr(type(self), name, None)
        if not isinstance(trait, t.TraitType) or "control" not in trait.metadata:
            super().__setattr__(name, value)
            return
        value = _plain(trait, value)
        problem = _problem(trait, name, value)
        if problem:
            raise Unfit(problem)
        super().__setattr__(name, value)


def expected(trait: t.TraitType) -> str:
    """What a trait accepts: ``a whole number of at least 1, or None``."""
    words = _expected(trait)
    return f"{words} or None" if trait.allow_none and "None" not in words else words


def _expected(trait: t.TraitType) -> str:
    match trait:
        case t.Enum():
            return "one of " + ", ".join(map(repr, trait.values or ()))
        case t.Bool():
            return "True or False"
        case t.Int():
            return "a whole number" + _range(trait)
        case t.Float():
            return "a number" + _range(trait)
        case t.Unicode():
            return "a text"
        case t.Dict():
            return "a dict"
        case t.Tuple():
            return "a tuple"
        case t.List() if type(trait._trait) is t.Any or trait._trait is None:
            return "a list"
        case t.List():
            many = f"{trait._minlen} of them" if trait._minlen == trait._maxlen else ""
            return f"a list, each item {expected(trait._trait)}" + (f", {many}" if many else "")
        case t.Union():
            return " or ".join(map(_expected, trait.trait_types))
        case t.Callable():
            return "a function"
    return "something else"


def _range(trait: Any) -> str:
    low, high = getattr(trait, "min", None), getattr(trait, "max", None)
    if low is not None and high is not None and math.isfinite(high):
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if low is not None and math.isfinite(low) else ""


def _problem(trait: t.TraitType, name: str, value: Any) -> str:
    """The sentence why a value does not fit; empty if it does."""
    if value is None and trait.allow_none:
        return ""
    if isinstance(trait, t.Union) and any(not _problem(one, name, value) for one in trait.trait_types):
        return ""
    if isinstance(trait, t.List) and isinstance(value, (list, tuple)) and trait._trait is not None:
        for k, one in enumerate(value):
            if problem := _problem(trait._trait, f"{name}[{k}]", one):
                return problem
    if _takes(trait, value):
        return ""
    if isinstance(trait, t.Enum) and isinstance(value, str) and value:
        near = nearest(value, list(map(str, trait.values or ())))
        return f"there is no {_singular(name)} {value!r}.{near} Expected {_expected(trait)}"
    return f"{name} is {said(value)}; expected {expected(trait)}"


def _takes(trait: t.TraitType, value: Any) -> bool:
    if isinstance(trait, (t.Int, t.Float)) and not is_number(value):
        return False  # no view can show what is not finite, and a NaN is never equal to itself
    validate = getattr(trait, "validate", None)
    try:
        if validate:
            validate(_NOBODY, value)
    except (t.TraitError, TypeError, ValueError, RuntimeError):  # an Enum compares, which arrays refuse
        return False
    return True


def _singular(name: str) -> str:
    """What one item of a trait is called: ``methods[0]`` is a ``method``."""
    whole, _, item = name.partition("[")
    return whole.removesuffix("s") if item else whole


def _plain(trait: t.TraitType, value: Any) -> Any:
    """NumPy's numbers as Python's, also in a row of them; anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(trait, t.List) and (isinstance(value, (list, tuple, range)) or np.ndim(value) == 1):
        return [one.item() if isinstance(one, np.generic) else one for one in value]
    return value
