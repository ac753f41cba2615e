"""What a picture looks like to a layer at each checkpoint, and what the layer's filters do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.methods import FeatureMaps, Filters, activations, filters
from cnnwidgets.methods.filters import layer_with_filters
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.progress import Cancel

MOST_WEIGHTS = 1_000_000
"""Most weights of a layer whose filters are shown."""


@dataclass(frozen=True, eq=False)
class Looks:
    """A layer at each checkpoint.

    Attributes:
        maps: of a picture.
        filters: those of the layer itself, or of the last one before it that has any; empty where they are not one for each
            unit, or too many.
    """

    maps: tuple[FeatureMaps, ...]
    filters: tuple[Filters, ...]

    @property
    def largest(self) -> float:
        """The largest size of a weight, of all checkpoints."""
        return max(float(np.abs(one.values).max()) for one in self.filters)


def look(nets: Sequence[BoundModel], image: Any, layer: str, *, cancel: Cancel | None = None) -> Looks:
    """Show a picture to each checkpoint.

    Raises:
        KeyError, ValueError: whatever :func:`activations` and :func:`filters` raise.
        Cancelled: cancel was set.
    """
    row = layer_with_filters(nets[-1], layer)
    shown = row.weight is not None and row.parameters <= MOST_WEIGHTS
    maps, found = [], []
    for net in nets:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        maps.append(activations(net, image, layer)[layer])
        found += [filters(net, row.name)] if shown else []
    one_each = found and len(found[0].values) == len(maps[0].values)
    return Looks(tuple(maps), tuple(found) if one_each else ())
