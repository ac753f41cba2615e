"""What each unit of a layer answers to, by class; which classes it tells; and which units answer alike. From one scan."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods.batches import Skipped
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.arguments import checked, checking
from cnnwidgets.net.progress import Cancel, OnUpdate


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

    @property
    def counts(self) -> np.ndarray:
        """int64 (classes,): number of pictures of each class."""
        raise NotImplementedError

    @property
    def means(self) -> np.ndarray:
        """float64 (units, classes): the mean response to the pictures of each class; NaN where there are none."""
        raise NotImplementedError

    @property
    def auc(self) -> np.ndarray:
        """float64 (units, classes): how well the unit alone tells each class from all others, from its responses' ranks.

        The area under the ROC curve: the chance that a picture of the class excites the unit more than one of another class,
        ties counting half (Hanley and McNeil 1982). 0.5 tells nothing; below, the unit answers less to that class. NaN where
        all pictures or none are of the class.
        """
        raise NotImplementedError

    @property
    def active(self) -> np.ndarray:
        """float64 (units,): the share of pictures in which the unit's response is above 0."""
        raise NotImplementedError

    @checked
    def best(self, unit: int, k: int = 1) -> list[tuple[int, float]]:
        """The classes that a unit tells best, as (class, AUC), the best first; of a dead unit none."""
        raise NotImplementedError

    @checked
    def twins(self, unit: int, k: int = 5) -> list[tuple[int, float]]:
        """The units whose responses correlate most with a unit's (Pearson), as (unit, correlation), the nearest first.

        Units that give the same to every picture correlate with none, and are left out.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False, eq=False)
class UnitProfiles:
    """What the units of some layers answer to.

    Attributes:
        layers: :class:`LayerProfiles` by the names that were asked for.
        seen: number of pictures that were scanned.
        skipped: (index, sentence) of every picture that could not be used.
        total: number of pictures that were asked for.
        notes: sentences on the network.
    """

    layers: dict[str, LayerProfiles]
    seen: int
    skipped: Skipped
    total: int
    notes: tuple[str, ...] = ()

    def __getitem__(self, layer: str) -> LayerProfiles:
        return self.layers[layer]


@checking("indices", "batch_size", "workers", "executor")
def unit_profiles(
    net: BoundModel,
    dataset: Any,
    layers: str | Sequence[str],
    *,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[UnitProfiles] | None = None,
    cancel: Cancel | None = None,
) -> UnitProfiles:
    """What each unit of some layers answers to, by class, from one :func:`scan`.

    Parameters:
        net, dataset, indices, batch_size, workers, checkpoint, executor, cancel: see :func:`scan`.
        layers: a name in ``net.layers``, or several.
        on_update: called with the partial result and the fraction done.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: a layer has no units, a value is not finite, or no layer is named; and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    raise NotImplementedError
