"""A widget that draws its own controls: what the browser is told about them, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets as t

from cnnwidgets.base import wire
from cnnwidgets.base.controls import Pairs, Value, specs
from cnnwidgets.base.display import Displayed

MOST_INLINE = 24
"""Longest list of values that is sent with its control; longer ones are sent once, by themselves."""


class Controlled(Displayed):
    """What a panel knows of its controls; see :mod:`cnnwidgets.base.controls` for what they are."""

    _controls: Any = t.List(help="what the controls look like at first").tag(sync=True)
    _changes = t.Dict(help="what has changed of a control since, by its name").tag(sync=True)
    _lists = t.Dict(help="long lists of [text, value], by the names of their controls").tag(sync=True)
    _values = t.Dict(help="values of controls that are not traits, by the controls' names").tag(sync=True)

    drawing: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Names of the methods that draw, and of the traits that each follows."""

    hidden: list[str]
    locked: list[str]
    _actions_of: ClassVar[dict[str, Any]]

    def more_controls(self) -> Mapping[str, Value]:
        """Controls of values that are not traits, by names that no trait has, with their present values."""
        return {}

    def take_value(self, name: str, value: Any) -> None:
        """The user has changed one of :meth:`more_controls`."""

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
        return not others or any(isinstance(other, Controlled) and other.needs_kernel(trait) for other, trait in others)

    def listed(self, name: str, options: Pairs) -> list[list[Any]] | str:
        """The values of a control; for a long list its name, since that is sent once."""
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
        """Tell the browser what has changed, which is little; or everything, where there are other controls."""
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
        """Take what the user has changed; a value that is refused goes back to what it was."""
        try:
            for name, one in self.more_controls().items():
                if name in given and given[name] != wire.to_browser(name, one.value, self):
                    self.take_value(name, given[name])
        finally:
            self._show_controls()

    # the browser

    def set_trait(self, name: str, value: Any) -> None:
        """Set a trait; a public one accepts the same values as in code."""
        if name in self.public_traits():
            setattr(self, name, value)
        else:
            super().set_trait(name, value)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the user has done; a value that does not fit is an error, and the browser goes back."""
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
                case "action" if name in self.actions() and self.actions()[name].locked_by not in self.locked:
                    getattr(self, name)()
        except Exception as error:
            self._fail(error)


def _differing(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in now.items() if key not in before or before[key] != value}
