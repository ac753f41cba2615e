"""The reducer behind unit profiles: what each unit answers to each picture."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from cnnwidgets.methods.batches import Batch
from cnnwidgets.net import Layer


def responses_in(batch: Batch, layer: Layer) -> tuple[Tensor, Tensor]:
    """The values (n, units, positions) of a layer's maps, and the largest of each, (n, units).

    Raises:
        ValueError: a value is not finite.
    """
    values = layer.by_unit(batch.outputs[layer.name]).flatten(2)
    top = values.amax(2)
    wrong = ~torch.isfinite(top).all(1).numpy()
    if wrong.any():
        raise ValueError(f"{layer.name} gives values that are not finite for picture {batch.indices[wrong][0]}")
    return values, top


class Responses:
    """Keeps the maximum of every unit's map for each picture; of parts merged in any order the same.

    Parameters:
        layer: a row of ``net.layers`` with units.
    """

    def __init__(self, layer: Layer) -> None:
        units = layer.map_shape[0]
        self.layer, self.layers = layer, [layer.name]
        self.values = [np.zeros((0, units), np.float32)]
        self.indices, self.labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        self.alive = np.zeros(units, bool)

    def update(self, batch: Batch) -> None:
        values, top = responses_in(batch, self.layer)
        part = Responses(self.layer)
        part.values, part.indices, part.labels = [top.numpy().copy()], [batch.indices], [batch.labels]
        part.alive = (values != 0).any(2).any(0).numpy()
        self.merge(part)

    def merge(self, other: Responses) -> None:
        self.values = self.values + other.values
        self.indices, self.labels = self.indices + other.indices, self.labels + other.labels
        self.alive = self.alive | other.alive

    def result(self) -> Responses:
        return copy.copy(self)  # merging makes new lists

    def state(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "layer"}

    def restore(self, state: dict) -> None:
        vars(self).update(state)
