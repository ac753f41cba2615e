"""Do two layers see the same differences between pictures? Linear CKA, in one scan, between the layers of two networks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnwidgets.methods.batches import Batch, Skipped, generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.checkpoint import check_sum
from cnnwidgets.methods.scan import Scan, scan
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checking
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.progress import Cancel, OnUpdate

FEWEST = 4
"""Pictures of a batch that the unbiased estimator needs at least."""


@dataclass(frozen=True, repr=False, eq=False)
class Similarity:
    """How alike layers of two networks are, by linear CKA.

    Attributes:
        layers, other_layers: names, of the rows and of the columns.
        values: float64 (layers, other layers): 1 where one layer is the other turned and scaled, about 0 where they have
            nothing in common (the estimate may be a little below); NaN where a layer gives the same for all pictures.
        is_itself: whether the two networks are one.
        seen: number of pictures that are measured.
        skipped: (index, sentence) of every picture that could not be used.
        notes: sentences on the network.
    """

    layers: tuple[str, ...]
    other_layers: tuple[str, ...]
    values: np.ndarray
    is_itself: bool
    seen: int
    skipped: Skipped
    notes: tuple[str, ...] = ()

    @property
    def by_layer(self) -> dict[str, float]:
        """The similarity of each layer with that of the same name: of a training, to its end."""
        columns = {name: k for k, name in enumerate(self.other_layers)}
        return {name: float(self.values[k, columns[name]]) for k, name in enumerate(self.layers) if name in columns}

    @property
    def sentence(self) -> str:
        """Which layers are most alike and which least; of a network with itself, a layer is not compared with itself."""
        pairs = [
            (value, f"{name} and {other}" if name != other else f"{name} of both")
            for name, row in zip(self.layers, self.values, strict=True)
            for other, value in zip(self.other_layers, row, strict=True)
            if np.isfinite(value) and not (self.is_itself and name == other)
        ]
        if not pairs:
            return "There are no two layers to compare."
        (most, likest), (least, other) = max(pairs), min(pairs)
        if len(pairs) == 1:
            return f"CKA of {likest} is {_two(most)}."
        return f"CKA is largest between {likest} ({_two(most)}) and smallest between {other} ({_two(least)})."

    def __repr__(self) -> str:
        return f"<similarity by {self.seen:,} pictures: {self.sentence}>"


@checking("indices", "batch_size", "workers", "executor")
def similarity(
    net: BoundModel,
    other: BoundModel,
    dataset: Any,
    layers: str | Sequence[str],
    other_layers: str | Sequence[str] | None = None,
    *,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[Similarity] | None = None,
    cancel: Cancel | None = None,
) -> Similarity:
    """Linear CKA between layers of two networks, of two checkpoints of one, or of a network with itself.

    Centered kernel alignment asks which pictures a layer finds alike, and so compares layers of any sizes. It does not
    change when a layer's values are rotated or scaled (Kornblith, Norouzi, Lee and Hinton, Similarity of neural network
    representations revisited, ICML 2019). Here by the unbiased estimate of each batch (Nguyen, Raghu and Kornblith, Do
    wide and deep networks learn the same things?, ICLR 2021), weighted by its pictures: memory does not grow with them.

    >>> start, end = cw.load("scenes", 2), cw.load("scenes")
    >>> found = cw.methods.similarity(start, end, cw.samples.scenes(size=500), ["layer1", "layer2", "layer3"])
    >>> found.by_layer

    Parameters:
        net, dataset, indices, batch_size, workers, checkpoint, executor, cancel: see :func:`scan`. A last batch of
            fewer than four pictures is left out.
        other: is shown the very inputs that ``net`` gets, as ``net`` preprocesses them.
        layers: a name in ``net.layers``, or several; all values of a map count.
        other_layers: the same in ``other.layers``; by default the same names.
        on_update: called with the partial result and the fraction done.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: the networks take inputs of different shapes, a value is not finite, no layer is named, there are fewer
            than four pictures; and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    with generators_kept():
        learn_input_shape(net, dataset, numbers_of(dataset, indices))
    if net.input_shape != other.input_shape:
        mine, theirs = format_shape(net.input_shape), format_shape(other.input_shape)
        raise ValueError(f"the networks take inputs of {mine} and {theirs}; expected the same")
    names = _names(layers)
    others = names if other_layers is None else _names(other_layers)
    for table, asked in ((net.layers, names), (other.layers, others)):
        for name in asked:
            _ = table[name]
    is_itself = net is other or net.module is other.module
    alignment = Alignment(names, others, None if is_itself else Shared(other))

    def found(done: Scan) -> Similarity:
        values, seen = done.results[0]
        notes = tuple(dict.fromkeys([*done.notes, *other.notes]))
        return Similarity(tuple(names), tuple(others), values, is_itself, seen, done.skipped, notes)

    def tell(done: Scan, share: float) -> None:
        if on_update:
            on_update(found(done), share)

    try:
        done = scan(
            net, dataset, [alignment], indices=indices, batch_size=batch_size, workers=workers, checkpoint=checkpoint,
            executor=executor, on_update=tell, cancel=cancel,
        )  # fmt: skip
    except Cancelled as stop:
        raise Cancelled("cancelled", partial=found(stop.partial) if stop.partial else None) from None
    result = found(done)
    if not result.seen:
        raise ValueError(f"no batch has {FEWEST} pictures, which the estimate needs at least; expected more pictures")
    return result


class Shared:
    """A network that copies of a reducer share."""

    def __init__(self, net: BoundModel):
        self.net = net

    def __deepcopy__(self, memo: dict) -> Shared:
        return self


class Alignment:
    """Sums, over batches, what linear CKA is made of; the reducer behind :func:`similarity`.

    Parameters:
        names, others: of layers, of the network that is scanned and of the other one.
        other: None where it is the network that is scanned.
    """

    def __init__(self, names: Sequence[str], others: Sequence[str], other: Shared | None) -> None:
        self.names, self.others, self.other = list(names), list(others), other
        self.weights = other and check_sum(other.net.module)  # so that no checkpoint of another network is gone on from
        self.layers = list(dict.fromkeys([*names, *(others if other is None else ())]))
        self.seen = 0
        self.between = np.zeros((len(names), len(others)))
        self.own, self.others_own = np.zeros(len(names)), np.zeros(len(others))

    def update(self, batch: Batch) -> None:
        self.seen = n = len(batch.inputs) if len(batch.inputs) >= FEWEST else 0
        if not n:
            return
        outputs = batch.outputs if self.other is None else outputs_of(self.other.net, batch.inputs, self.others)
        mine = torch.stack([gram(name, batch.outputs[name], batch) for name in self.names])
        theirs = torch.stack([gram(name, outputs[name], batch) for name in self.others])
        self.between = n * dependence(mine, theirs).numpy()
        self.own = n * np.array([dependence(one[None], one[None]).item() for one in mine])
        self.others_own = n * np.array([dependence(one[None], one[None]).item() for one in theirs])

    def merge(self, other: Alignment) -> None:
        self.seen += other.seen
        self.between = self.between + other.between
        self.own, self.others_own = self.own + other.own, self.others_own + other.others_own

    def result(self) -> tuple[np.ndarray, int]:
        scale = np.sqrt(np.outer(self.own, self.others_own))
        return np.divide(self.between, scale, out=np.full(scale.shape, np.nan), where=scale > 0), self.seen

    def state(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "other"}

    def restore(self, state: dict) -> None:
        vars(self).update(state)


def dependence(one: Tensor, other: Tensor) -> Tensor:
    """(L, M): the unbiased estimate of HSIC, of similarities (L, n, n) and (M, n, n) whose diagonals are zero.

    Song, Smola, Gretton, Bedo and Borgwardt, Feature selection via dependence maximization (JMLR 2012), equation 5.
    """
    n = one.shape[-1]
    rows, other_rows = one.sum(2), other.sum(2)
    trace = one.flatten(1) @ other.flatten(1).T
    sums = rows.sum(1)[:, None] * other_rows.sum(1) / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * rows @ other_rows.T) / (n * (n - 3))


def gram(name: str, output: Tensor, batch: Batch) -> Tensor:
    """(n, n): the inner products of what a layer gives for each two pictures, without those of a picture with itself."""
    values = output.flatten(1).double()
    wrong = ~torch.isfinite(values).all(1).numpy()
    if wrong.any():
        raise ValueError(f"{name} gives values that are not finite for picture {batch.indices[wrong][0]}")
    values = values - values.mean(0)  # changes nothing but the rounding
    return (values @ values.T).fill_diagonal_(0)


def outputs_of(net: BoundModel, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """What another network's layers give for the same inputs."""
    parts = [inputs] if net.takes_batches() else inputs.split(1)
    each = [{name: output.clone() for name, output in net.trace(some, layers).items()} for some in parts]  # it is used again
    return {name: torch.cat([some[name] for some in each]) for name in layers}


def _names(layers: str | Sequence[str]) -> list[str]:
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise ValueError("layers is empty; expected at least one name of net.layers")
    return names


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
