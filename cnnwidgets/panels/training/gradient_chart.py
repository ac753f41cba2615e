"""The chart of a TrainingRace that shows what reaches the layers of each network, before any has learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods import FirstGradients
from cnnwidgets.numbers import number
from cnnwidgets.views.curves import FONT, dress, log_axis, look, needs_plotly, short

TITLE = "Gradient norms before training"

ROOM = 1.5
"""The axis goes this many times beyond the smallest and the largest norm."""


@needs_plotly
def gradient_chart(found: FirstGradients) -> Any:
    """A line for each network, in the color of its loss: the norm of the gradient in each layer, first to last.

    None if no norm can be drawn on a logarithmic axis.
    """
    import plotly.graph_objects as go

    norms = [np.where(np.isfinite(one) & (one > 0), one, np.nan) for one in found.norms]
    seen = np.concatenate(norms)
    if np.isnan(seen).all():
        return None
    figure = go.Figure()
    for k, (name, layers, heights) in enumerate(zip(found.names, found.layers, norms, strict=True)):
        color, dash = look(k)
        figure.add_scatter(
            x=np.linspace(0, 1, len(layers)), y=heights, mode="lines", name=short(name),
            line={"color": color, "dash": dash, "width": 3}, connectgaps=False, text=[*map(_told, layers, heights)],
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    title = {"text": TITLE, **FONT, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 5}}
    dress(figure, "", "", title=title, showlegend=False, margin={"t": 30, "l": 44, "r": 30, "b": 30})
    figure.update_xaxes(range=[-0.03, 1.03], tickvals=[0, 1], ticktext=["first layer", "last layer"])
    figure.update_yaxes(**log_axis(np.nanmin(seen) / ROOM, np.nanmax(seen) * ROOM, 6))
    return figure


def _told(layer: str, norm: float) -> str:
    return f"{layer}<br>{number(norm)}"
