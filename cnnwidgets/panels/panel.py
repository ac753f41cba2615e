"""The manners of every panel: state, jobs, errors, code, linking, a still twin."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as w
import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.net import BoundModel, Cancelled, bind
from cnnwidgets.net.arguments import said
from cnnwidgets.net.layers import nearest
from cnnwidgets.net.runner import CANCEL
from cnnwidgets.panels import twin
from cnnwidgets.panels.controls import toolbox
from cnnwidgets.panels.errors import sentence
from cnnwidgets.panels.fitting import Fitting
from cnnwidgets.panels.jobs import LOCK, WORKER, Job, on_worker
from cnnwidgets.views import StatusStrip, View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST_PICTURE = 20.0
"""Seconds that showing a panel waits at most for its first picture."""

BUSY_AFTER = 0.25
"""Seconds after which a computation says that it is under way; shorter ones do not flicker."""


class Panel(Fitting, w.VBox):
    """A method, its views and its controls, in one box.

    A subclass declares its state as traits tagged ``control=`` (see :mod:`cnnwidgets.panels.controls`; None for a trait
    that a view controls), names those that need a computation in ``asks``, and fills in:

    - ``build() -> widgets``: makes the views; called once, in the constructor;
    - ``compute(job) -> result``: calls a method, on the worker thread; ``job`` is its ``cancel``, ``job.update`` shows a
      partial result;
    - ``draw(result)``: assigns view traits, nothing else;
    - ``summary(result) -> str``: the sentence in the status strip, ``remarks(result)`` further ones, and
      ``progress(partial)`` that of a partial result;
    - ``code() -> str``, ``data() -> dict``, ``figure() -> Figure``.

    Parameters:
        net: a bound network or a bare ``nn.Module``, which is bound; None for a panel that looks at none.
        hide, lock: names of traits whose controls are not shown, or cannot be changed by hand.
        **state: public traits.
    """

    asks: ClassVar[frozenset[str]] = frozenset()
    worker: ClassVar[ThreadPoolExecutor] = WORKER
    net: BoundModel
    _job: Job | None = None
    _result: Any = None
    _error: Exception | None = None
    _twin: Any = None
    """The still picture under the live view, as long as it is that of a computation that goes on."""
    _at_once = False
    _jslinks: Sequence[w.Widget] = ()

    def __init__(
        self, net: BoundModel | nn.Module | None, *, hide: Sequence[str] = (), lock: Sequence[str] = (), layout=None, **state
    ):
        if layout is not None and not isinstance(layout, (dict, w.Layout)):
            raise TypeError(f"layout is {said(layout)}; expected an ipywidgets.Layout, or a dict such as {{'width': '80%'}}")
        if net is not None:
            self.net = net if isinstance(net, BoundModel) else bind(net)
        self.controls: dict[str, w.Widget] = {}
        self.ties: list[tuple[tuple[w.Widget, str], tuple[w.Widget, str]]] = []
        self.hidden, self.locked = (self._check_names(what, names) for what, names in (("hide", hide), ("lock", lock)))
        self._check_names("", state)
        super().__init__(**state, **({} if layout is None else {"layout": layout}))
        self.status = StatusStrip(on_cancel=self.cancel, on_code=self._show_code)
        self._begin()

    def _begin(self, change=None) -> None:
        """Build the panel and ask for its first result."""
        asks = list(self.asks)
        if change:
            self.unobserve(self._begin, asks)
        try:
            body = self.build()
        except Exception as error:  # a network that cannot run is a sentence in the panel, not a lost cell
            self.children = [self.status]
            self._fail(error)
            self.observe(self._begin, asks)  # perhaps it can with the next picture
        else:
            self._error = None
            self.children = [*body, self.status]
            self.observe(lambda change: self.ask(), asks)
            self.ask()

    # for subclasses

    def build(self) -> list[w.Widget]:
        raise NotImplementedError

    def compute(self, job: Job) -> Any:
        raise NotImplementedError

    def draw(self, result: Any) -> None:
        raise NotImplementedError

    def summary(self, result: Any) -> str:
        raise NotImplementedError

    def remarks(self, result: Any) -> Sequence[str]:
        """Sentences on the network and the picture that stand in the status strip after the summary."""
        return ()

    def progress(self, partial: Any) -> str:
        """The sentence in the status strip while a partial result is shown, or None when there is none yet."""
        return "Computing …"

    def without_kernel(self) -> Mapping[View, dict[str, Any] | None]:
        """Traits of views that are other in a page without a kernel, lists added to; None for a view that it leaves out."""
        return {}

    def code(self) -> str:
        """The plain PyTorch lines that give what is on screen, in a variable ``values``."""
        raise NotImplementedError

    def data(self) -> dict[str, np.ndarray]:
        """The arrays on screen, by name."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """What is on screen as a Matplotlib figure, with the data in its artists."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """What the panel is about, for its repr."""
        return self.net.name

    def toolbox(self) -> list[w.Widget]:
        """The controls of the public traits."""
        return toolbox(self)

    # jobs

    def ask(self) -> None:
        """Ask for a computation with the present state; one that is under way is cancelled and its result dropped."""
        with LOCK:
            if self._job:
                self._job.cancel()
            self._job = job = Job(self._work, self._update, self.worker)
        job.start()

    def cancel(self) -> None:
        """Stop the computation; what is on screen stays."""
        with LOCK:
            if self._job:
                self._job.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until what was asked for is there; False if the time (in seconds) is over first."""
        end = None if timeout is None else time.monotonic() + timeout
        while not on_worker():
            job = self._job
            if job and not job.wait(None if end is None else max(0.0, end - time.monotonic())):
                return False
            if job is self._job:
                break
        return True

    @property
    def result(self) -> Any:
        """What the method gave for the present state. Waits for it; raises what the computation raised.

        After a Cancel it raises ``Cancelled``: what is on screen (see :attr:`shown`) belongs to an earlier state.
        """
        self.wait()
        if self._error:
            raise self._error
        return self._result

    @property
    def shown(self) -> Any:
        """The result that is on screen: for the present state, or if that fails or takes long the one before."""
        self.wait(0 if self._at_once else FIRST_PICTURE)
        return self._result if self._result is not None else self.result

    @property
    def error(self) -> Exception | None:
        """The exception of the last computation, or None."""
        return self._error

    def react(self, action: Callable[[], None], *names: str) -> None:
        """Call an action when one of the traits changes and there is a result.

        What it raises shows in the strip until it works again. It must not wait for ``result``: the lock is held.
        """
        slip: Exception | None = None

        def react(change) -> None:
            nonlocal slip
            with LOCK:
                if self._result is None:
                    return
                try:
                    action()
                except Exception as error:
                    slip = error
                    self._fail(error)
                else:
                    if slip is not None and self._error is slip:
                        self._error = None
                        self.status.say(self._said(self._result))

        self.observe(react, names)

    def tie(self, *views_and_traits: tuple[w.Widget, str]) -> None:
        """Keep traits of views the same in the browser, with or without a kernel."""
        first, *others = views_and_traits
        for other in others:
            self.ties.append((first, other))
            self._jslinks = [*self._jslinks, w.jslink(first, other)]

    def _work(self, job: Job) -> None:
        soon = threading.Timer(BUSY_AFTER, self._say_busy, (job,))
        soon.start()
        of_thread = CANCEL.set(job)
        try:
            if job.cancelled:
                raise Cancelled("cancelled before it began")
            result = self.compute(job)
        except Exception as error:
            self._finish(job, error=error)
        else:
            self._finish(job, result=result)
        finally:
            CANCEL.reset(of_thread)
            soon.cancel()

    def _say_busy(self, job: Job) -> None:
        """A job takes long: say so, unless it already told how far it is."""
        with LOCK:
            if job is self._job and not (job.cancelled or job.ended or self.status.kind == "busy"):
                self.status.say("Computing …", "busy")

    def _update(self, job: Job, partial: Any, fraction: float) -> None:
        with LOCK:
            if job is not self._job or job.cancelled or job.ended:
                return
            if partial is not None:
                self._result = partial
                self.draw(partial)
            self.status.say(self.progress(partial), "busy", fraction)

    def _finish(self, job: Job, result: Any = None, error: Exception | None = None) -> None:
        with LOCK:
            job.ended = True
            if job is not self._job:
                return
            if error is None:
                try:
                    self._result, self._error = result, None
                    self.draw(result)
                    self.status.say(self._said(result))
                except Exception as failed:
                    error = failed
            if isinstance(error, Cancelled):
                self._error = error
                try:
                    said = self._take_partial(error.partial)
                except Exception as failed:
                    self._fail(failed)
                else:
                    self.status.say(f"Cancelled. {said}")
            elif error is not None:
                self._fail(error)
        if job is self._job and error is None:
            self._redraw_twin()
        if self.status.code:  # the listing has been opened: it follows what is on screen
            self._show_code()

    def _take_partial(self, partial: Any) -> str:
        """Show what a cancelled computation left, if it left anything; returns what to say of it."""
        if partial is None:
            return "What is shown was computed before."
        self._result = partial
        self.draw(partial)
        return self._said(partial)

    def _said(self, result: Any) -> str:
        return " · ".join([self.summary(result), *self.remarks(result)])

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.status.say(sentence(error), "error")

    # state

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        """The traits that make the state, in the order of their declaration, a subclass' own first."""
        names = [name for base in cls.__mro__ for name in vars(base)]
        traits = cls.class_traits()
        return {name: traits[name] for name in dict.fromkeys(names) if name in traits and "control" in traits[name].metadata}

    @property
    def state(self) -> dict[str, Any]:
        """The public traits as a dict that JSON can carry."""
        return {name: _encode(trait, getattr(self, name)) for name, trait in self.public_traits().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Set the public traits from a :attr:`state`; traits that it does not name keep their values.

        Raises:
            TypeError: a name is no public trait; names like it are offered.
            ValueError: a value does not fit; nothing is changed.
        """
        if not isinstance(state, dict):
            raise TypeError(f"a state is {said(state)}; expected a dict, as panel.state gives")
        self._check_names("", state)
        traits = self.public_traits()
        before = {name: getattr(self, name) for name in state}
        after = {name: _decode(traits[name], value) for name, value in state.items()}
        try:
            with self.hold_trait_notifications():
                for name, value in after.items():
                    setattr(self, name, value)
        except t.TraitError:
            with self.hold_trait_notifications():
                for name, value in before.items():
                    setattr(self, name, value)
            raise

    def _check_names(self, what: str, names: Iterable[str]) -> list[str]:
        """Names of public traits, as a list; a TypeError for others, which says whose argument they are of."""
        public = list(self.public_traits())
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise TypeError(f"{what} is {said(names)}; expected a list of names, such as [{public[0]!r}]")
        for name in names:
            if not isinstance(name, str) or name not in public:
                near = nearest(name, public) if isinstance(name, str) else ""
                taken = f": {what} takes these names" if what else ""
                raise TypeError(f"{type(self).__name__} has no {said(name)}.{near} It has {', '.join(public)}{taken}.")
        return list(names)

    # showing

    def _show_code(self) -> None:
        try:
            self.status.code = self.code()
        except Exception as error:
            self.status.code = textwrap.indent(sentence(error), "# ")

    def _ipython_display_(self) -> None:
        from IPython.display import display

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

    def _redraw_twin(self) -> None:
        """Draw the still picture of a computation that went on again, once."""
        with LOCK:
            twin, self._twin = self._twin, None
        if twin and (still := self._still()):
            twin.update(still, raw=True)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        """The live view, a PNG of what it shows, and a line of text."""
        if self._job:
            self._job.wait_for_picture(FIRST_PICTURE)
        return {**self._still(), **super()._repr_mimebundle_(include=include, exclude=exclude)}

    def _still(self) -> dict[str, str]:
        """The MIME bundle of the still twin as it is by now; empty where there is nothing that could be drawn."""
        self._at_once = True
        try:
            return twin.bundle(self) if self._result is not None else {}
        except Exception as error:
            if self._error is None:
                self.status.say(sentence(error), "error")
            return {}
        finally:
            self._at_once = False

    def to_html(self, path: str | Path) -> None:
        """Write one self-contained page, in which hover, selection, sorting and colours work without a kernel."""
        self.wait()
        Path(path).write_text(twin.page(self), "utf-8")

    def close(self) -> None:
        """Stop the computation, and remove the panel and all that it holds from the page and from memory."""
        self.cancel()
        for widget in [*self._jslinks, *_held_by(self)]:
            widget.close()
        super().close()

    def __repr__(self) -> str:
        told = {name: getattr(self, name) for name in self.public_traits() if name not in ("y", "x")}  # not where a hand is
        said = [
            f"{name}={str(value) if isinstance(value, Path) else value!r}"
            for name, value in told.items()
            if isinstance(value, (str, int, float, Path)) and value != self.public_traits()[name].default_value
        ]
        return f"{type(self).__name__}({', '.join([self.subject, *said])})"


def _held_by(box: w.Widget) -> list[w.Widget]:
    """All widgets in a box, and those in them: ipywidgets keeps each one alive until it is closed."""
    return [widget for child in getattr(box, "children", ()) for widget in (child, *_held_by(child))]


def _encode(trait: t.TraitType, value: Any) -> Any:
    return trait.encode(value) if hasattr(trait, "encode") else value


def _decode(trait: t.TraitType, value: Any) -> Any:
    return trait.decode(value) if hasattr(trait, "decode") else value
