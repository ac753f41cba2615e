"""What a spec varies, in a few words."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.schedule_parameters import VARIED
from cnnwidgets.numbers import number

ALONE = ("builder", "scheme", "name", "by")
"""What is said without its key."""

NAMED = ("init", "freeze", "loss", "until")
"""What is said with the key of the spec."""


def told(spec: dict[str, Any]) -> list[str]:
    """One text for each thing that a spec varies.

    >>> told({"model": {"builder": "stack", "depth": 20, "residual": True}, "init": "zero", "data": {"label_noise": 0.3}})
    ['stack, depth 20, residual', 'init zero', 'label noise 0.3']
    """
    found = [(key, spec[key]) for key in VARIED if spec.get(key) is not None]
    return [f"{key} {_said(value)}" if key in NAMED else _said(value) for key, value in found]


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(_pair(name, each) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_said, value))
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return number(value) if isinstance(value, float) else str(value).replace("_", " ")


def _pair(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"no {words}"
    return _said(value) if name in ALONE else f"{words} {_said([*value] if isinstance(value, dict) else value)}"
