"""The still picture of an OcclusionSlider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnwidgets.methods import OcclusionMap
from cnnwidgets.panels import twin
from cnnwidgets.views.palette import CLASS_COLORS, OTHER_CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def still(
    result: OcclusionMap,
    covered: np.ndarray,
    box: Sequence[int],
    *,
    title: str,
    quantity: str,
    span: tuple[float, float],
    name: Callable[[int], str],
) -> Figure:
    """The picture with the patch, and both maps, as a Matplotlib figure with the values in its artists.

    Parameters:
        covered: uint8 (height, width, 3), the picture with the patch over it.
        box: [top, left, height, width] of the patch.
        quantity: what the values are; ``span`` are the ends of their colours.
        name: gives a class's name.
    """
    from matplotlib.patches import Rectangle

    figure = twin.new_figure(12.0, 4.2)
    order, indices = result.by_area()
    left, middle, *rest = figure.subplots(1, 3 if order else 2)
    top, begin, tall, wide = box
    left.imshow(covered)
    left.add_patch(Rectangle((begin - 0.5, top - 0.5), wide, tall, fill=False, color="#ffb000", lw=2))
    left.set_title(title)
    (dy, dx), (h, v) = result.stride, result.patch
    first = result.ys[0] + (h - dy) / 2 - 0.5, result.xs[0] + (v - dx) / 2 - 0.5
    extent = (first[1], first[1] + dx * len(result.xs), first[0] + dy * len(result.ys), first[0])
    drawn = middle.imshow(result.values, extent=extent, vmin=span[0], vmax=span[1], cmap="viridis")
    bar = figure.colorbar(drawn, ax=middle, shrink=0.8, label=quantity)
    bar.ax.axhline(result.clean, color="#ffb000", lw=3)
    middle.set_title(f"{quantity} with the patch there")
    for right in rest:
        _draw_classes(right, order, indices, extent, name)
    for axes in (left, middle, *rest):
        axes.set(xlim=(-0.5, result.size[1] - 0.5), ylim=(result.size[0] - 0.5, -0.5), xticks=[], yticks=[])
    return figure


def _draw_classes(
    right: Axes,
    order: Sequence[int],
    indices: np.ndarray,
    extent: tuple[float, float, float, float],
    name: Callable[[int], str],
) -> None:
    """The most probable class at each position."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colors = [CLASS_COLORS[k] if k < len(CLASS_COLORS) else OTHER_CLASSES for k in range(len(order))]
    right.imshow(indices, extent=extent, vmin=-0.5, vmax=len(order) - 0.5, cmap=ListedColormap(colors))
    shown = list(zip(order, colors, strict=True))[: len(CLASS_COLORS)]
    right.legend(handles=[Patch(color=color, label=name(index)[:24]) for index, color in shown], fontsize=8)
    right.set_title("most probable class with the patch there")
