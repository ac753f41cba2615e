"""What is known of a data set's pictures: their features in every layer, and how well the classes separate there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnwidgets.methods import Features, Separation, features, separation
from cnnwidgets.methods.batches import numbers_of
from cnnwidgets.methods.features import INPUT, values_of
from cnnwidgets.net import BoundModel

EVERYTHING = 512 * 2**20
"""Bytes that the features of all layers may take for them to be gathered in one pass; else each when it is asked for."""

IN_MEMORY = 256 * 2**20
"""Bytes of them that are held in memory; the others are in files that are deleted with the panel."""

SMALL = 48
"""Pixels of a thumbnail's longer side."""

Tell = Callable[[str, float], None]
"""Takes a sentence that says what is being done, and the fraction done."""


class Gathering:
    """The features of a data set, layer by layer, of as many pictures as are asked for.

    Parameters:
        scanning: further options of :func:`cnnwidgets.methods.scan`.

    Attributes:
        key: what all that is known depends on; it changes when everything has to be gathered anew.
    """

    def __init__(self, net: BoundModel, dataset: Any, **scanning: Any):
        self.net, self.dataset, self._scanning = net, dataset, scanning
        self.key: tuple = ()
        self._known: dict[str, Features] = {}
        self._separation: dict[str, Separation] = {}

    @property
    def layer_names(self) -> list[str]:
        """From the pixels to the scores."""
        return [INPUT, *(row.name for row in self.net.layers.with_units)]

    def features(self, layer: str | None, pool: str, limit: int, tell: Tell, cancel: Any) -> tuple[Features, Features]:
        """A layer's features and the pixels; of all layers from one pass, if there is room for them."""
        size = len(numbers_of(self.dataset, None))
        rows = np.arange(size)
        if limit < size:
            rows = np.sort(np.random.default_rng(0).choice(size, limit, replace=False))
        if self.key != (size, len(rows), pool):
            self._known, self._separation = {}, {}
            self.key = size, len(rows), pool
        name = self._name_of(layer)
        if name not in self._known:
            names = self.layer_names
            values = sum(values_of(self.net.layers[name], pool) for name in names if name != INPUT)
            wanted = names if 4 * len(rows) * values <= EVERYTHING else list(dict.fromkeys([INPUT, name]))
            self._known |= self.of(
                self.dataset,
                [name for name in wanted if name not in self._known],
                max_memory=IN_MEMORY // len(wanted),
                cancel=cancel,
                on_update=lambda found, fraction: tell(self._words(next(iter(found.values()))), fraction),
                **self._scanning | {"pool": pool, "indices": rows},
            )
        return self._known[name], self._known[INPUT]

    def of(self, dataset: Any, layers: Any, **options: Any) -> Any:
        """The features of any pictures, with thumbnails."""
        return features(self.net, dataset, layers, thumbnails=SMALL, **options)

    @property
    def separation(self) -> dict[str, Separation]:
        """Of the layers for which it is known, in their order."""
        return {name: self._separation[name] for name in self.layer_names if name in self._separation}

    def separate(self, tell: Tell, cancel: Any) -> None:
        """Measure how well the classes separate in every layer that is known; what a cancel leaves out, next time."""
        for name in [name for name in self.layer_names if name in self._known]:
            found = self._known[name]
            labelled = found.labels >= 0
            if name in self._separation or not 2 <= len(np.unique(found.labels[labelled])) < labelled.sum():
                continue
            if cancel.is_set():
                return
            self._separation[name] = separation(found.values[labelled], found.labels[labelled])
            done = len(self._separation)
            tell(f"How well classes separate: {done} of {len(self._known)} layers", done / len(self._known))

    def _name_of(self, layer: str | None) -> str:
        """The layer's name in the table; a block's stands for the call that ends it."""
        if layer in (None, INPUT):
            return INPUT
        row = self.net.layers[layer]
        _ = row.map_shape  # raises the sentence for a layer without units
        return row.name

    def _words(self, found: Features) -> str:
        return (
            f"{self.net.name} looks at the pictures: {len(found.values):,} of {found.total:,}, {found.rate:,.0f} a second, "
            f"{found.remaining:,.0f} s left"
        )
