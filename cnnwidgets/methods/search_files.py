"""The files of searches: those of histories, with the space and the trials that the histories are of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.methods import history_files
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.spaces import Axis, axis_of
from cnnwidgets.net.arguments import said

if TYPE_CHECKING:
    from cnnwidgets.methods.trials import Search, Trial

SEARCH = {"by": str, "runs": int, "result": str, "higher": bool, "steps": int}
TRIAL = {"values": dict, "spec": dict, "value": float, "state": str, "stopped": int, "skipped": int}
"""What a file says of each, besides axes, trials and histories."""

WORDS = {"result": ("accuracy", "loss", "value"), "state": ("complete", "stopped", "diverged", "running")}
"""What some of these may be."""


def save(path: str | Path, searches: Sequence[Search]) -> None:
    """Write searches to a ``.json`` or ``.npz`` file. A function among the values is told by its name alone."""
    histories: list[History] = []
    about = [_told(one, histories) for one in searches]
    history_files.save(path, histories, searches=about)


def load(path: str | Path) -> list[Search]:
    """The searches in a file that :func:`save` has written, to the last bit; their runs have no weights.

    Raises:
        FileNotFoundError, TypeError: there is no such file, or that is not a path.
        ValueError: the file holds no search.
    """
    histories, about = history_files.load(path)
    try:
        first, *others = _read(about["searches"])
        return [_search(one, histories) for one in (first, *others)]
    except history_files.SPOILT as error:
        raise ValueError(f"{Path(path).name} holds no search ({type(error).__name__}: {error})") from error


def _told(one: Search, histories: list[History]) -> dict[str, Any]:
    """A search as JSON can carry it; its histories are added to others, and go by their numbers."""
    trials = []
    for trial in one.trials:
        numbers = [*range(len(histories), len(histories) + len(trial.histories))]
        histories += trial.histories
        trials.append({**{name: _plain(getattr(trial, name)) for name in TRIAL}, "histories": numbers})
    axes = {name: {"choices" if axis.choices else "range": _plain(axis.range)} for name, axis in one.axes.items()}
    return {**{name: getattr(one, name) for name in SEARCH}, "axes": axes, "trials": trials}


def _search(told: dict[str, Any], histories: Sequence[History]) -> Search:
    from cnnwidgets.methods.trials import Search

    axes = {name: _axis(name, given) for name, given in told["axes"].items()}
    return Search(axes, tuple(_trial(each, axes, histories) for each in told["trials"]), **_known(told, SEARCH))


def _trial(told: dict[str, Any], axes: Mapping[str, Axis], histories: Sequence[History]) -> Trial:
    from cnnwidgets.methods.trials import Trial

    found = _known(told, TRIAL)
    for name, axis in axes.items():
        axis.place(found["values"][name])  # an error if it has none
    return Trial(**found, histories=tuple(histories[number] for number in told["histories"]))


def _axis(name: str, given: dict[str, Any]) -> Axis:
    return axis_of(name, given["choices"] if "choices" in given else tuple(given["range"]))


def _known(told: dict[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    """What a file says of a search or a trial, once it is what it should be."""
    for name, kind in kinds.items():
        if not isinstance(told[name], kind) or told[name] not in WORDS.get(name, (told[name],)):
            raise TypeError(f"{name} is {said(told[name])}; expected {' or '.join(WORDS.get(name, (kind.__name__,)))}")
    return {name: told[name] for name in kinds}


def _plain(value: Any) -> Any:
    """As JSON can carry it: NaN and infinities become words, and functions their names."""
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return getattr(value, "__name__", type(value).__name__) if callable(value) else value


def _read(value: Any) -> Any:
    """What :func:`_plain` was given."""
    if isinstance(value, dict):
        return float(value["float"]) if value.keys() == {"float"} else {name: _read(each) for name, each in value.items()}
    return [_read(each) for each in value] if isinstance(value, list) else value
