"""Which pixels each position along an axis sees, one by one: where a border mirrors the picture they lie on no regular grid.

A window that lies in a reflected or replicated border sees pixels within the picture, on the other side of where it lies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch


class Span(NamedTuple):
    """Of each position its first pixel, and the one after its last; infinity and minus infinity where it sees none."""

    lows: np.ndarray
    highs: np.ndarray

    @classmethod
    def regular(cls, offset: float, step: float, size: float, count: int, side: int) -> Span:
        """Of positions that lie on a grid, over a picture that has so many pixels along the axis."""
        lows = offset + step * np.arange(count, dtype=float)
        return cls._seen(np.maximum(lows, 0), np.minimum(lows + size, side))

    @classmethod
    def _seen(cls, lows: np.ndarray, highs: np.ndarray) -> Span:
        sees = lows < highs
        return cls(np.where(sees, lows, np.inf), np.where(sees, highs, -np.inf))

    def bordered(self, before: int, after: int, mode: str) -> Span:
        """With a border that repeats positions as ``F.pad`` does in a mode; a negative one is a crop."""
        numbers = torch.arange(len(self.lows), dtype=torch.float64)[None, None]
        return self.at(torch.nn.functional.pad(numbers, (before, after), mode)[0, 0].long().numpy()[:, None])

    def windows(self, kernel: int, stride: int, padding: int, dilation: int, count: int) -> Span:
        """Of windows that slide over the positions; the padding sees nothing."""
        first = np.arange(count) * stride - padding
        return self.at(first[:, None] + dilation * np.arange(kernel))

    def at(self, positions: np.ndarray) -> Span:
        """Of windows that take the positions of each row; those beyond the ends are none."""
        inside = (positions >= 0) & (positions < len(self.lows))
        positions = np.where(inside, positions, 0)
        lows, highs = np.where(inside, self.lows[positions], np.inf), np.where(inside, self.highs[positions], -np.inf)
        return Span(lows.min(1, initial=np.inf), highs.max(1, initial=-np.inf))

    def or_of(self, other: Span) -> Span:
        """Of positions that see what either sees."""
        return Span(np.minimum(self.lows, other.lows), np.maximum(self.highs, other.highs))

    def excess(self, offset: float, step: float, size: float) -> tuple[float, float]:
        """How far what positions see reaches out of the boxes of a grid: at their beginning, and at their end."""
        sees = self.lows < self.highs
        lows = offset + step * np.flatnonzero(sees)
        before = (lows - self.lows[sees]).max(initial=0)
        return float(before), float((self.highs[sees] - lows - size).max(initial=0))
