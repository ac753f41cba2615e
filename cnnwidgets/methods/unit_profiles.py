"""What the units of some layers answer to, by class, from one scan."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods.batches import Skipped
from cnnwidgets.methods.layer_profiles import LayerProfiles
from cnnwidgets.methods.layer_scan import layer_scan
from cnnwidgets.methods.responses import Responses
from cnnwidgets.methods.scan import Scan
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import checking
from cnnwidgets.net.progress import Cancel, OnUpdate


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

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped):,} skipped" if self.skipped else ""
        return f"<profiles of {', '.join(self.layers)}: {self.seen:,} of {self.total:,} pictures{skipped}>"


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

    A unit's response to a picture is the maximum of its map: what is there at all counts, not how large it is. The
    responses are kept, 4 bytes for each picture and unit: 10,000 pictures and 512 units are 20 MB. A unit that
    separates a class well need not matter (Morcos, Barrett, Rabinowitz and Botvinick, On the importance of single directions
    for generalization, ICLR 2018): ask :func:`ablate`, too.

    >>> found = cw.methods.unit_profiles(net, cw.samples.scenes(size=500), "layer3")["layer3"]
    >>> found.best(17), found.twins(17, 3), found.active[17]

    Parameters:
        net, dataset, indices, batch_size, workers, checkpoint, executor, cancel: see :func:`scan`.
        layers: a name in ``net.layers``, or several.
        on_update: called with the partial result and the fraction done.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: a layer has no units, a value is not finite, or no layer is named; and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    return layer_scan(
        net, dataset, layers, lambda rows: {name: Responses(row) for name, row in rows.items()},
        lambda done: profiles_in(done, len(net.classes)), indices=indices, batch_size=batch_size, workers=workers,
        checkpoint=checkpoint, executor=executor, on_update=on_update, cancel=cancel,
    )  # fmt: skip


def profiles_in(done: Scan, classes: int) -> UnitProfiles:
    """What a scan by :class:`Responses` alone has found, of a network with so many classes."""
    each = {name: profiles_of(one, classes) for name, one in done.results.items()}
    return UnitProfiles(each, done.seen, done.skipped, done.total, done.notes)


def profiles_of(found: Responses, classes: int) -> LayerProfiles:
    """The profiles of a layer's responses, in the pictures' order.

    Parameters:
        classes: of the network. There may be more labels: a unit may separate what the network was not trained for.
    """
    indices, labels = np.concatenate(found.indices), np.concatenate(found.labels)
    order = np.argsort(indices, kind="stable")
    count = max(classes, int(labels.max(initial=-1)) + 1)
    return LayerProfiles(
        found.layer, np.concatenate(found.values)[order], indices[order], labels[order], count, ~found.alive
    )
