"""The controls of one learning-rate schedule: its kind, and whatever can be set of that kind."""

from __future__ import annotations

from typing import Any

from cnnwidgets.base.controls import Value
from cnnwidgets.methods.parameters import Parameter
from cnnwidgets.methods.schedule_parameters import COMMON, KINDS, SGD, VARIED, parameters_of, schedule_kind
from cnnwidgets.panels.training.labels import FEW, NONE, WORDS, label_of

MENU = [[kind.title, name] for name, kind in KINDS.items() if name != "recorded"]

GROUP = "Schedule"
"""What the row of a schedule's controls is called."""

RATES = (1e-6, 100.0)
"""The ends of a learning rate's slider."""

SHARE_STEP = 0.005
"""The step of a slider from 0 to 1."""

MOST_SLID = 20.0
"""A value that may be larger has a field instead of a slider."""


def controls_of(spec: dict[str, Any], steps: int, number: int, locked: bool) -> dict[str, Value]:
    """A control for each value of a spec: its kind, rate and first few values; the others are behind "More".

    Parameters:
        number: which of the schedules it is, from 0.
        locked: whether a hand cannot change them.
    """
    kind = schedule_kind(spec)
    table = parameters_of(kind) if isinstance(kind, str) and kind in KINDS else {}
    hidden = ["groups", "rates" if kind == "recorded" else "losses", *SGD]  # what SGD alone has bends no schedule
    first = ["lr", *[name for name in table if name not in COMMON][:FEW]]
    found = {
        name: Value(
            label=label_of(str(kind), name),
            value=_plain(spec.get(name, row.default)),
            parts=_parts(name, row, steps),
            help=row.help,
            more=(more := name not in first),
            group=f"Schedule {number + 1}: more" if more else GROUP,
            locked=locked,
        )
        for name, row in table.items()
        if name not in hidden
    }
    if kind not in [name for _, name in MENU]:
        return found
    menu = {"kind": "choice", "options": MENU}
    shape = Value(value=kind, parts=menu, help="how the rate changes", group=GROUP, locked=locked)
    return {"kind": shape, **found}


def changed(spec: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A spec after a hand has changed a value. A new kind starts with its defaults, and keeps what both kinds know."""
    if name == "kind":
        known = parameters_of(value)
        return {
            "kind": value,
            **{key: old for key, old in spec.items() if key in VARIED or (key in COMMON and key in known)},
        }
    row = parameters_of(schedule_kind(spec))[name]
    gone = (name, "name", *(SGD if name == "optimizer" and value != "SGD" else ()))
    others = {key: old for key, old in spec.items() if key not in gone}
    return others if value is None else {**others, name: _numbers(value, row) if row.many else _number(value, row)}


def _parts(name: str, row: Parameter, steps: int) -> dict[str, Any]:
    """What is special to the control of a value."""
    low, high = row.low or 0.0, row.high or 0.0
    usual = {"none": NONE.get(name, f"all {steps:,}")} if row.default is None else {}
    slider = {"kind": "slider", "min": low, "max": high, **usual}
    if row.many:
        return {"kind": "text"}
    if row.choices == (False, True):
        return {"kind": "tick"}
    if row.choices:
        return {"kind": "choice", "options": [[WORDS.get(one, str(one)), one] for one in row.choices]}
    if name == "lr":
        return {**slider, "log": True, "min": RATES[0], "max": RATES[1], "low": low, "high": high}
    if row.whole:
        return {**slider, "max": min(high, max(steps, 10)), "high": high, "whole": True}
    if high <= 1 and (row.default in (0, None) or row.default >= SHARE_STEP):
        return {**slider, "step": SHARE_STEP}
    return {**slider, "step": 0.1} if high <= MOST_SLID else {**slider, "kind": "number"}


def _plain(value: Any) -> Any:
    """NumPy's and torch's numbers as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def _number(value: Any, row: Parameter) -> Any:
    """What a control gave, as a spec has it: 1 from the browser is 1.0 where numbers need not be whole."""
    return float(value) if isinstance(value, int) and not (row.whole or row.choices) else value


def _numbers(text: str, row: Parameter) -> Any:
    """The numbers in a text; the text itself if anything else is in it, about which the schedule then complains."""
    try:
        values = [float(part.replace("−", "-")) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError:
        return text
    return [int(value) if row.whole and value.is_integer() else value for value in values]
