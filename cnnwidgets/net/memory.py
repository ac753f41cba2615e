"""What was freed goes back to the system: glibc keeps it, for every thread that ever ran, in case it is needed again."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_C = ctypes.CDLL(None) if sys.platform == "linux" else None


def give_back() -> None:
    """Return freed memory to the system, where the C library can (in some milliseconds)."""
    if hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)  # type: ignore[union-attr]


@contextmanager
def given_back() -> Iterator[None]:
    """Inside, much is taken and freed again."""
    try:
        yield
    finally:
        give_back()
