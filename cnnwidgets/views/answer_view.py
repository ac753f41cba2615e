"""What a network answers, before and now."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.numbers import number, percent
from cnnwidgets.views.palette import class_color
from cnnwidgets.views.paper import DIM, INK, LETTER, TEXT, Paper, line_of
from cnnwidgets.views.view import View, numbers

WIDE, NAME, TRACK = 3.1, 0.95, 0.9
"""Inches of the whole, of a class's name at most, and of its bar."""

ROWS = 8
"""Classes in the list, at most."""

BIG = 15
"""Size of the large number in points."""

NAUGHT = 0.005
"""A probability below which a bar shows no difference between less and nothing."""

EMPTY, FILL = "#e4e4e4", "#6f9bd8"
"""Colors of a bar, and of how far it is filled where it is no class's."""


class AnswerView(View, module="answer_view.js"):
    """A large number, and the most probable classes in one list: before, and with the patch where it is.

    The answers for a grid of positions are kept in the browser: there the numbers follow the patch without a kernel. For
    other places the kernel is asked, and answers with :attr:`answer`.
    """

    target = t.Int(-1, help="index of the class that is watched; -1 for none").tag(sync=True)
    names = t.Dict(help="names of the classes that occur, by their index").tag(sync=True)
    before = t.Dict(help="the answer without a patch: value, classes, chances").tag(sync=True)
    answer = t.Dict(help="an answer for one place: box, value, classes, chances; empty for none").tag(sync=True)
    ys = t.List(t.Int(), help="first row of the patch for each row of the grid").tag(sync=True)
    xs = t.List(t.Int(), help="first column of the patch for each column of the grid").tag(sync=True)
    known = t.Bytes(help="(rows, columns) uint8: 1 where the answer is there").tag(sync=True)
    values = t.Bytes(help="(rows, columns) float32: the large number").tag(sync=True)
    quantity = t.Unicode(help="what the large number is").tag(sync=True)
    share = t.Bool(True, help="whether it is a probability, written as a percentage").tag(sync=True)
    span = t.List(t.Float(), [0.0, 1.0], help="[lowest, highest] of the meter of what is none").tag(sync=True)
    classes = t.Bytes(help="(rows, columns, k) int32: the most probable classes").tag(sync=True)
    chances = t.Bytes(help="(rows, columns, k) float32: their probabilities").tag(sync=True)
    box = t.List(t.Int(), help="[top, left, height, width] of the patch, in pixels; empty for none").tag(sync=True)

    def show(self, grid: Any, **traits: Any) -> None:
        """Show the answers of a grid, in one message.

        Parameters:
            grid: has ``ys``, ``xs``, and arrays: ``known``, ``values`` (rows, columns), ``classes``, ``chances``
                (rows, columns, k).
            traits: further traits to set in the same message.
        """
        kinds = {"known": np.uint8, "values": np.float32, "classes": np.int32, "chances": np.float32}
        with self.hold_sync():
            self.ys, self.xs = [int(y) for y in grid.ys], [int(x) for x in grid.xs]
            for name, kind in kinds.items():
                self.set_trait(name, numbers(getattr(grid, name), kind))
            for name, value in traits.items():
                self.set_trait(name, value)

    def draw_on(self, paper: Paper) -> None:
        if not self.before:
            return
        here = self._now()
        value, was = (here or self.before)["value"], self.before["value"]
        about = "≈ " if here and here["far"] else ""
        tell = percent if self.share else number
        y = paper.title(self.quantity, WIDE)
        told = about + tell(value)
        paper.text(0, y, told, size=BIG, fontweight="bold")
        room = LETTER * BIG / 72 * len(told) + 0.25
        paper.text(room, y + 0.07, f"before: {tell(was)}" if here else "no patch", color=DIM)
        y += line_of(BIG)
        lo, hi = self.span
        if not self.share:
            now, before = ((each - lo) / (hi - lo) if hi > lo else 0.0 for each in (value, was))
            self._draw_bar(paper, 0, y, WIDE, now, before, FILL)
            y += 0.2
        y = paper.take(WIDE, self._draw_list(paper, y, here))
        if here and about:
            far = round(here["far"])
            told = f"≈ value of the nearest computed position, {far} pixel{'s' if far > 1 else ''} away"
            paper.text(0, y + 0.04, told, color=DIM, width=WIDE, lines=2)

    def _draw_list(self, paper: Paper, y: float, here: dict[str, Any] | None) -> float:
        """A row for each class: its name, a bar with both marks, the percentages."""
        rows = self._listed(here)
        if not rows:
            return y
        names = [self.names.get(str(index), str(index)) for index in rows]
        left = min(NAME, LETTER * TEXT / 72 * max(map(len, names))) + 0.1
        for x, head in ((WIDE - 0.6, "now"), (WIDE, "before")):
            bottom = paper.text(x, y, head, color=DIM, ha="right")
        y = bottom
        for index, name in zip(rows, names, strict=True):
            now, was = (self._chance(answer, index) for answer in (here, self.before))
            paper.text(0, y, name, width=left, fontweight="bold" if index == self.target else "normal")
            self._draw_bar(paper, left, y + 0.02, WIDE - 1.25 - left, now[0], was[0], class_color(index))
            paper.text(WIDE - 0.6, y, now[1], ha="right")
            y = paper.text(WIDE, y, was[1], ha="right", color=DIM)
        return y

    def _draw_bar(
        self, paper: Paper, x: float, y: float, width: float, now: float | None, was: float | None, color: str
    ) -> None:
        """A bar that is filled as far as now, with a tick at before."""
        paper.rectangle(x, y, width, 0.1, color=EMPTY)
        paper.rectangle(x, y, width * min(1.0, max(0.0, now or 0.0)), 0.1, color=color)
        if was is not None:
            paper.rectangle(x + min(width * min(1.0, max(0.0, was)), width - 0.02), y - 0.02, 0.02, 0.14, color=INK)

    def _listed(self, here: dict[str, Any] | None) -> list[int]:
        """The classes of the list: the answer itself, then those that are the most probable anywhere; the target, too."""
        largest = dict(zip(self.before["classes"], self.before["chances"], strict=True))
        classes, chances = np.frombuffer(self.classes, np.int32), np.frombuffer(self.chances, np.float32)
        for index in np.unique(classes[classes >= 0]).tolist():
            largest[index] = max(largest.get(index, 0.0), float(chances[classes == index].max()))
        first = self.before["classes"][:1]
        order = sorted(largest, key=lambda index: (index not in first, -largest[index]))
        rows = order[:ROWS]
        for wanted in (self.target, *(here["classes"][:1] if here else [])):
            if wanted >= 0 and rows and wanted not in rows:
                last = len(rows) if len(rows) < ROWS else -1 - (rows[-1] == self.target)
                rows[last : last + 1 or None] = [wanted]
        return rows

    def _now(self) -> dict[str, Any] | None:
        """The answer where the patch is, else that of the nearest position that is known, and how ``far`` that is."""
        if len(self.box) != 4 or not (self.ys and self.xs):
            return None
        known = np.frombuffer(self.known, np.uint8).reshape(len(self.ys), len(self.xs))
        away = np.hypot(np.subtract(self.ys, self.box[0])[:, None], np.subtract(self.xs, self.box[1])[None])
        away = np.where(known > 0, away, np.inf)
        at = np.unravel_index(away.argmin(), away.shape)
        if away[at] and self.answer.get("box") == self.box:
            return {**self.answer, "far": 0.0}
        return self._at(at) | {"far": float(away[at])} if np.isfinite(away[at]) else None

    def _at(self, at: tuple[Any, ...]) -> dict[str, Any]:
        """The answer at a position of the grid."""
        shape = len(self.ys), len(self.xs)
        classes = np.frombuffer(self.classes, np.int32).reshape(*shape, -1)[at]
        chances = np.frombuffer(self.chances, np.float32).reshape(*shape, -1)[at]
        value = float(np.frombuffer(self.values, np.float32).reshape(shape)[at])
        return {"value": value, "classes": classes.tolist(), "chances": chances.tolist()}

    def _chance(self, answer: dict[str, Any] | None, index: int) -> tuple[float | None, str]:
        """A class's probability in an answer, and how it is written; of one that is not kept, what it is below."""
        if answer is None:
            return None, ""
        if index == self.target and self.share:
            return answer["value"], percent(answer["value"])
        if index in answer["classes"]:
            chance = answer["chances"][answer["classes"].index(index)]
            return chance, percent(chance)
        most = answer["chances"][-1]
        text = percent(most)
        return most if most < NAUGHT else None, text if text.startswith(("<", "0%")) else f"< {text}"
