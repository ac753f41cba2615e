"""Tables of numbers that follow from each other, to edit, to point at and to step through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.views.paper import Paper
from cnnwidgets.views.tables_still import draw_tables
from cnnwidgets.views.view import View


@dataclass(frozen=True)
class NumberTable:
    """One table, and for each of its cells (row by row) what it comes from.

    Attributes:
        name: what sources and edits call it.
        title: one line above it.
        values: (rows, columns).
        step: from which on its numbers are shown; before, its cells are empty.
        row, column: tables of one row stand side by side under its heading; those of one column, below each other under
            another.
        sign: what is written before it, → for instance.
        editable: whether a hand may change its numbers.
        says: a sentence a cell: how its number comes about.
        sources: for each cell the cells that it comes from, as (name of their table, number of the cell).
        was: (rows, columns), what a cell was before it was set to 0; NaN for the cells that were not.
    """

    name: str
    title: str
    values: np.ndarray
    step: int = 0
    row: str = ""
    column: str = ""
    sign: str = ""
    editable: bool = False
    says: Sequence[str] = ()
    sources: Sequence[Sequence[tuple[str, int]]] = field(default=())
    was: np.ndarray | None = None

    @property
    def zeroed(self) -> np.ndarray:
        """(rows, columns) bool: the cells that were set to 0."""
        return np.zeros(self.values.shape, bool) if self.was is None else ~np.isnan(self.was)


class NumberTables(View, module="number_tables.js"):
    """Tables with a large number in every cell, tinted by sign; a number that was set to 0 is hatched and struck out.

    Pointing at a cell, or the arrow keys, frame the cells that it comes from and tell the arithmetic. A click, Enter or a
    digit edits a framed number. PageDown and PageUp step, so that a presenter's clicker does.

    Parameters:
        on_edit: called with a table's name, row, column and the text that was typed; True if it is taken, else the old
            number comes back.
    """

    tables = t.List(t.Dict(), help="see `NumberTable`").tag(sync=True)
    steps = t.List(t.Unicode(), help="what happens in each step, a sentence each").tag(sync=True)
    step = t.Int(0, help="number of the last step that is shown").tag(sync=True)
    stepping = t.Enum(("free", "locked", "hidden"), "free", help="whether a hand may step").tag(sync=True)
    lock = t.Bool(False, help="whether no number can be edited").tag(sync=True)

    without_kernel: Mapping[str, Any] = {"lock": True}

    def __init__(self, *, on_edit: Callable[[str, int, int, str], bool] = lambda *_: False, **traits: Any) -> None:
        super().__init__(**traits)
        self._on_edit = on_edit
        self.on_msg(self._take_edit)

    def draw_on(self, paper: Paper) -> None:
        draw_tables(self, paper)

    def show(self, tables: Sequence[NumberTable], steps: Sequence[str], step: int) -> None:
        """Show tables as they are at a step, in one message."""
        numbers = {table.name: number for number, table in enumerate(tables)}
        with self.hold_sync():
            self.tables, self.steps = [_about(table, numbers) for table in tables], list(steps)
            self.step = step

    def _take_edit(self, _: Any, message: dict, buffers: Any) -> None:
        if message.get("kind") != "edit":
            return
        taken = False
        with self.around_users():
            taken = self._on_edit(*(message[part] for part in ("table", "row", "column", "text")))
        if not taken:
            self.send({"kind": "put back"})


def digits(value: float) -> str:
    """A number as it stands in a cell: whole ones whole, others with five significant digits, and a true minus sign."""
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    else:
        text = f"{value + 0.0:.5g}" if size >= 1 else f"{value + 0.0:.3g}"
    return text.replace("-", "−")


def _about(table: NumberTable, numbers: dict[str, int]) -> dict:
    values = table.values.ravel().tolist()
    was = np.full(len(values), np.nan) if table.was is None else table.was.ravel()
    return {
        "name": table.name,
        "title": table.title,
        "columns": table.values.shape[1],
        "values": values,
        "texts": [digits(value) for value in values],
        "was": ["" if np.isnan(value) else digits(value) for value in was.tolist()],
        "says": list(table.says),
        "sources": [[[numbers[name], cell] for name, cell in cells] for cells in table.sources],
        **{name: getattr(table, name) for name in ("step", "row", "column", "sign", "editable")},
    }
