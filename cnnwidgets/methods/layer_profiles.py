"""What each unit of a layer answers to, by class; how well it separates each class; and which units answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import rankdata

from cnnwidgets.net import Layer
from cnnwidgets.net.arguments import checked
from cnnwidgets.numbers import percent


@dataclass(frozen=True, repr=False, eq=False)
class LayerProfiles:
    """What each unit of one layer answers to. A unit's response to a picture is the maximum of its map.

    Attributes:
        layer: the layer's row in ``net.layers``.
        responses: float32 (pictures, units), each unit's response to each picture, in the pictures' order.
        indices, labels: int64 (pictures,), number and class of each picture; -1 for none.
        classes: number of classes.
        dead: bool (units,), whether a unit gives 0 at every position of every picture.
    """

    layer: Layer
    responses: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    classes: int
    dead: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """int64 (classes,): number of pictures of each class."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.classes)

    @cached_property
    def means(self) -> np.ndarray:
        """float64 (units, classes): the mean response to the pictures of each class; NaN where there are none."""
        found = np.full((len(self.dead), self.classes), np.nan)
        for label in np.flatnonzero(self.counts):
            found[:, label] = self.responses[self.labels == label].mean(0, dtype=float)
        return found

    @cached_property
    def auc(self) -> np.ndarray:
        """float64 (units, classes): how well the unit alone separates each class from all others, by ranks.

        The area under the ROC curve: the chance that a picture of the class excites the unit more than one of another class,
        ties counting half (Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982). At 0.5 the unit
        says nothing about the class; below, it answers less to the class than to others. NaN where all pictures or none are
        of the class. Pictures without a label do not count.
        """
        known = self.labels >= 0
        labels, found = self.labels[known], np.full((len(self.dead), self.classes), np.nan)
        for unit, responses in enumerate(self.responses[known].T):
            sums = np.bincount(labels, rankdata(responses), self.classes)
            pairs = self.counts * (len(labels) - self.counts)
            above = sums - self.counts * (self.counts + 1) / 2  # pairs won, and half of those that are even
            np.divide(above, pairs, out=found[unit], where=pairs > 0)
        return found

    @cached_property
    def active(self) -> np.ndarray:
        """float64 (units,): the share of pictures in which the unit's response is above 0."""
        return (self.responses > 0).mean(0)

    @checked
    def best(self, unit: int, k: int = 1) -> list[tuple[int, float]]:
        """The classes that a unit separates best from all others, as (class, AUC), the best first; none for a dead unit.

        Raises:
            IndexError: the layer has no such unit.
        """
        self._check(unit)
        values = self.auc[unit]
        told = (
            [] if self.dead[unit] else [int(one) for one in np.argsort(-values, kind="stable") if np.isfinite(values[one])]
        )
        return [(one, float(values[one])) for one in told[:k]]

    @checked
    def twins(self, unit: int, k: int = 5) -> list[tuple[int, float]]:
        """The units whose responses correlate most with a unit's (Pearson), as (unit, correlation), the nearest first.

        A unit with the same response to every picture correlates with none and is left out.

        Raises:
            IndexError: the layer has no such unit.
        """
        self._check(unit)
        values = self._standardized.T @ self._standardized[:, unit]
        others = [int(one) for one in np.argsort(-values, kind="stable") if one != unit and self._varies[one]]
        return [(one, float(values[one])) for one in others[:k]] if self._varies[unit] else []

    @cached_property
    def _varies(self) -> np.ndarray:
        return np.ptp(self.responses, 0) > 0

    @cached_property
    def _standardized(self) -> np.ndarray:
        """float64 (pictures, units): the responses with a mean of 0 and a length of 1."""
        apart = self.responses - self.responses.mean(0, dtype=float)
        lengths = np.linalg.norm(apart, axis=0)
        return apart / np.where(self._varies, lengths, 1)

    def _check(self, unit: int) -> None:
        if not 0 <= unit < len(self.dead):
            raise IndexError(f"{self.layer.name} has no unit {unit}; expected 0 to {len(self.dead) - 1}, got {unit}")

    def sentence(self, unit: int, names: Sequence[str] = ()) -> str:
        """What a unit answers to, in words.

        Parameters:
            names: of the classes; their numbers by default.

        Raises:
            IndexError: the layer has no such unit.
        """
        self._check(unit)
        whose = f"Unit {unit} of {self.layer.name}"
        if self.dead[unit]:
            return f"{whose} is dead: it gives 0 at every position of {len(self.responses):,} pictures."
        share = f"answers to {percent(self.active[unit])} of {len(self.responses):,} pictures"
        for best, auc in self.best(unit):
            name = names[best] if best < len(names) else f"class {best}"
            return f"{whose} {share}; alone it separates {name} best: AUC {auc:.2f}."
        return f"{whose} {share}."

    def __repr__(self) -> str:
        dead = f", {int(self.dead.sum()):,} dead" if self.dead.any() else ""
        return f"<{self.layer.name}: profiles of {len(self.dead):,} units by {len(self.responses):,} pictures{dead}>"
