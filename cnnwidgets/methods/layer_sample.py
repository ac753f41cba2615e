"""What is kept of a layer, however many pictures there are: a random sample of its positions, and whole maps of a few."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from cnnwidgets.methods.batches import Batch, Skipped
from cnnwidgets.methods.scan import Scan
from cnnwidgets.methods.strongest import priorities
from cnnwidgets.net import Layer
from cnnwidgets.numbers import number

MOST_VALUES = 2**24
"""Values of whole maps that are kept: 64 MB of them."""


@dataclass(frozen=True, repr=False, eq=False)
class LayerSample:
    """A layer's values at a random sample of the positions of a data set, and all of them for a few of its pictures.

    Attributes:
        layer: the layer's row in ``net.layers``.
        values: float32 (positions, units), not negative.
        indices, places, labels: int64 (positions,), of each position its picture, its number on the map (row by row), and
            the picture's label, -1 where there is none.
        maps: float32 (pictures, units, rows, columns), not negative, of a random sample of the pictures.
        shown, shown_labels: int64 (pictures,), of each of these its number in the data set, and its label.
        seen: number of pictures that were scanned.
        total: number of pictures that were asked for.
        skipped: (index, sentence) of every picture that could not be used.
        negative: the share of the layer's values that were negative, and were taken to be 0.
        notes: sentences on the network.
    """

    layer: Layer
    values: np.ndarray
    indices: np.ndarray
    places: np.ndarray
    labels: np.ndarray
    maps: np.ndarray
    shown: np.ndarray
    shown_labels: np.ndarray
    seen: int
    total: int
    skipped: Skipped
    negative: float
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """How many positions it has, of how many."""
        _, rows, columns = self.layer.map_shape
        there, pictures = rows * columns * self.seen, f"{self.seen:,} picture{'s' if self.seen > 1 else ''}"
        if len(self.values) == there:
            return f"all {there:,} positions of {pictures}"
        return f"{len(self.values):,} random positions out of {there:,} of {pictures}"

    @cached_property
    def squares(self) -> float:
        """The sum of squares of the sampled values."""
        return float((self.values.astype(float) ** 2).sum())

    @cached_property
    def best(self) -> np.ndarray:
        """(units,) the largest share of the sum of squares that 1, 2, ... directions can explain, whatever their signs.

        It follows from the singular values: Eckart and Young (1936).
        """
        values = self.values.astype(float)
        squares = np.linalg.eigvalsh(values.T @ values)[::-1].clip(0)
        return np.cumsum(squares) / squares.sum()


class Positions:
    """The reducer that keeps a random sample of a layer's positions; of what is seen in any order and parts, the same.

    Parameters:
        layer: a row of ``net.layers`` with places.
        most: positions that are kept.
        seed: of the sample.
        rectify: whether negative values are taken to be 0; else they are refused.
    """

    def __init__(self, layer: Layer, most: int, seed: int, rectify: bool) -> None:
        self.layer, self.layers = layer, [layer.name]
        self.most, self.seed, self.rectify = most, seed, rectify
        self.seen = self.negative = 0
        self.values = np.zeros((0, layer.map_shape[0]), np.float32)
        self.numbers, self.labels = np.zeros((2, 0), np.int64)
        self.priority = np.zeros(0, np.uint64)

    def update(self, batch: Batch) -> None:
        outputs = self.layer.by_unit(batch.outputs[self.layer.name]).flatten(2)
        self._check(outputs, batch.indices)
        self.seen, self.negative = outputs.numel(), int((outputs < 0).sum())
        count = outputs.shape[2]
        numbers = (batch.indices[:, None] * count + np.arange(count)).ravel()
        priority = priorities(numbers, self.seed)
        kept = np.argsort(priority, kind="stable")[: self.most]
        picture, place = np.divmod(kept, count)
        self.values = outputs[torch.from_numpy(picture), :, torch.from_numpy(place)].clamp(min=0).numpy()
        self.numbers, self.labels, self.priority = numbers[kept], batch.labels[picture], priority[kept]

    def _check(self, outputs: torch.Tensor, indices: np.ndarray) -> None:
        wrong = ~torch.isfinite(outputs).all(2).all(1).numpy()
        if wrong.any():
            raise ValueError(f"{self.layer.name} gives values that are not finite for picture {indices[wrong][0]}")
        lowest = outputs.amin((1, 2)).numpy()
        if lowest.min() < 0 and not self.rectify:
            i = int(lowest.argmin())
            raise ValueError(
                f"{self.layer.name} gives {number(lowest[i])} for picture {indices[i]}; expected no negative "
                "values, as after a ReLU; rectify=True sets them to 0"
            )

    def merge(self, other: Positions) -> None:
        self.seen += other.seen
        self.negative += other.negative
        priority = np.concatenate([self.priority, other.priority])
        kept = np.argsort(priority, kind="stable")[: self.most]
        self.priority = priority[kept]
        for name in ("values", "numbers", "labels"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(other, name)])[kept])

    def result(self) -> Positions:
        return copy.copy(self)  # merging makes new arrays


class WholeMaps:
    """The reducer that keeps all of a layer's values for a random sample of the pictures, likewise.

    Parameters:
        layer, seed: as of :class:`Positions`.
        most: pictures that are kept; fewer, but one, where they would have more than ``MOST_VALUES`` values.
    """

    def __init__(self, layer: Layer, most: int, seed: int) -> None:
        self.layer, self.layers, self.seed = layer, [layer.name], seed
        self.most = max(1, min(most, MOST_VALUES // int(np.prod(layer.map_shape))))
        self.maps = np.zeros((0, *layer.map_shape), np.float32)
        self.indices, self.labels = np.zeros((2, 0), np.int64)

    def update(self, batch: Batch) -> None:
        kept = self._first(batch.indices)
        outputs = self.layer.by_unit(batch.outputs[self.layer.name])[torch.from_numpy(kept)]
        self.maps, self.indices, self.labels = outputs.clamp(min=0).numpy(), batch.indices[kept], batch.labels[kept]

    def merge(self, other: WholeMaps) -> None:
        indices = np.concatenate([self.indices, other.indices])
        kept = self._first(indices)
        self.maps = np.concatenate([self.maps, other.maps])[kept]
        self.indices, self.labels = indices[kept], np.concatenate([self.labels, other.labels])[kept]

    def _first(self, indices: np.ndarray) -> np.ndarray:
        """Places of those that are kept, in the order of the pictures' numbers."""
        kept = np.argsort(priorities(indices, self.seed), kind="stable")[: self.most]
        return kept[np.argsort(indices[kept], kind="stable")]

    def result(self) -> WholeMaps:
        return copy.copy(self)  # merging makes new arrays


def gathered(done: Scan, layer: Layer) -> LayerSample:
    """What a scan gathered by both reducers, :class:`Positions` first."""
    sample, whole = done.results
    indices, places = np.divmod(sample.numbers, layer.map_shape[1] * layer.map_shape[2])
    return LayerSample(
        layer, sample.values, indices, places, sample.labels, whole.maps, whole.indices, whole.labels, done.seen, done.total,
        done.skipped, sample.negative / sample.seen, done.notes,
    )  # fmt: skip
