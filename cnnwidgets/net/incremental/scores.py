"""Positions of a patch, and what a network says there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnnwidgets.net.incremental import proof


class Positions(NamedTuple):
    """Where a patch lies: int (N,) rows and columns of the picture."""

    tops: np.ndarray
    lefts: np.ndarray

    def part(self, start: int, count: int) -> Positions:
        return Positions(self.tops[start : start + count], self.lefts[start : start + count])


class Scores(NamedTuple):
    """Of N positions: what the network gives, (N, K), with K = 0 if that is no table; and the watched score (N,) or None."""

    outputs: Tensor
    watched: Tensor | None

    def rows(self, which: list[int]) -> Scores:
        """Those of some of the positions."""
        return Scores(self.outputs[which], None if self.watched is None else self.watched[which])

    def put(self, which: Sequence[np.ndarray], clean: Scores) -> None:
        """Of some positions, bool (N,) for the outputs and (N,) for what is watched, the clean scores to the last digit."""
        for values, rows, one in zip(self, which, clean, strict=True):
            if values is not None and one is not None:
                values[torch.from_numpy(rows)] = one[0]

    def off(self, others: Scores) -> list[float]:
        """The largest difference to other scores, of the outputs and of what is watched."""
        pairs = zip(self, others, strict=True)
        return [0.0 if one is None or other is None else proof.largest(one - other) for one, other in pairs]


def joined(parts: Sequence[Scores]) -> Scores:
    """Those of several batches as one."""
    outputs, watched = zip(*parts, strict=True)
    return Scores(torch.cat(outputs), None if watched[0] is None else torch.cat(watched))
