"""What the parameters tell: which of them train, which the optimizer knows, and how they began."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnwidgets.methods.diagnosis.symptom import ALARM, HINT, WARNING, Seen, Symptom, some
from cnnwidgets.methods.records import Record
from cnnwidgets.numbers import number

Row = dict[str, Any]


def layers(record: Record, wanted: Callable[[Row], bool]) -> list[str]:
    """The layers with such a parameter, in order."""
    rows = record.facts["parameters"]
    return [*dict.fromkeys(row["layer"] or row["name"] for row in rows if wanted(row))]


def not_in_optimizer(record: Record) -> Seen | None:
    found = layers(record, lambda row: row["trainable"] and row["group"] < 0)
    return Seen(found[0], None, {"names": some(found)}) if found else None


def no_gradient(record: Record) -> Seen | None:
    rows = record.facts["parameters"]
    reached = {row["layer"] for row in rows if row["gradient"] == "some"}
    found = layers(record, lambda row: row["trainable"] and row["layer"] not in reached)
    if not found:
        return None
    none = all(row["gradient"] == "none" for row in rows if row["layer"] == found[0])
    return Seen(found[0], None, {"names": some(found), "what": "none arrives" if none else "only zeros arrive"})


def frozen_with_rate(record: Record) -> Seen | None:
    found = layers(record, lambda row: not row["trainable"] and row["group"] >= 0)
    if not found:
        return None
    rate = next(row["rate"] for row in record.facts["parameters"] if not row["trainable"] and row["group"] >= 0)
    return Seen(found[0], None, {"names": some(found), "rate": number(rate)})


def stuck(record: Record, what: str) -> Seen | None:
    found = layers(record, lambda row: row["trainable"] and row["start"] == what == row["end"])
    return Seen(found[0], 0, {"names": some(found)}) if found else None


def decay_everywhere(record: Record) -> Seen | None:
    rows = record.facts["parameters"]
    small = [row for row in rows if row["decay"] > 0 and row["trainable"] and len(row["shape"]) < 2]
    if not small:
        return None
    norms = sum(row["norm"] for row in small)
    parts = [f"{len(small) - norms} biases" if len(small) > norms else "", f"{norms} parameters of norms" if norms else ""]
    return Seen("", None, {"decay": number(small[0]["decay"]), "parts": " and ".join(filter(None, parts))})


PARAMETERS = (
    Symptom(
        "not in the optimizer",
        ("watched", "optimizer"),
        not_in_optimizer,
        "in none of the optimizer's groups, and so never trained: {names}.",
        "Give the optimizer model.parameters(), after the network has all its layers; or freeze it (requires_grad_(False)).",
        ALARM,
    ),
    Symptom(
        "zero initialization",
        ("trained",),
        lambda record: stuck(record, "zero"),
        "all weights of {names} were 0 at the start and still are.",
        "Start with random weights (Kaiming, Xavier): with zeros no unit learns anything.",
        ALARM,
    ),
    Symptom(
        "equal initialization",
        ("trained",),
        lambda record: stuck(record, "equal"),
        "in {names}, all units started with the same weights, get the same gradient, and so stay the same.",
        "Start with random weights (Kaiming, Xavier).",
        ALARM,
    ),
    Symptom(
        "no gradient",
        ("trained",),
        no_gradient,
        "{what} at {names}.",
        "See that its output goes into the loss, without .detach(), .data, .item() or torch.no_grad() on the way; or freeze "
        "it.",
        WARNING,
    ),
    Symptom(
        "frozen part with a rate",
        ("watched", "optimizer"),
        frozen_with_rate,
        "the optimizer has a rate of {rate} for what is frozen: {names}.",
        "Give the optimizer only what has requires_grad; unfreeze before if it is to train.",
        HINT,
    ),
    Symptom(
        "weight decay on everything",
        ("watched", "optimizer"),
        decay_everywhere,
        "a decay of {decay} also pulls at {parts}.",
        "Put biases and norms in a group with weight_decay=0.",
        HINT,
    ),
)
