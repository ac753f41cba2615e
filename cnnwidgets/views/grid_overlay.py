"""The overlay of an ImageGrid in its still: ``grid_overlay.js`` draws the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cnnwidgets.views.image_grid import ImageGrid

GRAY = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue are."""

FULL = 0.99
"""Share of a layer's amounts above 0 that are below what is opaque, so that a single one does not pale the others."""


def overlay(
    amounts: np.ndarray, colors: list[str], box: tuple[float, float, float, float], noun: str = "layer"
) -> dict[str, Any]:
    """What ``ImageGrid.overlay`` is.

    Parameters:
        amounts: (maps, layers, rows, columns), not negative.
        colors: #rrggbb of each layer.
        box: top, left, height and width of all rows and columns, in pixels of the maps.
        noun: what a layer is called.
    """
    tops = amounts.max((0, 2, 3), initial=0)
    share = amounts / np.where(tops > 0, tops, 1)[:, None, None]
    values = (255 * share + 0.5).astype(np.uint8)
    above = [layer[layer > 0] for layer in amounts.swapaxes(0, 1)]
    full = [float(np.quantile(layer, FULL)) if layer.size else 0.0 for layer in above]
    return {
        "values": values.tobytes(), "shape": [*amounts.shape[1:]], "tops": tops.tolist(), "full": full, "colors": colors,
        "box": [*box], "noun": noun,
    }  # fmt: skip


def overlaid(grid: ImageGrid, order: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A grid's colored maps (maps, height, width, 3), from 0 to 1, in some order, under its overlay."""
    if not grid.overlay or not grid.opacity or values.ndim < 4:
        return values
    height, width = values.shape[1:3]
    top, left, tall, wide = grid.overlay["box"]
    _, rows, columns = grid.overlay["shape"]
    down = np.floor((np.arange(height) + 0.5 - top) / tall * rows).astype(int)
    right = np.floor((np.arange(width) + 0.5 - left) / wide * columns).astype(int)
    there = ((down >= 0) & (down < rows))[:, None] & ((right >= 0) & (right < columns))
    colors, alpha = (part[order] for part in _tinted(grid))
    down, right = down.clip(0, rows - 1)[:, None], right.clip(0, columns - 1)
    strength = (grid.opacity * alpha[:, down, right] * there)[..., None]
    return (1 - strength) * (values @ GRAY)[..., None] + strength * colors[:, down, right]


def _tinted(grid: ImageGrid) -> tuple[np.ndarray, np.ndarray]:
    """Of every position the color (maps, rows, columns, 3) and how opaque it is (maps, rows, columns), from 0 to 1."""
    shape, tops = grid.overlay["shape"], np.array(grid.overlay["tops"])
    amounts = np.frombuffer(grid.overlay["values"], np.uint8).reshape(-1, *shape) / 255 * tops[:, None, None]
    table = np.array([[int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)] for color in grid.overlay["colors"]])
    alone = 0 <= grid.lit < shape[0]
    layer = np.full((len(amounts), *shape[1:]), grid.lit) if alone else amounts.argmax(1)
    full = np.array(grid.overlay["full"])[layer]
    amount = np.take_along_axis(amounts, layer[:, None], 1)[:, 0]
    return table[layer], np.divide(amount, full, out=np.zeros_like(amount), where=full > 0).clip(0, 1)
