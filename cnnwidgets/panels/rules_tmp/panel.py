"""BackwardRules: the three ways back through a ReLU side by side, a number in every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.base.fitting import Unfit
from cnnwidgets.methods import RuleTable, backward_rules
from cnnwidgets.methods.backward_rules import EXAMPLES, table
from cnnwidgets.panels import backward_rules_tables as stages
from cnnwidgets.panels.controls import Choice
from cnnwidgets.panels.panel import Panel
from cnnwidgets.views import NumberTables
from cnnwidgets.views.number_tables import digits

if TYPE_CHECKING:
    from cnnwidgets.base.jobs import Job

NUMBERS = ("input", "weights", "above")
"""The traits that are tables of numbers."""


class BackwardRules(Panel):
    """Backpropagation, deconvnet and guided backpropagation through a ReLU, side by side, to change and to step through.

    >>> cw.BackwardRules()
    >>> cw.BackwardRules("network", step=0)        # a convolution, a ReLU, a weighted sum; from the beginning

    Click a number in a dashed frame to change it. Point at any number: the cells that it comes from are framed, and the
    arithmetic is said. What a rule sets to 0 is hatched, with the number that was there struck out.

    Parameters:
        example: "relu": a ReLU alone; "network": a picture of 4×4, a convolution with 3×3 weights, a ReLU, a score.
        step: the last step that is shown, from 0; by default all are.
        input, weights, above: numbers in rows and columns instead of the example's.

    Raises:
        ValueError: numbers are not finite, larger than 1e100, or of another shape than the example's.
    """

    example = t.Enum(tuple(EXAMPLES), "relu", help="what is gone through").tag(
        control=Choice(lambda panel: [("a ReLU alone", "relu"), ("convolution, ReLU, score", "network")])
    )
    step = t.Int(None, allow_none=True, min=0, help="the last step that is shown; by default all are").tag(control=None)
    input = t.Any(None, allow_none=True, help="numbers that go in; None for the example's").tag(control=None)
    weights = t.Any(None, allow_none=True, help="3×3 weights of the network's convolution; None for the example's").tag(
        control=None
    )
    above = t.Any(None, allow_none=True, help="gradient from above; None for the example's").tag(control=None)

    asks = frozenset(("example", *NUMBERS))

    def __init__(self, example: str = "relu", **options):
        super().__init__(None, example=example, **options)

    @t.validate(*NUMBERS)
    def _check(self, proposal) -> list[list[float]] | None:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None:
            return None
        example = "network" if name == "weights" else self.example
        try:
            return table(value, np.shape(getattr(EXAMPLES[example], name))).tolist()
        except ValueError as error:
            raise Unfit(f"{name} of the example {example!r}: {error}") from None

    @property
    def numbers(self) -> dict[str, list[list[float]]]:
        """The numbers that are begun with: the example's, or one's own."""
        start = EXAMPLES[self.example]
        own = {name: getattr(self, name) or getattr(start, name) for name in NUMBERS}
        return {name: values for name, values in own.items() if getattr(start, name) is not None}

    @property
    def subject(self) -> str:
        return "own numbers" if self._own else "the lecture's numbers"

    @property
    def _own(self) -> bool:
        """Whether there are other numbers than the example's."""
        return any(values != getattr(EXAMPLES[self.example], name) for name, values in self.numbers.items())

    # Panel's parts

    def build(self) -> list[w.Widget]:
        fixed = {*self.hidden, *self.locked}
        self._editable = [name for name in NUMBERS if name not in fixed]
        stepping = "hidden" if "step" in self.hidden else "locked" if "step" in self.locked else "free"
        self.view = NumberTables(on_edit=self._take_edit, stepping=stepping)
        self.view.observe(self._take_step, "step")
        self.observe(self._drop_others, "example")
        self.react(self._place_step, "step")
        self.reset = w.Button(
            description="Back to the lecture's numbers", icon="undo", layout=w.Layout(width="auto", align_self="flex-start"),
            tooltip="the numbers of the example again",
        )  # fmt: skip
        self.reset.on_click(lambda _: self.restore(dict.fromkeys(self._editable)))
        return [*self.toolbox(), self.view, *([self.reset] if self._editable else [])]

    def compute(self, job: Job) -> RuleTable:
        return backward_rules(**self.numbers)

    def draw(self, result: RuleTable) -> None:
        self.view.show(stages.tables(result, self._editable), stages.steps(result), self._last_step(result))
        self.reset.disabled = not self._own

    def summary(self, result: RuleTable) -> str:
        own = "Your own numbers" if self._own else "The lecture's numbers"
        return f"{own}. {stages.passed(result)}."

    def data(self) -> dict[str, np.ndarray]:
        """All (rows, columns): ``input``, ``before`` and ``after`` the ReLU, ``above``; by rule the gradient at the input.

        Of the network also ``weights``, ``score`` (), and as ``... through the ReLU`` the gradients in between.
        """
        result = self.result
        found = {name: getattr(result, name) for name in ("input", "before", "after", "above")}
        if result.weights is not None:
            through = {f"{rule} through the ReLU": values for rule, values in result.through_relu.items()}
            found |= {"weights": result.weights, "score": np.array(result.score), **through}
        return {**found, **result.at_input}

    def code(self) -> str:
        return self.result.code()

    # steps and hands

    def _last_step(self, result: RuleTable) -> int:
        last = len(stages.steps(result)) - 1
        return last if self.step is None else min(self.step, last)

    def _place_step(self) -> None:
        self.view.step = self._last_step(self._result)

    def _take_step(self, change) -> None:
        if self._result is not None and change.new != self._last_step(self._result):
            self.step = change.new if change.new < len(self.view.steps) - 1 else None

    def _drop_others(self, change) -> None:
        """Numbers that do not fit the new example give way to its own."""
        for name in ("input", "above"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != np.shape(getattr(EXAMPLES[change.new], name)):
                setattr(self, name, None)

    def _take_edit(self, name: str, row: int, column: int, text: str) -> bool:
        """A number was typed; False if it is none, or nothing new."""
        if name not in self._editable:
            return False
        values = [list(line) for line in self.numbers[name]]
        old = values[row][column]
        try:
            values[row][column] = float(text.replace("−", "-").replace(",", "."))
            table(values)
        except ValueError:
            told = f"“{text[:40]}” is no number that one can count with: {digits(old)} stays."
            self.status.say(told, "error")
            return False
        if values[row][column] == old:
            self.status.say(self.summary(self.result))
            return False
        setattr(self, name, values)
        return True
