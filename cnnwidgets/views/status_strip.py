"""What a panel is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import traitlets as t

from cnnwidgets.views.view import View


class StatusStrip(View, module="status_strip.js"):
    """A sentence, progress and Cancel, and the code that gives what is on screen."""

    needs_kernel: ClassVar[bool] = True

    message = t.Unicode(help="a sentence").tag(sync=True)
    kind = t.Enum(("ready", "busy", "error"), "ready", help="how the sentence is meant").tag(sync=True)
    fraction = t.Float(0.0, help="the part that is done; 0: not known").tag(sync=True)
    code = t.Unicode(help="lines of Python").tag(sync=True)

    def __init__(self, *, on_cancel: Callable[[], None], on_code: Callable[[], None], **traits):
        super().__init__(**traits)
        self._actions = {"cancel": on_cancel, "code": on_code}
        self.on_msg(self._answer)

    def say(self, message: str, kind: str = "ready", fraction: float = 0.0) -> None:
        """Replace the sentence."""
        with self.hold_sync():
            self.message, self.kind, self.fraction = message, kind, fraction

    def _answer(self, _, message, buffers) -> None:
        if action := self._actions.get(message.get("kind")):
            action()
