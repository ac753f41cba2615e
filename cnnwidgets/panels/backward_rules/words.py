"""What BackwardRules says: what happens in each step, how each number comes about, what passes."""

from __future__ import annotations

import numpy as np

from cnnwidgets.methods import RuleTable
from cnnwidgets.views.number_tables import digits

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


def passed(result: RuleTable) -> str:
    """How many numbers each rule lets through the ReLU."""
    counts = [f"{count} by {HEADINGS[rule].lower()}" for rule, count in result.passed.items()]
    return f"Passed, of {result.above.size} numbers from above: {', '.join(counts)}"


def decision(rule: str, forward: float, above: float) -> str:
    """Why a rule passes a number or sets it to 0."""
    numbers = {"from above": above, "forward": forward}
    asked = {"backpropagation": ["forward"], "deconvnet": ["from above"], "guided": ["from above", "forward"]}[rule]
    said = [f"{digits(numbers[name])} {'>' if numbers[name] > 0 else '≤'} 0 {name}" for name in asked]
    goes = "passes" if all(numbers[name] > 0 for name in asked) else "is set to 0"
    return f"{' and '.join(said)}, so {digits(above)} {goes}" + ("; forward does not matter" if rule == "deconvnet" else "")


def summed(numbers: np.ndarray, weights: np.ndarray) -> str:
    """A sum of products with its result, as one would write it."""
    pairs = list(zip(numbers.tolist(), weights.tolist(), strict=True))
    terms = [f"{digits(number)}·{_factor(weight)}" for number, weight in pairs]
    return f"{' + '.join(terms)} = {digits(float(np.dot(numbers, weights)))}"


def _factor(value: float) -> str:
    return f"({digits(value)})" if value < 0 else digits(value)


def given(values: np.ndarray, what: str) -> list[str]:
    """What numbers are that nothing was done to, a sentence each."""
    return [f"{what}: {digits(value)}" for value in values.ravel().tolist()]
