"""The controls of one learning-rate schedule: its kind, and whatever can be set of that kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as w

from cnnwidgets.base import held
from cnnwidgets.methods import KINDS
from cnnwidgets.methods.parameters import Parameter
from cnnwidgets.methods.schedule_parameters import COMMON, parameters_of
from cnnwidgets.views import More, NumberSlider
from cnnwidgets.views.hands import on_user

MENU = [(kind.title, name) for name, kind in KINDS.items() if name != "recorded"]

RATES = (1e-6, 100.0)
"""Learning rates between which a slider slides."""

SHARE_STEP = 0.005
"""Of a slider from 0 to 1."""

MOST_SLID = 20.0
"""A value that may be larger has a field, and no slider."""


class ScheduleEditor(w.VBox):
    """Shows a spec and tells of every change that a hand makes to it.

    Parameters:
        take: called with the changed spec.
    """

    def __init__(self, take: Callable[[dict[str, Any]], None]):
        self._take = take
        self._spec: dict[str, Any] = {}
        self.kind = w.Dropdown(options=MENU, description="kind", tooltip="what the rate does with the steps")
        on_user(self.kind, "index", lambda _: self._take_kind(self.kind.value))
        self.fields: dict[str, w.Widget] = {}
        self._built: tuple = ()
        self._own = w.Box(layout=w.Layout(flex_flow="row wrap", flex="1 1 340px"))
        self._common = w.Box(layout=w.Layout(flex_flow="row wrap"))
        super().__init__(
            [
                w.HBox([self.kind, self._own], layout=w.Layout(flex_flow="row wrap")),
                More("warm-up, optimizer, momentum, weight decay", self._common),
            ]
        )

    def show(self, spec: dict[str, Any], steps: int, disabled: bool = False) -> None:
        """Show a spec of so many steps."""
        self._spec, kind = spec, str(spec.get("kind"))
        known = kind in dict(MENU).values()
        self.kind.layout.display = "" if known else "none"
        if known:
            self.kind.value = kind
        if (kind, steps) != self._built:
            self._build(kind, steps)
        for name, field in self.fields.items():
            _put(field, spec.get(name, parameters_of(kind)[name].default))
        for field in (self.kind, *self.fields.values()):
            field.disabled = disabled

    def _build(self, kind: str, steps: int) -> None:
        table = parameters_of(kind) if kind in KINDS else {}
        held.close(*self.fields.values())
        hidden = ("groups", "rates" if kind == "recorded" else "losses")
        before = [*self.fields.values()]
        self.fields = {name: _field(name, row, steps) for name, row in table.items() if name not in hidden}
        for name, field in self.fields.items():
            trait = "index" if isinstance(field, w.Dropdown) else "value"
            on_user(field, trait, partial(self._take_field, name, field))
        own = [field for name, field in self.fields.items() if name not in COMMON or name == "lr"]
        self._own.children = own
        self._common.children = [field for field in self.fields.values() if field not in own]
        self._built = kind, steps
        for field in before:
            field.close()

    def _take_kind(self, kind: str) -> None:
        """Another kind begins with its usual values; what both kinds know stays."""
        kept = {name: value for name, value in self._spec.items() if name in COMMON and name in parameters_of(kind)}
        self._take({"kind": kind, **kept})

    def _take_field(self, name: str, field: w.Widget, _: Any) -> None:
        self._take_value(name, field.value)

    def _take_value(self, name: str, value: Any) -> None:
        row = parameters_of(self._spec["kind"])[name]
        spec = {key: old for key, old in self._spec.items() if key not in (name, "name")}
        if not (row.default is None and value == 0):
            spec[name] = _numbers(value, row) if row.many else _kept(value, row)
        self._spec = spec  # another value may change before this one is drawn
        self._take(spec)


def _field(name: str, row: Parameter, steps: int) -> w.Widget:
    label = name if row.default is not None else f"{name} (0: usual)"
    usual: dict[str, Any] = {"description": label, "tooltip": row.help}
    style = {"style": {"description_width": "initial"}}
    low, high = 0.0 if row.default is None else row.low or 0.0, row.high or 0.0
    if row.many:
        field: w.Widget = w.Text(continuous_update=False, **style, **usual)
    elif row.choices == (False, True):
        field = w.Checkbox(indent=False, **style, **usual)
    elif row.choices:
        field = w.Dropdown(options=list(row.choices), **style, **usual)
    elif name == "lr":
        field = NumberSlider(logarithmic=True, min=RATES[0], max=RATES[1], low=low, high=high, **usual)
    elif row.whole:
        field = NumberSlider(min=int(low), max=int(min(high, max(steps, 10))), whole=True, high=high, **usual)
    elif high <= 1 and (row.default == 0 or row.default is None or row.default >= SHARE_STEP):
        field = NumberSlider(min=low, max=high, step=SHARE_STEP, **usual)
    elif high <= MOST_SLID:
        field = NumberSlider(min=low, max=high, step=0.1, **usual)
    else:
        field = w.BoundedFloatText(min=low, max=high, continuous_update=False, **style, **usual)
    field.layout.width = "auto" if isinstance(field, w.Checkbox) else "min(330px, 100%)"
    return field


def _put(field: w.Widget, value: Any) -> None:
    """Show a value: a list as words, none as 0, and one beyond a field's end by moving that end."""
    if isinstance(field, w.Text):
        field.value = ", ".join(map(_written, value)) if isinstance(value, (list, tuple)) else str(value)
    elif isinstance(field, (w.Dropdown, w.Checkbox)):
        field.value = value
    elif isinstance(value, (int, float)) or value is None:
        value = value or 0
        if isinstance(field, w.BoundedFloatText):
            field.min, field.max = min(field.min, value), max(field.max, value)
        field.value = value


def _kept(value: Any, row: Parameter) -> Any:
    """What a control gave as a spec has it: 1 from the browser is 1.0, where numbers need not be whole."""
    return float(value) if isinstance(value, int) and not (row.whole or row.choices) else value


def _written(number: Any) -> str:
    """A number as short as it can be said exactly."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _numbers(text: str, row: Parameter) -> Any:
    """The numbers in a text; the text itself if there are others than numbers in it, which the schedule then says."""
    try:
        values = [float(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError:
        return text
    return [int(value) if row.whole and value.is_integer() else value for value in values]
