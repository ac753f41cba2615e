"""Locks that forked processes, copies and other machines do not inherit."""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakSet


class Lock(type(threading.RLock())):  # type: ignore[misc]
    """A re-entrant lock that can be asked whether the caller's thread holds it.

    A copy of it, also in another process, is a new one; in a forked child, where the thread that held it is not, it is free.
    """

    def __init__(self) -> None:
        _ALL.add(self)

    @property
    def held(self) -> bool:
        """Whether this thread holds it."""
        return bool(self._is_owned())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


_ALL: WeakSet[Lock] = WeakSet()

ITSELF = Lock()
"""Held while a user's own module is copied, or is run itself because it has no double: that changes its mode for a while."""

TRACING = Lock()
"""Held while ``torch.fx`` follows a forward pass: it patches ``nn.Module`` for all threads, and must undo that in order."""


def _free_all() -> None:
    for lock in _ALL:
        lock._at_fork_reinit()


os.register_at_fork(after_in_child=_free_all)
