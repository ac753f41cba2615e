"""Points of a plotly figure that are colored by a value, on Matplotlib axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.views.paper import INK, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_points(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    mark: Mapping[str, Any],
    symbol: str,
    size: float,
    name: str,
) -> None:
    """Draw points (n,) in the colors of their values (n,), and a color bar where the marks ask for one."""
    from matplotlib.ticker import PercentFormatter

    edges: dict[str, Any] = {} if symbol == "x" else {"edgecolors": "0.5"}
    low, high = mark.get("cmin", values.min(initial=0)), mark.get("cmax", values.max(initial=1))
    colors = "viridis_r" if mark.get("reversescale") else "viridis"
    points = axes.scatter(
        x, y, size**2, values, marker=symbol, cmap=colors, vmin=low, vmax=high, linewidths=1.5 if symbol == "x" else 0.6,
        label=name, zorder=2.1, **edges,
    )  # fmt: skip
    if mark.get("showscale"):
        about = mark.get("colorbar") or {}
        bar = axes.figure.colorbar(points, ax=axes, fraction=0.05, pad=0.02)
        bar.ax.tick_params(labelsize=TEXT)
        if str(about.get("tickformat", "")).endswith("%"):
            bar.formatter = PercentFormatter(1.0, decimals=0)
        title = about.get("title")
        words = title.get("text", "") if isinstance(title, dict) else title or ""
        bar.set_label(words, fontsize=TEXT, color=INK)
