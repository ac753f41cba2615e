"""The charts of a UnitExplorer: what a unit answers to, by class, and the accuracy without it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from cnnwidgets.methods import Ablation, LayerProfiles
from cnnwidgets.numbers import percent
from cnnwidgets.panels.top_patches.words import class_name
from cnnwidgets.views.curves import FONT, dress, needs_plotly
from cnnwidgets.views.palette import GRAY, class_color
from cnnwidgets.views.paper import MARK

MOST = 12
"""Most classes on the chart; if there are more, those that the unit separates best."""

LETTERS = 11
"""Most letters of a class name under a bar."""

LINE = 44
"""Letters of a line over a chart."""

BAR = "#648fff"

MARGIN = {"t": 30, "l": 48, "r": 48, "b": 26}


@needs_plotly
def profile_chart(found: LayerProfiles, unit: int, names: Sequence[str]) -> Any:
    """The mean response to each class as bars, and how well the unit alone separates the class (AUC) as dots."""
    import plotly.graph_objects as go

    if not found.counts.any():
        return words_alone("No picture has a label.")
    means, auc = found.means[unit], found.auc[unit]
    order = np.flatnonzero(found.counts)
    if len(order) > MOST:
        order = np.sort(order[np.argsort(-np.nan_to_num(auc[order], nan=-1.0), kind="stable")[:MOST]])
    texts = [_short(class_name(int(k), names)) for k in order]
    x = list(range(len(order)))
    figure = go.Figure()
    colors = [class_color(int(k)) for k in order]
    figure.add_bar(
        x=x, y=means[order], name="mean response", marker={"color": colors, "line": {"width": 0}}, text=texts,
        textposition="none", hovertemplate="%{text}<br>mean %{y:.3g}<extra></extra>",
    )  # fmt: skip
    dots = {"size": 9, "color": MARK, "line": {"color": "black", "width": 1}}
    figure.add_scatter(
        x=x, y=auc[order], name="AUC", mode="markers", yaxis="y2", marker=dots, text=texts,
        hovertemplate="%{text}<br>AUC %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_shape(
        type="line", x0=0, x1=1, xref="paper", y0=0.5, y1=0.5, yref="y2", line={"color": GRAY, "dash": "dot", "width": 1}
    )
    return dress(
        figure, "", "", margin=MARGIN, showlegend=False, bargap=0.25,
        title=_title("Mean response by class (bars) · AUC (dots)"),
        xaxis={"tickvals": x, "ticktext": texts, "tickangle": 0, "fixedrange": True},
        yaxis={"nticks": 4, "fixedrange": True, "rangemode": "tozero"},
        yaxis2={
            "overlaying": "y", "side": "right", "range": [0, 1.03], "tickvals": [0, 0.5, 1], "showgrid": False,
            "fixedrange": True,
        },
    )  # fmt: skip


@needs_plotly
def words_alone(words: str) -> Any:
    """A chart that says why it is empty. What plotly imports to draw the others is imported here."""
    import plotly.graph_objects as go

    figure = go.Figure()
    bar = {"color": GRAY, "line": {"width": 0}}
    figure.add_bar(x=[], y=[], marker=bar, error_x={"array": [], "arrayminus": [], "color": GRAY})
    figure.add_shape(type="line", x0=0, x1=0, y0=0, y1=0, line={"color": GRAY}, visible=False)
    hidden = {"visible": False, "fixedrange": True}
    axes = {"xaxis": hidden, "yaxis": hidden, "yaxis2": {"overlaying": "y"}}
    lines = "<br>".join(wrap(words, LINE))
    return dress(figure, "", "", margin=MARGIN, title=_title(lines), showlegend=False, **axes)


@needs_plotly
def ablation_chart(found: Ablation, off: Sequence[int]) -> Any:
    """The accuracy of the intact network, without some units, without random ones, and without all others.

    Parameters:
        found: of the sets (these units, random ones of the same size, all but these), in this order.
    """
    import plotly.graph_objects as go

    without, *others, alone = found.accuracy
    noun = named(off)
    some = "1 random unit" if len(off) == 1 else f"{len(off)} random units"
    rows = [("intact", found.intact), (f"without {noun}", without), (f"without {some}", float(np.mean(others)))]
    rows.append((f"only {noun}", alone))
    names, values = zip(*reversed(rows), strict=True)
    spread = [0.0, max(others) - np.mean(others), 0.0, 0.0], [0.0, np.mean(others) - min(others), 0.0, 0.0]
    figure = go.Figure()
    figure.add_bar(
        y=list(names), x=[100 * value for value in values], orientation="h", text=[percent(value) for value in values],
        textposition="auto", textangle=0, insidetextanchor="start", hoverinfo="skip", textfont={"size": 13},
        marker={"color": [BAR, GRAY, MARK, BAR], "line": {"width": 0}},
        error_x={"array": [100 * one for one in spread[0]], "arrayminus": [100 * one for one in spread[1]], "color": GRAY},
    )  # fmt: skip
    return dress(
        figure, "", "", margin={**MARGIN, "l": 150, "r": 16}, showlegend=False,
        title=_title(f"Accuracy over {found.pictures:,} pictures"),
        xaxis={"range": [0, 102], "ticksuffix": "%", "nticks": 5, "fixedrange": True},
        yaxis={"fixedrange": True, "tickfont": {"size": 13}},
    )  # fmt: skip


def named(off: Sequence[int]) -> str:
    """Units in a few words."""
    return f"unit {off[0]}" if len(off) == 1 else f"{len(off)} units"


def _title(words: str) -> dict[str, Any]:
    return {"text": words, **FONT, "x": 0.01, "y": 0.98, "yanchor": "top"}


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
