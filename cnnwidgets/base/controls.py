"""What a public trait's control looks like, as plain data: the panel's module draws it, in every host alike.

A trait is tagged ``control=`` with one of these, or with None where a view controls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import traitlets as t

Pairs: TypeAlias = Callable[[Any], Sequence[tuple[str, Any]]]
"""Gives, of a panel, pairs (text, value)."""

MOST_BUTTONS, MOST_LETTERS, MOST_LETTERS_BEHIND = 5, 28, 16
"""Choices, and letters of them in all, that are buttons, in the strip's first row and behind "More"; more are a list."""

MOST_LISTED = 40
"""Choices of a list that opens; among more one searches."""

MOST_PILLS = 16
"""Values of which several are chosen by a button each; of more they are tags."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """How a trait is shown in the control strip.

    Attributes:
        label: its name there; by default the trait's.
        more: whether it is behind "More".
        group: the row that it belongs to, below the first; "" for none.
        when: names of traits and the values at which it is shown; else it is absent.
        absent: whether it is not shown now, asked of the panel whenever its result or its state changes.
        swatch: gives a color of the panel that its label shows; "" for none.
        shown: gives, as often, the value that it stands at where that is not the trait's, such as that of a step on screen
            while all are gone through; else None. A hand that sets it to the trait's own asks the panel anew.
    """

    label: str = ""
    more: bool = False
    group: str = ""
    when: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    absent: Callable[[Any], bool] | None = None
    swatch: Callable[[Any], str] | None = None
    shown: Callable[[Any], Any] | None = None

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        """What is special to this kind of control."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Slider(Control):
    """A slider over numbers; ``bounds(panel)`` gives the lowest and the highest.

    Of a pair of numbers it stands at the mean, and its field says both. Without a ``step`` numbers are whole, unless the
    trait is a float: then halves, too. On a ``log`` one they are numbers of two digits, about evenly apart. Where the trait
    may be None, a place before the first stands for that, and says ``nothing``.
    """

    bounds: Callable[[Any], tuple[float, float]]
    step: float | None = None
    nothing: str = ""
    log: bool = False

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        low, high = self.bounds(panel)
        whole = not isinstance(panel.traits()[name], t.Float)
        return {
            "kind": "slider",
            "min": low,
            "max": max(low, high),
            "step": self.step or (1 if whole else 0.5),
            "whole": whole,
            **({"log": True, "low": low, "high": high} if self.log else {}),
            **({"none": self.nothing, "before": True} if self.nothing else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Steps(Control):
    """A slider over names, in their order; ``options(panel)`` gives pairs (text, value)."""

    options: Pairs

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        return {"kind": "steps", "options": panel.listed(name, self.options)}


@dataclass(frozen=True, kw_only=True)
class Choice(Control):
    """One of some values: buttons for a few, a list for some, a field with search for many.

    ``options(panel)`` gives pairs (text, value). A value that is not among them is shown, and kept.
    """

    options: Pairs

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        pairs = self.options(panel)
        letters = sum(len(text) for text, _ in pairs)
        few = len(pairs) <= MOST_BUTTONS and letters <= (MOST_LETTERS_BEHIND if self.more else MOST_LETTERS)
        kind = "segment" if few else "choice" if len(pairs) <= MOST_LISTED else "search"
        return {"kind": kind, "options": panel.listed(name, self.options)}


@dataclass(frozen=True, kw_only=True)
class Several(Control):
    """Any of some values, in the order in which they are chosen: a button each, or tags with search where there are many.

    ``about(panel)`` gives for each option the heading of the buttons it stands among and its own words of help.
    """

    options: Pairs
    about: Callable[[Any], Sequence[tuple[str, str]]] | None = None

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        kind = "several" if len(self.options(panel)) <= MOST_PILLS else "tags"
        about = {"about": [*map(list, self.about(panel))]} if self.about and kind == "several" else {}
        return {"kind": kind, "options": panel.listed(name, self.options), **about}


@dataclass(frozen=True, kw_only=True)
class Number(Control):
    """A field for a number between two ends; where the trait may be None, an empty field stands for that, and says ``none``.

    A number beyond the ends, which code may set, is shown as it is: whether it will do is for the method to say.
    """

    low: float
    high: float
    none: str = "auto"

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        trait = panel.traits()[name]
        whole = isinstance(trait, t.Int)
        none = {"none": self.none} if trait.allow_none else {}
        return {"kind": "number", "min": self.low, "max": self.high, "step": 1 if whole else None, **none}


@dataclass(frozen=True, kw_only=True)
class Pair(Control):
    """Two fields for the ends of a range, the lower first."""

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        return {"kind": "pair"}


@dataclass(frozen=True, kw_only=True)
class Tick(Control):
    """A box to tick."""

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        return {"kind": "tick"}


@dataclass(frozen=True, kw_only=True)
class Picture(Control):
    """A picture: its number ``among(panel)``, or the user's own: drawn, from a camera, or a file."""

    among: Callable[[Any], Sequence[Any]]

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        return {"kind": "picture", "min": 0, "max": len(self.among(panel)) - 1}


@dataclass(frozen=True, kw_only=True)
class Action(Control):
    """A button that calls a method of the panel, see :func:`action`; ``says(panel)`` gives its words.

    A ``key``, one letter, does the same from anywhere in the panel except a text field.
    """

    says: Callable[[Any], str]
    primary: bool = False
    icon: str = ""
    key: str = ""

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        keys = {"key": self.key} if self.key else {}
        return {"kind": "action", "label": self.says(panel), "primary": self.primary, "icon": self.icon, **keys}


@dataclass(frozen=True, kw_only=True)
class Value(Control):
    """A control of a value that is no trait, see ``Panel.more_controls``.

    Attributes:
        value: what it stands at.
        parts: what is special to this kind of control, as the strip takes it: ``{"kind": "tick"}``.
        help: a sentence.
        locked: whether a hand cannot change it.
    """

    value: Any
    parts: Mapping[str, Any]
    help: str = ""
    locked: bool = False

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        return {"of": "_values", **self.parts}


def action(says: str | Callable[[Any], str], **options: Any) -> Callable:
    """Give a panel's method a button in the control strip, whose help is the method's docstring.

    >>> @action("Restart")
    ... def restart(self): "Begin the layout again."

    Parameters:
        says: its words, or a function of the panel that gives them.
        options: of :class:`Action`: ``more``, ``group``, ``absent``, ``primary``, ``icon``, ``key``; and ``locked_by``, the
            name of a public trait: if that is locked or hidden, so is the button.
    """
    locked_by = options.pop("locked_by", "")
    control = Action(says=says if callable(says) else lambda panel: says, **options)

    def mark(method: Callable) -> Callable:
        method.control, method.locked_by = control, locked_by  # type: ignore[attr-defined]
        return method

    return mark


def specs(panel: Any, values: Mapping[str, Value]) -> list[dict[str, Any]]:
    """All controls of a panel: its primary action first, then those of its traits, of other values, and its actions."""
    found = []
    for name, trait in panel.public_traits().items():
        control = trait.metadata["control"]
        if control is not None and name not in panel.hidden:
            found.append(_spec(panel, name, control, trait.help or "", name in panel.locked, panel.needs_kernel(name)))
    found += [_spec(panel, name, one, one.help, one.locked, True) for name, one in values.items()]
    for name, method in ({} if panel.is_bare else panel.actions()).items():
        if method.locked_by not in panel.hidden:
            locked = method.locked_by in panel.locked
            found.append(_spec(panel, name, method.control, (method.__doc__ or "").split("\n")[0], locked, True))
    return sorted(found, key=lambda spec: not spec.get("primary"))


def _spec(panel: Any, name: str, control: Control, text: str, locked: bool, kernel: bool) -> dict[str, Any]:
    return {
        "name": name,
        "label": control.label or name.replace("_", " "),
        "help": text,
        "more": control.more or bool(panel.is_bare and control.group),  # there what is found needs the room
        "group": control.group,
        "when": {trait: list(values) for trait, values in control.when.items()},
        "absent": bool(control.absent and control.absent(panel)),
        "locked": locked,
        "kernel": kernel,
        **({"shown": control.shown(panel)} if control.shown else {}),
        **({"swatch": control.swatch(panel)} if control.swatch else {}),
        **control.spec(panel, name),
    }
