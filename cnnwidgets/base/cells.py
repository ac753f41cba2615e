"""Panels and a notebook's cells: what a cell made and showed goes when it runs again, as its output does.

ipywidgets keeps every widget until it is closed, and IPython every output. So a panel is closed once each cell that made or
displayed it has run again without it: no output shows it then. Whoever still has it may use it, and display it again.
A front end that does not say which cell runs, a callback and an ``Output`` widget tell nothing: what is shown there stays.
"""

from __future__ import annotations

import gc
import re
import sys
from typing import Any
from weakref import WeakKeyDictionary

import ipywidgets as w

from cnnwidgets.base.held import all_open

_CELLS: WeakKeyDictionary[Any, dict[str | None, int]] = WeakKeyDictionary()
"""Of each panel the cells that made or displayed it (None: nobody knows), and in which of their runs."""

_RUNS: dict[str | None, int] = {}
"""How often each cell was run again."""

_SHELLS: list[Any] = []
"""That tell when a cell runs."""


def remember(panel: Any) -> None:
    """The cell that is running has made or displayed a panel."""
    if shell := _shell():
        cell = None if _in_output(shell) else _cell(shell)
        _CELLS.setdefault(panel, {})[cell] = _RUNS.get(cell, 0)


def _shell() -> Any:
    """The shell of a notebook's kernel, if this is one."""
    made = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if made is None or not hasattr(made, "get_parent"):
        return None
    if made not in _SHELLS:
        _SHELLS.append(made)
        made.events.register("pre_run_cell", lambda *_: _begin(_cell(made)))
        made.events.register("post_run_cell", lambda *_: _end(made, _cell(made)))
    return made


def _cell(shell: Any) -> str | None:
    parent = shell.get_parent() or {}
    return parent.get("metadata", {}).get("cellId")


def _in_output(shell: Any) -> bool:
    """Whether what is displayed goes to an ``Output`` widget, which may be anywhere on the page."""
    request = (shell.get_parent() or {}).get("header", {}).get("msg_id")
    return any(isinstance(one, w.Output) and one.msg_id == request for one in all_open())


def _begin(cell: str | None) -> None:
    if cell is not None:
        _RUNS[cell] = _RUNS.get(cell, 0) + 1


def _end(shell: Any, cell: str | None) -> None:
    """A cell has run: what it showed before, and no longer, is closed."""
    run, closed = _RUNS.get(cell, 0), False
    for panel, cells in [*_CELLS.items()]:
        if cells.get(cell, run) < run:
            del cells[cell]
            if not cells and not _is_part(panel):
                panel.close()
                _forget(shell, panel)
                closed = True
    if closed:
        del panel
        gc.collect()  # a panel and its views hold each other, and perhaps many maps


def _is_part(panel: Any) -> bool:
    """Whether another widget holds it."""
    return any(panel in getattr(one, "children", ()) for one in all_open())


def _forget(shell: Any, panel: Any) -> None:
    """Let go of it where IPython keeps outputs: ``Out``, ``_``, ``_7``."""
    outputs = shell.user_ns.get("Out", {})
    for number in [number for number, value in outputs.items() if value is panel]:
        del outputs[number]
    for names in (shell.user_ns, shell.user_ns_hidden, vars(shell.displayhook)):
        for name in [name for name, value in names.items() if value is panel and re.fullmatch(r"_{1,3}|_\d+", name)]:
            names[name] = ""
