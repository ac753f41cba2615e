"""How much n factors explain, beside the most that n directions of any signs can."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.views.curves import needs_plotly
from cnnwidgets.views.palette import GRAY
from cnnwidgets.views.paper import MARK


@needs_plotly
def explained(share: float, n: int, best: np.ndarray, most: int) -> Any:
    """The share of the sum of squares that each number of directions explains, as a plotly figure; point k is for k + 1.

    Parameters:
        share: of n factors.
        best: (units,) the most that 1, 2, ... directions can explain.
        most: the largest number that there is room for.
    """
    import plotly.graph_objects as go

    counts = list(range(1, min(most, len(best)) + 1))
    figure = go.Figure()
    figure.add_scatter(
        x=counts, y=100 * best[:most], name="upper bound (SVD, any signs)", mode="lines+markers",
        line={"color": GRAY, "dash": "dot", "width": 2}, marker={"color": GRAY, "size": 7},
        hovertemplate="%{x} directions: at most %{y:.1f}%<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[n], y=[100 * share], name="these factors", mode="markers", marker={"color": MARK, "size": 13},
        hovertemplate="%{x} factors: %{y:.1f}%<extra></extra>",
    )  # fmt: skip
    small = {"size": 13}
    figure.update_layout(
        title={"text": "Share explained by n factors", "font": {"size": 14}, "x": 0, "xref": "container", "y": 1,
               "yanchor": "top", "pad": {"t": 2}},
        margin={"t": 24, "b": 24, "l": 44, "r": 8},
        xaxis={"range": [0.5, most + 0.5], "dtick": 2, "tick0": 2, "tickfont": small, "fixedrange": True},
        yaxis={"range": [0, 105], "tickvals": [0, 50, 100], "ticktext": ["0%", "50%", "100%"], "tickfont": small,
               "fixedrange": True},
        showlegend=False, template="none", hovermode="closest",
    )  # fmt: skip
    return figure
