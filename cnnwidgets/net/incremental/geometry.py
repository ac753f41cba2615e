"""Where a change of the picture reaches: intervals of rows or columns, through windows that slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Intervals = tuple[np.ndarray, np.ndarray]
"""First row and end (exclusive) of what changed, for many positions of the patch; nothing changed where first >= end."""

NOTHING = 2**30


@dataclass(frozen=True)
class Slide:
    """How a convolution or a pooling moves along one axis, in cells.

    Attributes:
        kernel, stride, padding, dilation: as torch has them; the padding before the first cell.
        size, out: cells of the input and of the output.
    """

    kernel: int
    stride: int
    padding: int
    dilation: int
    size: int
    out: int

    @property
    def extent(self) -> int:
        """Cells from the first to the last that an output cell sees."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def after(self) -> int:
        """Padding behind the last cell; negative if the last cells are seen by no output."""
        return (self.out - 1) * self.stride + self.extent - self.size - self.padding

    def reach(self, changed: Intervals) -> Intervals:
        """The outputs that see a changed input."""
        first, end = changed
        begin = -((first + self.padding - self.extent + 1) // -self.stride)
        stop = (end - 1 + self.padding) // self.stride + 1
        return tidy((np.maximum(begin, 0), np.minimum(stop, self.out)), first < end)

    def seen(self, count: int) -> int:
        """How many inputs the windows of so many outputs side by side span."""
        return (count - 1) * self.stride + self.extent


def tidy(intervals: Intervals, there: np.ndarray | bool = True) -> Intervals:
    """Empty intervals in the form in which the smallest interval around them and another is the other."""
    first, end = intervals
    there = there & (first < end)
    return np.where(there, first, NOTHING), np.where(there, end, -NOTHING)


def around(several: list[Intervals]) -> Intervals:
    """The smallest intervals around some."""
    return np.minimum.reduce([first for first, _ in several]), np.maximum.reduce([end for _, end in several])


def split(changed: Intervals, weights: np.ndarray, toll: float, places: np.ndarray) -> list[np.ndarray]:
    """Group positions that are computed together, with windows of one size a map, so that the work is least.

    Where a map has a step of several pixels, the places of a patch differ by how they fall on it; near the border windows
    are cut off. Both make windows smaller, for those who are alike.

    Parameters:
        changed: (maps, positions) intervals.
        weights: (maps,) work of one row of each map.
        toll: work of a further group.
        places: (positions,) where the patches begin.

    Returns:
        Groups of indices of positions.
    """
    first, end = changed
    sizes = np.maximum(end - first, 0) * weights[:, None]
    found = []
    for period in (1, 2, 4, 8, 16, 32):
        order = np.lexsort((places, places % period))
        cost, runs = _segment(sizes[:, order], toll)
        found.append((cost, [order[run] for run in runs]))
    return min(found, key=lambda pair: pair[0])[1]


def _segment(sizes: np.ndarray, toll: float) -> tuple[float, list[slice]]:
    """The cheapest cut of columns into runs, each of which costs its length times its largest row by row (Bellman 1961)."""
    count = sizes.shape[1]
    best, cut = np.zeros(count + 1), np.zeros(count + 1, int)
    for stop in range(1, count + 1):
        largest = np.maximum.accumulate(sizes[:, :stop][:, ::-1], axis=1).sum(0)[::-1]
        costs = best[:stop] + largest * np.arange(stop, 0, -1) + toll
        cut[stop] = int(costs.argmin())
        best[stop] = costs[cut[stop]]
    runs, stop = [], count
    while stop:
        runs.append(slice(int(cut[stop]), stop))
        stop = int(cut[stop])
    return float(best[-1]), runs[::-1]
