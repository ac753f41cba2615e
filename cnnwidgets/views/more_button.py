"""What is folded away until somebody wants it."""

from __future__ import annotations

from typing import ClassVar

import ipywidgets as w
import traitlets as t

from cnnwidgets.views.view import View


class MoreButton(View, module="more_button.js"):
    """A button that keys reach, whose :attr:`display` says how what it opens is shown."""

    needs_kernel: ClassVar[bool] = True

    description = t.Unicode("More", help="what the button says").tag(sync=True)
    display = t.Unicode("none", help="CSS display of what is folded away: none, or empty for the usual").tag(sync=True)


class More(w.VBox):
    """Widgets that are folded away until somebody wants them.

    Parameters:
        title: what the button that opens them says.
        content: what holds them.
    """

    def __init__(self, title: str, content: w.Box):
        self.button, self.content = MoreButton(description=title), content
        content.layout.display = self.button.display
        self._tie = w.jslink((self.button, "display"), (content.layout, "display"))
        super().__init__([self.button, content], layout=w.Layout(overflow="visible"))

    def close(self) -> None:
        """Remove it, and what ties the button to what it opens."""
        self._tie.close()
        super().close()
