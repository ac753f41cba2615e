"""The reducer behind ablation: what is named rightly without each of some sets of units."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.reducers import answers_of
from cnnwidgets.net import Layer
from cnnwidgets.net.changed import Change
from cnnwidgets.net.incremental.reruns import Reruns

Units = tuple[str, tuple[int, ...]]
"""A layer's name, and numbers of its units."""


class Outcomes:
    """Counts, by label, what is named rightly without each of some sets of units; the reducer behind :func:`ablate`.

    It runs the network itself, the intact one, too: where a unit does nothing, the answers are the same to the last bit.

    Parameters:
        reruns: by layer.
        sets: (layer, units) of each.
        fills: by layer float64 (units,), what a unit's outputs are set to.
        together: whether pictures may be shown at once.

    Attributes:
        counts, right, chances: see :class:`Ablation`.
        why_whole: by layer, why whole passes were made for it; of those alone for which they were.
    """

    runs_itself = True

    def __init__(
        self, reruns: dict[str, Reruns], sets: Sequence[Units], fills: dict[str, np.ndarray], *, together: bool
    ) -> None:
        self.reruns, self.sets, self.fills, self.together = reruns, sets, fills, together
        self.counts = np.zeros(0, np.int64)
        self.right = np.zeros((1 + len(sets), 0), np.int64)
        self.chances = np.zeros((1 + len(sets), 0))
        self.why_whole: dict[str, str] = {}

    def update(self, batch: Batch) -> None:
        known = batch.labels >= 0
        if not known.any():
            return
        labels, inputs = batch.labels[known], batch.inputs[torch.from_numpy(known)]
        size = len(labels) if self.together else 1
        for some, theirs in zip(inputs.split(size), np.split(labels, range(size, len(labels), size)), strict=True):
            for row, output in self._outputs(some):
                scores = batch.output.table(output, len(some))
                scores = None if scores is None else scores.float().cpu()
                self._count(row, answers_of(replace(batch, scores=scores)), theirs)
        self.why_whole = {layer: one.why_whole for layer, one in self.reruns.items() if one.why_whole}

    def _outputs(self, inputs: Tensor) -> Iterator[tuple[int, Any]]:
        """What the network gives, intact (0) and without each set (from 1 on)."""
        rows: dict[str, dict[int, Change | None]] = {layer: {} for layer in self.reruns}
        rows[self.sets[0][0]][0] = None
        for k, (layer, units) in enumerate(self.sets):
            rows[layer][1 + k] = replacing(self.reruns[layer].layer, units, self.fills[layer])
        for layer, changes in rows.items():
            yield from zip(changes, self.reruns[layer].answers(inputs, changes.values()), strict=True)

    def _count(self, row: int, answers: Tensor, labels: np.ndarray) -> None:
        classes = answers.shape[1]
        if not self.counts.size:
            self.counts = np.zeros(classes, np.int64)
            self.right, self.chances = np.zeros((len(self.right), classes), np.int64), np.zeros((len(self.right), classes))
        right = answers.argmax(1).numpy() == labels
        chances = answers.numpy()[np.arange(len(labels)), labels]
        self.counts += np.bincount(labels, minlength=classes) * (row == 0)
        self.right[row] += np.bincount(labels[right], minlength=classes)
        self.chances[row] += np.bincount(labels, chances, classes)

    def merge(self, other: Outcomes) -> None:
        self.why_whole = self.why_whole | other.why_whole
        if not self.counts.size:
            self.counts, self.right, self.chances = other.counts, other.right, other.chances
        elif other.counts.size:
            self.counts = self.counts + other.counts
            self.right, self.chances = self.right + other.right, self.chances + other.chances

    def result(self) -> Outcomes:
        return copy.copy(self)  # merging makes new arrays

    def state(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "reruns"}

    def restore(self, state: dict) -> None:
        vars(self).update(state)


def replacing(layer: Layer, units: Sequence[int], fills: np.ndarray) -> Change:
    """What sets the outputs of some units, at all positions (a transformer's class token is one), to a number each."""
    axis = -1 if layer.layout in ("tokens", "map, channels last") else 1
    numbers = torch.tensor(units)
    values = torch.from_numpy(fills)[numbers]

    def change(output: Tensor) -> Tensor:
        changed = output.clone()
        changed.movedim(axis, -1)[..., numbers.to(output.device)] = values.to(output)
        return changed

    return change
