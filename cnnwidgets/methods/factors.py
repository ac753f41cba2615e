"""The building blocks of what a network sees: a layer's maps as sums of few non-negative factors."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.batches import Batch, Skipped, generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.scan import scan
from cnnwidgets.methods.strongest import priorities
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.arguments import checking
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number, percent

STEPS, TOLERANCE = 1000, 1e-4
"""Of the fit: at most so many steps, until they change this part of what the first one changed."""

EXACT = 1e-7
"""The same for the maps, which then depend neither on the batch nor on where they start."""


@dataclass(frozen=True, repr=False, eq=False)
class Factors:
    """A layer's maps as sums: at each position, of the n directions, each as often as its map says.

    Attributes:
        layer: the layer's row in ``net.layers``.
        directions: float32 (n, units), each of length 1, not negative; that with the largest maps is the first.
        maps: float32 (pictures, n, rows, columns), not negative.
        indices, labels: int64 (pictures,), of each picture; a label is -1 where there is none.
        explained: the part of the activations' sum of squares that the factors give again, at most 1.
        rectified: the share of the layer's values that were negative, and were taken to be 0.
        positions: number of positions that the directions were found by.
        skipped: (index, sentence) of every picture that could not be used.
        notes: sentences on the network, and on the fit.
    """

    layer: Layer
    directions: np.ndarray
    maps: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    explained: float
    rectified: float
    positions: int
    skipped: Skipped
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What came out, in words."""
        taken = f" {percent(self.rectified)} of its values are negative, and are taken to be 0." if self.rectified else ""
        return (
            f"{len(self.directions):,} factor{'s give' if len(self.directions) > 1 else ' gives'} {percent(self.explained)} "
            f"of the sum of squares of {self.layer.name} again, in {len(self.maps):,} pictures.{taken}"
        )

    def __repr__(self) -> str:
        return f"<factors: {self.sentence}>"


@checking("indices", "batch_size", "workers", "executor")
def factors(
    net: BoundModel,
    dataset: Any,
    layer: str,
    n: int = 6,
    *,
    rectify: bool = False,
    positions: int = 10_000,
    seed: int = 0,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    executor: Executor | None = None,
    cancel: Cancel | None = None,
) -> Factors:
    """Non-negative matrix factorization of a layer's maps, over pictures and positions: Olah et al. 2018.

    A position of the layer is a vector of its units' values. All of them are sums of the same n directions, which stand for
    what often is there together: Olah et al., The building blocks of interpretability (Distill 2018); the factorization is
    that of Lee and Seung (1999), by scikit-learn's coordinate descent. The directions are found by a random sample of
    positions; a second :func:`scan` finds all pictures' maps.

    >>> found = cw.methods.factors(net, cw.samples.scenes(size=100), "layer3", 6)    # net: cw.load("scenes")
    >>> found.maps.shape, found.directions.shape
    ((100, 6, 8, 8), (6, 64))

    Parameters:
        net, dataset, indices, batch_size, workers, executor, cancel: see :func:`scan`.
        layer: a name in ``net.layers`` whose values are not negative, as behind a ReLU.
        n: number of factors, at most the layer's units.
        rectify: whether negative values are taken to be 0; else they are refused.
        positions: that the directions are found by, of all pictures.
        seed: of the sample, and of the fit.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: the layer has negative values, or no others than 0, or a value that is not finite; its positions have no
            place in the picture; n does not fit; and whatever :func:`scan` raises.
        Cancelled: cancel was set.
    """
    with generators_kept():
        learn_input_shape(net, dataset, numbers_of(dataset, indices))
    row = net.layers[layer]
    if not row.has_places:
        raise ValueError(f"{layer} gives {row.output}: its positions have no place in the picture")
    units = row.map_shape[0]
    if not 1 <= n <= units:
        raise ValueError(f"n is {n}; expected a whole number from 1 to {units}, the units of {layer}")
    if positions < n:
        raise ValueError(f"positions is {positions}; expected at least n, which is {n}")
    options: dict[str, Any] = {"indices": indices, "batch_size": batch_size, "workers": workers, "executor": executor}
    sample = scan(net, dataset, [Positions(row, positions, seed, rectify)], cancel=cancel, **options).results[0]
    with generators_kept():  # to import scikit-learn draws from Python's
        model, notes = _fit(row, sample.values, n, seed)
    done = scan(net, dataset, [Maps(row, model)], cancel=cancel, **options)
    found = done.results[0]
    maps = np.concatenate(found.maps)
    lengths = np.linalg.norm(model.components_, axis=1)
    maps *= lengths[:, None, None]
    order = np.argsort(-maps.sum((0, 2, 3), dtype=float), kind="stable")
    return Factors(
        row,
        (model.components_ / np.where(lengths > 0, lengths, 1)[:, None])[order].astype(np.float32),
        maps[:, order].astype(np.float32),
        np.concatenate(found.indices),
        np.concatenate(found.labels),
        1 - found.lost / found.squares,
        sample.negative / sample.seen,
        len(sample.values),
        done.skipped,
        (*done.notes, *notes),
    )


def _fit(layer: Layer, values: np.ndarray, n: int, seed: int) -> tuple[Any, list[str]]:
    """scikit-learn's model, ready to find maps, and sentences on the fit."""
    from sklearn.decomposition import NMF  # here, because it takes seconds

    if not values.any():
        raise ValueError(
            f"{layer.name} gives 0 at all {len(values):,} positions that were looked at: there is nothing to factor"
        )
    if len(values) < n:
        raise ValueError(f"n is {n}; expected at most {len(values)}, the positions that there are")
    model = NMF(n, init="nndsvda", tol=TOLERANCE, max_iter=STEPS, random_state=seed)
    with _settling_or_not():
        model.fit(values.astype(float))
    notes = [f"the factors had not settled after {STEPS:,} steps"] if model.n_iter_ >= STEPS else []
    return model.set_params(tol=EXACT), notes


@contextmanager
def _settling_or_not() -> Iterator[None]:
    """Inside, scikit-learn does not warn that it ran out of steps, which ``notes`` say."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class Positions:
    """A random sample of a layer's positions; of what is seen in any order, and in any parts, the same.

    Parameters:
        layer: a row of ``net.layers`` with places.
        most: positions that are kept.
        seed: of the sample.
        rectify: whether negative values are taken to be 0.
    """

    def __init__(self, layer: Layer, most: int, seed: int, rectify: bool) -> None:
        self.layer, self.layers = layer, [layer.name]
        self.most, self.seed, self.rectify = most, seed, rectify
        self.seen = self.negative = 0
        self.values = np.zeros((0, layer.map_shape[0]), np.float32)
        self.priority = np.zeros(0, np.uint64)

    def update(self, batch: Batch) -> None:
        outputs = self.layer.by_unit(batch.outputs[self.layer.name]).flatten(2)
        lowest = outputs.amin((1, 2)).numpy()
        wrong = ~torch.isfinite(outputs).all(2).all(1).numpy()
        if wrong.any():
            raise ValueError(f"{self.layer.name} gives values that are not finite for picture {batch.indices[wrong][0]}")
        if lowest.min() < 0 and not self.rectify:
            i = int(lowest.argmin())
            raise ValueError(
                f"{self.layer.name} gives {number(lowest[i])} for picture {batch.indices[i]}; expected values that are not "
                "negative, as behind a ReLU; rectify=True takes them to be 0"
            )
        self.seen, self.negative = outputs.numel(), int((outputs < 0).sum())
        count = outputs.shape[2]
        numbers = (batch.indices[:, None] * count + np.arange(count)).ravel()
        self.values = outputs.clamp(min=0).movedim(1, 2).flatten(0, 1).numpy()
        self.priority = priorities(numbers, self.seed)
        self._keep()

    def merge(self, other: Positions) -> None:
        self.seen += other.seen
        self.negative += other.negative
        self.values = np.concatenate([self.values, other.values])
        self.priority = np.concatenate([self.priority, other.priority])
        self._keep()

    def _keep(self) -> None:
        kept = np.argsort(self.priority, kind="stable")[: self.most]
        self.values, self.priority = self.values[kept], self.priority[kept]

    def result(self) -> Positions:
        return copy.copy(self)  # merging makes new arrays and lists


class Maps:
    """How much of each factor there is at every position, and what the factors leave unexplained.

    Parameters:
        layer: a row of ``net.layers`` with places.
        model: scikit-learn's, fitted.
    """

    def __init__(self, layer: Layer, model: Any) -> None:
        self.layer, self.layers, self.model = layer, [layer.name], model
        self.maps: list[np.ndarray] = []
        self.indices: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []
        self.squares = self.lost = 0.0

    def update(self, batch: Batch) -> None:
        _, height, width = self.layer.map_shape
        outputs = self.layer.by_unit(batch.outputs[self.layer.name]).clamp(min=0).double()
        values = outputs.flatten(2).movedim(1, 2).flatten(0, 1).numpy()
        with _settling_or_not():
            amounts = self.model.transform(values)
        self.squares = float((values**2).sum())
        self.lost = float(((values - amounts @ self.model.components_) ** 2).sum())
        self.maps = [amounts.reshape(len(outputs), height, width, -1).transpose(0, 3, 1, 2)]
        self.indices, self.labels = [batch.indices], [batch.labels]

    def merge(self, other: Maps) -> None:
        self.maps, self.indices, self.labels = (
            self.maps + other.maps, self.indices + other.indices, self.labels + other.labels,
        )  # fmt: skip
        self.squares += other.squares
        self.lost += other.lost

    def result(self) -> Maps:
        return copy.copy(self)  # merging makes new arrays and lists
