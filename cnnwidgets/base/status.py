"""What a panel has found or is doing, in a sentence; facts behind it; and the code that gives what is on screen."""

from __future__ import annotations

from typing import Any

import traitlets as t


class Status(t.HasTraits):
    """A panel's status line, which the panel's module draws."""

    message = t.Unicode(help="the finding, a sentence; and below it lines of facts")
    kind = t.Enum(("ready", "busy", "error"), "ready", help="what the message is: a result, progress, or an error")
    fraction = t.Float(0.0, help="how much is done, from 0 to 1; 0 where that is not known")
    found = ""
    """The finding of the last result, whatever is being done now."""

    code = t.Unicode(help="lines of Python; empty until they are asked for")

    @property
    def finding(self) -> str:
        """The first line; of an error all lines, none of which is a detail."""
        return self.message if self.kind == "error" else self.message.partition("\n")[0]

    @property
    def details(self) -> str:
        """The lines after the finding."""
        return "" if self.kind == "error" else self.message.partition("\n")[2]

    def say(self, message: str, kind: str = "ready", fraction: float = 0.0) -> None:
        """Replace the message."""
        with self.hold_trait_notifications():
            self.message, self.kind, self.fraction = message, kind, fraction
        if kind == "ready":
            self.found = self.finding

    def wire(self) -> dict[str, Any]:
        """What the panel's module draws, except for the code."""
        return {"text": self.finding, "details": self.details, "kind": self.kind, "fraction": self.fraction}
