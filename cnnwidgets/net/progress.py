"""How a long computation says how far it is, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

OnUpdate = Callable[[T, float], Any]
"""Called with what is known so far and the fraction done, between 0 and 1."""


class Cancel(Protocol):
    """What ends a computation early: a ``threading.Event``, for example."""

    def is_set(self) -> bool:
        """Whether it should stop."""
