"""A public trait's value as the browser has it: what no control shows is told in words, and comes back as what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.net.own_score import name_of

OTHER = "other"


def to_browser(name: str, value: Any, panel: Any) -> Any:
    """A value as JSON; a picture, a network or a function as ``{"other": its words}``."""
    if isinstance(value, dict):
        return {str(key): to_browser(name, part, panel) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_browser(name, part, panel) for part in value]
    return value if isinstance(value, (int, float, str, type(None))) else {OTHER: _words(value)}


def from_browser(name: str, value: Any, panel: Any) -> Any:
    """A value from the browser; of what it has only the words the panel still has the thing itself."""
    if isinstance(value, list):
        return [from_browser(name, part, panel) for part in value]
    if not (isinstance(value, dict) and set(value) == {OTHER}):
        return value
    now = getattr(panel, name)
    for one in now if isinstance(now, list) else [now]:
        if to_browser(name, one, panel) == value:
            return one
    return value


def _words(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return f"a file of {len(value):,} bytes"
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
        return f"{value.shape[1]}×{value.shape[0]} pixels"
    if isinstance(value, Path):
        return value.name
    return name_of(value) if callable(value) and not hasattr(value, "shape") else type(value).__name__
