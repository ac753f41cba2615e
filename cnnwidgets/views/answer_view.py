"""What a network answers, before and now."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.numbers import number, percent
from cnnwidgets.views.palette import class_color
from cnnwidgets.views.paper import DIM, INK, SMALL, Paper, line_of
from cnnwidgets.views.view import View, numbers

WIDE, METER, LIST = 6.6, 4.0, 3.2
"""Inches of the whole, of the meter, and of a list of classes."""

FILL, TRACK = "#6f9bd8", "#e4e4e4"


class AnswerView(View, module="answer_view.js"):
    """A large number and the most probable classes, for the picture alone and with a patch on it.

    The number is the target's probability; or a value, with ends of its meter.

    The answers for a grid of positions are kept in the browser: there the numbers follow the patch without a kernel. For
    other places the kernel is asked, and answers with :attr:`answer`.
    """

    target = t.Unicode(help="name of the class that is watched").tag(sync=True)
    names = t.Dict(help="names of the classes that occur, by their index").tag(sync=True)
    before = t.Dict(help="the answer without a patch: probability, value, classes, chances").tag(sync=True)
    answer = t.Dict(help="an answer for one place: box, probability, value, classes, chances; empty for none").tag(sync=True)
    ys = t.List(t.Int(), help="first row of the patch for each row of the grid").tag(sync=True)
    xs = t.List(t.Int(), help="first column of the patch for each column of the grid").tag(sync=True)
    known = t.Bytes(help="(rows, columns) uint8: 1 where the answer is there").tag(sync=True)
    values = t.Bytes(help="(rows, columns) float32: the score that is watched").tag(sync=True)
    probability = t.Bytes(help="(rows, columns) float32: the large number").tag(sync=True)
    quantity = t.Unicode(help="what the large number is").tag(sync=True)
    span = t.List(t.Float(), help="[lowest, highest] of the large number's meter; empty for a probability").tag(sync=True)
    classes = t.Bytes(help="(rows, columns, k) int32: the most probable classes").tag(sync=True)
    chances = t.Bytes(help="(rows, columns, k) float32: their probabilities").tag(sync=True)
    score = t.Unicode(help="what else is watched, in words; empty: the large number alone").tag(sync=True)
    box = t.List(t.Int(), help="[top, left, height, width] of the patch, in pixels; empty for none").tag(sync=True)

    def show(self, grid: Any, **traits: Any) -> None:
        """Show the answers of a grid, in one message.

        Parameters:
            grid: has ``ys``, ``xs``, and arrays: ``known``, ``values``, ``probability`` (rows, columns), ``classes``,
                ``chances`` (rows, columns, k).
            traits: further traits to set in the same message.
        """
        kinds = {
            "known": np.uint8,
            "values": np.float32,
            "probability": np.float32,
            "classes": np.int32,
            "chances": np.float32,
        }
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
        answer, was = here or self.before, self.before["probability"]
        lo, hi = self.span or (0.0, 1.0)
        about = "≈ " if answer.get("far") else ""
        tell = number if self.span else "{:.3f}".format
        y = paper.text(0, 0, self.quantity, size=11, width=WIDE) + 0.02
        paper.text(0, y, about + tell(answer["probability"]), size=20, fontweight="bold")
        paper.text(1.6, y + 0.1, f"was {tell(was)}" if here else "no patch", size=10, color=DIM)
        y += line_of(20)

        def along(value: float) -> float:
            return METER * min(1.0, max(0.0, (value - lo) / (hi - lo))) if hi > lo else 0.0

        paper.rectangle(0, y, METER, 0.1, color=TRACK)
        paper.rectangle(0, y, along(answer["probability"]), 0.1, color=FILL)
        paper.frame(min(along(was), METER - 0.03), y - 0.02, 0.03, 0.14, thickness=1)
        y += 0.2
        if self.score:
            told = f"{self.score}: {about}{number(answer['value'])}, was {number(self.before['value'])}"
            y = paper.text(0, y, told, width=WIDE, color=DIM) + 0.04
        bottom = self._draw_list(paper, 0, y, "without the patch", self.before)
        if here:
            bottom = max(bottom, self._draw_list(paper, LIST + 0.2, y, "with the patch", here))
        if about:
            told = f"≈: the nearest position that is computed, {number(answer['far'])} pixels away"
            paper.text(0, bottom + 0.04, told, color=DIM, width=WIDE)
        paper.take(WIDE, bottom)

    def _draw_list(self, paper: Paper, x: float, y: float, heading: str, answer: dict[str, Any]) -> float:
        """The most probable classes, with a bar each."""
        if not answer["classes"]:
            return y
        y = paper.text(x, y, heading, size=SMALL, color=DIM)
        for index, chance in zip(answer["classes"], answer["chances"], strict=True):
            name = self.names.get(str(index), str(index))
            weight = "bold" if name == self.target else "normal"
            paper.text(x, y, name, width=1.4, fontweight=weight, color=INK)
            paper.rectangle(x + 1.45, y + 0.02, 1.1, 0.1, color=TRACK)
            paper.rectangle(x + 1.45, y + 0.02, 1.1 * chance, 0.1, color=class_color(index))
            y = paper.text(x + LIST, y, percent(chance), ha="right")
        return y

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
        both = (np.frombuffer(each, np.float32).reshape(shape)[at] for each in (self.values, self.probability))
        classes = np.frombuffer(self.classes, np.int32).reshape(*shape, -1)[at]
        chances = np.frombuffer(self.chances, np.float32).reshape(*shape, -1)[at]
        told = {"classes": classes.tolist(), "chances": chances.tolist()}
        return dict(zip(("value", "probability"), map(float, both), strict=True)) | told
