"""What is known of a data set's pictures: their features in every layer, and how well the classes separate there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods.batches import numbers_of
from cnnwidgets.methods.features import INPUT, Features, features, values_of
from cnnwidgets.methods.neighbors import Separation, why_inseparable
from cnnwidgets.methods.shared_features import SharedFeatures
from cnnwidgets.net import BoundModel
from cnnwidgets.net.progress import Cancel

ONE_PASS = 512 * 2**20
"""Bytes that the features of all layers may take to be gathered in one pass; else each layer's are when it is asked for."""

IN_A_BATCH = 32 * 2**20
"""Bytes that the layers' outputs of a batch should take: all layers are looked at in fewer pictures at a time."""

IN_MEMORY = 256 * 2**20
"""Bytes of them that are held in memory; the others are in files that are deleted with the cache."""

THUMBNAIL = 48
"""Pixels of a thumbnail's longer side."""

Progress = Callable[[str, float], None]
"""Takes a sentence that says what is being done, and the fraction done."""


class FeatureCache:
    """The features of a data set, layer by layer, of as many pictures as are asked for.

    >>> cache = cw.methods.FeatureCache(net, cw.samples.digits())
    >>> found, pixels = cache.features("conv1", limit=500)

    Several caches of the same network and data set hold the same features once, see :class:`SharedFeatures`.

    Parameters:
        net: a bound network.
        dataset: as :func:`scan` takes it.
        scanning: further options of :func:`scan`.

    Attributes:
        key: everything that the features depend on; when it changes, they are all computed again.
        separations: how well the classes separate in the layers in which it was measured, in their order; another dict when
            there is more.
    """

    def __init__(self, net: BoundModel, dataset: Any, **scanning: Any):
        self.net, self.dataset, self._scanning = net, dataset, scanning
        self.key: tuple = ()
        self._known = SharedFeatures(net, dataset)
        self.separations: dict[str, Separation] = {}

    @property
    def layer_names(self) -> list[str]:
        """From the pixels to the scores."""
        return [INPUT, *(row.name for row in self.net.layers.with_units)]

    def features(
        self,
        layer: str | None = None,
        pool: str = "grid",
        limit: int = 2000,
        *,
        on_progress: Progress = lambda *_: None,
        cancel: Cancel | None = None,
    ) -> tuple[Features, Features]:
        """A layer's features, and the pixels; of all layers from one pass, if there is room for them.

        Parameters:
            layer: a name in ``net.layers``; None and ``"input"`` stand for the pixels.
            pool: see :func:`features`.
            limit: pictures at most; of more a sample is taken, always the same.
            on_progress: called with a sentence and the fraction done.
            cancel: an object with ``is_set()``.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            ValueError: the layer has no units, and whatever :func:`features` raises.
            Cancelled: cancel was set.
        """
        size = len(numbers_of(self.dataset, None))
        rows = np.arange(size)
        if limit < size:
            rows = np.sort(np.random.default_rng(0).choice(size, limit, replace=False))
        if self.key != (size, len(rows), pool):
            self._known, self.separations = SharedFeatures(self.net, self.dataset), {}
            self.key = size, len(rows), pool
        name = self._name_of(layer)
        if name not in self._known:
            names = self.layer_names
            values = sum(values_of(self.net.layers[name], pool) for name in names if name != INPUT)
            wanted = names if 4 * len(rows) * values <= ONE_PASS else list(dict.fromkeys([INPUT, name]))
            options = self._scanning | {
                "pool": pool,
                "indices": rows,
                "batch_size": self._batch_size(wanted),
                "max_memory": IN_MEMORY // len(wanted),
                "cancel": cancel,
                "on_update": lambda found, fraction: on_progress(self._sentence(next(iter(found.values()))), fraction),
            }
            self._known.learn(wanted, lambda layers: self.of(self.dataset, layers, **options))
        return self._known[name], self._known[INPUT]

    def of(self, dataset: Any, layers: Any, **options: Any) -> Any:
        """The features of any pictures, with thumbnails; they are not kept. Options: see :func:`features`."""
        return features(self.net, dataset, layers, thumbnails=THUMBNAIL, **options)

    def separate(self, *, on_progress: Progress = lambda *_: None, cancel: Cancel | None = None) -> None:
        """Measure how well the classes separate in every layer that is known; what a cancel leaves out, next time."""
        names = [name for name in self.layer_names if name in self._known]
        for name in names:
            found = self._known[name]
            if name in self.separations or why_inseparable(found.labels):
                continue
            if cancel is not None and cancel.is_set():
                return
            measured = self.separations | {name: found.separation}
            self.separations = {name: measured[name] for name in names if name in measured}
            done = len(self.separations)
            on_progress(f"How well classes separate: {done} of {len(self._known)} layers", done / len(self._known))

    def _batch_size(self, names: Sequence[str]) -> int:
        values = sum(math.prod(self.net.layers[name].output_shape) for name in names if name != INPUT)
        return int(np.clip(IN_A_BATCH // (4 * max(values, 1)), 4, 64))

    def _name_of(self, layer: str | None) -> str:
        """The layer's name in the table; a block's stands for the call that ends it."""
        if layer in (None, INPUT):
            return INPUT
        row = self.net.layers[layer]
        _ = row.map_shape  # raises the sentence for a layer without units
        return row.name

    def _sentence(self, found: Features) -> str:
        return (
            f"{self.net.name} looks at the pictures: {len(found.values):,} of {found.total:,}, {found.rate:,.0f} a second, "
            f"{found.remaining:,.0f} s left"
        )
