"""A widget whose traits several threads may set at the same time, and none of what they set is lost on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anywidget


class Syncing(anywidget.AnyWidget):
    """An anywidget that keeps apart, thread by thread, what is held back and what the browser has just sent.

    ipywidgets has one set of each per widget: a worker that ends its ``hold_sync`` would forget what the kernel's thread
    has held back meanwhile, and what a worker sets while a message is taken could pass for that message's own.
    """

    def __new__(cls, *args: Any, **traits: Any):
        made = super().__new__(cls, *args, **traits)
        made._own = threading.local()
        return made

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
