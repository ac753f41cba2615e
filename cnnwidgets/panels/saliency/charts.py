"""The charts of the sanity check and of deletion and insertion: each is two, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnwidgets.methods import METHODS, Faithfulness
from cnnwidgets.methods.sanity import Agreement
from cnnwidgets.views.curves import FONT, LAYOUT, look
from cnnwidgets.views.palette import GREY


def sanity(agreements: Mapping[str, Mapping[int, Agreement]], layers: Sequence[str]) -> Any:
    """How much each method's map is like the original, by the number of layers that were randomised, as a plotly figure.

    Parameters:
        agreements: by method and depth.
        layers: for each depth the layer that was randomised last.
    """
    curves = []
    for axis, measure in (("", "correlation"), ("2", "similarity")):
        for k, (method, found) in enumerate(agreements.items()):
            curve = _curve(
                axis, list(found), [getattr(one, measure) for one in found.values()], METHODS[method].title, *look(k)
            )
            texts = {"text": [layers[depth] for depth in found], "hovertemplate": "%{text}: %{y:.2f}"}
            curves.append({**curve, "mode": "lines+markers", "marker": {"size": 8}, **texts})
    ticks = {"range": [-0.5, max(1, len(layers) - 1) + 0.5], "dtick": max(1, len(layers) // 8)}
    alike = {"range": [-0.3, 1.05], "zeroline": True}
    titles = "last layers with random weights", "rank correlation with the original", "SSIM with the original"
    return _pair(curves, titles[:1] * 2, titles[1:], ticks, alike, 60)


def faithfulness(curves: Mapping[str, Faithfulness], quantity: str = "probability") -> Any:
    """Deletion and insertion curves of several methods beside a random order, as a plotly figure; areas in the legend."""
    traces = []
    for k, (method, one) in enumerate(curves.items()):
        areas = f"{METHODS[method].title}: {one.deletion_area:.2f} and {one.insertion_area:.2f}"
        for axis, values in (("", one.deletion), ("2", one.insertion)):
            traces.append(_curve(axis, one.fractions, values, areas, *look(k)))
    for one in list(curves.values())[:1]:
        for axis, values in (("", one.random.mean(0)), ("2", one.random.mean(0)[::-1])):
            traces.append(_curve(axis, one.fractions, values, f"random order: {one.random_area:.2f}", GREY))
    span: dict[str, Any] = {"range": [-0.02, 1.02]} if quantity == "probability" else {"matches": "y"}
    titles = "pixels deleted, the most important first", "pixels inserted"
    figure = _pair(traces, titles, (quantity, ""), {"tickformat": ".0%"}, span, 80)
    return figure.update_layout(legend_title_text="areas by deletion and insertion")


def _curve(axis: str, x: Any, y: Any, name: str, color: str, dash: str = "solid") -> dict[str, Any]:
    line = {"color": color, "dash": dash, "width": 3}
    aside = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": not axis}
    return {"x": x, "y": y, "name": name, "mode": "lines", "line": line, **aside}


def _pair(curves: Sequence[Any], x: Sequence[str], y: Sequence[str], along: Mapping, up: Mapping, top: int) -> Any:
    """Two charts whose axes have titles, and else are alike."""
    import plotly.graph_objects as go

    layout = LAYOUT | {"margin": {**LAYOUT["margin"], "t": top}}
    for k, axis in enumerate(("", "2")):
        beside = {"domain": ([0, 0.46], [0.56, 1])[k], "anchor": f"y{axis}", **along}
        layout[f"xaxis{axis}"] = {"title": {"text": x[k], **FONT}, **beside}
        layout[f"yaxis{axis}"] = {"title": {"text": y[k], **FONT}, "anchor": f"x{axis}", **up}
    return go.Figure({"data": curves, "layout": layout})
