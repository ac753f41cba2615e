"""The manners of every panel: state, jobs, errors, code, linking, a still twin."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
from torch import nn

from cnnwidgets.base import cells, figures, held
from cnnwidgets.base.computing import FIRST_PICTURE, Computing, drawing_still, missing
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.state import Stateful
from cnnwidgets.net import BoundModel, bind
from cnnwidgets.net.arguments import said
from cnnwidgets.net.errors import sentence
from cnnwidgets.panels import twin
from cnnwidgets.panels.controls import toolbox
from cnnwidgets.views import StatusStrip, View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnnwidgets.base.linking import Link


class Panel(Stateful, Computing, w.VBox):
    """A method, its views and its controls, in one box.

    A subclass declares its state as traits tagged ``control=`` (see :mod:`cnnwidgets.panels.controls`; None for a trait
    that a view controls), names those that need a computation in ``asks`` (None: it is made once), and fills in:

    - ``build() -> widgets``: makes the views; called once, in the constructor;
    - ``compute(job) -> result``: calls a method, on a thread of its own; ``job.state`` has the traits in ``asks`` as they
      were when it was asked, ``job`` is the method's ``cancel``, ``job.update`` shows a partial result;
    - ``draw(result)``: assigns view traits, nothing else; it reads the result and the state, and nothing that ``compute``
      left elsewhere, which may be of a request that came to nothing;

    and, as far as it has them:

    - ``summary(result) -> str``: the sentence in the status strip, ``remarks(result)`` further ones, and
      ``progress(partial)`` that of a partial result;
    - ``code() -> str``, ``data() -> dict``.

    Parameters:
        net: a bound network or a bare ``nn.Module``, which is bound; None for a panel that looks at none.
        hide, lock: names of traits whose controls are not shown, or cannot be changed by hand.
        **state: public traits.
    """

    net: BoundModel
    _twin: Any = None
    """The still picture under the live view, as long as it is that of a computation that goes on."""
    _jslinks: Sequence[w.Widget] = ()
    _made: Sequence[w.Widget] = ()

    def __init__(
        self, net: BoundModel | nn.Module | None, *, hide: Sequence[str] = (), lock: Sequence[str] = (), layout=None, **state
    ):
        if layout is not None and not isinstance(layout, (dict, w.Layout)):
            raise TypeError(f"layout is {said(layout)}; expected an ipywidgets.Layout, or a dict such as {{'width': '80%'}}")
        if net is not None:
            self.net = net if isinstance(net, BoundModel) else bind(net)
        self.controls: dict[str, w.Widget] = {}
        self.links: list[Link] = []
        self.ties: list[tuple[tuple[w.Widget, str], tuple[w.Widget, str]]] = []
        self.hidden, self.locked = (self.check_names(what, names) for what, names in (("hide", hide), ("lock", lock)))
        self.check_names("", state)
        super().__init__(**state, **({} if layout is None else {"layout": layout}))
        self.status = StatusStrip(on_cancel=self.cancel, on_code=self._show_code)
        self._begin()
        cells.remember(self)

    def _begin(self, change=None) -> None:
        """Build the panel and ask for its first result."""
        asks = list(self.asks or ())
        if change:
            self.unobserve(self._begin, asks)
        try:
            with held.making() as made:
                body = self.build()
        except Exception as error:  # a network that cannot run is a sentence in the panel, not a lost cell
            self.children = [self.status]
            self._fail(error)
            if asks:  # perhaps it can with the next picture
                self.observe(self._begin, asks)
        else:
            self._error, self._made = None, made
            self.children = [*body, self.status]
            if asks:
                self.observe(lambda change: self.ask(), asks)
            self.ask()

    # for subclasses

    def build(self) -> list[w.Widget]:
        raise missing(self, "build(), which makes its views")

    def without_kernel(self) -> Mapping[View, dict[str, Any] | None]:
        """Traits of views that are other in a page without a kernel, lists added to; None for a view that it leaves out."""
        return {}

    def code(self) -> str:
        """The plain PyTorch lines that give what is on screen, in a variable ``values``."""
        raise missing(self, "code()")

    def data(self) -> dict[str, np.ndarray]:
        """The arrays on screen, by name."""
        raise missing(self, "data()")

    def figure(self) -> Figure:
        """What is on screen as a Matplotlib figure, with the data in its artists."""
        _ = self.shown
        with LOCK:  # nothing changes in the views meanwhile
            return figures.figure_of(_layout_of(self))

    @property
    def subject(self) -> str:
        """What the panel is about, for its repr."""
        return self.net.name

    def toolbox(self) -> list[w.Widget]:
        """The controls of the public traits."""
        return toolbox(self)

    # views

    def tie(self, *views_and_traits: tuple[w.Widget, str]) -> None:
        """Keep traits of views the same in the browser, with or without a kernel.

        What code sets in the first is set in the others too, which the browser tells them, and the kernel does not.
        """
        first, *others = views_and_traits
        for other in others:
            self.ties.append((first, other))
            self._jslinks = [*self._jslinks, w.jslink(first, other)]
            _set_unsent(other, getattr(*first))
            first[0].observe(lambda change, other=other: _set_unsent(other, change.new), first[1])

    # showing

    def _show_code(self) -> None:
        try:
            self.status.code = self.code()
        except Exception as error:
            self.status.code = textwrap.indent(sentence(error), "# ")

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self._open_again()
        cells.remember(self)
        if self._job:
            self._job.wait_for_picture(FIRST_PICTURE)
        live = super()._repr_mimebundle_()
        display(live, raw=True)
        goes_on = self._job is not None and not self._job.ended
        if still := self._still():
            twin = display(still, raw=True, display_id=True)
            if goes_on:
                self._twin = twin
                if self._job and self._job.ended:  # while the picture was drawn
                    self._redraw_twin()

    def _came(self, job: Job, error: Exception | None) -> None:
        if error is None:
            self._redraw_twin()
        if self.status.code:  # the listing has been opened: it follows what is on screen
            self._show_code()

    def _redraw_twin(self) -> None:
        """Draw the still picture of a computation that went on again, once."""
        with LOCK:
            twin, self._twin = self._twin, None
        if twin and (still := self._still()):
            twin.update(still, raw=True)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        """The live view, a PNG of what it shows, and a line of text."""
        self._open_again()
        if self._job:
            self._job.wait_for_picture(FIRST_PICTURE)
        return {**self._still(), **super()._repr_mimebundle_(include=include, exclude=exclude)}

    def _still(self) -> dict[str, str]:
        """The MIME bundle of the still twin as it is by now; empty where there is nothing that could be drawn."""
        result = self._result
        if result is None:
            return {}
        try:
            with drawing_still(self, result):
                return twin.bundle(self)
        except figures.NothingDrawn:
            return {}
        except Exception as error:
            if self._error is None:
                self.status.say(sentence(error), "error")
            return {}

    def to_html(self, path: str | Path) -> None:
        """Write one self-contained page, in which hover, selection, sorting and colours work without a kernel."""
        self.wait()
        Path(path).write_text(twin.page(self), "utf-8")

    def close(self) -> None:
        """Stop the computation, and remove the panel and all that it holds from the page and from the kernel's memory.

        It is linked to no other panel any more. Whoever has it may go on using it; displayed again, it is there again.
        """
        self._stop()
        for link in [*self.links]:
            link.leave(self)
        super().close()
        held.close(*self._jslinks, *self.children, *self._made)
        self.layout.close()

    def _open_again(self) -> None:
        """Bring back what :meth:`close` has removed."""
        if self.comm is None:
            held.open_again(self, *self._jslinks)
            if self._job and self._job.cancelled:
                self.ask()

    def __del__(self) -> None:
        """Nobody has it any more: then nothing is computed, and no lock is needed, which another thread might hold."""
        super().close()

    def __repr__(self) -> str:
        told = {name: getattr(self, name) for name in self.public_traits() if name not in ("y", "x")}  # not where a hand is
        said = [
            f"{name}={str(value) if isinstance(value, Path) else value!r}"
            for name, value in told.items()
            if isinstance(value, (str, int, float, Path)) and value != self.public_traits()[name].default_value
        ]
        return f"{type(self).__name__}({', '.join([self.subject, *said])})"


def _set_unsent(view_and_trait: tuple[w.Widget, str], value: Any) -> None:
    """Set a trait that the browser itself sets."""
    view, trait = view_and_trait
    with view._lock_property(**{trait: value}):
        setattr(view, trait, value)


def _layout_of(box: w.Box) -> figures.Group:
    """The views of a box that are on screen, and where they lie in it."""
    seen = [child for child in box.children if child.layout.display != "none"]
    parts = [_layout_of(child) if isinstance(child, w.Box) else child for child in seen]
    kept = [(part, _grow(child)) for part, child in zip(parts, seen, strict=True) if _is_drawn(part)]
    direction = "column" if isinstance(box, w.VBox) else "row"
    return figures.Group(direction, [part for part, _ in kept], [weight for _, weight in kept])


def _is_drawn(part: Any) -> bool:
    return isinstance(part, figures.Group) or (isinstance(part, View) and not part.needs_kernel)


def _grow(widget: w.Widget) -> float:
    """By how much a part of a row grows where there is room, as its CSS flex says."""
    return float((widget.layout.flex or "1").split()[0])
