"""The state of a panel, a line a trait: what it takes, its control, and what follows from a change.

>>> epsilon = Number(0.1, 0.0, 4.0, help="largest change of a preprocessed value")

What follows (``then``) is "compute": the result is computed anew; "draw": it is drawn anew; or "nothing": the browser does
it, through a tie, or the methods marked ``@draws`` with the trait's name do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, TypeAlias

import traitlets as t

from cnnwidgets.base import controls as c
from cnnwidgets.methods.attribution import UNIT
from cnnwidgets.net.arguments import said
from cnnwidgets.net.layers import Layer as Row

Then: TypeAlias = Literal["compute", "draw", "nothing"]

THEN = ("compute", "draw", "nothing")


def public(
    trait: t.TraitType,
    control: c.Control | None,
    *,
    then: Then = "compute",
    usual: Callable[[Any], Any] | None = None,
    none: Any = None,
    sync: bool = True,
) -> Any:
    """A trait of a panel's state.

    Parameters:
        control: what a hand changes it by; None where a view does.
        then: what follows from a change.
        usual: gives, of the panel, what None stands for; asked once, when the network and the picture are known.
        none: the value that stands for no choice, which linked panels do not take over.
        sync: whether the browser has it; what may be long and is in no view and no control need not travel.
    """
    return trait.tag(control=control, then=then, usual=usual, none=none, sync=sync)


def Layer(of: str, *, help: str, text: Callable[[Row], str] | None = None, control: c.Control | Literal[True] | None = True,
          usual: bool = True, none: str = "", then: Then = "compute", **options: Any) -> Any:  # fmt: skip
    """The name of a layer.

    Parameters:
        of: which rows of ``net.layers`` there are to choose from: "weighted", "maps", "with_units".
        text: what a row is called in the list; by default its name.
        usual: whether None stands for the first of them.
        none: what None is called in the list, where it can be chosen; it then stands for no layer.
        options: of :class:`cnnwidgets.base.controls.Choice`.
    """

    def rows(panel: Any) -> Sequence[Row]:
        return getattr(panel.net.layers, of)

    def pairs(panel: Any) -> list[tuple[str, str | None]]:
        named = [(text(row) if text else row.name, row.name) for row in rows(panel)]
        return [(none, None), *named] if none else [*named]

    def first(panel: Any) -> str | None:
        return next((row.name for row in rows(panel)), None)

    shown = c.Choice(options=pairs, **options) if control is True else control
    stands_for = first if usual and not none else None
    return public(t.Unicode(None, allow_none=True, help=help).tag(rows=of), shown, then=then, usual=stands_for)


def Unit(default: int = -1, *, help: str = "index of the selected unit; -1 for none", then: Then = "nothing") -> Any:
    """The index of a unit, that a view selects."""
    return public(t.Int(default, help=help), None, then=then, none=-1)


def parted_unit(unit: Sequence[Any]) -> tuple[Any, Any, list | None]:
    """Layer, unit, and [row, column] or None, of what methods take as a unit."""
    if len(unit) not in (2, 4):
        raise ValueError(f"unit is {said(unit)}; expected {UNIT}")
    return unit[0], unit[1], list(unit[2:]) or None


def Cursor(*, help: str, control: c.Control | None = None, then: Then = "nothing") -> Any:
    """A row or a column of the input, in pixels: where the pointer is."""
    return public(t.Float(None, allow_none=True, help=help), control, then=then)


def Seed(*, help: str = "seed of what is left to chance", then: Then = "compute", more: bool = True) -> Any:
    """The seed of whatever is drawn at random."""
    return public(t.Int(0, min=0, max=2**32 - 1, help=help), c.Number(low=0, high=2**32 - 1, more=more), then=then)


def Number(default: float | None, low: float, high: float, *, help: str, whole: bool | None = None,
           free: bool | Literal["above"] = False, usual: Callable[[Any], Any] | None = None, then: Then = "compute",
           **options: Any) -> Any:  # fmt: skip
    """A number between two ends, in a field.

    Parameters:
        default: None where an empty field stands for something: give ``usual``, or say it in ``none=``.
        whole: whether it is a whole number; by default as the default is.
        free: whether code may go beyond the ends, or "above" the upper one: then that is an end of the field alone.
        options: of :class:`cnnwidgets.base.controls.Number`.
    """
    kind: Any = t.Int if (isinstance(default, int) if whole is None else whole) else t.Float
    ends = {} if free is True else {"min": low} if free else {"min": low, "max": high}
    trait = kind(default, allow_none=default is None, help=help, **ends)
    return public(trait, c.Number(low=low, high=high, **options), then=then, usual=usual)


def Slide(default: float | None, bounds: tuple[float, float] | Callable[[Any], tuple[float, float]], *, help: str,
          then: Then = "compute", none: Any = None, low: float | None = None, **options: Any) -> Any:  # fmt: skip
    """A number between two ends, on a slider.

    Parameters:
        default: None where that stands for something, which ``nothing=`` says; then the numbers are whole.
        bounds: lowest and highest, or a function of the panel that gives them.
        low: the lowest that code may set; by default any, where ``bounds`` is a function.
        options: of :class:`cnnwidgets.base.controls.Slider`.
    """
    kind: Any = t.Float if isinstance(default, float) else t.Int
    of = bounds if callable(bounds) else lambda panel: bounds
    ends = {} if callable(bounds) else {"min": bounds[0], "max": bounds[1]}
    if low is not None:
        ends["min"] = low
    trait = kind(default, allow_none=default is None, help=help, **ends)
    return public(trait, c.Slider(bounds=of, **options), then=then, none=none)


def Pixels(most: Callable[[Any], int], *, help: str, usual: Callable[[Any], Any] | None = None, then: Then = "compute",
           **options: Any) -> Any:  # fmt: skip
    """A number of pixels, or [rows, columns], on a slider.

    Parameters:
        most: gives, of the panel, the highest of the slider.
        options: of :class:`cnnwidgets.base.controls.Slider`.
    """
    trait = t.Union([t.Int(), t.List(t.Int())], default_value=None, allow_none=True, help=help)
    return public(trait, c.Slider(bounds=lambda panel: (1, most(panel)), **options), then=then, usual=usual)


def Choice(values: Sequence[str], default: str | None = None, *, help: str, texts: Collection[str] = (),
           then: Then = "compute", **options: Any) -> Any:  # fmt: skip
    """One of some words.

    Parameters:
        default: by default the first.
        texts: what they are called in the control; by default as they are.
        options: of :class:`cnnwidgets.base.controls.Choice`.
    """
    pairs = list(zip(texts or values, values, strict=True))
    trait = t.Enum(tuple(values), values[0] if default is None else default, help=help)
    return public(trait, c.Choice(options=lambda panel: pairs, **options), then=then)


def Flag(default: bool, *, help: str, then: Then = "compute", **options: Any) -> Any:
    """Yes or no, a box to tick."""
    return public(t.Bool(default, help=help), c.Tick(**options), then=then)
