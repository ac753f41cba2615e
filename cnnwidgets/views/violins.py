"""The histogram of each of some layers, upright and mirrored, one beside the other over one axis of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

HALF = 0.44
"""How far the fullest bin of a layer reaches to both sides, where layers are 1 apart."""


def violins(counts: np.ndarray, edges: np.ndarray, color: str, **axes: Any) -> list[dict[str, Any]]:
    """A plotly trace per layer, at x = 1, 2, …: as wide at a value as the root of how many there are of its size.

    The root lets the rest be seen where many are 0. Each layer has the same width at its fullest bin, so that a layer whose
    values are all alike is a flat line.

    Parameters:
        counts: (layers, bins).
        edges: (bins + 1,), the same for all layers.
        axes: of the traces: ``xaxis`` and ``yaxis``.
    """
    heights = np.repeat(edges, 2)[1:-1]
    drawn = []
    for layer, row in enumerate(counts, 1):
        width = np.repeat(np.sqrt(row / max(1, row.max())) * HALF, 2)
        some = np.flatnonzero(width)  # from the first bin that has any to the last
        part = slice(some[0], some[-1] + 1) if len(some) else slice(0)
        x = np.r_[layer - width[part], (layer + width[part])[::-1]]
        y = np.r_[heights[part], heights[part][::-1]]
        look = {"mode": "lines", "line": {"color": color, "width": 1}, "fill": "toself", "fillcolor": color}
        drawn.append({"x": x, "y": y, "showlegend": False, "hoverinfo": "skip", **look, **axes})
    return drawn


def layer_axis(names: Sequence[str], places: Sequence[float], texts: Sequence[str]) -> dict[str, Any]:
    """The x axis of layers at 1, 2, …; with the texts at their places, counted from 0, or their numbers."""
    ticks = (
        {"tickvals": [place + 1 for place in places], "ticktext": list(texts)}
        if texts
        else {"dtick": max(1, -(-len(names) // 12))}
    )
    return {"range": [0.4, len(names) + 0.6], "showgrid": False, "zeroline": False, **ticks}
