"""How a panel shows itself: the live view, a static fallback where no kernel is running, a page, and its repr."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.base import cells, held, page
from cnnwidgets.base.computing import FIRST_PICTURE, Computing, drawing_still, missing
from cnnwidgets.base.figures import Group, NothingDrawn, captioned, figure_of
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.laid_out import LaidOut
from cnnwidgets.base.layout import Box, Part, column
from cnnwidgets.base.state import Stateful
from cnnwidgets.net.errors import sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATIC = "Static picture. Run the cell (Shift+Enter) to use it."
"""What stands below the picture that is shown where no kernel has the panel."""


class Displayed(Stateful, Computing, LaidOut):
    """A panel as its viewer sees it."""

    _twin: Any = None
    """The static picture under the live view, as long as it shows a computation that is not finished."""

    _made: Any

    # what is on screen

    def code(self) -> str:
        """The plain PyTorch lines that compute what is on screen, into a variable ``values``."""
        result = self.result
        if not hasattr(result, "code"):
            raise missing(self, "code()")
        return result.code(self.net)

    def data(self) -> dict[str, np.ndarray]:
        """The arrays on screen, by name."""
        result = self.result
        named = {one.name: getattr(result, one.name) for one in fields(result)} if is_dataclass(result) else {}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}

    def figure(self) -> Figure:
        """What is on screen as a Matplotlib figure: the stills of all views, as they are laid out."""
        _ = self.shown  # waits for it
        return figure_of(_group(self._box))

    def to_html(self, path: str | Path) -> None:
        """Write one self-contained page, on which everything works that needs no kernel; what needs one says so."""
        for panel in self._panels():
            panel.wait()
            panel._show_code()
        Path(path).write_text(page.page(self), "utf-8")

    def _panels(self) -> Iterator[Displayed]:
        """It and all panels in it."""
        yield self
        for part in self.children:
            if isinstance(part, Displayed):
                yield from part._panels()

    def _show_code(self) -> None:
        try:
            self.status.code = self.code()
        except Exception as error:
            self.status.code = textwrap.indent(sentence(error), "# ")

    # the live view and its twin

    def _ipython_display_(self) -> None:
        from IPython.display import display

        live, metadata = self._live()
        display(live, metadata=metadata, raw=True)
        goes_on = self._job is not None and not self._job.ended
        if still := self._still():
            twin = display(still, metadata=self._alternative(), raw=True, display_id=True)
            if goes_on:
                self._twin = twin
                if self._job and self._job.ended:  # while the picture was drawn
                    self._redraw_twin()

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live view, a PNG of what it shows, and a line of text."""
        live, metadata = self._live()
        is_marimo = type(self.comm).__module__.startswith("marimo")
        still = {} if is_marimo else self._still()  # which shows the live view only
        return {**still, **live}, {**metadata, **(self._alternative() if still else {})}

    def _live(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._open_again()
        cells.remember(self)
        if self._job:
            self._job.wait_for_picture(FIRST_PICTURE)
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        return {**data, "text/plain": repr(self)}, metadata

    def _came(self, job: Job, error: Exception | None) -> None:
        if error is None:
            self._redraw_twin()
        if self.status.code:  # the listing has been opened: it follows what is on screen
            self._show_code()

    def _redraw_twin(self) -> None:
        """Redraw the static picture once a computation has finished."""
        with LOCK:
            twin, self._twin = self._twin, None
        if twin and (still := self._still()):
            twin.update(still, metadata=self._alternative(), raw=True)

    def _still(self) -> dict[str, str]:
        """The MIME bundle of the static fallback; empty if there is nothing to draw yet."""
        if self._result is None:
            return {}
        try:
            with drawing_still(self, self._result):
                png = captioned(self.figure(), self.status.found, STATIC)
            return {"image/png": base64.b64encode(png).decode(), "text/plain": repr(self)}
        except NothingDrawn:
            return {}
        except Exception as error:
            if self._error is None:
                self.status.say(sentence(error), "error")
            return {}

    def _alternative(self) -> dict[str, dict[str, str]]:
        """The metadata that say in words what the static picture shows, which nbconvert makes its ``alt``."""
        return {"image/png": {"alt": f"{type(self).__name__}, {self.subject}: {self.status.found}"}}

    # the end

    def close(self) -> None:
        """Stop computing, and remove the panel and everything in it from the page and from the kernel's memory.

        Its links end. The object stays usable: display it again, and it is back.
        """
        self._stop()
        for link in [*self.links]:
            link.leave(self)
        super().close()
        held.close(*self.children, *self._made)
        self.layout.close()

    def _open_again(self) -> None:
        """Bring back what :meth:`close` has removed."""
        if self.comm is not None:
            return
        with LOCK:  # what a worker shows meanwhile would reach no browser
            for part in self.children:
                if isinstance(part, Displayed):
                    part._open_again()
                else:
                    held.open_again(part)
            held.open_again(self)
            self._lay_out()
            if self._job and self._job.cancelled:
                self.ask()

    def __del__(self) -> None:
        """Nobody refers to it any more, so nothing is computed. No lock is taken: another thread might hold it."""
        super().close()

    def __repr__(self) -> str:
        traits = self.public_traits()
        told = {name: getattr(self, name) for name in traits if name not in ("y", "x")}  # not where a hand is
        said = [
            f"{name}={str(value) if isinstance(value, Path) else value!r}"
            for name, value in told.items()
            if isinstance(value, (str, int, float, Path)) and value != traits[name].default_value
        ]
        return f"{type(self).__name__}({', '.join([self.subject, *said])})"


def _group(part: Part) -> Any:
    """The part of a layout that is on screen."""
    if not isinstance(part, Box):
        return part if not isinstance(part, Displayed) else column() if part.is_bare else _group(part._box)
    shown = [(one, weight) for one, weight in zip(part.parts, part.weights, strict=True) if one not in part.hidden]
    return Group(part.direction, [_group(one) for one, _ in shown], [weight for _, weight in shown])
