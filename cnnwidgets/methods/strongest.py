"""The reducer behind top patches: where each unit of a layer answers most, where least, and a fair sample of the rest."""

from __future__ import annotations

import numpy as np
import torch

from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.responses import responses_in
from cnnwidgets.net import Layer

SAMPLE = 1000
"""Pictures in the random sample, the same for all units of a layer; the deciles are theirs."""

Rows = dict[str, np.ndarray]
"""``value`` float32, ``index``, ``position`` and ``label`` int64, all (units, rows): the strongest or weakest first."""


class Strongest:
    """The k strongest positions of every unit, the k pictures that excite it least, and a random sample of pictures.

    What is kept does not grow with the number of pictures. Ties go to the smaller number of the picture, then of the
    position. The sample is of the pictures with the smallest hash of seed and number: so parts merged in any order give the
    same, which is what a reservoir (Vitter 1985) does not.

    Parameters:
        layer: a row of ``net.layers`` with units.
        k: rows kept of each unit.
        one_per_picture: whether a picture gives its strongest position only.
        seed: of the sample.
        sample: pictures in the sample, by default :data:`SAMPLE`; 0 where nobody asks for the deciles.
    """

    def __init__(self, layer: Layer, k: int, one_per_picture: bool, seed: int, sample: int | None = None) -> None:
        units = layer.map_shape[0]
        self.layer, self.layers = layer, [layer.name]
        self.k, self.one_per_picture, self.seed = k, one_per_picture, seed
        self.most = SAMPLE if sample is None else sample
        self.seen = 0
        self.alive, self.silent = np.zeros(units, bool), np.zeros(units, np.int64)
        self.strong, self.weak = _no_rows(units), _no_rows(units)
        self.sample = _no_rows(units)
        self.priority = np.zeros(0, np.uint64)

    def update(self, batch: Batch) -> None:
        values, top = responses_in(batch, self.layer)
        part = Strongest(self.layer, self.k, self.one_per_picture, self.seed, self.most)
        part.seen = len(values)
        part.alive, part.silent = (top != 0).any(0).numpy(), (top == 0).sum(0).numpy()
        silent = np.flatnonzero(~part.alive)
        if len(silent):  # zero is the largest value, and may not be the only one
            part.alive[silent] = (values[:, silent] != 0).any(2).any(0).numpy()
        maxima = _rows(top, batch)
        part.weak = _placed(_first(maxima, self.k, 1), values)
        if self.one_per_picture:
            part.strong = _placed(_first(maxima, self.k, -1), values)
        else:
            ordered, places = values.sort(dim=2, descending=True, stable=True)
            each = [_rows(ordered[..., j], batch, places[..., j]) for j in range(min(self.k, values.shape[2]))]
            part.strong = _first(_together(*each), self.k, -1)
        if self.most:
            part.priority = priorities(batch.indices, self.seed)
            kept = part.priority <= self.priority[-1] if len(self.priority) == self.most else np.ones(len(values), bool)
            part.sample, part.priority = _placed(_picked(maxima, kept), values), part.priority[kept]
        self.merge(part)

    def merge(self, other: Strongest) -> None:
        self.seen += other.seen
        self.alive, self.silent = self.alive | other.alive, self.silent + other.silent
        self.strong = _first(_together(self.strong, other.strong), self.k, -1)
        self.weak = _first(_together(self.weak, other.weak), self.k, 1)
        if len(other.priority):
            priority = np.concatenate([self.priority, other.priority])
            kept = np.argsort(priority, kind="stable")[: self.most]
            self.priority, self.sample = priority[kept], _picked(_together(self.sample, other.sample), kept)

    def result(self) -> Strongest:
        """What was gathered: merging makes new arrays, and so it does not change."""
        found = Strongest(self.layer, self.k, self.one_per_picture, self.seed, self.most)
        found.restore(self.state())
        return found

    def state(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "layer"}

    def restore(self, state: dict) -> None:
        vars(self).update(state)


def priorities(indices: np.ndarray, seed: int) -> np.ndarray:
    """uint64 (n,): a random number for each picture, that depends on its number and the seed alone.

    Splitmix64: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (OOPSLA 2014). No two numbers of
    pictures have the same.
    """
    z = np.asarray(indices).astype(np.uint64)
    for start in (np.uint64(seed), np.uint64(0)):  # mixed twice, so that seeds that are near differ
        z = (z ^ start) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z


def _no_rows(units: int) -> Rows:
    kinds = {"value": np.float32, "index": np.int64, "position": np.int64, "label": np.int64}
    return {name: np.zeros((units, 0), kind) for name, kind in kinds.items()}


def _rows(values: torch.Tensor, batch: Batch, places: torch.Tensor | None = None) -> Rows:
    """One row per picture, of values (pictures, units); without their places the picture's number in the batch is there."""
    value = values.numpy().T
    index, label, number = (np.broadcast_to(of, value.shape) for of in (batch.indices, batch.labels, np.arange(len(values))))
    return {"value": value, "index": index, "position": number if places is None else places.numpy().T, "label": label}


def _placed(rows: Rows, values: torch.Tensor) -> Rows:
    """Rows with the place of their picture's maximum, the first of equal ones; to find it takes longer than the maximum."""
    numbers = torch.from_numpy(np.ascontiguousarray(rows["position"]))
    units = torch.arange(values.shape[1])[:, None]
    return rows | {"position": values[numbers, units].argmax(2).numpy()}


def _together(*some: Rows) -> Rows:
    return {name: np.concatenate([rows[name] for rows in some], 1) for name in some[0]}


def _picked(rows: Rows, kept: np.ndarray) -> Rows:
    return {name: values[:, kept] for name, values in rows.items()}


def _first(rows: Rows, k: int, sign: int) -> Rows:
    """The k largest (sign -1) or smallest (1) of each unit."""
    order = np.lexsort((rows["position"], rows["index"], sign * rows["value"]), axis=-1)[:, :k]
    return {name: np.take_along_axis(values, order, 1) for name, values in rows.items()}
