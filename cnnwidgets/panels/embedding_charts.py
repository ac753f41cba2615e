"""The charts and the still picture of an EmbeddingExplorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.methods import Separation
from cnnwidgets.methods.point_colors import PointColors
from cnnwidgets.panels import twin
from cnnwidgets.views.palette import GREY, tones

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IN_LEGEND = 12

MOST_NAMED = 16
"""Layers whose names fit under the chart."""


def by_depth(names: Sequence[str], found: Mapping[str, Separation], why: str = "") -> Any:
    """How well the classes separate, layer by layer, as a plotly figure: x is the layer's place in ``names``.

    Parameters:
        why: the reason why nothing is found.
    """
    import plotly.graph_objects as go

    known = [place for place, name in enumerate(names) if name in found]
    k = next(iter(found.values())).k if found else 10
    figure = go.Figure()
    for title, values, color, mark in (
        (f"{k}-nearest-neighbour accuracy", [found[names[i]].accuracy for i in known], "#0072b2", "circle"),
        ("silhouette", [found[names[i]].silhouette for i in known], "#e69f00", "diamond"),
    ):
        figure.add_scatter(
            x=known, y=values, name=title, mode="lines+markers", text=[names[i] for i in known],
            marker={"color": color, "symbol": mark, "size": 8}, line={"color": color},
            selected={"marker": {"color": "#d55e00", "size": 14}}, unselected={"marker": {"opacity": 1}},
            hovertemplate="%{text}<br>" + title + " %{y:.3f}<extra></extra>",
        )  # fmt: skip
    low = min([0.0, *(one.silhouette for one in found.values() if np.isfinite(one.silhouette))])
    figure.update_layout(
        title={"text": "How well the classes separate, by depth", "font": {"size": 14}, "x": 0.01},
        xaxis={
            "title": {"text": "layer, in order of execution", "font": {"size": 13}},
            "range": [-0.5, len(names) - 0.5],
            "tickvals": list(range(len(names))) if len(names) <= MOST_NAMED else [],
            "ticktext": list(names),
        },
        yaxis={"range": [low - 0.03, 1.03]},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        margin={"t": 56, "l": 50, "r": 12, "b": 40},
        template="none",
    )
    if why:
        figure.update_layout(title_text="How well the classes separate", showlegend=False)
        figure.add_annotation(
            text=why, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15, "color": GREY}
        )
    return figure


def still(points: np.ndarray, colors: PointColors, title: str, beside: Sequence[tuple[str, np.ndarray, bool]]) -> Figure:
    """The layout, and what lies beside it, as a Matplotlib figure with the points in its artists."""
    figure = twin.new_figure(7.0 + 2.6 * len(beside), 5.0)
    first, *others = np.ravel(figure.subplots(1, 1 + len(beside), width_ratios=[2.4, *[1] * len(beside)]))
    drawn = _points(first, points, colors, title, size=8)
    if colors.names:
        chips = [
            first.scatter([], [], color=_tone(k), label=name[:24]) for k, name in enumerate(colors.names[:MOST_IN_LEGEND])
        ]
        more = len(colors.names) - MOST_IN_LEGEND
        legend = first.legend(
            handles=chips,
            loc="upper left",
            bbox_to_anchor=(1, 1),
            fontsize=8,
            title=f"and {more} more" if more > 0 else None,
        )
        texts = legend.get_texts()
    else:
        bar = figure.colorbar(drawn, ax=first, shrink=0.8, label=colors.quantity)
        texts = [bar.ax.yaxis.label]
    for text in texts:
        text.set_parse_math(False)  # a name with dollars in it is a name
    for axes, (name, places, same) in zip(others, beside, strict=True):
        _points(axes, places, colors if same else None, name, size=3)
    return figure


def _points(axes: Axes, points: np.ndarray, colors: PointColors | None, title: str, size: float) -> Any:
    axes.set(title=title, xticks=[], yticks=[], aspect="equal")
    if colors is None:
        return axes.scatter(points[:, 0], points[:, 1], s=size, c=GREY, linewidths=0)
    if colors.names:
        shown = [GREY if index < 0 else _tone(int(index)) for index in colors.colors]
        return axes.scatter(points[:, 0], points[:, 1], s=size, c=shown, linewidths=0)
    low, high = colors.span or (None, None)
    return axes.scatter(
        points[:, 0], points[:, 1], s=size, c=colors.colors, vmin=low, vmax=high, cmap="viridis", linewidths=0
    )


def _tone(index: int) -> str:
    return tones()[index % len(tones())]
