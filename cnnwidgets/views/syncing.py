"""A widget whose traits several threads and a user may set at the same time: none is lost, and they are told apart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import anywidget


class Syncing(anywidget.AnyWidget):
    """An anywidget that keeps apart, thread by thread, what is held back and what the browser has just sent.

    ipywidgets has one set of each per widget: a worker that ends its ``hold_sync`` would forget what the kernel's thread
    has held back meanwhile, and what a worker sets while a message is taken could pass for that message's own.
    """

    around_users: Callable[[], AbstractContextManager] = nullcontext
    """Makes what surrounds each action of :meth:`on_user`: a panel's is its lock, and errors are sentences there."""

    follows: set[str]
    """Traits that follow another widget's. They are not echoed: what the browser sent may be late, and it knows better."""

    def __new__(cls, *args: Any, **traits: Any) -> Any:
        made = super().__new__(cls, *args, **traits)
        made._own, made._actions, made.follows = threading.local(), {}, set()
        return made

    def trait_metadata(self, traitname: str, key: str, default: Any = None) -> Any:
        """What is told of a trait; ipywidgets asks for ``echo_update`` before it sends one back."""
        if key == "echo_update" and traitname in self.follows:
            return False
        return super().trait_metadata(traitname, key, default)

    def on_user(self, trait: str, action: Callable[[Any], None]) -> None:
        """Call ``action(value)`` for what comes from the browser, never for what code sets.

        Whoever observes the trait has heard of it before. What the action sets is sent to the browser.
        """
        self._actions.setdefault(trait, []).append(action)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the browser sends."""
        before = {trait: getattr(self, trait) for trait in self._actions if trait in sync_data}
        super().set_state(sync_data)
        for trait, value in before.items():
            if (now := getattr(self, trait)) != value:
                with self.around_users():
                    for action in self._actions[trait]:
                        action(now)

    @property
    def _holding_sync(self) -> bool:
        return getattr(self._own, "holding", False)

    @_holding_sync.setter
    def _holding_sync(self, holding: bool) -> None:
        self._own.holding = holding

    @property
    def _states_to_send(self) -> set[str]:
        if not hasattr(self._own, "states"):
            self._own.states = set()
        return self._own.states

    @property
    def _property_lock(self) -> dict[str, Any]:
        return getattr(self._own, "lock", {})

    @_property_lock.setter
    def _property_lock(self, lock: dict[str, Any]) -> None:
        self._own.lock = lock

    @contextmanager
    def _lock_property(self, **properties: Any) -> Iterator[None]:
        """Inside, these values are what the browser has: they are not sent to it."""
        before = self._property_lock
        self._property_lock = {**before, **properties}
        try:
            yield
        finally:
            self._property_lock = before
