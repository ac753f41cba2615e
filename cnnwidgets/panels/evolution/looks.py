"""What a picture looks like to a layer at each checkpoint, and what the layer's filters do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods import FeatureMaps, Filters, activations, filters
from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.filters import layer_with_filters
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.progress import Cancel

MOST_WEIGHTS = 1_000_000
"""Most weights of a layer whose filters are shown."""


BELOW = 0.99
"""Share of the weights whose size is within the colors."""


@dataclass(frozen=True, eq=False)
class Looks:
    """A layer at each checkpoint.

    Attributes:
        inputs: float32 (1, C, H, W), the picture.
        maps: of it.
        filters: those of the layer itself, or of the last one before it that has any; empty where they are not one for each
            unit, or too many.
    """

    inputs: torch.Tensor
    maps: tuple[FeatureMaps, ...]
    filters: tuple[Filters, ...]

    @property
    def span(self) -> float:
        """The size that only a few weights of all checkpoints exceed: where the colors end."""
        return float(np.quantile(np.abs([one.values for one in self.filters]), BELOW))


def look(nets: Sequence[BoundModel], image: Any, layer: str, *, cancel: Cancel | None = None) -> Looks:
    """Show a picture to each checkpoint.

    Raises:
        KeyError, ValueError: whatever :func:`activations` and :func:`filters` raise.
        Cancelled: cancel was set.
    """
    row = layer_with_filters(nets[-1], layer)
    shown = row.weight is not None and row.parameters <= MOST_WEIGHTS
    inputs = one_picture(nets[-1], image)
    maps, found = [], []
    for net in nets:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        maps.append(activations(net, inputs, layer)[layer])
        found += [filters(net, row.name)] if shown else []
    one_each = found and len(found[0].values) == len(maps[0].values)
    return Looks(inputs, tuple(maps), tuple(found) if one_each else ())
