"""What a hand does in the browser, told from what code sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w


def on_user(widget: w.Widget, trait: str, action: Callable[[Any], None]) -> None:
    """Call an action with a trait's new value when it came from the browser, and never when code has set it.

    Whoever observes the trait, or has linked it, has heard of it before. What the action sets is sent to the browser.
    """
    set_state = widget.set_state

    def take(state: dict[str, Any]) -> None:
        before = getattr(widget, trait)
        set_state(state)
        if trait in state and (now := getattr(widget, trait)) != before:
            action(now)

    widget.set_state = take
