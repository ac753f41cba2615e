"""What was found, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets as t

from cnnwidgets.views.paper import DIM, INK, TEXT, Paper, line_of
from cnnwidgets.views.view import View

WIDE = 2.9
"""Inches of a still."""

COLORS = {3: "#d60c0b", 2: "#d48205", 1: "#626a8c"}
"""By how bad it is."""


class FindingsView(View, module="findings_view.js"):
    """Findings with their evidence and remedies; the chosen one is open, the others are a line each.

    >>> row = {"name": "rate too high", "where": "step 31", "evidence": "…", "remedy": "…", "severity": 3}
    >>> view.show([row], "Nothing wrong was found.", "Diagnosis")
    """

    rows = t.List(t.Dict(), help="worst first: name, where, evidence, remedy, severity (3 alarm, 2 warning, 1 hint)").tag(
        sync=True
    )
    nothing = t.Unicode(help="what stands there if there is no finding").tag(sync=True)
    title = t.Unicode(help="what the list is").tag(sync=True)
    selected = t.Int(0, help="index of the finding that is open; -1 for none").tag(sync=True)
    height = t.Int(400, help="largest height in CSS pixels; more is scrolled").tag(sync=True)

    def show(self, rows: Sequence[Mapping[str, Any]], nothing: str, title: str) -> None:
        """Show findings under a title, in one message; the one that is open stays open by its name."""
        names = [row["name"] for row in rows]
        before = self.rows[self.selected]["name"] if 0 <= self.selected < len(self.rows) else None
        with self.hold_sync():
            self.rows, self.nothing, self.title = [dict(row) for row in rows], nothing, title
            self.selected = names.index(before) if before in names else 0

    def draw_on(self, paper: Paper) -> None:
        y = paper.title(self.title, WIDE)
        if not self.rows:
            y = paper.text(0, y, self.nothing, width=WIDE, lines=4, color=DIM, size=TEXT)
        for k, row in enumerate(self.rows):
            paper.rectangle(0, y + 0.03, 0.1, 0.1, color=COLORS[row["severity"]])
            where = f" ({row['where']})" if row["where"] else ""
            y = paper.text(0.16, y, row["name"] + where, width=WIDE - 0.16, fontweight="bold", color=INK)
            for told in (row["evidence"], row["remedy"]) if k == self.selected else ():
                y = paper.text(0.16, y, told, width=WIDE - 0.16, lines=5, color=DIM, size=TEXT)
            y += 0.3 * line_of(TEXT)
        paper.take(WIDE, y)
