"""The numbers, the step that is shown, and what a user may change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, action, draws
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, public
from cnnwidgets.methods import RuleTable, backward_rules
from cnnwidgets.methods.backward_rules import EXAMPLES, table
from cnnwidgets.panels.backward_rules.stages import tables
from cnnwidgets.panels.backward_rules.start import NUMBERS, are_own, checked, fits, numbers_of
from cnnwidgets.panels.backward_rules.words import QUESTION, passed, steps
from cnnwidgets.views import NumberTables
from cnnwidgets.views.number_tables import digits


class BackwardRules(Panel):
    """Backpropagation, deconvnet and guided backpropagation through a ReLU, number by number, side by side.

    >>> cw.BackwardRules()
    >>> cw.BackwardRules("network", step=None)     # a convolution, a ReLU, a weighted sum; all steps at once

    Step through it with *Next*. Click a number in a dashed frame to change it. Point at any number: the cells that it is
    made of are framed, and the arithmetic is written out. What a rule sets to 0 is hatched, with the former number struck
    out.

    Parameters:
        example: "relu": a ReLU alone; "network": a picture of 4×4, a convolution with 3×3 weights, a ReLU, a score.
        step: the last step that is shown, from 0; None for all steps.
        input, weights, above: numbers in rows and columns instead of the example's.

    Raises:
        ValueError: numbers are not finite, larger than 1e100, or of another shape than the example's.
    """

    example = Choice(tuple(EXAMPLES), texts=("a ReLU", "a small network"), help="What to step through")
    step = public(t.Int(0, allow_none=True, min=0, help="Last step that is shown; None for all"), None, then="nothing")
    input = public(t.Any(None, help="Numbers that go in; None for the example's"), None)
    weights = public(t.Any(None, help="3×3 weights of the network's convolution; None for the example's"), None)
    above = public(t.Any(None, help="Gradient from above; None for the example's"), None)

    def __init__(self, example: str = "relu", **options: Any) -> None:
        if "step" in options.get("hide", ()):
            options.setdefault("step", None)  # nobody could step on
        super().__init__(example=example, **options)

    @t.validate(*NUMBERS)
    def _check(self, proposal: Any) -> list[list[float]] | None:
        name, values = proposal["trait"].name, proposal["value"]
        return values if values is None else checked(name, values, "network" if name == "weights" else self.example)

    @t.observe("example")
    def _drop_others(self, change: Any) -> None:
        """Numbers that do not fit the new example are replaced by its own."""
        for name in ("input", "above"):
            if not fits(name, getattr(self, name), change.new):
                setattr(self, name, None)

    @property
    def numbers(self) -> dict[str, list[list[float]]]:
        """The numbers to start with: the example's, or the user's own."""
        return numbers_of(self)

    @property
    def subject(self) -> str:
        return "own numbers" if are_own(self) else "the lecture's numbers"

    @property
    def _editable(self) -> list[str]:
        return [name for name in NUMBERS if name not in (*self.hidden, *self.locked)]

    def build(self) -> Part | tuple[Part, ...]:
        stepping = "hidden" if "step" in self.hidden else "locked" if "step" in self.locked else "free"
        self.view = NumberTables(on_edit=self.edit, stepping=stepping)
        self.view.on_user("step", self.go_to)
        return self.view

    def compute(self, state: SimpleNamespace, job: Job) -> RuleTable:
        return backward_rules(**numbers_of(state))

    @draws()
    def draw_tables(self, found: RuleTable) -> None:
        self.view.show(tables(found, self._editable), steps(found), self._last_step(found))

    @draws("step")
    def draw_step(self, found: RuleTable) -> None:
        self.view.step = self._last_step(found)
        if self.status.kind == "ready":
            self.status.say(self._said(found))

    def _last_step(self, found: RuleTable) -> int:
        last = len(steps(found)) - 1
        return last if self.step is None else min(self.step, last)

    def go_to(self, step: int) -> None:
        """Show the stages up to a step; the last step means all of them."""
        self.step = step if step < len(self.view.steps) - 1 else None

    def edit(self, name: str, row: int, column: int, text: str) -> bool:
        """Take a number as typed; False if it is not a number, or not a new one."""
        if name not in self._editable:
            return False
        values = [list(line) for line in self.numbers[name]]
        old = values[row][column]
        try:
            values[row][column] = float(text.replace("−", "-").replace(",", "."))
            table(values)
        except ValueError:
            told = f"“{text[:40]}” is not a number that can be used here: {digits(old)} stays."
            self.status.say(told, "error")
            return False
        if values[row][column] == old:
            self.status.say(self.summary(self._result))
            return False
        setattr(self, name, values)
        return True

    @action("Back to the lecture's numbers", absent=lambda panel: not (are_own(panel) and panel._editable))
    def reset(self) -> None:
        """Go back to the example's numbers."""
        self.restore(dict.fromkeys(self._editable))

    def summary(self, found: RuleTable) -> str:
        whose = "Your own numbers." if are_own(self.asked) else "The lecture's numbers."
        is_shown = self._last_step(found) == len(steps(found)) - 1
        return f"{passed(found) if is_shown else QUESTION.format(found.above.size)}\n{whose}"

    def data(self) -> dict[str, np.ndarray]:
        """All (rows, columns): ``input``, ``before`` and ``after`` the ReLU, ``above``; by rule, the gradient at the input.

        For the network also ``weights``, ``score`` (), and by rule the gradient behind the ReLU, ``... through the ReLU``.
        """
        found = self.result
        arrays = {name: getattr(found, name) for name in ("input", "before", "after", "above")}
        if found.weights is not None:
            through = {f"{rule} through the ReLU": values for rule, values in found.through_relu.items()}
            arrays |= {"weights": found.weights, "score": np.array(found.score), **through}
        return {**arrays, **found.at_input}

    def code(self) -> str:
        return self.result.code()
