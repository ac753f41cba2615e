"""What a widget is made of. ipywidgets keeps every widget until it is closed, so the one who makes widgets closes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
from ipywidgets.widgets import widget as registry


def all_open() -> list[w.Widget]:
    """All widgets of this process that are not closed."""
    return [*registry._instances.values()]


def held_by(widget: w.Widget) -> list[w.Widget]:
    """All that a widget is made of, layouts and styles too, the innermost first."""
    found: dict[w.Widget, None] = {}
    for value in widget.trait_values(sync=True).values():
        for part in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(part, w.Widget):
                found |= dict.fromkeys([*held_by(part), part])
    return [*found]


def close(*widgets: w.Widget) -> None:
    """Close widgets and all that they are made of."""
    for widget in widgets:
        for part in [*held_by(widget), widget]:
            part.close()


def open_again(*widgets: w.Widget) -> None:
    """Open widgets that were closed, and all that they are made of."""
    for widget in widgets:
        for part in [*held_by(widget), widget]:
            vars(part).pop("_repr_mimebundle_", None)
            part.open()


@contextmanager
def making() -> Iterator[list[w.Widget]]:
    """A list that has, afterwards, the widgets made inside; also those that are in no box, or were replaced."""
    made: list[w.Widget] = []
    before = {id(widget) for widget in all_open()}
    try:
        yield made
    finally:
        made += [widget for widget in all_open() if id(widget) not in before]
