"""What is drawn of a record: its curves, thinned to what a screen has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnwidgets.methods.diagnosis.symptom import called
from cnnwidgets.methods.records import BAND, Record

MOST = 400
"""Points of a curve; of more, means of as many stretches are drawn."""

LAYERS = 8
"""Curves of layers at most: of more, such as lie evenly between the first and the last."""


class Quantity(NamedTuple):
    """What there is to see of each layer.

    Attributes:
        title: of its axis.
        values: the name of a record's table, (samples, layers) or (samples, calls); or of a row (samples,).
        log: whether the axis is logarithmic.
        band: what is usual; None where nothing is said.
    """

    title: str
    values: str
    log: bool = False
    band: tuple[float, float] | None = None


QUANTITIES: dict[str, Quantity] = {
    "update / weight": Quantity("update ÷ weight", "update_ratio", True, (BAND / 3, 3 * BAND)),
    "gradient": Quantity("gradient norm", "gradient", True),
    "activation": Quantity("activations: deviation", "deviation", True),
    "dead units": Quantity("dead units", "dead"),
    "saturated": Quantity("saturated values", "saturated"),
    "agreement": Quantity("cosine of successive gradients", "cosine"),
}
"""By what a menu calls them."""


class Course(NamedTuple):
    """A curve over the steps.

    Attributes:
        name: of the layer; empty if there is but one curve.
        depth: where the layer is between the first (0) and the last (1).
        x, y: float64 (n,): steps, counted from 0, and values.
    """

    name: str
    depth: float
    x: np.ndarray
    y: np.ndarray


def courses(record: Record, quantity: str) -> list[Course]:
    """The curves of a quantity; none if the record holds none of it."""
    values, x = np.asarray(getattr(record, QUANTITIES[quantity].values), float), record.samples.astype(float)
    if values.ndim == 1:
        known = np.isfinite(values)
        return [Course("", 0.0, *thinned(x[known], values[known]))] if known.any() else []
    names = (
        record.layers
        if values.shape[1] == len(record.layers) and quantity in ("update / weight", "gradient")
        else record.calls
    )
    some = [k for k in range(values.shape[1]) if np.isfinite(values[:, k]).any()]
    if len(some) > LAYERS:
        some = [some[k] for k in np.linspace(0, len(some) - 1, LAYERS).round().astype(int)]
    last = max(1, values.shape[1] - 1)
    return [Course(names[k], k / last, *thinned(x, values[:, k])) for k in some]


def learning(record: Record, quantity: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The curves of "loss" or "accuracy": of training over the steps, and of validation over theirs; steps count from 0."""
    one = record.history
    training, validation = getattr(one, quantity), getattr(one, f"validation_{quantity}")
    known = np.isfinite(validation)
    return thinned(np.arange(len(training), dtype=float), training), (one.ends[known].astype(float), validation[known])


def thinned(x: np.ndarray, y: np.ndarray, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """The means of at most so many stretches of equal length; the last one may be shorter. NaN and infinity stay apart."""
    if len(x) <= most:
        return x, y
    size = -(-len(x) // most)
    starts = np.arange(0, len(x), size)
    counts = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / counts, np.add.reduceat(y, starts) / counts


def findings_of(findings: Sequence) -> list[dict[str, str | int]]:
    """The rows of a list of findings."""
    rows = []
    for one in findings:
        where = [called(one.layer)] if one.layer else []
        where += [f"step {one.step:,}"] if one.step is not None else []
        evidence = one.evidence[:1].upper() + one.evidence[1:]
        rows.append(
            {
                "name": one.name,
                "where": ", ".join(where),
                "evidence": evidence,
                "remedy": one.remedy,
                "severity": one.severity,
            }
        )
    return rows
