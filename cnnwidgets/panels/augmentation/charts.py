"""The charts of an AugmentationGallery."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods import Stability, TenCrop
from cnnwidgets.numbers import percent
from cnnwidgets.views.curves import COLORS, FONT, dress, faint, needs_plotly
from cnnwidgets.views.palette import GRAY

ONE, MEAN = "#56b4e9", "#0072b2"
"""Colors of the answer to one view, and of a mean over several."""


@needs_plotly
def curves(found: Stability, name: str) -> Any:
    """What is watched, with the copies' least and greatest, the copies that keep their class, and the features."""
    import plotly.graph_objects as go

    figure = go.Figure()
    x, probable = found.strengths, found.quantity == "probability"
    for edge, fill in ((found.values.min(1), "none"), (found.values.max(1), "tonexty")):
        band = {"width": 0, "color": COLORS[0]}
        figure.add_scatter(
            x=x, y=edge, mode="lines", line=band, fill=fill, fillcolor=faint(COLORS[0]), showlegend=False, hoverinfo="skip"
        )
    lines = [
        (found.values.mean(1), name, COLORS[0], "solid"),
        (found.similarity.mean(1), "features: cosine", COLORS[1], "solid"),
    ]
    if found.kept is not None:
        lines.append((found.kept, "same class", COLORS[2], "dash"))
    for y, words, color, dash in lines:
        style = {"color": color, "width": 3, "dash": dash}
        figure.add_scatter(
            x=x, y=y, name=words, mode="lines+markers", line=style, marker={"size": 7, "color": color}, hoverinfo="none"
        )
    if not np.isnan(found.others):
        style = {"color": GRAY, "width": 2, "dash": "dot"}
        figure.add_scatter(
            x=[0, 1], y=[found.others] * 2, name="other pictures: cosine", mode="lines", line=style, hoverinfo="skip"
        )
    up = {"range": [0, 1.02]} if probable and found.similarity.min() >= 0 else {}
    return dress(
        figure,
        "strength",
        "mean over the copies",
        legend_traceorder="normal",
        xaxis={"range": [-0.02, 1.02], "dtick": 0.2},
        yaxis=up,
    )


@needs_plotly
def bars(found: TenCrop) -> Any:
    """The accuracy by each view and mean, from the whole picture to ten crops."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_bar(
        y=list(found.views), x=found.accuracy, orientation="h", marker={"color": [ONE, ONE, MEAN, MEAN]},
        text=[percent(value) for value in found.accuracy], textposition="inside", insidetextanchor="start",
        textfont={"size": 14}, hoverinfo="skip",
    )  # fmt: skip
    title = {"text": f"Right answers over {len(found.right):,} pictures", **FONT, "x": 0.01}
    axis = {"range": [0, 1.02], "tickformat": ".0%"}
    return dress(
        figure,
        "accuracy",
        "",
        title=title,
        yaxis={"autorange": "reversed", "tickfont": FONT["font"]},
        xaxis=axis,
        margin_l=90,
    )
