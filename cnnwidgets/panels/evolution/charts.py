"""The chart of a FeatureEvolution: how similar each layer is to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods import Evolution
from cnnwidgets.views.curves import dress, needs_plotly
from cnnwidgets.views.palette import GRAY
from cnnwidgets.views.paper import MARK

SHALLOW, DEEP = np.array([0x56, 0xB4, 0xE9]), np.array([0xD6, 0x0C, 0x0B])
"""Colors of the first and of the last layer."""

MOST_TICKS = 8


@needs_plotly
def similarity_chart(names: Sequence[str], layers: Sequence[str], found: Evolution | None, here: str | None) -> Any:
    """CKA with the end by checkpoint, a curve for each layer; that of one of them is thick. Empty while none is found."""
    import plotly.graph_objects as go

    figure = go.Figure()
    places = np.arange(len(names))
    mark: dict[str, Any] = {"selected": {"marker": {"color": MARK, "size": 11}}, "unselected": {"marker": {"opacity": 1}}}
    for number, layer in enumerate(layers):
        share = number / max(1, len(layers) - 1)
        color = "#{:02x}{:02x}{:02x}".format(*(SHALLOW + share * (DEEP - SHALLOW)).round().astype(int))
        figure.add_scatter(
            x=places, y=found.similarity[number] if found else np.full(len(names), np.nan), name=layer, mode="lines+markers",
            line={"color": color, "width": 5 if layer == here else 2}, marker={"color": color, "size": 7}, **mark,
            text=[*names], hovertemplate=f"{layer}, %{{text}}: %{{y:.2f}}<extra></extra>",
        )  # fmt: skip
    if found and np.isfinite(found.accuracy).any():
        figure.add_scatter(
            x=places, y=found.accuracy, name="accuracy", mode="lines", line={"color": GRAY, "width": 2, "dash": "dot"},
            text=[*names], hovertemplate="accuracy, %{text}: %{y:.1%}<extra></extra>",
        )  # fmt: skip
    noun, numbers = ticks(names)
    every = -(-len(names) // MOST_TICKS)
    return dress(
        figure, noun, "CKA with the end",
        xaxis={"range": [-0.3, len(names) - 0.7], "tickvals": [*range(0, len(names), every)], "ticktext": numbers[::every]},
        yaxis={"range": [-0.06, 1.06], "nticks": 4},
        margin={"t": 46, "l": 56, "r": 8, "b": 40},
    )  # fmt: skip


def ticks(names: Sequence[str]) -> tuple[str, list[str]]:
    """What stands under the axis and at its ticks: of "epoch 3" the noun once, and the numbers."""
    parts = [name.rsplit(" ", 1) for name in names]
    nouns = {part[0] for part in parts}
    if len(nouns) == 1 and all(len(part) == 2 for part in parts):
        return nouns.pop(), [part[1] for part in parts]
    return "checkpoint", [*names]
