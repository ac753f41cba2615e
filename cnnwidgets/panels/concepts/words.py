"""What Concepts says: of all factors, of each, and of each picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnnwidgets.methods import Factors
from cnnwidgets.numbers import number, percent
from cnnwidgets.panels.top_patches.words import class_name, short

UNITS = 3
"""Units of a factor that are named."""


def heading(found: Factors) -> str:
    """The line over the pictures."""
    n, pictures, sees = len(found.directions), len(found.indices), found.layer.receptive_field
    field = "sees the whole picture" if sees is None or sees.status == "global" else f"receptive field {sees}"
    sampled = "" if pictures == found.sample.seen else "random "
    return f"{found.layer.name} · {_counted(n, 'factor')} in {_counted(pictures, sampled + 'picture')} · {field}"


def summary(found: Factors) -> str:
    """How much the factors explain, and the most that as many directions can; then how they were found, a line each."""
    n, sample = len(found.directions), found.sample
    subject, no = (
        ("1 factor explains", "no direction explains") if n == 1 else (f"{n} factors explain", f"no {n} directions explain")
    )
    most = percent(max(found.explained, sample.best[n - 1]))
    more = "much more" if most.startswith(">") else f"more than {most}"
    first = f"{subject} {percent(found.explained)} of the sum of squares of {found.layer.name}; {no} {more}."
    return "\n".join([first, *_lines(found)])


def _lines(found: Factors) -> Iterator[str]:
    sample, shown = found.sample, len(found.indices)
    yield f"Fitted to {sample.sentence}; the patches are the strongest of these positions, one per picture"
    if sample.negative:
        yield f"{percent(sample.negative)} of the layer's values are negative and count as 0"
    if shown < sample.seen:
        yield f"{_counted(shown, 'random picture')} of {sample.seen:,} {'is' if shown == 1 else 'are'} shown"
    if sample.skipped:
        index, why = sample.skipped[0]
        yield f"{_counted(len(sample.skipped), 'picture')} cannot be used (picture {index}: {why})"
    yield "Each position has the color of its largest factor, paler where the amount is small for that factor"
    sees = found.layer.receptive_field
    if sees and sees.status != "global":
        yield f"A patch is {'exactly' if sees.status == 'exact' else 'at least'} what its position sees, {sees}"


def under(found: Factors) -> list[str]:
    """The line under each factor's patches."""
    return [f"{factor} · {percent(share)}" for factor, share in enumerate(found.shares)]


def of_factors(found: Factors, names: Sequence[str]) -> list[str]:
    """A sentence on each factor."""
    return [_of_factor(found, factor, names) for factor in range(len(found.directions))]


def _of_factor(found: Factors, factor: int, names: Sequence[str]) -> str:
    amounts = found.amounts[:, factor]
    if not amounts.any():
        return f"Factor {factor} is 0 everywhere: fewer factors explain as much"
    direction = found.directions[factor]
    units = [int(unit) for unit in np.argsort(-direction, kind="stable")[:UNITS] if direction[unit] > 0]
    told = ", ".join(f"{unit} ({number(direction[unit], 2)})" for unit in units)
    said = [
        f"Factor {factor}: {percent(found.shares[factor])} of the total amount",
        f"unit{'s' if len(units) > 1 else ''} {told}",
    ]
    return " · ".join([*said, *_of_class(found, amounts, names)])


def _of_class(found: Factors, amounts: np.ndarray, names: Sequence[str]) -> list[str]:
    """The class that most of a factor is in, if it has at least twice its part of the positions there."""
    labels = found.sample.labels
    known = labels >= 0
    if not amounts[known].any():
        return []
    by_class, positions = np.bincount(labels[known], amounts[known]), np.bincount(labels[known])
    top = int(by_class.argmax())
    share = by_class[top] / by_class.sum()
    if share < 2 * positions[top] / positions.sum():
        return []
    return [f"{percent(share)} of it in class “{short(class_name(top, names))}”"]


def of_pictures(found: Factors, names: Sequence[str]) -> list[str]:
    """A sentence on each picture."""
    each = zip(found.indices.tolist(), found.labels.tolist(), found.maps.sum((2, 3), dtype=float), strict=True)
    return [_of_picture(index, class_name(label, names), amounts) for index, label, amounts in each]


def _of_picture(index: int, name: str, amounts: np.ndarray) -> str:
    said = f"Picture {index}, labeled “{short(name)}”" if name else f"Picture {index}"
    if not amounts.any():
        return f"{said}: no factor is present; the layer gives 0"
    factor = int(amounts.argmax())
    return f"{said}: factor {factor} makes up {percent(amounts[factor] / amounts.sum())} of the amount"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
