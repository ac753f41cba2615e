"""What a panel is doing, in a sentence, and the code that gives what is on screen."""

from __future__ import annotations

from typing import Any

import traitlets as t


class Status(t.HasTraits):
    """A panel's status line, which the panel's module draws."""

    message = t.Unicode(help="a sentence")
    kind = t.Enum(("ready", "busy", "error"), "ready", help="how the sentence is meant")
    fraction = t.Float(0.0, help="the part that is done; 0: not known")
    code = t.Unicode(help="lines of Python; empty until they are asked for")

    def say(self, message: str, kind: str = "ready", fraction: float = 0.0) -> None:
        """Replace the sentence."""
        with self.hold_trait_notifications():
            self.message, self.kind, self.fraction = message, kind, fraction

    def wire(self) -> dict[str, Any]:
        """What the panel's module draws, but for the code."""
        return {"text": self.message, "kind": self.kind, "fraction": self.fraction}
