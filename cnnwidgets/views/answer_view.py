"""What a network answers, before and now."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.views.view import View, numbers


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

    def show(self, *, grid: dict[str, np.ndarray], **traits: Any) -> None:
        """Show the answers of a grid: ``known``, ``values``, ``probability`` (rows, columns), ``classes``, ``chances``
        (rows, columns, k); and set further traits in the same message."""
        kinds = {"known": np.uint8, "classes": np.int32}
        with self.hold_sync():
            for name, values in grid.items():
                self.set_trait(name, numbers(values, kinds.get(name, np.float32)))
            for name, value in traits.items():
                self.set_trait(name, value)
