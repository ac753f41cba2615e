"""The controls of one learning-rate schedule: its kind, and whatever can be set of that kind."""

from __future__ import annotations

from typing import Any

from cnnwidgets.base.controls import Value
from cnnwidgets.methods import KINDS
from cnnwidgets.methods.parameters import Parameter
from cnnwidgets.methods.schedule_parameters import COMMON, parameters_of

MENU = [[kind.title, name] for name, kind in KINDS.items() if name != "recorded"]

RATES = (1e-6, 100.0)
"""Learning rates between which a slider slides."""

SHARE_STEP = 0.005
"""Of a slider from 0 to 1."""

MOST_SLID = 20.0
"""A value that may be larger has a field, and no slider."""


def controls_of(spec: dict[str, Any], steps: int, group: str, locked: bool) -> dict[str, Value]:
    """A control for each value of a spec of so many steps: those that all kinds have are behind "More".

    Parameters:
        group: what the schedule is called above them.
        locked: whether a hand cannot change them.
    """
    kind = spec.get("kind")
    table = parameters_of(kind) if isinstance(kind, str) and kind in KINDS else {}
    hidden = ("groups", "rates" if kind == "recorded" else "losses")
    found = {
        name: Value(
            label=name,
            value=_plain(spec.get(name, row.default)),
            parts=_parts(name, row, steps),
            help=row.help,
            more=(more := name in COMMON and name != "lr"),
            group=f"{group}: warm-up and optimizer" if more else group,
            locked=locked,
        )
        for name, row in table.items()
        if name not in hidden
    }
    if kind not in [name for _, name in MENU]:
        return found
    menu = {"kind": "choice", "options": MENU}
    first = Value(value=kind, parts=menu, help="what the rate does with the steps", group=group, locked=locked)
    return {"kind": first, **found}


def changed(spec: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A spec in which a hand has changed a value: another kind begins with its usual ones, and what both know stays."""
    if name == "kind":
        known = parameters_of(value)
        return {"kind": value, **{key: old for key, old in spec.items() if key in COMMON and key in known}}
    row = parameters_of(spec["kind"])[name]
    others = {key: old for key, old in spec.items() if key not in (name, "name")}
    return others if value is None else {**others, name: _numbers(value, row) if row.many else _number(value, row)}


def _parts(name: str, row: Parameter, steps: int) -> dict[str, Any]:
    """What is special to the control of a value."""
    low, high = row.low or 0.0, row.high or 0.0
    usual = {"none": "usual"} if row.default is None else {}
    slider = {"kind": "slider", "min": low, "max": high, **usual}
    if row.many:
        return {"kind": "text"}
    if row.choices == (False, True):
        return {"kind": "tick"}
    if row.choices:
        return {"kind": "choice", "options": [[str(one), one] for one in row.choices]}
    if name == "lr":
        return {**slider, "log": True, "min": RATES[0], "max": RATES[1], "low": low, "high": high}
    if row.whole:
        return {**slider, "max": min(high, max(steps, 10)), "high": high, "whole": True}
    if high <= 1 and (row.default in (0, None) or row.default >= SHARE_STEP):
        return {**slider, "step": SHARE_STEP}
    return {**slider, "step": 0.1} if high <= MOST_SLID else {**slider, "kind": "number"}


def _plain(value: Any) -> Any:
    """What may be of NumPy or torch as Python's numbers."""
    return value.tolist() if hasattr(value, "tolist") else value


def _number(value: Any, row: Parameter) -> Any:
    """What a control gave as a spec has it: 1 from the browser is 1.0, where numbers need not be whole."""
    return float(value) if isinstance(value, int) and not (row.whole or row.choices) else value


def _numbers(text: str, row: Parameter) -> Any:
    """The numbers in a text; the text itself if there are others than numbers in it, which the schedule then says."""
    try:
        values = [float(part.replace("−", "-")) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError:
        return text
    return [int(value) if row.whole and value.is_integer() else value for value in values]
