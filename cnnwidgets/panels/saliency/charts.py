"""The charts of the sanity check and of the deletion and insertion test: each has two parts, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnwidgets.methods import METHODS, Faithfulness
from cnnwidgets.methods.sanity import Agreement
from cnnwidgets.net.errors import capitalized
from cnnwidgets.numbers import number
from cnnwidgets.views.curves import line, look, pair, short
from cnnwidgets.views.palette import GRAY


def sanity(agreements: Mapping[str, Mapping[int, Agreement]], layers: Sequence[str]) -> Any:
    """How similar each method's map stays to the original as more layers are randomized, as a plotly figure.

    Parameters:
        agreements: by method and depth.
        layers: for each depth, the layer that was randomized last.
    """
    curves = []
    for axis, measure in (("", "correlation"), ("2", "similarity")):
        for k, (method, found) in enumerate(agreements.items()):
            values = [getattr(one, measure) for one in found.values()]
            curve = line(list(found), values, METHODS[method].title, *look(k), axis=axis)
            texts = {"text": [layers[depth] for depth in found], "hovertemplate": "%{text}: %{y:.2f}"}
            curves.append({**curve, "mode": "lines+markers", "marker": {"size": 8}, **texts})
    ticks = {"range": [-0.5, max(1, len(layers) - 1) + 0.5], "dtick": max(1, len(layers) // 8)}
    titles = "rank correlation with the original map", "SSIM with the original map"
    span = {"range": [-0.3, 1.05], "zeroline": True}
    figure = pair(curves, ["random layers, from the end"] * 2, titles, ticks, span)
    return figure.update_layout(margin_t=60)


def faithfulness(curves: Mapping[str, Faithfulness]) -> Any:
    """Deletion and insertion curves of several methods and of a random order, as a plotly figure; areas in the legend."""
    first = next(iter(curves.values()), None)
    lines = []
    for k, (method, one) in enumerate(curves.items()):
        areas = f"{METHODS[method].title}: {number(one.deletion_area)}, {number(one.insertion_area)}"
        for axis, values in (("", one.deletion), ("2", one.insertion)):
            lines.append(line(one.fractions, values, areas, *look(k), axis=axis))
    if first:
        for axis, values in (("", first.random.mean(0)), ("2", first.random.mean(0)[::-1])):
            lines.append(line(first.fractions, values, f"random order: {number(first.random_area)}", GRAY, axis=axis))
    span: dict[str, Any] = {"range": [-0.02, 1.02]} if not first or first.quantity == "probability" else {"matches": "y"}
    titles = "pixels deleted,<br>most important first", "pixels inserted,<br>most important first"
    watched = first.quantity if first else ""
    words = "Area under the curve: deletion (low is good), insertion (high is good)"
    if first and first.unit:
        watched, words = "value of the unit", f"{capitalized(short(first.watched))}; the area is its mean<br>{words}"
    figure = pair(lines, titles, (watched, ""), {"tickformat": ".0%"}, span)
    return figure.update_layout(margin={"t": 80, "b": 64}, legend_title={"text": words, "side": "top", "font": {"size": 13}})
