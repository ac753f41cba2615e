"""What BackwardRules shows: one table per stage, and what each cell is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from cnnwidgets.methods import RuleTable
from cnnwidgets.panels.backward_rules.words import HEADINGS, PASSES, decision, given, summed
from cnnwidgets.views import NumberTable
from cnnwidgets.views.number_tables import digits

FORWARD, BACKWARD = "Forward", "Backward"


def tables(result: RuleTable, editable: Collection[str] = ()) -> list[NumberTable]:
    """All stages of a result, in the order of the steps; the named ones can be edited."""
    return [replace(table, editable=table.name in editable) for table in [*_forward(result), *_backward(result)]]


def _forward(result: RuleTable) -> Iterator[NumberTable]:
    before, step = "input", 1
    yield NumberTable("input", "input", result.input, row=FORWARD, says=given(result.input, "an input"))
    if result.weights is not None:
        before, step = "convolution", 2
        said = given(result.weights, "a weight of the convolution")
        yield NumberTable("weights", "weights", result.weights, row=FORWARD, sign="∗", says=said)
        yield NumberTable(
            "convolution", "convolution", result.before, step=1, row=FORWARD, sign="=",
            says=[f"convolution: {summed(result.input.flat[window], result.weights.ravel())}" for window in result.windows],
            sources=[[("input", cell) for cell in window] + _all("weights", result.weights) for window in result.windows],
        )  # fmt: skip
    yield NumberTable(
        "output", "after ReLU", result.after, step=step, row=FORWARD, sign="→",
        says=[
            f"ReLU: {digits(value)} {'> 0, so it passes' if value > 0 else 'is not above 0, so it becomes 0'}"
            for value in result.before.flat
        ],
        sources=[[(before, cell)] for cell in range(result.before.size)],
        was=_was(result.before, result.after),
    )  # fmt: skip
    if result.weights is not None:
        said = given(result.above, "the weight of an output in the score")
        yield NumberTable("above", "score weights", result.above, step=3, row=FORWARD, sign="·", says=said)
        yield NumberTable(
            "score", "score", np.array([[result.score]]), step=3, row=FORWARD, sign="=",
            says=[f"score: {summed(result.after.ravel(), result.above.ravel())}"],
            sources=[_all("output", result.after) + _all("above", result.above)],
        )  # fmt: skip


def _backward(result: RuleTable) -> Iterator[NumberTable]:
    network = result.weights is not None
    forward, name, step = ("convolution", "from above", 4) if network else ("input", "above", 2)
    yield NumberTable(
        name, "gradient", result.above, step=step, row=BACKWARD, column="From above",
        says=given(result.above, "from above: when this output rises by 1, the score changes by"),
        sources=[[("above", cell)] for cell in range(result.above.size)] if network else (),
    )  # fmt: skip
    pairs = list(zip(result.before.ravel().tolist(), result.above.ravel().tolist(), strict=True))
    for rule, through in result.through_relu.items():
        step += 1
        yield NumberTable(
            rule, PASSES[rule], through, step=step, row=BACKWARD, column=HEADINGS[rule],
            says=[f"{rule}: {decision(rule, *pair)}" for pair in pairs],
            sources=[
                [(name, cell)] + ([] if rule == "deconvnet" else [(forward, cell)]) for cell in range(through.size)
            ],
            was=_was(result.above, through),
        )  # fmt: skip
        if result.weights is not None:
            yield _at_input(result, result.weights, rule)


def _at_input(result: RuleTable, weights: np.ndarray, rule: str) -> NumberTable:
    through = result.through_relu[rule]
    return NumberTable(
        f"{rule} at the input", "at the input", result.at_input[rule], step=8, row=BACKWARD, column=HEADINGS[rule], sign="↓",
        says=[f"at the input: {summed(through.flat[list(at)], weights.flat[list(at.values())])}" for at in result.reached],
        sources=[[(rule, cell) for cell in at] + [("weights", weight) for weight in at.values()] for at in result.reached],
    )  # fmt: skip


def _all(name: str, values: np.ndarray) -> list[tuple[str, int]]:
    return [(name, cell) for cell in range(values.size)]


def _was(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The numbers that were set to 0; NaN elsewhere."""
    return np.where((after == 0) & (before != 0), before, np.nan)
