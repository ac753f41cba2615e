"""What a hand does in the browser, as it comes from there."""

from __future__ import annotations

from typing import Any

import ipywidgets as w


def set_by_hand(widget: w.Widget, **traits: Any) -> None:
    """Let the browser send traits of a widget; a drop-down sends the place of its value."""
    if isinstance(widget, w.Dropdown) and "value" in traits:
        values = [value for _, value in widget._options_full]
        traits = {"index": values.index(traits["value"])}
    widget.set_state(traits)
