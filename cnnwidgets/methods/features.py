"""Features: what a layer says of every picture of a data set, one vector a picture, and the network's answer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from cnnwidgets.methods.batches import Batch, Skipped, generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.code.features import feature_lines
from cnnwidgets.methods.filters import filters
from cnnwidgets.methods.neighbors import Separation, separation
from cnnwidgets.methods.rows import Rows
from cnnwidgets.methods.scan import Scan, scan
from cnnwidgets.methods.thumbnails import Thumbnails
from cnnwidgets.net import BoundModel, Cancelled, Layer
from cnnwidgets.net.arguments import checking, one_of
from cnnwidgets.net.output import Output
from cnnwidgets.net.pictures import not_finite
from cnnwidgets.net.progress import Cancel, OnUpdate

TOP = 3
"""Classes that are kept of each picture, the most probable first."""

SAID = 0.001
"""Probability that is worth a word."""

INPUT = "input"
"""What the preprocessed pixels are called where a layer is named."""

ANSWERS, PICTURES = 0, 1
"""Names, beside those of layers, of what is gathered in the same pass."""

MOST_VALUES = 1024
"""Values of a picture where a map is averaged over a grid."""

Pool = Literal["mean", "max", "grid", "flatten"]


@dataclass(frozen=True, repr=False, eq=False)
class Features:
    """A vector for each of n pictures, from one layer.

    Attributes:
        layer: the layer's name in ``net.layers``, or ``"input"``.
        values: float32 (n, d), in the network's own units; mapped from a file where they are large.
        indices: int64 (n,), the pictures' numbers in the data set.
        labels: int64 (n,), -1 where there is none.
        classes: names of the network's classes; none where it gives no probabilities of any.
        top: int64 (n, k), the most probable classes, the most probable first, k = 3 or as many as there are; or None.
        chances: float32 (n, k), their probabilities; or None.
        pictures: uint8 (n, height, width, 3), small, as the network sees them; None if they were not asked for.
        skipped: (index, sentence) of the pictures that could not be used; they have no row.
        total: number of pictures that were asked for.
        rate: pictures a second.
        remaining: seconds left; 0 if all is done.
        output: what the network's outputs mean.
        regression: float32 (n, k), the first values of a regression, k = 3 or as many as there are; or None.
        notes: sentences on the network.
        pool: what became of a map, see :func:`features`.
    """

    layer: str
    values: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    top: np.ndarray | None
    chances: np.ndarray | None
    pictures: np.ndarray | None
    skipped: Skipped
    total: int
    rate: float
    remaining: float
    output: Output
    regression: np.ndarray | None
    notes: tuple[str, ...] = ()
    pool: Pool = "mean"

    @property
    def predicted(self) -> np.ndarray | None:
        """int64 (n,): the most probable class; None where the network gives no probabilities."""
        return None if self.top is None else self.top[:, 0]

    @property
    def confidence(self) -> np.ndarray | None:
        """float32 (n,): the probability of the most probable class; None where the network gives none."""
        return None if self.chances is None else self.chances[:, 0]

    @property
    def right(self) -> np.ndarray | None:
        """bool (n,): whether the most probable class is the label, False where there is no label; None as above."""
        return None if self.top is None else self.top[:, 0] == self.labels

    @cached_property
    def separation(self) -> Separation:
        """How well the classes of the pictures that have a label separate; see :func:`separation`."""
        known = self.labels >= 0
        labeled = slice(None) if known.all() else known  # a mask would copy the values
        return separation(self.values[labeled], self.labels[labeled])

    def answer(self, row: int, classes: Sequence[str]) -> str:
        """What the network says of a picture, in words; empty where its outputs mean nothing.

        Parameters:
            row: of the picture.
            classes: names of the network's outputs, or of its classes where it gives probabilities.
        """
        if self.regression is not None:
            return self.output.says(zip(classes, self.regression[row].tolist(), strict=False))
        if self.top is None or self.chances is None:
            return ""
        answers = list(zip(self.top[row].tolist(), self.chances[row].tolist(), strict=True))
        return self.output.says(
            (classes[index], chance) for index, chance in answers if chance >= SAID or index == answers[0][0]
        )

    def code(self, net: BoundModel, dataset: Any) -> str:
        """Plain PyTorch lines that put the ``values`` there; net and dataset are those that they are of."""
        row = None if self.layer == INPUT else net.layers[self.layer]
        grid = grid_of(row) if row and self.pool == "grid" else None
        return feature_lines(net, dataset, row, self.indices, self.pool, grid)

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped):,} skipped" if self.skipped else ""
        return f"<{self.layer}: {len(self.values):,} pictures, {self.values.shape[1]:,} values each{skipped}>"


@checking("indices", "batch_size", "workers", "executor")
def features(
    net: BoundModel,
    dataset: Any,
    layer: str | Sequence[str] | None = None,
    *,
    pool: Pool = "mean",
    thumbnails: int = 0,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    path: str | Path | None = None,
    max_memory: int = 512 * 2**20,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Any:
    """The features of a data set: what a layer gives for each picture, from one :func:`scan`.

    >>> found = cw.methods.features(net, cw.samples.digits())
    >>> found.layer, found.values.shape
    ('relu4', (500, 84))

    Parameters:
        net: a bound network.
        dataset, indices, batch_size, workers, executor, cancel: see :func:`scan`.
        layer: a name in ``net.layers``; ``"input"`` for the preprocessed pixels; by default what the classifier gets, the
            layer before the last that has weights: a picture's signature. Several names give a dict, from one pass.
        pool: what becomes of a map: its ``"mean"``, its ``"max"``, its averages over the finest ``"grid"`` that has at most
            1,024 values with all units, which keeps where something is, or all its values (``"flatten"``), which may be
            many. A transformer's tokens are a map where their places in the picture are known, without class tokens and the
            like; else a grid of them is their mean. Pixels are always flattened.
        thumbnails: pixels of the longer side of small pictures to keep, 0 for none.
        path: a .npy file for the values; of one layer.
        max_memory: bytes that the values may take in memory; past it they are in a temporary file that is deleted with
            them, or at ``path``.
        checkpoint: see :func:`scan`; the values are then written to ``path``, or to files beside the checkpoint.
        on_update: called with the partial result and the fraction done.

    Returns:
        :class:`Features`; a dict of them by name if several layers were asked for.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: a feature or score is NaN or infinite: the picture and the layer are named; the layer has no units (only
            ``pool="flatten"`` takes it); and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    one_of("pool", pool, get_args(Pool))
    several = layer is not None and not isinstance(layer, str)
    numbers = numbers_of(dataset, indices)
    with generators_kept():
        learn_input_shape(net, dataset, numbers)
    names = [layer or signature(net)] if layer is None or isinstance(layer, str) else list(layer)
    if path is not None and len(names) > 1:
        raise ValueError("path= is for the values of one layer; a checkpoint writes those of several beside itself")
    reducers: dict[Any, Any] = {}
    for name in names:
        row = None if name == INPUT else net.layers[name]
        place = path or (checkpoint and f"{checkpoint}.{name.replace(':', '-')}.npy")
        reducers[name] = Vectors(row, pool, max_memory=max_memory, path=place, expected=len(numbers))

    def found(done: Scan | None) -> Any:
        if done is None:
            return None
        each = {name: _features(net, reducers[name], name, done) for name in names}
        return each if several else each[names[0]]

    told = (lambda done, fraction: on_update(found(done), fraction)) if on_update else None
    options: dict[str, Any] = {"indices": indices, "batch_size": batch_size, "workers": workers, "checkpoint": checkpoint}
    try:
        everything = (
            reducers | {ANSWERS: Answers()} | ({PICTURES: Thumbnails(net.preprocess, thumbnails)} if thumbnails else {})
        )
        return found(scan(net, dataset, everything, **options, executor=executor, on_update=told, cancel=cancel))
    except Cancelled as cancelled:
        raise Cancelled("cancelled", partial=found(cancelled.partial)) from None


def signature(net: BoundModel) -> str:
    """The layer whose output the classifier gets: the nearest one before the last with weights that has as many units."""
    if not net.layers.weighted:
        raise ValueError(f"{net.name} has no layer with weights, so none comes before a classifier: name a layer")
    last = net.layers.weighted[-1]
    size = filters(net, last.name).values.shape[1:]
    wanted = size[0] if last.is_map else int(np.prod(size))
    before = [row for row in net.layers[: net.layers.names.index(last.name)] if row.has_units]
    fitting = [row for row in before if row.map_shape[0] == wanted] or before
    return fitting[-1].name if fitting else INPUT


def grid_of(layer: Layer) -> tuple[int, int] | None:
    """Rows and columns of the grid over which a layer's maps are averaged; None where positions have no places."""
    units, height, width = layer.map_shape
    if not layer.has_places or height * width == 1:
        return None
    side = max(1, int((MOST_VALUES / units) ** 0.5))
    return min(side, height), min(side, width)


def values_of(layer: Layer, pool: str) -> int:
    """How many values of a layer are kept of a picture."""
    if pool == "flatten":
        return int(np.prod(layer.output_shape))
    grid = grid_of(layer) if pool == "grid" else None
    return layer.map_shape[0] * (grid[0] * grid[1] if grid else 1)


class Vectors:
    """The reducer that keeps a layer's values, float32 (n, d), or the pixels. Parameters: see :func:`features`."""

    def __init__(
        self,
        layer: Layer | None,
        pool: Pool = "mean",
        *,
        max_memory: int,
        path: str | Path | None = None,
        expected: int = 0,
    ):
        if layer is not None and pool != "flatten":
            _ = layer.map_shape  # raises the sentence for a layer without units
        self.layer, self.pool = layer, pool
        self.name = INPUT if layer is None else layer.name
        self.layers = [] if layer is None else [layer.name]
        self._rows = Rows(max_memory, Path(path) if path else None, expected)

    def update(self, batch: Batch) -> None:
        if self.layer is None or self.pool == "flatten":
            values = (batch.inputs if self.layer is None else batch.outputs[self.name]).flatten(1)
        else:
            maps = self.layer.by_unit(batch.outputs[self.name])
            if self.pool == "grid" and (size := grid_of(self.layer)):
                values = torch.nn.functional.adaptive_avg_pool2d(maps, size).flatten(1)
            else:
                values = maps.amax((2, 3)) if self.pool == "max" else maps.mean((2, 3))
        _check_finite(values, batch, self.name)
        self._rows.append(values.numpy())

    def merge(self, other: Vectors) -> None:
        self._rows.extend(other._rows)

    def result(self) -> np.ndarray:
        return self._rows.result()

    def state(self) -> dict[str, Any]:
        return {"layer": self.name, "pool": self.pool, **self._rows.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._rows.restore(state)


class Answers:
    """The reducer that keeps of every picture its index, its label and what the network says of it: a dict of arrays."""

    def __init__(self) -> None:
        self._parts: list[dict[str, np.ndarray]] = []

    def update(self, batch: Batch) -> None:
        part = {"indices": batch.indices, "labels": batch.labels}
        if batch.scores is not None:
            _check_finite(batch.scores, batch, "the output")
            chances, top = batch.output.top(batch.scores, TOP)
            probable = batch.output.has_probabilities
            part |= (
                {"top": top.numpy(), "chances": chances.numpy()}
                if probable
                else {"regression": batch.scores[:, :TOP].numpy()}
            )
        self._parts.append(part)

    def merge(self, other: Answers) -> None:
        self._parts += other._parts

    def result(self) -> dict[str, np.ndarray | None]:
        return {"top": None, "chances": None, "regression": None, **self.state()}

    def state(self) -> dict[str, Any]:
        return {name: np.concatenate([part[name] for part in self._parts]) for name in (*self._parts[:1], {})[0]}

    def restore(self, state: dict[str, Any]) -> None:
        self._parts = [state] if state else []


def _check_finite(values: torch.Tensor, batch: Batch, what: str) -> None:
    bad = ~torch.isfinite(values).all(1).numpy()
    if bad.any():
        said = not_finite(values[int(bad.argmax())], what)
        raise ValueError(f"picture {batch.indices[bad][0]}: {said}; indices= can leave the picture out")


def _features(net: BoundModel, vectors: Vectors, name: str, done: Scan) -> Features:
    answers = done.results[ANSWERS]
    return Features(
        vectors.name,
        done.results[name],
        classes=() if answers["top"] is None else net.classes,
        output=net.output,
        **answers,
        pictures=done.results.get(PICTURES),
        skipped=done.skipped,
        total=done.total,
        rate=done.rate,
        remaining=done.remaining,
        notes=net.notes,
        pool=vectors.pool,
    )
