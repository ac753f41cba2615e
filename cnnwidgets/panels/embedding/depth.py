"""The chart of how well classes separate, by depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods import Separation
from cnnwidgets.views.curves import needs_plotly
from cnnwidgets.views.palette import GRAY

MOST_NAMED = 16
"""Layers whose names fit under the chart."""


@needs_plotly
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
        (f"{k}-nearest-neighbor accuracy", [found[names[i]].accuracy for i in known], "#0072b2", "circle"),
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
            text=why, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15, "color": GRAY}
        )
    return figure
