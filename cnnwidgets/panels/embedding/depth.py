"""The chart of how well each layer separates the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods import Separation
from cnnwidgets.views.curves import needs_plotly
from cnnwidgets.views.palette import GRAY
from cnnwidgets.views.paper import MARK

TITLE = "How well each layer separates the classes"

MOST_NAMED = 7
"""Layers whose names fit under the chart."""

LETTERS = 12
"""Of a layer's name there."""


@needs_plotly
def by_depth(names: Sequence[str], found: Mapping[str, Separation], here: str = "", why: str = "") -> Any:
    """How well the classes separate, layer by layer, as a plotly figure: x is the layer's place in ``names``.

    Parameters:
        here: the layer that is on screen.
        why: the reason why nothing is found.
    """
    import plotly.graph_objects as go

    known = [place for place, name in enumerate(names) if name in found]
    k = next(iter(found.values())).k if found else 10
    figure = go.Figure()
    for title, values, color, mark in (
        (f"{k}-nearest-neighbor accuracy", [found[names[i]].accuracy for i in known], "#0072b2", "circle"),
        ("silhouette", [found[names[i]].silhouette for i in known], "#cc79a7", "diamond"),
    ):
        figure.add_scatter(
            x=known, y=values, name=title, mode="lines+markers", text=[names[i] for i in known],
            marker={"color": color, "symbol": mark, "size": 8}, line={"color": color},
            selected={"marker": {"color": MARK, "size": 14}}, unselected={"marker": {"opacity": 1}},
            hovertemplate="%{text}<br>" + title + " %{y:.3f}<extra></extra>",
        )  # fmt: skip
    low = min([0.0, *(one.silhouette for one in found.values() if np.isfinite(one.silhouette))])
    ticks = named(names, here)
    figure.update_layout(
        title={"text": TITLE, "font": {"size": 14}, "x": 0.01},
        xaxis={
            "range": [-0.5, len(names) - 0.5],
            "tickvals": [*ticks],
            "ticktext": [*ticks.values()],
            "tickangle": 0,
        },
        yaxis={"range": [low - 0.03, 1.1], "nticks": 4},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        margin={"t": 54, "l": 40, "r": 12, "b": 28},
        template="none",
    )
    place = names.index(here) if here in found else 0
    figure.add_vline(place, line={"color": MARK, "width": 2}, layer="below", visible=here in found)
    if why:
        figure.update_layout(showlegend=False)
        figure.add_annotation(
            text=why, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15, "color": GRAY}
        )
    return figure


def named(names: Sequence[str], here: str) -> dict[int, str]:
    """What is written under the chart, by place: the layer on screen, and blocks of layers that lie far enough apart."""
    starts: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        starts.setdefault(name.split(".")[0], []).append(place)
    apart, found = -(-len(names) // MOST_NAMED), {names.index(here): short(here)} if here in names else {}
    for block, places in sorted(starts.items(), key=lambda item: -len(item[1])):
        if all(abs(places[0] - other) >= apart for other in found):
            found[places[0]] = short(block)
    return found


def short(name: str) -> str:
    """A layer's name, or its end."""
    return name if len(name) <= LETTERS else f"…{name[1 - LETTERS :]}"
