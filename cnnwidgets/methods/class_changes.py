"""One class made wider, thinned out or moved away in feature space: how much of that does a map show?

"Cluster sizes in a t-SNE plot mean nothing", and "distances between clusters might not mean anything" (Wattenberg, Viégas
and Johnson, How to Use t-SNE Effectively, Distill 2016). Here both are measured on the reader's own data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from cnnwidgets.methods.neighbors import matrix
from cnnwidgets.net.arguments import checked, one_of, said
from cnnwidgets.numbers import number

Kind: TypeAlias = Literal["spread", "thin", "move"]

FEWEST = 4
"""Pictures that a class needs, to be changed."""

FRACTIONS = {1 / 2: "half", 1 / 3: "a third", 1 / 4: "a quarter"}


@dataclass(frozen=True)
class ClassChange:
    """What was done to one class in feature space, and what a map shows of it.

    Attributes:
        label, name: of the class.
        kind: "spread": its pictures' distances from their mean were multiplied; "thin": only some of its pictures stay;
            "move": its distance from the other pictures was multiplied.
        factor: what was multiplied with; if it was thinned the share of its pictures that stay.
        in_features: how many times as wide the class is as before (as far away, if it was moved) in feature space, compared
            with the width of all other pictures.
        on_map: the same on the map.
    """

    label: int
    name: str
    kind: Kind
    factor: float
    in_features: float
    on_map: float

    @property
    def measure(self) -> str:
        """The adjective that belongs to what is measured."""
        return "far" if self.kind == "move" else "wide"

    @property
    def note(self) -> str:
        """Both ratios, for a caption."""
        features, on_map = (number(ratio, 2) for ratio in (self.in_features, self.on_map))
        return f"layer: {features} times · map: {on_map} times"

    @property
    def sentence(self) -> str:
        """What was done and what the map shows of it."""
        on_map = f"on the map it is {number(self.on_map, 2)} times as {self.measure}"
        if self.kind == "thin":
            return f"Class {self.name} with {title_of(self.kind, self.factor)}: {on_map}."
        verb = "moved" if self.kind == "move" else "made"
        return f"Class {self.name} was {verb} {title_of(self.kind, self.factor)}; {on_map}."


def title_of(kind: Kind, factor: float) -> str:
    """A change in a few words.

    >>> title_of("spread", 3), title_of("thin", 1 / 4), title_of("move", 5)
    ('3 times as wide', 'a quarter of its pictures', '5 times as far')
    """
    share = FRACTIONS.get(factor)
    if kind == "thin":
        return f"{share or f'{factor:.0%}'} of its pictures"
    return f"{share or f'{number(factor)} times'} as {'far' if kind == 'move' else 'wide'}"


@checked
def spread_class(features: Any, rows: np.ndarray, factor: float) -> np.ndarray:
    """Features in which the distances of some pictures from their mean are multiplied: (n, d), x ↦ mean + factor (x - mean).

    Which of two of these pictures lies nearer to a third of them stays as it is.

    Parameters:
        features: (n, d).
        rows: bool (n,), the pictures of the class.
    """
    values = matrix(features)
    own = values[rows := _checked(rows, len(values))]
    mean = own.mean(0, dtype=float)
    return _with(values, rows, mean + factor * (own - mean))


@checked
def move_class(features: Any, rows: np.ndarray, factor: float) -> np.ndarray:
    """Features in which some pictures lie farther from all others: (n, d).

    They are shifted along the line through the two means, so that the means are ``factor`` times as far apart.

    Parameters:
        features, rows: see :func:`spread_class`.
    """
    values = matrix(features)
    own = values[rows := _checked(rows, len(values))]
    return _with(values, rows, own + (factor - 1) * (own.mean(0, dtype=float) - values[~rows].mean(0, dtype=float)))


@checked
def thin_class(rows: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Which pictures stay if only a share of a class does, two at least, drawn at random: bool (n,).

    Parameters:
        rows: bool (n,), the pictures of the class.
    """
    own = np.flatnonzero(rows)
    stay = ~np.asarray(rows, bool)
    stay[np.random.default_rng(seed).choice(own, max(2, round(share * len(own))), replace=False)] = True
    return stay


def changed_class(
    features: Any, rows: np.ndarray, kind: Kind, factor: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The features after a change, (n, d), and which of the pictures stay, bool (n,)."""
    one_of("kind", kind, ("spread", "thin", "move"))
    if kind == "thin":
        return matrix(features), thin_class(rows, factor, seed)
    change = spread_class if kind == "spread" else move_class
    return change(features, rows, factor), np.ones(len(rows), bool)


@checked
def class_width(points: Any, rows: np.ndarray) -> float:
    """How wide some pictures lie, in feature space or on a map: half of them lie that close to the middle of all of them.

    The middle is the median of each coordinate, so that a few that lie among others change little.
    """
    own = matrix(points)[rows]
    return float(np.median(np.linalg.norm(own - np.median(own, 0), axis=1)))


@checked
def class_distance(points: Any, rows: np.ndarray) -> float:
    """How far the mean of some pictures lies from the mean of all others."""
    values = matrix(points)
    return float(np.linalg.norm(values[rows].mean(0, dtype=float) - values[~rows].mean(0, dtype=float)))


def ratio(before: Any, after: Any, rows: np.ndarray, kind: Kind, stay: np.ndarray) -> float:
    """How many times as wide (as far, of kind "move") a class is after a change, beside the width of all other pictures.

    Parameters:
        before: (n, d), features or points of a map.
        after: (m, d), those of the m pictures that stay.
        rows: bool (n,), the pictures of the class.
        stay: bool (n,).

    Raises:
        ValueError: the class, or all others, have no width to compare with.
    """
    measured = class_distance if kind == "move" else class_width
    sizes = [measured(before, rows), class_width(before, ~rows), class_width(after, ~rows[stay])]
    if not all(sizes):
        raise ValueError("the pictures of this class, or of all others, have the same features: there is no size to compare")
    own, others, others_after = sizes
    return measured(after, rows[stay]) / others_after / (own / others)


def class_of(labels: np.ndarray, rows: np.ndarray, names: Mapping[int, str]) -> int:
    """The class to change: that of most of some pictures; without any, the largest, and of equally large ones the first.

    Parameters:
        labels: (n,), -1 for none.
        rows: bool (n,), the pictures that were chosen.
        names: of the classes.

    Raises:
        ValueError: no picture has a label, all have the same, or the class has too few.
    """
    known = labels[labels >= 0]
    if len(np.unique(known)) < 2:
        raise ValueError(
            "to change one class beside the others, the pictures need labels of at least two classes; "
            f"these have {'labels of one class' if len(known) else 'no labels'}"
        )
    chosen = labels[rows & (labels >= 0)]
    found, counts = np.unique(chosen if len(chosen) else known, return_counts=True)
    label = int(found[counts.argmax()])
    if (count := np.count_nonzero(labels == label)) < FEWEST:
        raise ValueError(
            f"class {names.get(label, label)} has {count} picture{'s' if count > 1 else ''} here; a class needs {FEWEST} "
            "to be changed: pick a picture of another class"
        )
    return label


def _checked(rows: np.ndarray, n: int) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.shape != (n,) or rows.dtype != bool or not rows.any() or rows.all():
        raise ValueError(f"rows is {said(rows)}; expected {n:,} times True or False, some of each")
    return rows


def _with(values: np.ndarray, rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The features, with others of some pictures."""
    changed = values.copy()
    changed[rows] = own
    return changed
