"""The charts of a TrainingMonitor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods.record_curves import QUANTITIES, courses, learning
from cnnwidgets.methods.records import Record
from cnnwidgets.views.curves import FONT, LAYOUT, log_axis, needs_plotly
from cnnwidgets.views.palette import GRAY

TRAINING, VALIDATION = GRAY, "#0072b2"

SHALLOW, DEEP = np.array([0x56, 0xB4, 0xE9]), np.array([0xD6, 0x0C, 0x0B])
"""Colors of the first and of the last layer."""

BAND = "#009e73"
DECADES = 6
"""Powers of ten that a logarithmic axis shows at most, from its highest value down."""

MOST_LETTERS = 60
"""Letters of layers' names that a legend has room for; of more it names the first and the last layer alone."""

LONGEST = 18
"""Letters of a layer's name, beyond which the blocks that it is in are told by their initials."""


def fraction(record: Record) -> float:
    """How much of a training is done, 0 to 1; 0 where its length is not known."""
    steps = (record.facts.get("epochs") or 0) * (record.facts.get("epoch_steps") or 0)
    return min(1.0, record.steps / steps) if steps else 0.0


@needs_plotly
def learning_chart(record: Record) -> Any:
    """Loss and accuracy side by side; the loss alone where there is no accuracy."""
    import plotly.graph_objects as go

    one = record.history
    shown = ["loss", "accuracy"]
    if not any(np.isfinite(values).any() for values in (one.accuracy, one.validation_accuracy)):
        shown = ["loss"]
    curves: list[dict[str, Any]] = []
    layout: dict[str, Any] = {**LAYOUT, "margin": {"t": 30, "l": 52, "r": 8, "b": 36}}
    for k, quantity in enumerate(shown):
        axis, domain = ("", "2")[k], ([0, 0.45], [0.55, 1])[k] if len(shown) > 1 else [0, 1]
        (x, y), (ends, validated) = learning(record, quantity)
        common: dict[str, Any] = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": not k}
        curves.append(
            {"x": x, "y": y, "name": "training", "mode": "lines", "line": {"color": TRAINING, "width": 1.5}, **common}
        )
        style: dict[str, Any] = {"mode": "lines+markers", "line": {"color": VALIDATION, "width": 3}, "marker": {"size": 6}}
        curves.append({"x": ends, "y": validated, "name": "validation", **style, **common})
        layout[f"xaxis{axis}"] = {
            "domain": domain,
            "anchor": f"y{axis}",
            "rangemode": "tozero",
            "title": {"text": "step", **FONT},
        }
        up: dict[str, Any] = {"rangemode": "tozero"} if quantity == "loss" else {"range": [0, 1.02], "tickformat": ".0%"}
        layout[f"yaxis{axis}"] = {**up, "anchor": f"x{axis}", "title": {"text": quantity, "standoff": 4, **FONT}}
    return go.Figure({"data": curves, "layout": layout})


@needs_plotly
def layers_chart(record: Record, quantity: str) -> Any:
    """A curve for each layer over the steps, from the first (blue) to the last (red); what is usual is a band."""
    import plotly.graph_objects as go

    about, found = QUANTITIES[quantity], courses(record, quantity)
    names = [name or quantity for name in told_apart([one.name for one in found])]
    all_fit = sum(map(len, names)) <= MOST_LETTERS
    curves: list[dict[str, Any]] = []
    for one, name in zip(found, names, strict=True):
        red, green, blue = (SHALLOW + one.depth * (DEEP - SHALLOW)).round().astype(int)
        style = {"color": f"rgb({red}, {green}, {blue})", "width": 2.5}
        curves.append({"x": one.x, "y": one.y, "name": name, "mode": "lines", "line": style, "showlegend": all_fit})
    if not all_fit:
        for end, curve in (("first", curves[0]), ("last", curves[-1])):
            words = {"name": f"{end}: {curve['name']}", "showlegend": True, "hoverinfo": "skip"}
            curves.append({**curve, "x": [None], "y": [None], **words})
    layout: dict[str, Any] = {
        **LAYOUT,
        "margin": {"t": 30, "l": 62, "r": 8, "b": 36},
        "showlegend": len(found) > 1,
        "xaxis": {"title": {"text": "step", **FONT}, "range": [0, max(1, record.steps)]},
        "yaxis": {**_up(about, found), "title": {"text": about.title, "standoff": 4, **FONT}},
        "shapes": [],
        "annotations": [],
    }
    if about.band and found:
        low, high = about.band
        layout["shapes"] = [
            {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "fillcolor": BAND, "opacity": 0.15,
             "line": {"width": 0}, "layer": "below"},
        ]  # fmt: skip
        mark = {"symbol": "square", "size": 12, "color": BAND, "opacity": 0.4}
        curves.append({"x": [None], "y": [None], "name": "usual", "mode": "markers", "marker": mark, "hoverinfo": "skip"})
    if not found:
        layout["annotations"] = [{
            "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "text": "not recorded" if record.steps else "no step yet",
            "showarrow": False, **FONT,
        }]  # fmt: skip
    return go.Figure({"data": curves, "layout": layout})


def told_apart(names: Sequence[str]) -> list[str]:
    """Names of layers that a legend has room for: of long ones the blocks, from the outermost, by their initials.

    >>> told_apart(["conv1", "backbone.encoder.stage_three.block_17.convolution_two"])
    ['conv1', 'b.e.st.b17.convolution_two']
    """
    cut = [_cut(name) for name in names]
    return [short if cut.count(short) == 1 else name for short, name in zip(cut, names, strict=True)]


def _cut(name: str) -> str:
    parts = name.split(".")
    for k, part in enumerate(parts[:-1]):
        if len(".".join(parts)) > LONGEST:
            parts[k] = "".join(word if word.isdigit() else word[0] for word in re.findall(r"\d+|[^\W\d_]+", part))
    return ".".join(parts)


def _up(about: Any, found: Any) -> dict[str, Any]:
    """The vertical axis."""
    if not about.log:
        return {"range": [-1.02, 1.02] if about.values == "cosine" else [0, 1.02]} | (
            {} if about.values == "cosine" else {"tickformat": ".0%"}
        )
    values = np.concatenate([one.y for one in found]) if found else np.empty(0)
    seen = [*values[np.isfinite(values) & (values > 0)].tolist(), *(about.band or ())]
    if not seen:
        return {}
    high = max(seen)
    low = max(min(seen), high / 10**DECADES)
    return log_axis(low / 1.5, high * 1.5, 5)
