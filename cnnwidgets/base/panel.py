"""Panel: a method, its views and its controls, as one widget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import ipywidgets as w
import traitlets as t
from torch import nn

from cnnwidgets.base import cells, held, wire
from cnnwidgets.base.addresses import address_in, addressed
from cnnwidgets.base.computing import missing
from cnnwidgets.base.controlled import Controlled
from cnnwidgets.base.drawing import Drawn, drawing
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.layout import Part, column
from cnnwidgets.base.status import Status
from cnnwidgets.base.ties import Ties
from cnnwidgets.base.traits import THEN
from cnnwidgets.net import BoundModel, UnitAddress, bind
from cnnwidgets.net.arguments import said
from cnnwidgets.views import View
from cnnwidgets.views.modules import inlined, packed

_HERE = Path(__file__).parent
_SHEETS = ("base/panel.css", "views/views.css", "views/draw_view.css", "views/camera_view.css")
STYLE = "".join((_HERE.parent / name).read_text("utf-8") for name in _SHEETS)
"""A panel's style sheet: its own, and those of the views that its controls open beside it."""


class Panel(Controlled):
    """A method, its views and its controls as one widget that lays out views, draws controls and says what it found.

    A subclass declares its state as traits of :mod:`cnnwidgets.base.traits`, and fills in:

    - ``build() -> views``: makes the views, and returns them in ``row(...)`` and ``column(...)``; called once;
    - ``compute(state, job) -> result``: calls a method, on a thread of its own; ``state`` has the traits as they were when
      it was asked, ``job`` is the method's ``cancel``, ``job.update`` shows a partial result;
    - methods marked ``@draws(...)``: assign view traits, nothing else; they are given the result;

    and, if needed:

    - ``summary(result) -> str``: what is found, one sentence for the status line; lines below it are facts, which it shows
      behind "Details". ``remarks(result)`` adds further facts, ``progress(partial)`` is the sentence of a partial result;
    - ``more_controls()``, ``take_value(name, value)``: controls of values that are not traits;
    - ``data()``, ``code()``, ``figure()``: by default the result's arrays, its own ``code``, and the stills of the views.

    Parameters:
        net: a bound network or a bare ``nn.Module``, which is bound; None for a panel without one.
        hide, lock: names of traits whose controls are not shown, or cannot be changed by the user.
        **state: public traits.
    """

    _esm = packed(inlined(_HERE / "panel.js"), STYLE)

    _title = t.Unicode(help="what the panel is").tag(sync=True)
    _status = t.Dict(help="the status line: text, details, kind, fraction").tag(sync=True)
    _code = t.Unicode(help="the code that gives what is on screen; empty until it is asked for").tag(sync=True)

    asks: ClassVar[Set[str] | None] = None
    _is_open = False
    _made: Sequence[w.Widget] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        public = cls.public_traits()
        for name, trait in public.items():
            _check_then(cls, name, trait)
            if trait.metadata.get("sync", True):
                trait.tag(sync=True, to_json=partial(wire.to_browser, name), from_json=partial(wire.from_browser, name))
        asks = frozenset(name for name, trait in public.items() if trait.metadata.get("then") == "compute")
        cls.asks = asks or None
        cls.drawing = drawing(cls, list(public))
        super().__init_subclass__(**options)

    def __init__(
        self, net: BoundModel | nn.Module | None = None, *, hide: Sequence[str] = (), lock: Sequence[str] = (),
        layout: w.Layout | dict[str, Any] | None = None, **state: Any,
    ) -> None:  # fmt: skip
        if layout is not None and not isinstance(layout, (dict, w.Layout)):
            raise TypeError(f"layout is {said(layout)}; expected an ipywidgets.Layout, or a dict such as {{'width': '80%'}}")
        if net is not None:
            self.net = net if isinstance(net, BoundModel) else bind(net)
        self.links = []
        self.hidden, self.locked = (self.check_names(what, names) for what, names in (("hide", hide), ("lock", lock)))
        state = addressed(state)
        self.check_names("", state)
        self._box, self._tied, self._drawn = column(), Ties(self), Drawn()
        super().__init__(**state, **({} if layout is None else {"layout": layout}))
        self.status = Status()
        self.status.observe(lambda change: self.set_trait("_status", self.status.wire()), ["message", "kind", "fraction"])
        self.status.observe(lambda change: self.set_trait("_code", change.new), "code")
        self._title = type(self).__name__
        self.on_msg(self._take_message)
        self._begin()
        self._is_open = True
        self.open()
        cells.remember(self)

    def open(self) -> None:
        """Tell the browser about the panel: once, when it is built, with everything that it shows by then.

        A worker that has something to show waits until the browser can hear of it.
        """
        if self._is_open:
            with LOCK:
                super().open()

    def _begin(self, change: Any = None) -> None:
        """Build the panel and ask for its first result."""
        asks: list[str] = list(self.asks or ())
        if change:
            self.unobserve(self._begin, asks)
        try:
            with held.making() as made:
                self._learn()
                self._take_usual()
                body = self.build()
        except Exception as error:  # a network that cannot run is a sentence in the panel, not a lost cell
            self._fail(error)
            if asks:  # perhaps it can with the next picture
                self.observe(self._begin, asks)
            return
        self._error, self._made = None, made
        self._take_body(body)
        for widget in (self, *(view for view in self._box.views() if isinstance(view, View))):
            widget.around_users = self._guarded
        self.on_user("_values", self._take_values)
        self._show_controls()
        if asks:
            self.observe(lambda change: self.ask(), asks)
        for name, names in self.drawing.items():
            if names:
                self.react(partial(self._redraw, [name]), *names)
        if again := [name for name, trait in self.public_traits().items() if trait.metadata["then"] == "draw"]:
            self.react(lambda: self._redraw(self.drawing), *again)
        self.observe(lambda change: self._show_controls(), [*self.public_traits(), "is_bare"])
        self.ask()

    # for subclasses

    def build(self) -> Part | Sequence[Part]:
        raise missing(self, "build(), which makes its views")

    def compute(self, state: SimpleNamespace, job: Job) -> Any:
        raise missing(self, "compute(state, job), which gives its result")

    @property
    def subject(self) -> str:
        """What the panel is about, for its repr and its page's heading."""
        return self.net.name

    @property
    def unit_address(self) -> UnitAddress | None:
        """The address of the unit on screen, such as ``net["layer3"][17]``; None if the panel shows no unit.

        Set it to go to another unit.
        """
        return address_in(self)

    @unit_address.setter
    def unit_address(self, address: UnitAddress) -> None:
        if not isinstance(address, UnitAddress) or not {"layer", "unit"} <= set(self.public_traits()):
            raise TypeError(f"unit_address is {said(address)}; expected an address, and a panel that shows units")
        self.put(**address._asdict())

    def put(self, **state: Any) -> None:
        """Set traits of the panel in one message, all of them before anything follows from one."""
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in state.items():
                setattr(self, name, value)

    # what the base does with them

    def draw(self, result: Any) -> None:
        self._drawn.draw(self, result)
        self._show_controls()

    def _redraw(self, methods: Any) -> None:
        for name in methods:
            self._drawn.call(self, name, self._result)

    def _said(self, result: Any) -> str:
        return " · ".join(filter(None, [super()._said(result), self._drawn.missing]))

    def _learn(self) -> None:
        """Learn about the network what can be learned before anything is built."""

    def _take_usual(self) -> None:
        for name, trait in self.public_traits().items():
            usual = trait.metadata["usual"]
            if usual and getattr(self, name) is None and (value := usual(self)) is not None:
                setattr(self, name, value)

    def _snapshot(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.public_traits()}

    def _compute(self, job: Job) -> Any:
        return self.compute(self._settled(job.state), job)

    def _settled(self, state: SimpleNamespace) -> SimpleNamespace:
        """The state that ``compute`` gets: what takes a while to be found is found here, on the worker."""
        return state

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Wraps what the user triggers: no result arrives meanwhile, and an error is a sentence in the status line."""
        with LOCK:
            try:
                yield
            except Exception as error:
                self._fail(error)


def _check_then(cls: type, name: str, trait: t.TraitType) -> None:
    """Raise a TypeError for a trait without a valid ``then=``."""
    then = trait.metadata.get("then")
    if then not in THEN:
        raise TypeError(f"{cls.__name__}.{name} says then={then!r}; expected one of {', '.join(map(repr, THEN))}")
    for tag in ("usual", "none"):
        trait.metadata.setdefault(tag, None)
