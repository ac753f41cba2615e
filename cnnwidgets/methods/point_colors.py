"""What the points of a layout are colored by: labels, answers, trust, or the reader's own columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnwidgets.methods.features import Features
from cnnwidgets.methods.neighbors import Trust
from cnnwidgets.net.arguments import said
from cnnwidgets.net.layers import nearest

TRUST = ("trustworthiness", "neighbors kept")
"""Colors that are measured of the layout itself."""

MOST_WORDS = 1000
"""Different whole numbers of a column that are taken as classes; more are a scale."""


@dataclass(frozen=True)
class PointColors:
    """The colors of n points.

    Attributes:
        colors: (n,), each point's index in ``names``, -1 for none; or its value, if there are no names.
        names: of the classes.
        indices: of the names, among the network's classes: by them a class has its color; empty: their places.
        span: [lowest, highest] value of the colors; None for those that are there.
        quantity: what they are.
    """

    colors: np.ndarray
    names: Sequence[str] = ()
    span: Sequence[float] | None = None
    quantity: str = ""
    indices: Sequence[int] = ()


class PointColoring:
    """Gives points their colors.

    Parameters:
        labels: names of the data set's labels; empty or None where it does not tell any.
        columns: name to a number or a word for each item of the data set.
    """

    def __init__(self, labels: Sequence[str] | None, columns: Mapping[str, Any], size: int):
        self.labels = tuple(map(str, () if labels is None else labels))
        if not isinstance(columns, Mapping):
            raise TypeError(f"columns is {said(columns)}; expected a dict of names and a list of values for each")
        self.columns = {name: np.asarray(values) for name, values in columns.items()}
        for name, values in self.columns.items():
            if values.shape != (size,):
                raise ValueError(f"the column {name!r} has shape {values.shape}; the data set has {size:,} items")

    def options(self) -> list[tuple[str, str]]:
        """Pairs (text, name) of what there is."""
        own = ("label", "prediction", "right or wrong", "confidence", *TRUST)
        return [(name, name) for name in dict.fromkeys((*own, *self.columns))]

    def of(self, what: str, features: Features, trust: Trust | None) -> PointColors:
        """The colors of what is laid out.

        Raises:
            ValueError: there is no such thing, or the network gives no scores.
        """
        if what not in [name for _, name in self.options()]:
            raise ValueError(
                f"there is nothing called {what!r} to color by.{nearest(what, [name for _, name in self.options()])}"
            )
        if what in self.columns:
            return _column(self.columns[what][features.indices], what)
        if what == "label":
            classes = self.classes(features)
            own = {name: index for index, name in enumerate(features.classes)}
            same = tuple(classes.values()) == tuple(features.classes)  # then also where two have one name
            indices = [label if same else own.get(name, label) for label, name in classes.items()]
            return replace(_classes(places_of(features.labels, classes), tuple(classes.values())), indices=indices)
        if what in TRUST:
            values = np.full(len(features.values), np.nan)
            if trust is not None:
                values[trust.rows] = trust.trustworthiness if what == TRUST[0] else trust.kept
            return PointColors(values, span=(0.0, 1.0), quantity=what)
        if features.regression is not None and what in ("prediction", "confidence"):
            return PointColors(features.regression[:, 0], quantity="value that is predicted")
        if features.top is None or features.chances is None:
            raise ValueError(f"{features.output.sentence}: there is no {what} to color by; take the label")
        if what == "prediction":
            return PointColors(features.top[:, 0], features.classes)
        if what == "confidence":
            return PointColors(features.chances[:, 0], span=(0.0, 1.0), quantity="probability of the predicted class")
        return PointColors(np.where(features.labels < 0, -1, self.right(features)), ("wrong", "right"))

    def of_others(self, what: str, like: PointColors, features: Features) -> np.ndarray:
        """The colors (m,) of pictures that are not in the data set: by what the network says of them, or none."""
        if what in ("prediction", "confidence"):
            return self.of(what, features, None).colors
        return np.full(len(features.values), -1 if like.names else np.nan)

    def classes(self, features: Features) -> dict[int, str]:
        """Names by label: the data set's, or the network's where it tells none; the labels' numbers if they are too few."""
        names = self.labels or features.classes
        if features.labels.max(initial=-1) < len(names):
            return dict(enumerate(names))
        return {label: str(label) for label in np.unique(features.labels).tolist() if label >= 0}

    def words(self, features: Features) -> list[str]:
        """The name of each picture's label; empty where it has none."""
        classes = self.classes(features)
        return [classes.get(label, "") for label in features.labels.tolist()]

    def right_or_unknown(self, features: Features) -> np.ndarray | None:
        """The same as :meth:`right`, or None where the network gives no probabilities or no picture has a label."""
        return None if features.top is None or (features.labels < 0).all() else self.right(features)

    def right(self, features: Features) -> np.ndarray:
        """bool (n,): whether the prediction is the label; by name, where data set and network number the same names."""
        assert features.top is not None
        if set(self.classes(features).values()) & set(features.classes):
            return np.array(self.words(features), object) == np.array(features.classes, object)[features.top[:, 0]]
        return features.top[:, 0] == features.labels


def places_of(labels: np.ndarray, classes: Mapping[int, str]) -> np.ndarray:
    """Where labels stand among classes, which ascend; -1 for one that does not."""
    known = np.array([*classes, np.iinfo(np.int64).max])
    places = np.searchsorted(known, labels)
    return np.where(known[places] == labels, places, -1)


def _column(values: np.ndarray, name: str) -> PointColors:
    """Few different whole numbers or words are classes; numbers else are a scale."""
    found, places = np.unique(values.astype(str) if values.dtype.kind not in "biuf" else values, return_inverse=True)
    if values.dtype.kind == "f" or (values.dtype.kind in "iu" and len(found) > MOST_WORDS):
        return PointColors(values.astype(float), quantity=name)
    return _classes(places, tuple(map(str, found.tolist())))


def _classes(places: np.ndarray, names: tuple[str, ...]) -> PointColors:
    """A point without a class name has no class and no value."""
    return PointColors(places if names else np.full(len(places), np.nan), names)
