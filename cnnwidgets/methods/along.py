"""The reducer behind :func:`evolution`: each checkpoint sees the pictures that the last one is scanned with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.parts import run_network
from cnnwidgets.methods.similarity import FEWEST, Shared, dependence, gram
from cnnwidgets.methods.strongest import Strongest
from cnnwidgets.net import BoundModel


@dataclass(frozen=True, eq=False)
class Courses:
    """What checkpoints have said so far.

    Attributes:
        similarity: float64 (layers, checkpoints), CKA to the last one; NaN where a layer gives the same for all pictures.
        accuracy: float64 (checkpoints,), NaN where no picture has a label, or the network says no classes.
        strongest: of each checkpoint a reducer by layer.
        features: of each checkpoint float32 (n, units) by layer.
        indices, labels: int64 (n,), of the pictures that the features are of.
        measured: number of pictures that the similarity is of.
    """

    similarity: np.ndarray
    accuracy: np.ndarray
    strongest: list[dict[str, Strongest]]
    features: list[dict[str, np.ndarray]]
    indices: np.ndarray
    labels: np.ndarray
    measured: int


class Along:
    """Shows each batch to all checkpoints, one after the other.

    Memory does not grow with the pictures, but for the features of those in the sample.

    Parameters:
        nets: the checkpoints; the last is the one that is scanned.
        layers: names in ``net.layers``.
        k: patches of each unit.
        sample: numbers of the pictures whose features are kept.
    """

    def __init__(self, nets: Sequence[BoundModel], layers: Sequence[str], k: int, sample: np.ndarray) -> None:
        self.nets, self.layers, self.sample = [Shared(net) for net in nets], list(layers), sample
        shape = len(nets), len(layers)
        self.between, self.own = np.zeros(shape), np.zeros(shape)
        self.right, self.labeled, self.measured = np.zeros(len(nets)), 0, 0
        self.strongest = [{name: Strongest(net.layers[name], k, True, 0, sample=0) for name in layers} for net in nets]
        self.parts: list[tuple[np.ndarray, np.ndarray, list[dict[str, np.ndarray]]]] = []

    def update(self, batch: Batch) -> None:
        n = self.measured = len(batch.inputs) if len(batch.inputs) >= FEWEST else 0
        self.labeled = int((batch.labels >= 0).sum()) if _is_named(batch) else 0
        ends = [gram(name, batch.outputs[name], batch)[None] for name in self.layers] if n else []
        kept = np.isin(batch.indices, self.sample)
        means: list[dict[str, np.ndarray]] = []
        for k, shared in enumerate(self.nets):
            said = batch if shared is self.nets[-1] else asked(shared.net, batch, self.layers)
            try:
                for place, end in enumerate(ends):
                    own = gram(self.layers[place], said.outputs[self.layers[place]], batch)[None]
                    self.between[k, place] = n * dependence(own, end).item()
                    self.own[k, place] = n * dependence(own, own).item()
                for name, one in self.strongest[k].items():
                    one.update(replace(said, outputs={one.layer.name: said.outputs[name]}))
            except ValueError as error:
                raise ValueError(f"{shared.net.name}: {error}") from None
            self.right[k] = _right(said)
            maps = {
                name: shared.net.layers[name].by_unit(said.outputs[name][torch.from_numpy(kept)]) for name in self.layers
            }
            means.append({name: values.mean((2, 3)).numpy() for name, values in maps.items()})
        self.parts = [(batch.indices[kept], batch.labels[kept], means)]
        self.nets = []  # it has been at work, and travels without them

    def merge(self, other: Along) -> None:
        self.between, self.own, self.right = self.between + other.between, self.own + other.own, self.right + other.right
        self.labeled, self.measured = self.labeled + other.labeled, self.measured + other.measured
        self.parts = [*self.parts, *other.parts]
        for mine, theirs in zip(self.strongest, other.strongest, strict=True):
            for name, one in mine.items():
                one.merge(theirs[name])

    def result(self) -> Courses:
        scale = np.sqrt(self.own * self.own[-1]).T
        similarity = np.divide(self.between.T, scale, out=np.full(scale.shape, np.nan), where=scale > 0)
        indices, labels, means = zip(*self.parts, strict=True) if self.parts else ((), (), ())
        features = [
            {name: np.concatenate([part[k][name] for part in means]) for name in self.layers if means}
            for k in range(len(self.strongest))
        ]
        return Courses(
            similarity,
            self.right / self.labeled if self.labeled else np.full(len(self.right), np.nan),
            [{name: one.result() for name, one in some.items()} for some in self.strongest],
            features,
            np.concatenate([np.zeros(0, np.int64), *indices]),
            np.concatenate([np.zeros(0, np.int64), *labels]),
            self.measured,
        )


def asked(net: BoundModel, batch: Batch, layers: Sequence[str]) -> Batch:
    """The same pictures, and what another network says of them."""
    rows = {name: net.layers[name].name for name in layers}
    parts = [run_network(net, some, rows) for some in batch.inputs.split(len(batch.inputs) if net.takes_batches() else 1)]
    scores = None if parts[0][0] is None else torch.cat([part[0] for part in parts])
    return replace(batch, scores=scores, outputs={name: torch.cat([part[1][name] for part in parts]) for name in layers})


def _is_named(batch: Batch) -> bool:
    """Whether the network says a class of each picture; a regression and a segmentation do not."""
    return batch.scores is not None and batch.output.has_probabilities


def _right(batch: Batch) -> int:
    """How many pictures are named as their label says."""
    if batch.scores is None or not _is_named(batch):
        return 0
    return int((batch.output.top(batch.scores, 1)[1][:, 0].numpy() == batch.labels).sum())
