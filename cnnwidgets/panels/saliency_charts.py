"""The chart of the sanity check, and the still picture of a SaliencyPanel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods.faithfulness import Faithfulness
from cnnwidgets.methods.sanity import Agreement
from cnnwidgets.views.curves import FONT, LAYOUT, look
from cnnwidgets.views.palette import GREY


def sanity(agreements: Mapping[str, Mapping[int, Agreement]], layers: Sequence[str]) -> Any:
    """How much each method's map is like the original, by the number of layers that were randomised, as a plotly figure.

    Parameters:
        agreements: by method and depth.
        layers: for each depth the layer that was randomised last.
    """
    import plotly.graph_objects as go

    curves = [
        {
            "x": list(by_depth),
            "y": [getattr(one, measure) for one in by_depth.values()],
            "xaxis": f"x{axis}",
            "yaxis": f"y{axis}",
            "name": method,
            "showlegend": not axis,
            "mode": "lines+markers",
            "line": {"color": look(k)[0], "dash": look(k)[1], "width": 3},
            "marker": {"size": 8},
            "text": [layers[depth] for depth in by_depth],
            "hovertemplate": "%{text}: %{y:.2f}",
        }
        for axis, measure in (("", "correlation"), ("2", "similarity"))
        for k, (method, by_depth) in enumerate(agreements.items())
    ]
    ticks = {"range": [-0.5, max(1, len(layers) - 1) + 0.5], "dtick": max(1, len(layers) // 8)}
    title = {"text": "last layers with random weights", **FONT}
    span = {"range": [-0.3, 1.05], "zeroline": True}
    layout = LAYOUT | {
        "xaxis": {"title": title, "domain": [0, 0.46], **ticks},
        "xaxis2": {"title": title, "domain": [0.56, 1], "anchor": "y2", **ticks},
        "yaxis": {"title": {"text": "rank correlation with the original", **FONT}, **span},
        "yaxis2": {"title": {"text": "SSIM with the original", **FONT}, "anchor": "x2", **span},
        "margin": {**LAYOUT["margin"], "t": 60},
    }
    return go.Figure({"data": curves, "layout": layout})


def faithfulness(curves: Mapping[str, Faithfulness], quantity: str = "probability") -> Any:
    """Deletion and insertion curves of several methods beside a random order, as a plotly figure; areas in the legend."""
    import plotly.graph_objects as go

    traces = []
    for k, (method, one) in enumerate(curves.items()):
        color, dash = look(k)
        areas = f"{method}: {one.deletion_area:.2f} and {one.insertion_area:.2f}"
        for axis, values in (("", one.deletion), ("2", one.insertion)):
            traces.append(_curve(axis, one.fractions, values, areas, {"color": color, "dash": dash, "width": 3}))
    for one in list(curves.values())[:1]:
        words = f"random order: {one.random_area:.2f}"
        for axis, values in (("", one.random.mean(0)), ("2", one.random.mean(0)[::-1])):
            traces.append(_curve(axis, one.fractions, values, words, {"color": GREY, "width": 3}))
    span: dict[str, Any] = {"range": [-0.02, 1.02]} if quantity == "probability" else {"matches": "y"}
    layout = LAYOUT | {
        "xaxis": {
            "title": {"text": "pixels deleted, the most important first", **FONT},
            "domain": [0, 0.46],
            "tickformat": ".0%",
        },
        "xaxis2": {"title": {"text": "pixels inserted", **FONT}, "domain": [0.56, 1], "anchor": "y2", "tickformat": ".0%"},
        "yaxis": {"title": {"text": quantity, **FONT}, **span},
        "yaxis2": {**span, "anchor": "x2"},
        "legend": {**LAYOUT["legend"], "title": {"text": "areas by deletion and insertion"}},
        "margin": {**LAYOUT["margin"], "t": 80},
    }
    return go.Figure({"data": traces, "layout": layout})


def _curve(axis: str, x: np.ndarray, y: np.ndarray, name: str, line: dict[str, Any]) -> dict[str, Any]:
    aside = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": not axis}
    return {"x": x, "y": y, "name": name, "mode": "lines", "line": line, **aside}
