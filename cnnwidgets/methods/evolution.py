"""How a network develops: what its checkpoints say of the same pictures, compared with what it says at the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.methods.along import Along, Courses
from cnnwidgets.methods.batches import Skipped, generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.checkpoints import checkpoints_of
from cnnwidgets.methods.code.evolution import evolution_lines
from cnnwidgets.methods.scan import Scan, scan
from cnnwidgets.methods.similarity import FEWEST
from cnnwidgets.methods.stages import stages
from cnnwidgets.methods.top_patches import UnitPatches
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checking
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import percent

SETTLED = 0.9
"""CKA with the end at or above which a layer counts as settled."""

SAMPLE = 1000
"""Pictures whose features are kept; if there are more, a random sample."""


@dataclass(frozen=True, repr=False, eq=False)
class Evolution:
    """What a network's checkpoints say of the same pictures.

    Attributes:
        names: of the checkpoints, in the order of the training.
        layers: names, from the first to the last.
        similarity: float64 (layers, checkpoints), linear CKA to the last checkpoint, whose column is 1; NaN where a layer
            gives the same for all pictures.
        accuracy: float64 (checkpoints,), of the pictures that have a label; NaN where none has one, or the network says no
            classes.
        patches: of each checkpoint the strongest patches of all units, by layer.
        features: of each checkpoint float32 (n, units) by layer: the means of the units' maps.
        indices, labels: int64 (n,), numbers and classes (-1 for none) of the pictures that the features are of: all that
            were seen, or a random sample of 1,000.
        seen: number of pictures that every checkpoint was shown.
        skipped: (index, sentence) of every picture that could not be used.
        order: int64, numbers of the pictures that were asked for, in batches of ``batch_size``.
        nets: the checkpoints as networks.
        epochs: those of the checkpoints of a bundled network; empty for others.
        notes: sentences on the network.
    """

    names: tuple[str, ...]
    layers: tuple[str, ...]
    similarity: np.ndarray
    accuracy: np.ndarray
    patches: tuple[dict[str, UnitPatches], ...]
    features: tuple[dict[str, np.ndarray], ...]
    indices: np.ndarray
    labels: np.ndarray
    seen: int
    skipped: Skipped
    order: np.ndarray
    batch_size: int
    nets: tuple[BoundModel, ...]
    epochs: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def settled(self) -> dict[str, str]:
        """By layer the checkpoint from which on its similarity to the end stays at 0.9 or more."""
        last = {layer: np.flatnonzero(~(row >= SETTLED)) for layer, row in zip(self.layers, self.similarity, strict=True)}
        first = {layer: int(below[-1]) + 1 if len(below) else 0 for layer, below in last.items()}
        return {layer: self.names[place] for layer, place in first.items() if place < len(self.names)}

    @property
    def sentence(self) -> str:
        """Which layers settle before the end."""
        by_name: dict[str, list[str]] = {}
        for layer, name in self.settled.items():
            by_name.setdefault(name, []).append(layer)
        late = len(by_name.pop(self.names[-1], []))
        if not by_name:
            return f"No layer settles before the end: none stays at a CKA of {SETTLED} or more."
        early = ", ".join(f"{_listed(by_name[name])} from {name} on" for name in self.names if name in by_name)
        rest = f"; {late} of {len(self.layers)} layers reach it only at the end" if late else ""
        return f"CKA with the end stays at {SETTLED} or more in {early}{rest}."

    def said(self, checkpoint: int) -> str:
        """What is found of one checkpoint, by its place."""
        row = {
            layer: value for layer, value in zip(self.layers, self.similarity[:, checkpoint], strict=True) if value == value
        }
        right = self.accuracy[checkpoint]
        told = [f"accuracy {percent(float(right))}"] if np.isfinite(right) else []
        if row:
            most, least = max(row, key=row.__getitem__), min(row, key=row.__getitem__)
            told.append(f"CKA with the end from {_two(row[least])} ({least}) to {_two(row[most])} ({most})")
        return f"{self.names[checkpoint]}: {', '.join(told)}"

    def code(self, net: BoundModel, dataset: Any) -> str:
        """Plain PyTorch lines that put ``similarity`` into ``values``; net and dataset are those that it is of."""
        rows = [net.layers[name] for name in self.layers]
        parts = [self.order[k : k + self.batch_size] for k in range(0, len(self.order), self.batch_size)]
        used = [np.setdiff1d(part, [number for number, _ in self.skipped]).tolist() for part in parts]
        return evolution_lines(net, dataset, self.epochs, rows, [part for part in used if len(part) >= FEWEST])

    def __repr__(self) -> str:
        return f"<{len(self.names)} checkpoints, {self.seen:,} pictures: {self.sentence}>"


@checking("indices", "batch_size", "workers", "executor")
def evolution(
    net: BoundModel,
    dataset: Any,
    checkpoints: Any = None,
    layers: str | Sequence[str] | None = None,
    *,
    k: int = 1,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    executor: Executor | None = None,
    on_update: OnUpdate[Evolution] | None = None,
    cancel: Cancel | None = None,
) -> Evolution:
    """How a network develops: each layer's similarity to its end, and what excites its units, at each checkpoint.

    One pass over the data shows each picture to all checkpoints. The similarity is linear CKA, as in :func:`similarity`
    (Kornblith, Norouzi, Lee and Hinton, ICML 2019; Raghu, Gilmer, Yosinski and Sohl-Dickstein, SVCCA, NeurIPS 2017, ask in
    this way whether lower layers settle first); strongest patches by checkpoint are due to Zeiler and Fergus (ECCV 2014).

    >>> found = cw.methods.evolution(cw.load("scenes"), cw.samples.scenes(size=200))
    >>> found.names
    ('epoch 0', 'epoch 1', 'epoch 2', 'epoch 5', 'epoch 10', 'epoch 40')
    >>> dict(zip(found.layers, found.similarity[:, 2].round(1)))

    Parameters:
        net: says how pictures are prepared; the end is the last checkpoint, not this network.
        dataset, indices, batch_size, workers, executor, cancel: see :func:`scan`.
        checkpoints: a folder written by ``cw.monitor(..., checkpoints=)``; a list of bound networks, or of (name,
            state dict); by default those that ship with a bundled network.
        layers: a name in ``net.layers``, or several; by default up to eight, one for each stage of the network.
        k: strongest patches of each unit that are kept.
        on_update: called with the partial result and the fraction done.

    Raises:
        FileNotFoundError: there is no such folder.
        KeyError: there is no such layer; names like it are offered.
        TypeError: the checkpoints are none of these.
        ValueError: there are fewer than two, they belong to another network, a file of them cannot be read, a value is not
            finite, a layer has no units, there are fewer than four pictures; and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected a whole number of at least 1")
    numbers = numbers_of(dataset, indices)
    with generators_kept():
        learn_input_shape(net, dataset, numbers)
    names, nets, epochs, note = checkpoints_of(net, checkpoints)
    asked = stages(nets[-1]) if layers is None else [layers] if isinstance(layers, str) else list(layers)
    if not asked:
        raise ValueError("layers is empty; expected at least one name of net.layers")
    for one in nets:
        for name in asked:
            _ = one.layers[name].map_shape  # raises the sentence for a layer that is not there, or without units
    sample = numbers
    if len(numbers) > SAMPLE:
        sample = np.random.default_rng(0).choice(numbers, SAMPLE, replace=False)

    def found(done: Scan) -> Evolution:
        courses: Courses = done.results[0]
        patches = tuple(
            {
                name: UnitPatches(one.layer, ~one.alive, one.silent, 0, one.strong, one.weak, one.sample)
                for name, one in some.items()
            }
            for some in courses.strongest
        )
        notes = dict.fromkeys(filter(None, [note, *done.notes, *(said for one in nets for said in one.notes)]))
        return Evolution(
            names, tuple(asked), courses.similarity, courses.accuracy, patches, tuple(courses.features),
            courses.indices, courses.labels, done.seen, done.skipped, numbers, batch_size, nets, epochs, tuple(notes),
        )  # fmt: skip

    try:
        done = scan(
            nets[-1], dataset, [Along(nets, asked, k, sample)], indices=indices, batch_size=batch_size, workers=workers,
            executor=executor, on_update=on_update and (lambda part, share: on_update(found(part), share)), cancel=cancel,
        )  # fmt: skip
    except Cancelled as stop:
        raise Cancelled("cancelled", partial=found(stop.partial) if stop.partial else None) from None
    if not done.results[0].measured:
        raise ValueError(f"no batch has {FEWEST} pictures, the fewest that CKA needs; expected more pictures")
    return found(done)


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
