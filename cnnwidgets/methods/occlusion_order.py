"""In which order the positions of an occlusion map are computed when it is shown while it fills."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SPREAD = 0.6
"""Share of the positions that a fixed order spreads over the map; the others are the hottest by the first-order estimate."""

SLAB = 0.02
"""Share of the map that is computed at once, until a fifth is known; from then on five times as much."""

FEWEST = 32
"""Positions of a slab at least: fewer are not worth a batch."""


def slabs(estimate: np.ndarray) -> Iterator[np.ndarray]:
    """Bool masks (rows, columns) that cover the map, one after the other.

    The order is known before the first position is computed: it depends on the estimate (rows, columns) alone, of which the
    lowest values are the hottest.
    """
    count, start = estimate.size, 0
    spread = dispersed(estimate.shape)
    hottest = np.argsort(np.lexsort((spread, estimate.ravel())))
    order = np.argsort(np.minimum(spread / SPREAD, hottest / (1 - SPREAD)), kind="stable")
    while start < count:
        share = SLAB if start < 0.2 * count else 5 * SLAB
        end = start + max(FEWEST, int(share * count))
        mask = np.zeros(estimate.shape, bool)
        mask.flat[order[start:end]] = True
        yield mask
        start = end


def dispersed(shape: tuple[int, ...]) -> np.ndarray:
    """int (rows * columns,): each cell's place in an order whose beginnings are spread evenly over the map.

    The cells in the order in which the points of the additive recurrence R2 (Roberts, 2018) fall into them: with g the
    plastic number, g**3 = g + 1, the n-th point is (n / g, n / g**2) modulo 1.
    """
    rows, columns = shape
    plastic = 1.324717957244746
    n = np.arange(4 * rows * columns)
    cells = [((0.5 + n / plastic**k) % 1 * size).astype(int) for k, size in ((1, rows), (2, columns))]
    seen, first = np.unique(cells[0] * columns + cells[1], return_index=True)
    when = np.full(rows * columns, len(n))
    when[seen] = first
    return np.argsort(np.argsort(when, kind="stable"), kind="stable")
