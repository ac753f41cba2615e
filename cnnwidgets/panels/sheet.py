"""Many maps on one sheet: what an ImageGrid shows, as a single image on Matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TABLES = {"viridis": "viridis", "gray": "gray", "diverging": "RdBu_r"}
"""The view's colour tables by Matplotlib's names."""

TINY = np.finfo(np.float32).tiny


def draw_maps(axes: Axes, maps: np.ndarray, *, scale: str, limits, contrast: float, colors: str, quantity: str) -> None:
    """Draw maps (n, height, width) or, in colour, (n, height, width, 3) side by side, with a colour bar.

    The parameters are the traits of an :class:`~cnnwidgets.views.ImageGrid` of the same names. The artist's array holds
    the values themselves; where each map has a scale of its own, it holds their share of that scale.
    """
    in_color = maps.ndim == 4
    signed = maps.min() < 0
    symmetric = colors == "diverging" or (signed and (in_color or colors == "auto"))
    low, high = _range(maps, scale, limits)
    if symmetric:
        high = np.maximum(np.maximum(-low, high), 0)
        low = -high
    around_zero = (low < 0) & (high > 0)
    low, high = (
        np.where(around_zero, low / contrast, low),
        np.where(around_zero, high / contrast, low + (high - low) / contrast),
    )
    if scale == "map" or in_color:
        centred = symmetric and not in_color
        maps = maps / np.maximum(high, TINY) if centred else (maps - low) / np.maximum(high - low, TINY)
        bounds = (-1.0 if centred else 0.0, 1.0)
        quantity = f"{quantity}, {'by its largest' if symmetric else 'from the lowest to the highest'} of each map"
    else:
        bounds = (float(low.min()), float(high.max()))
    picture = sheet(maps)
    if in_color:
        axes.imshow(np.nan_to_num(picture, nan=1.0).clip(0, 1), interpolation="nearest")
    else:
        table = "diverging" if symmetric else "viridis" if colors == "auto" else colors
        image = axes.imshow(picture, cmap=TABLES[table], vmin=bounds[0], vmax=bounds[1], interpolation="nearest")
        axes.figure.colorbar(image, ax=axes, label=quantity, shrink=0.8)
    axes.set_axis_off()


def sheet(maps: np.ndarray) -> np.ndarray:
    """Maps (n, height, width[, 3]) laid out in rows on one array, with NaN between them."""
    count, height, width, *channels = maps.shape
    across = int(np.clip(round((1.8 * count * height / width) ** 0.5), 1, count))
    down = -(-count // across)
    gap = max(1, round(max(height, width) / 16))
    cells = np.full((down * across, height + gap, width + gap, *channels), np.nan, np.float32)
    cells[:count, :height, :width] = maps
    rows = cells.reshape(down, across, height + gap, width + gap, *channels).swapaxes(1, 2)
    return rows.reshape(down * (height + gap), across * (width + gap), *channels)


def _range(maps: np.ndarray, scale: str, limits) -> tuple[np.ndarray, np.ndarray]:
    """Where each map's colours begin and end, in a shape that broadcasts with the maps."""
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axes, keepdims=True), maps.max(axes, keepdims=True)
    if scale == "layer":
        return np.full_like(low, low.min()), np.full_like(high, high.max())
    if scale == "fixed":
        return np.full_like(low, limits[0]), np.full_like(high, limits[1])
    return low, high
