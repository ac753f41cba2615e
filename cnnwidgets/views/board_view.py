"""A leader board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets as t

from cnnwidgets.views.paper import DIM, INK, TEXT, TITLE, Paper, line_of
from cnnwidgets.views.view import View

WIDE = 2.7
"""Inches of a still."""

TRACK = "#e4e4e4"


class BoardView(View, module="board_view.js"):
    """Names with a number and a bar each, the best first; a row that overtakes another moves past it.

    >>> board.show([{"name": "cosine", "text": "97.6%", "share": 0.976, "color": "#0072b2", "note": ""}], "test accuracy")
    """

    rows = t.List(t.Dict(), help="best first: name, text, share (0 to 1, or None for no bar), color, note").tag(sync=True)
    title = t.Unicode(help="what the numbers are").tag(sync=True)

    def show(self, rows: Sequence[Mapping[str, Any]], title: str) -> None:
        """Show rows under a title, in one message."""
        with self.hold_sync():
            self.rows, self.title = [dict(row) for row in rows], title

    def draw_on(self, paper: Paper) -> None:
        y = paper.title(self.title, WIDE)
        for place, row in enumerate(self.rows, 1):
            paper.rectangle(0, y + 0.03, 0.1, 0.1, color=row["color"])
            paper.text(0.16, y, f"{place}. {row['name']}", width=WIDE - 0.9)
            y = paper.text(WIDE, y, row["text"], ha="right", fontweight="bold", size=TITLE, color=INK)
            if row["share"] is not None:
                paper.rectangle(0, y, WIDE, 0.08, color=TRACK)
                paper.rectangle(0, y, WIDE * row["share"], 0.08, color=row["color"])
                y += 0.1
            if row["note"]:
                y = paper.text(0, y, row["note"], width=WIDE, lines=2, color=DIM, size=TEXT)
            y += 0.3 * line_of(TEXT)
        paper.take(WIDE, y)
