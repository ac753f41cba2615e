"""What gradients and activations tell by depth: vanishing and exploding, dead and saturated units."""

from __future__ import annotations

import math

import numpy as np

from cnnwidgets.methods.diagnosis.symptom import WARNING, Seen, Symptom, called, median_of, some
from cnnwidgets.methods.monitoring_calls import DEAD_FOR
from cnnwidgets.methods.records import Record
from cnnwidgets.numbers import number, percent

DEPTH = 4
"""Layers with weights that a network must have to speak of depth."""

FACTOR = 1_000
"""By how much the relative gradients of the first and the last layers differ where they vanish or explode."""

LARGE = 10_000
"""A norm of all gradients that no sound network starts with: 1 is usual, and 10 is often clipped."""

HALF = 0.5
"""The share of units, or of values, beyond which a layer is said to be dead or saturated."""


def matrices(record: Record) -> list[int]:
    """The numbers of the layers whose weights are matrices or kernels, by depth: those that train."""
    kinds = {row["layer"] for row in record.facts.get("parameters", ()) if len(row["shape"]) > 1 and row["trainable"]}
    return [k for k, name in enumerate(record.layers) if name in kinds]


def by_depth(record: Record) -> tuple[float, str, str, float, float] | None:
    """Gradient over weight in the first two layers by that in the last two; their names, and the norms of both ends."""
    chosen = matrices(record)
    if len(chosen) < DEPTH:
        return None
    ratio = np.divide(record.gradient, record.weight, out=np.full(record.gradient.shape, np.nan), where=record.weight > 0)[
        :, chosen
    ]
    logs = np.log(np.maximum([median_of(column) for column in ratio.T], 1e-38))
    first, last = (median_of(record.gradient[:, chosen[k]]) for k in (0, -1))
    if not np.isfinite(logs).all():
        return None
    names = record.layers[chosen[0]], record.layers[chosen[-1]]
    return math.exp(logs[:2].mean() - logs[-2:].mean()), *names, first, last


def vanishing(record: Record) -> Seen | None:
    found = by_depth(record)
    if found is None or found[0] * FACTOR > 1 or found[3] == 0:
        return None
    return Seen(found[1], None, {"first": number(found[3]), "last": number(found[4]), "deep": called(found[2])})


def exploding(record: Record) -> Seen | None:
    found = by_depth(record)
    if found is not None and found[0] > FACTOR:
        told = f"their norm is {number(found[3])} in {called(found[1])} and {number(found[4])} in {called(found[2])}"
        return Seen(found[1], None, {"told": told})
    total = record.total_gradient
    if total[0] > LARGE:
        return Seen("", int(record.samples[0]), {"told": f"their norm is {number(total[0])} at the start"})
    for k in range(5, len(total)):
        usual = median_of(total[:k])
        if usual > 0 and total[k] > FACTOR * usual:
            step = int(record.samples[k])
            return Seen(
                "", step, {"told": f"their norm is {number(total[k])} at step {step:,}, and was {number(usual)} before"}
            )
    return None


def worst(record: Record, table: np.ndarray, most: float) -> tuple[int, float, int, list[str]] | None:
    """The call with the largest share at the end, the share, the step from which on it is too large, and all such calls."""
    known = table[np.isfinite(table).any(1)]
    if not len(known):
        return None
    lately = np.array([median_of(column[-3:]) for column in known.T])
    bad = [k for k in range(table.shape[1]) if lately[k] >= most]
    if not bad:
        return None
    k = max(bad, key=lambda one: lately[one])
    above = np.nan_to_num(table[:, k], nan=0) >= most
    start = len(above) - int(np.argmin(above[::-1])) if not above.all() else 0
    return k, float(lately[k]), int(record.samples[min(start, len(above) - 1)]), [record.calls[one] for one in bad]


def dead(record: Record) -> Seen | None:
    found = worst(record, record.dead, HALF)
    if found is None:
        return None
    k, share, step, names = found
    also = f"; so it is in {some([name for name in names if name != record.calls[k]])}" if len(names) > 1 else ""
    return Seen(record.calls[k], step, {"share": percent(share), "batches": str(DEAD_FOR), "also": also})


def saturated(record: Record) -> Seen | None:
    found = worst(record, record.saturated, HALF)
    if found is None:
        return None
    k, share, step, _ = found
    kind = record.kinds[k]
    where = "beyond ±0.99" if kind == "tanh" else "below 0.01 or above 0.99"
    return Seen(record.calls[k], step, {"share": percent(share), "where": where, "kind": kind})


LAYERS = (
    Symptom(
        "exploding gradients",
        ("layers",),
        exploding,
        "{told}.",
        "Clip the gradient's norm, normalize (batch norm), add shortcuts, or start with smaller weights (Kaiming).",
        WARNING,
    ),
    Symptom(
        "vanishing gradients",
        ("layers",),
        vanishing,
        "their norm is {last} in {deep} but {first} in {layer}, at the other end of the network.",
        "Start with weights that keep the variance (Kaiming for ReLU, Xavier for tanh), normalize (batch norm), or add "
        "shortcuts.",
        WARNING,
    ),
    Symptom(
        "dead ReLUs",
        ("calls",),
        dead,
        "{share} of the units of {layer} gave 0 for every picture of the last {batches} batches sampled{also}.",
        "Lower the rate, start again with Kaiming's weights and biases of 0, or use a leaky ReLU.",
        WARNING,
    ),
    Symptom(
        "saturated units",
        ("calls",),
        saturated,
        "{share} of the values of {layer} lie {where}, where {kind} is flat.",
        "Start with smaller weights (Xavier), center the pictures, normalize (batch norm), or use a ReLU.",
        WARNING,
    ),
)
