"""What the first loss tells of the loss function and of what it is given."""

from __future__ import annotations

import math

from cnnwidgets.methods.diagnosis.symptom import ALARM, WARNING, Seen, Symptom
from cnnwidgets.methods.records import Record
from cnnwidgets.numbers import number

SURE = 0.5
"""By how much the first loss may lie above ln(classes): scores of deviation 1, e times as probable or not, for no reason."""


def expected(record: Record) -> float | None:
    """The loss of a network that knows nothing; None where there is none for this loss."""
    first = record.facts["first"]
    if first["function"] in ("cross_entropy", "nll_loss") and first["classes"] > 1:
        return math.log(first["classes"])
    return math.log(2) if first["function"].startswith("binary_cross_entropy") else None


def not_ln_classes(record: Record) -> Seen | None:
    first, known = record.facts["first"], expected(record)
    if known is None or first["loss"] is None or first["probabilities"]:
        return None
    if first["loss"] <= known + SURE + 3 * first["deviation"] / math.sqrt(max(1, record.sizes[0])):  # a small one wavers
        return None
    name = "ln 2" if first["function"].startswith("binary") else f"ln {first['classes']}"
    words = {"loss": number(first["loss"]), "name": name, "known": number(known), "deviation": number(first["deviation"])}
    return Seen("", 0, words)


def summed(record: Record) -> Seen | None:
    first = record.facts["first"]
    if first["reduction"] != "sum" or first["loss"] is None:
        return None
    return Seen("", 0, {"function": first["function"], "loss": number(first["loss"]), "size": str(record.sizes[0])})


def twice_softmax(record: Record) -> Seen | None:
    first = record.facts["first"]
    doubled = first["function"] == "cross_entropy" and first["probabilities"]
    words = {"function": "cross_entropy", "what": "its scores sum to 1 for every picture", "name": "softmax"}
    if not doubled and first["function"] == "binary_cross_entropy_with_logits" and first["within_0_1"]:
        doubled, words = True, {"function": first["function"], "what": "all its scores lie from 0 to 1", "name": "sigmoid"}
    return Seen("", 0, words) if doubled else None


def no_log_softmax(record: Record) -> Seen | None:
    first = record.facts["first"]
    return Seen("", 0, {}) if first["function"] == "nll_loss" and not first["log_probabilities"] else None


LOSSES = (
    Symptom(
        "softmax before cross-entropy",
        ("first",),
        twice_softmax,
        "{function} makes probabilities itself, but {what} already.",
        "Remove the {name} at the end of the network.",
        ALARM,
    ),
    Symptom(
        "scores without log-softmax",
        ("first",),
        no_log_softmax,
        "nll_loss expects logarithms of probabilities, but the exponentials of its scores do not sum to 1.",
        "Use cross_entropy, or end the network with a log_softmax.",
        ALARM,
    ),
    Symptom(
        "first loss is not ln(classes)",
        ("first",),
        not_ln_classes,
        "it is {loss} before the first step, but guessing gives {name} = {known}; the scores' standard deviation is "
        "{deviation}.",
        "Start the last layer with smaller weights, and see that the pictures have mean 0 and deviation 1.",
        WARNING,
    ),
    Symptom(
        "summed loss",
        ("first",),
        summed,
        "{function} sums over the batch, so the loss is {size} times its mean, {loss}, and each step as many times too "
        "long.",
        "Use reduction='mean'.",
        WARNING,
    ),
)
