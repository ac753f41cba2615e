"""What BackwardRules shows: a table a stage, what each cell comes from, and what happens in each step, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from cnnwidgets.methods import RuleTable
from cnnwidgets.views import NumberTable
from cnnwidgets.views.number_tables import digits

FORWARD, BACKWARD = "Forward", "Backward"

HEADINGS = {
    "backpropagation": "Backpropagation",
    "deconvnet": "Deconvnet",
    "guided": "Guided backprop",
}
PASSES = {
    "backpropagation": "passes if forward > 0",
    "deconvnet": "passes if above > 0",
    "guided": "passes if both > 0",
}
SENTENCES = {
    "backpropagation": "Backpropagation: where the ReLU's input was not above 0, what comes from above is set to 0; "
    "elsewhere it passes, whatever its sign.",
    "deconvnet": "Deconvnet: what is negative from above is set to 0; the forward pass does not matter.",
    "guided": "Guided backprop: both must be above 0, forward and from above; all else is set to 0.",
}


def steps(result: RuleTable) -> list[str]:
    """What happens in each step."""
    first = ["The input of a ReLU."]
    above = ["The gradient from above: how much the score rises when an output rises by 1. It may have either sign."]
    last = []
    if result.weights is not None:
        first = [
            "The input, a picture of 4 × 4 pixels, and the weights of a convolution.",
            "The convolution: lay the weights over the input, multiply cell by cell, add up. Four places, four sums.",
        ]
        above = [
            f"The score: each output times its weight, added up: {digits(result.score)}.",
            "The gradient from above: when an output rises by 1, the score rises by that output's weight. Now go back.",
        ]
        last = [
            "Back through the convolution, the same way for all three: the weights times each gradient are laid where that "
            "output had looked; what meets there is added up."
        ]
    relu = "The ReLU: what is below 0 becomes 0, the rest passes."
    return [*first, relu, *above, *SENTENCES.values(), *last]


def tables(result: RuleTable, editable: Collection[str] = ()) -> list[NumberTable]:
    """All stages of a result, in the order of the steps; those that are named can be edited."""
    return [replace(table, editable=table.name in editable) for table in [*_forward(result), *_backward(result)]]


def passed(result: RuleTable) -> str:
    """How many numbers each rule lets through the ReLU."""
    counts = [f"{count} by {HEADINGS[rule].lower()}" for rule, count in result.passed.items()]
    return f"Passed, of {result.above.size} numbers from above: {', '.join(counts)}"


def _forward(result: RuleTable) -> Iterator[NumberTable]:
    before, step = "input", 1
    yield NumberTable("input", "input", result.input, row=FORWARD, says=_given(result.input, "an input"))
    if result.weights is not None:
        before, step = "convolution", 2
        said = _given(result.weights, "a weight of the convolution")
        yield NumberTable("weights", "weights", result.weights, row=FORWARD, sign="∗", says=said)
        yield NumberTable(
            "convolution", "convolution", result.before, step=1, row=FORWARD, sign="=",
            says=[f"convolution: {_sum(result.input.flat[window], result.weights.ravel())}" for window in result.windows],
            sources=[[("input", cell) for cell in window] + _all("weights", result.weights) for window in result.windows],
        )  # fmt: skip
    yield NumberTable(
        "output", "after ReLU", result.after, step=step, row=FORWARD, sign="→",
        says=[
            f"ReLU: {digits(value)} > 0, so it passes" if value > 0 else f"ReLU: {digits(value)} is not above 0, so 0"
            for value in result.before.flat
        ],
        sources=[[(before, cell)] for cell in range(result.before.size)],
        was=_was(result.before, result.after),
    )  # fmt: skip
    if result.weights is not None:
        said = _given(result.above, "the weight that an output has in the score")
        yield NumberTable("above", "score weights", result.above, step=3, row=FORWARD, sign="·", says=said)
        yield NumberTable(
            "score", "score", np.array([[result.score]]), step=3, row=FORWARD, sign="=",
            says=[f"score: {_sum(result.after.ravel(), result.above.ravel())}"],
            sources=[_all("output", result.after) + _all("above", result.above)],
        )  # fmt: skip


def _backward(result: RuleTable) -> Iterator[NumberTable]:
    network = result.weights is not None
    forward, name, step = ("convolution", "from above", 4) if network else ("input", "above", 2)
    yield NumberTable(
        name, "gradient", result.above, step=step, row=BACKWARD, column="From above",
        says=_given(result.above, "from above: if this output rises by 1, the score changes by"),
        sources=[[("above", cell)] for cell in range(result.above.size)] if network else (),
    )  # fmt: skip
    pairs = list(zip(result.before.ravel().tolist(), result.above.ravel().tolist(), strict=True))
    for rule, through in result.through_relu.items():
        step += 1
        yield NumberTable(
            rule, PASSES[rule], through, step=step, row=BACKWARD, column=HEADINGS[rule],
            says=[f"{rule}: {_decision(rule, *pair)}" for pair in pairs],
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
        says=[f"at the input: {_sum(through.flat[list(at)], weights.flat[list(at.values())])}" for at in result.reached],
        sources=[[(rule, cell) for cell in at] + [("weights", weight) for weight in at.values()] for at in result.reached],
    )  # fmt: skip


def _decision(rule: str, forward: float, above: float) -> str:
    """Why a rule passes a number or sets it to 0."""
    numbers = {"from above": above, "forward": forward}
    asked = {"backpropagation": ["forward"], "deconvnet": ["from above"], "guided": ["from above", "forward"]}[rule]
    said = [f"{digits(numbers[name])} {'>' if numbers[name] > 0 else '≤'} 0 {name}" for name in asked]
    goes = "passes" if all(numbers[name] > 0 for name in asked) else "is set to 0"
    return f"{' and '.join(said)}, so {digits(above)} {goes}" + ("; forward does not matter" if rule == "deconvnet" else "")


def _sum(numbers: np.ndarray, weights: np.ndarray) -> str:
    """A sum of products with its result, as one would write it."""
    pairs = list(zip(numbers.tolist(), weights.tolist(), strict=True))
    terms = [f"{digits(number)}·{_factor(weight)}" for number, weight in pairs]
    return f"{' + '.join(terms)} = {digits(float(np.dot(numbers, weights)))}"


def _factor(value: float) -> str:
    return f"({digits(value)})" if value < 0 else digits(value)


def _all(name: str, values: np.ndarray) -> list[tuple[str, int]]:
    return [(name, cell) for cell in range(values.size)]


def _given(values: np.ndarray, what: str) -> list[str]:
    return [f"{what}: {digits(value)}" for value in values.ravel().tolist()]


def _was(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What was set to 0; NaN where nothing was."""
    return np.where((after == 0) & (before != 0), before, np.nan)
