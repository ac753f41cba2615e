"""What BackwardRules says: what happens in each step, how each number is made, what passes."""

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
    "backpropagation": "passes where input > 0",
    "deconvnet": "passes where gradient > 0",
    "guided": "passes where both > 0",
}
SENTENCES = {
    "backpropagation": "Backpropagation keeps a gradient where the ReLU's input was positive, whatever the gradient's sign.",
    "deconvnet": "Deconvnet keeps positive gradients, whatever the input was.",
    "guided": "Guided backprop keeps a number only if both the input and the gradient are positive.",
}


def steps(result: RuleTable) -> list[str]:
    """What happens in each step."""
    first = ["These numbers go into a ReLU."]
    above = ["The gradient from above: how much the score rises when an output rises by 1. It may be negative."]
    last = []
    if result.weights is not None:
        first = [
            "The input, a picture of 4 × 4 pixels, and the weights of a convolution.",
            "The convolution: lay the weights over the input, multiply cell by cell, add up. Four places, four sums.",
        ]
        above = [
            f"The score: each output times its weight, added up: {digits(result.score)}.",
            "Now backward. The gradient from above: when an output rises by 1, the score rises by that output's weight.",
        ]
        last = ["Each gradient, times the weights, goes back to the window it came from; where windows overlap, add."]
    relu = "The ReLU sets negative numbers to 0 and lets the others pass."
    return [*first, relu, *above, *SENTENCES.values(), *last]


def passed(result: RuleTable) -> str:
    """How many numbers each rule lets through the ReLU, in a sentence."""
    (first, count), *others = [(HEADINGS[rule].lower(), count) for rule, count in result.passed.items()]
    rest = ", ".join(f"{name.removesuffix(' backprop')} {number}" for name, number in others)
    return f"Of the {result.above.size} numbers from above, {first} lets {count} through, {rest}."


QUESTION = "How many of the {} numbers from above will each rule let through? Press Next."
"""What is asked as long as the rules are not shown."""


def decision(rule: str, forward: float, above: float) -> str:
    """Why a rule passes a number or sets it to 0."""
    numbers = {"gradient": above, "input": forward}
    asked = {"backpropagation": ["input"], "deconvnet": ["gradient"], "guided": ["gradient", "input"]}[rule]
    said = [f"{name} {digits(numbers[name])} {'>' if numbers[name] > 0 else '≤'} 0" for name in asked]
    goes = "passes" if all(numbers[name] > 0 for name in asked) else "is set to 0"
    whatever = "; the input does not matter" if rule == "deconvnet" else ""
    return f"{' and '.join(said)}, so {digits(above)} {goes}{whatever}"


def summed(numbers: np.ndarray, weights: np.ndarray) -> str:
    """A sum of products with its result, as one would write it."""
    pairs = list(zip(numbers.tolist(), weights.tolist(), strict=True))
    terms = [f"{digits(number)}·{_factor(weight)}" for number, weight in pairs]
    return f"{' + '.join(terms)} = {digits(float(np.dot(numbers, weights)))}"


def _factor(value: float) -> str:
    return f"({digits(value)})" if value < 0 else digits(value)


def given(values: np.ndarray, what: str) -> list[str]:
    """What given numbers are, one sentence each."""
    return [f"{what}: {digits(value)}" for value in values.ravel().tolist()]
