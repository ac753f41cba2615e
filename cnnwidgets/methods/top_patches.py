"""What each unit of a layer wants: the patches of a data set that excite it most, least, and a fair sample between."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods.batches import Skipped
from cnnwidgets.methods.layer_scan import layer_scan
from cnnwidgets.methods.patches import Crop, Patch, cut, picture_of
from cnnwidgets.methods.scan import Scan
from cnnwidgets.methods.strongest import Rows, Strongest
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.arguments import checked, checking
from cnnwidgets.net.progress import Cancel, OnUpdate


@dataclass(frozen=True, repr=False, eq=False)
class UnitPatches:
    """The patches of all units of one layer.

    Attributes:
        layer: the layer's row in ``net.layers``.
        dead: bool (units,), whether a unit gives 0 at every position of every picture. It has no patches.
        silent: int (units,), number of pictures in which a unit's largest value is 0; after a ReLU, none wakes it.
        sampled: number of pictures in the random sample, whose deciles :meth:`decile` gives.
    """

    layer: Layer
    dead: np.ndarray
    silent: np.ndarray
    sampled: int
    _strong: Rows
    _weak: Rows
    _sample: Rows

    @checked
    def strongest(self, unit: int) -> list[Patch]:
        """The patches that excite a unit most, the strongest first; none of a dead unit."""
        return self._patches(self._strong, unit, slice(None))

    @checked
    def weakest(self, unit: int) -> list[Patch]:
        """Of the pictures that excite a unit least, the strongest position each, the weakest first; none of a dead unit."""
        return self._patches(self._weak, unit, slice(None))

    @checked
    def decile(self, unit: int, decile: int, most: int = 1) -> list[Patch]:
        """Random pictures of a tenth of the sample, in random order, each at its strongest position; none of a dead unit.

        Parameters:
            decile: 0 for the tenth of the pictures with the smallest maxima, to 9 for that with the largest.
            most: patches at most.

        Raises:
            ValueError: there is no such decile.
        """
        if not 0 <= decile <= 9:
            raise ValueError(f"decile is {decile}; expected 0 (the weakest pictures) to 9 (the strongest)")
        self._check(unit)
        rows = {name: values[unit] for name, values in self._sample.items()}
        order = np.lexsort((rows["index"], rows["value"]))
        ends = [self.sampled * part // 10 for part in (decile, decile + 1)]
        return self._patches(self._sample, unit, np.sort(order[slice(*ends)])[:most])  # rows are in the hash's order

    def _patches(self, rows: Rows, unit: int, kept: Any) -> list[Patch]:
        self._check(unit)
        if self.dead[unit]:
            return []
        width = self.layer.map_shape[2]
        columns = [rows[name][unit][kept].tolist() for name in ("value", "index", "position", "label")]
        return [Patch(value, i, at // width, at % width, label) for value, i, at, label in zip(*columns, strict=True)]

    def _check(self, unit: int) -> None:
        if not 0 <= unit < len(self.dead):
            raise IndexError(f"there is no unit {unit}: {self.layer.name} has {len(self.dead)}, numbered from 0")

    @checked
    def crop(self, net: BoundModel, dataset: Any, patch: Patch) -> Crop:
        """What a patch's position sees, cut from its picture; net and dataset are those that the patches are of.

        A position that sees everything, or has no place in the picture, gets the whole picture.
        """
        return cut(self.layer, picture_of(net, dataset, patch.index)[0].numpy(), patch)

    def __repr__(self) -> str:
        dead = f", {int(self.dead.sum()):,} dead" if self.dead.any() else ""
        return f"<{self.layer.name}: patches of {len(self.dead):,} units{dead}>"


@dataclass(frozen=True, repr=False, eq=False)
class TopPatches:
    """The patches of all units of some layers.

    Attributes:
        layers: :class:`UnitPatches` by the names that were asked for.
        seen: number of pictures that were scanned.
        skipped: (index, sentence) of every picture that could not be used.
        total: number of pictures that were asked for.
        one_per_picture: whether a picture gives its strongest position only.
        notes: sentences on the network.
    """

    layers: dict[str, UnitPatches]
    seen: int
    skipped: Skipped
    total: int
    one_per_picture: bool
    notes: tuple[str, ...] = ()

    def __getitem__(self, layer: str) -> UnitPatches:
        return self.layers[layer]

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped):,} skipped" if self.skipped else ""
        return f"<top patches of {', '.join(self.layers)}: {self.seen:,} of {self.total:,} pictures{skipped}>"


@checking("indices", "batch_size", "workers", "executor")
def top_patches(
    net: BoundModel,
    dataset: Any,
    layers: str | Sequence[str],
    k: int = 9,
    *,
    one_per_picture: bool = True,
    seed: int = 0,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[TopPatches] | None = None,
    cancel: Cancel | None = None,
) -> TopPatches:
    """The patches that excite every unit of some layers most and least, and a random sample, from one :func:`scan`.

    Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), show the nine strongest. Those alone
    flatter a unit: the least exciting pictures and random ones of each decile show what else it answers to (Borowski et al.,
    ICLR 2021). The deciles are of the pictures' maxima, in a random sample of 1,000 pictures, or of all if there are fewer.

    >>> found = cw.methods.top_patches(net, cw.samples.scenes(size=100), "relu")    # net: cw.load("scenes")
    >>> found["relu"].strongest(3)[0]
    Patch(value=1.782254695892334, index=13, row=28, column=8, label=6)

    Parameters:
        net, dataset, indices, batch_size, workers, checkpoint, executor, cancel: see :func:`scan`.
        layers: a name in ``net.layers``, or several. A vector's unit has one position, which sees the whole picture.
        k: patches of each unit.
        one_per_picture: whether a picture gives its strongest position only; else several may be of one picture.
        seed: of the random sample.
        on_update: called with the partial result and the fraction done.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: a layer has no units, a value is not finite, k is below 1, or no layer is named; and whatever
            :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected a whole number of at least 1")
    return layer_scan(
        net, dataset, layers, lambda rows: {name: Strongest(row, k, one_per_picture, seed) for name, row in rows.items()},
        patches_in, indices=indices, batch_size=batch_size, workers=workers, checkpoint=checkpoint, executor=executor,
        on_update=on_update, cancel=cancel,
    )  # fmt: skip


def patches_in(done: Scan) -> TopPatches:
    """What a scan by :class:`Strongest` alone has found."""
    each = {
        name: UnitPatches(one.layer, ~one.alive, one.silent, len(one.priority), one.strong, one.weak, one.sample)
        for name, one in done.results.items()
    }
    alone = all(one.one_per_picture for one in done.results.values())
    return TopPatches(each, done.seen, done.skipped, done.total, alone, done.notes)
