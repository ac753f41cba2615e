"""Panel: a method, its views and its controls, as one widget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import ipywidgets as w
import traitlets as t
from torch import nn

from cnnwidgets.base import cells, held, wire
from cnnwidgets.base.computing import missing
from cnnwidgets.base.controls import Pairs, Value, specs
from cnnwidgets.base.display import Displayed
from cnnwidgets.base.drawing import Drawn, drawing
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.layout import Box, Part, column, reference
from cnnwidgets.base.state import Stateful
from cnnwidgets.base.status import Status
from cnnwidgets.base.ties import End, Ties
from cnnwidgets.base.traits import THEN
from cnnwidgets.net import BoundModel, bind
from cnnwidgets.net.arguments import said
from cnnwidgets.views import View
from cnnwidgets.views.modules import inlined, packed
from cnnwidgets.views.syncing import Syncing

_HERE = Path(__file__).parent

MOST_INLINE = 24
"""Values of a control that travel with it; longer lists travel once, by themselves."""


class Panel(Stateful, Displayed, Syncing):
    """A method, its views and its controls: one widget, which lays out its views, draws its controls and says what it does.

    A subclass declares its state as traits of :mod:`cnnwidgets.base.traits`, and fills in:

    - ``build() -> views``: makes the views, and returns them in ``row(...)`` and ``column(...)``; called once;
    - ``compute(state, job) -> result``: calls a method, on a thread of its own; ``state`` has the traits as they were when
      it was asked, ``job`` is the method's ``cancel``, ``job.update`` shows a partial result;
    - methods marked ``@draws(...)``: assign view traits, nothing else; they are given the result;

    and, as far as it has them:

    - ``summary(result) -> str``: the sentence in the status line, ``remarks(result)`` further ones, and
      ``progress(partial)`` that of a partial result;
    - ``more_controls()``, ``take_value(name, value)``: controls of what is no trait;
    - ``data()``, ``code()``, ``figure()``: by default the result's arrays, its own ``code``, and the stills of the views.

    Parameters:
        net: a bound network or a bare ``nn.Module``, which is bound; None for a panel that looks at none.
        hide, lock: names of traits whose controls are not shown, or cannot be changed by hand.
        **state: public traits.
    """

    _esm = packed(inlined(_HERE / "panel.js"), (_HERE / "panel.css").read_text("utf-8"))

    _title = t.Unicode(help="what the panel is").tag(sync=True)
    _tree = t.Dict(help="the views by reference, in rows and columns").tag(sync=True)
    _hidden = t.List(t.Int(), help="numbers of the parts of the tree that are not shown now, counted from its root").tag(
        sync=True
    )
    _ties: Any = t.List(help="groups of [reference, trait] that are the same; the first leads").tag(sync=True)
    _controls: Any = t.List(help="what the controls look like at first").tag(sync=True)
    _changes = t.Dict(help="what of a control, by its name, is other by now").tag(sync=True)
    _lists = t.Dict(help="long lists of [text, value], by the names of their controls").tag(sync=True)
    _values = t.Dict(help="values that controls stand at and that are no traits, by the controls' names").tag(sync=True)
    _status = t.Dict(help="the status line: text, kind, fraction").tag(sync=True)
    _code = t.Unicode(help="the code that gives what is on screen; empty until it is asked for").tag(sync=True)

    asks: ClassVar = None
    net: BoundModel
    drawing: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Names of the methods that draw, and of the traits that each follows."""

    _box: Box
    _is_open = False
    _actions_of: ClassVar[dict[str, Any]]
    _made: Sequence[w.Widget] = ()

    def __init_subclass__(cls, **options):
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
        self, net: BoundModel | nn.Module | None = None, *, hide: Sequence[str] = (), lock: Sequence[str] = (), layout=None,
        **state,
    ):  # fmt: skip
        if layout is not None and not isinstance(layout, (dict, w.Layout)):
            raise TypeError(f"layout is {said(layout)}; expected an ipywidgets.Layout, or a dict such as {{'width': '80%'}}")
        if net is not None:
            self.net = net if isinstance(net, BoundModel) else bind(net)
        self.links = []
        self.hidden, self.locked = (self.check_names(what, names) for what, names in (("hide", hide), ("lock", lock)))
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
        """Tell the browser of the panel: once, when it is built, with all that it shows by then."""
        if self._is_open:
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
        self._box = body if isinstance(body, Box) else column(*body) if isinstance(body, (list, tuple)) else column(body)
        for widget in (self, *(view for view in self._box.views() if isinstance(view, View))):
            widget.around_users = self._guarded
        self.on_user("_values", self._take_values)
        self._lay_out()
        self._show_controls()
        if asks:
            self.observe(lambda change: self.ask(), asks)
        for name, names in self.drawing.items():
            if names:
                self.react(partial(self._redraw, [name]), *names)
        if again := [name for name, trait in self.public_traits().items() if trait.metadata["then"] == "draw"]:
            self.react(lambda: self._redraw(self.drawing), *again)
        self.observe(lambda change: self._show_controls(), list(self.public_traits()))
        self.ask()

    # for subclasses

    def build(self) -> Part | Sequence[Part]:
        raise missing(self, "build(), which makes its views")

    def compute(self, state: SimpleNamespace, job: Job) -> Any:
        raise missing(self, "compute(state, job), which gives its result")

    @property
    def subject(self) -> str:
        """What the panel is about, for its repr."""
        return self.net.name

    def more_controls(self) -> Mapping[str, Value]:
        """Controls of what is no trait, by names that no trait has, with what they stand at now."""
        return {}

    def take_value(self, name: str, value: Any) -> None:
        """A hand has changed one of :meth:`more_controls`."""

    def _lay_out(self) -> None:
        with self.hold_sync():
            self._tree, self._hidden, self._ties = self._box.wire(), self._box.concealed(), self._tied.wire()

    def reveal(self, part: Part, shown: bool = True) -> bool:
        """Show a part of the layout, or leave it out; returns whether it is shown."""
        for box in self._box.boxes():
            if part in box.parts and (part in box.hidden) == shown:
                box.hidden = [other for other in box.hidden if other is not part] + ([] if shown else [part])
                self._hidden = self._box.concealed()
        return shown

    def put(self, **state: Any) -> None:
        """Set traits of the panel in one message, all of them before anything follows from one."""
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in state.items():
                setattr(self, name, value)

    def nest(self, panel: Panel) -> None:
        """Put another panel below what is on screen, and bring it into sight of who has the focus here.

        It is shown, still, paged and closed with this one.
        """
        if panel not in self._box.parts:
            self._box.parts = (*self._box.parts, panel)
            self._lay_out()
        self.send({"kind": "bring", "view": reference(panel)})

    def tie(self, leader: End, *followers: End) -> None:
        """Keep traits of this panel, its views and panels the same, in the browser and here; the first leads."""
        self._tied.add(leader, *followers)
        if self._is_open:
            self._ties = self._tied.wire()

    def bind(self, view: w.Widget, *same: str, **names: str) -> Any:
        """Keep traits of the panel and of a view the same: those of one name, and ``mine="theirs"``; returns the view."""
        for mine, theirs in {**{name: name for name in same}, **names}.items():
            self.tie((self, mine), (view, theirs))
        return view

    # what the base does with them

    def draw(self, result: Any) -> None:
        self._drawn.draw(self, result)
        self._show_controls()

    def _redraw(self, methods: Any) -> None:
        for name in methods:
            getattr(self, name)(self._result)

    def _learn(self) -> None:
        """Learn of the network what can be learnt before anything is built."""

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
        """Around what a user's doing calls: no result comes meanwhile, and an error is a sentence in the status line."""
        with LOCK:
            try:
                yield
            except Exception as error:
                self._fail(error)

    # controls

    @classmethod
    def actions(cls) -> dict[str, Any]:
        """The methods that have a button, see :func:`cnnwidgets.base.controls.action`."""
        if "_actions_of" not in vars(cls):  # which is asked for with every result
            named = {name: method for base in reversed(cls.__mro__) for name, method in vars(base).items()}
            found = {name: method for name, method in named.items() if hasattr(method, "control") and callable(method)}
            cls._actions_of = found
        return cls._actions_of

    def needs_kernel(self, name: str) -> bool:
        """Whether only Python can follow a change of a trait; else the views do, through ties."""
        then = self.public_traits()[name].metadata["then"]
        if then != "nothing" or any(name in names for names in self.drawing.values()):
            return True
        others = self._tied.of((self, name))
        return not others or any(isinstance(other, Panel) and other.needs_kernel(trait) for other, trait in others)

    def listed(self, name: str, options: Pairs) -> list[list[Any]] | str:
        """The values of a control; of many the name of a list, which travels once."""
        pairs = [[str(text), value] for text, value in options(self)]
        if len(pairs) <= MOST_INLINE:
            return pairs
        if self._lists.get(name) != pairs:
            self._lists = {**self._lists, name: pairs}
        return name

    @property
    def controls(self) -> dict[str, dict[str, Any]]:
        """What the controls look like now, by name; see :mod:`cnnwidgets.base.controls`."""
        return {spec["name"]: {**spec, **self._changes.get(spec["name"], {})} for spec in self._controls}

    def _show_controls(self) -> None:
        """Tell the browser what is other than at first, which is little; all of it, where there are others."""
        values = self.more_controls()
        now = {spec["name"]: spec for spec in specs(self, values)}
        first = {spec["name"]: spec for spec in self._controls}
        if [(name, *spec) for name, spec in now.items()] != [(name, *spec) for name, spec in first.items()]:
            first = now
        changes = {name: _differing(first[name], spec) for name, spec in now.items() if spec != first[name]}
        with self.hold_sync():
            self._values = {name: wire.to_browser(name, one.value, self) for name, one in values.items()}
            self._controls, self._changes = [*first.values()], changes

    def _take_values(self, given: dict[str, Any]) -> None:
        """Take what a hand has changed; what is not taken goes back to what it was."""
        try:
            for name, one in self.more_controls().items():
                if name in given and given[name] != wire.to_browser(name, one.value, self):
                    self.take_value(name, given[name])
        finally:
            self._show_controls()

    # the browser

    def set_trait(self, name: str, value: Any) -> None:
        """Set a trait; one of the state takes and refuses what it does in code."""
        if name in self.public_traits():
            setattr(self, name, value)
        else:
            super().set_trait(name, value)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a hand has done; a value that does not fit is told, and the browser goes back to what is."""
        try:
            super().set_state(sync_data)
        except (t.TraitError, ValueError) as error:
            self._fail(error)
            self.send_state(list(sync_data))

    def _take_message(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        name = message.get("name")
        try:
            match message.get("kind"):
                case "cancel":
                    self.cancel()
                case "code":
                    self._show_code()
                case "again" if name not in self.locked:
                    self.ask()
                case "upload" if name in self.public_traits() and name not in self.locked:
                    setattr(self, name, bytes(buffers[0]))
                case "action" if name in self.actions():
                    getattr(self, name)()
        except Exception as error:
            self._fail(error)


def _differing(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in now.items() if key not in before or before[key] != value}


def _check_then(cls: type, name: str, trait: t.TraitType) -> None:
    """Raise a TypeError for a trait that says no, or a wrong, thing that follows from it."""
    then: Callable | str | None = trait.metadata.get("then")
    if then not in THEN:
        raise TypeError(f"{cls.__name__}.{name} says then={then!r}; expected one of {', '.join(map(repr, THEN))}")
    for tag in ("usual", "none"):
        trait.metadata.setdefault(tag, None)
