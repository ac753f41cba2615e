"""Exceptions in a user's words: a sentence, and the line of their own code that it comes from."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from torch import nn

_STANDARD_LIBRARY = Path(traceback.__file__).parent

_NAMED = re.compile(r"(?!(there|this|that|it|one|what|which) )[\w.:]+(\[\d+\])?( (is|are|has|have) |=|: expected)")
"""``n_iter is −1; ...``, ``layer1.0.conv1 has ...``, ``methods[0]=...``."""


def sentence(error: BaseException) -> str:
    """An exception in a line: its message, and for an error in somebody's own code its type and the line where it is."""
    message = str(error).strip() or type(error).__name__
    place = _own_line(error)
    return f"{type(error).__name__}: {message}\n{place}" if place else capitalized(message)


def capitalized(message: str) -> str:
    """A sentence with a capital letter, unless it begins with a name: of a parameter, a layer, a network."""
    return message if _NAMED.match(message) else message[:1].upper() + message[1:]


def _own_line(error: BaseException) -> str:
    """Where the exception comes from, if from the user's own code: neither this package's, nor an installed library's."""
    ours = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    if frames and Path(frames[-1].filename).is_relative_to(ours) and frames[-1].name != "__torch_function__":
        return ""
    for frame in reversed(frames):
        file = Path(frame.filename)
        if not (file.is_relative_to(ours) or file.is_relative_to(_STANDARD_LIBRARY) or "site-packages" in file.parts):
            return f"in {_layer(error)}{frame.name}, line {frame.lineno} of {_short(file)}: {frame.line}"
    return ""


def _layer(error: BaseException) -> str:
    """The innermost layer that was being run, by its name in the network."""
    owners = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [owner for owner in owners if isinstance(owner, nn.Module)]
    names = {module: name for name, module in modules[0].named_modules()} if modules else {}
    running = next((module for module in reversed(modules) if names.get(module)), None)
    return f"layer {names[running]} ({type(running).__name__}), called in " if running else ""


def _short(file: Path) -> str:
    return "your notebook" if "ipykernel" in str(file) or str(file).startswith("<ipython") else file.name
