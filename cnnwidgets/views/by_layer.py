"""A bar per layer, from the first to the last, over an axis with the names of the network's stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from cnnwidgets.views.curves import needs_plotly
from cnnwidgets.views.palette import GRAY

MARK, BAR = "#ffb000", "#648fff"

FAINT = 0.3
"""Opacity of the column behind the marked bar."""


def stages(names: Sequence[str]) -> list[tuple[str, int, int]]:
    """The runs of layers of one stage, as (name, first, last): ``layer1.0.conv1`` and ``layer1.1.relu`` are of ``layer1``.

    What all names begin with, such as ``features.``, is not what tells them apart, and is left out.
    """
    parts = [name.split(".") for name in names]
    while parts and len({part[0] for part in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [part[1:] for part in parts]
    numbered = groupby(enumerate(parts), key=lambda pair: pair[1][0])
    runs = [(name, [k for k, _ in run]) for name, run in numbered]
    return [(name, found[0], found[-1]) for name, found in runs]


def ticks(names: Sequence[str], letters: int) -> tuple[list[float], list[str]]:
    """Places and texts of an axis: the stages' names in their middle, long stages first, as far as they do not overlap.

    Parameters:
        letters: how many the axis has room for.
    """
    runs = sorted(stages(names), key=lambda run: run[1] - run[2])
    letter = max(1, len(names)) / letters
    taken: list[tuple[float, str]] = []
    for name, first, last in runs:
        middle = (first + last) / 2
        if all(abs(middle - other) > letter * ((len(name) + len(text)) / 2 + 1) for other, text in taken):
            taken.append((middle, name))
    taken.sort()
    return [place for place, _ in taken], [text for _, text in taken]


def borders(names: Sequence[str]) -> list[int]:
    """Where a stage of several layers begins, or a layer follows one."""
    runs = stages(names)
    return [
        first
        for before, (_, first, last) in pairwise([("", 0, 0), *runs])
        if first and max(last - first, before[2] - before[1])
    ]


@needs_plotly
def bars_by_layer(percents: Mapping[str, float], title: str, noun: str, letters: int) -> Any:
    """A plotly figure with a bar of 0 to 100 percent per layer; a marked bar has another color, on a faint column.

    Behind each bar there is a column of the chart's height, invisible unless it is marked, so that a layer without a bar can
    be marked and clicked, too.

    Parameters:
        percents: a percentage per layer, in order.
        noun: what they are percentages of.
        letters: how many the axis has room for.
    """
    import plotly.graph_objects as go

    names, places = list(percents), list(range(len(percents)))
    told = {"text": names, "textposition": "none", "customdata": list(percents.values())}
    hover = {"hovertemplate": f"%{{text}}<br>%{{customdata:.1f}}% {noun}<extra></extra>"}

    def bars(heights: list[float], color: str, opacity: float, marked: float) -> Any:
        chosen = {"marker": {"color": MARK, "opacity": marked}}
        look = {"color": color, "opacity": opacity, "line": {"width": 0}}
        others = {"marker": {"opacity": opacity}}
        return go.Bar(x=places, y=heights, marker=look, selected=chosen, unselected=others, **told, **hover)

    figure = go.Figure([bars([100.0] * len(places), MARK, 0, FAINT), bars(list(percents.values()), BAR, 1, 1)])
    values, texts = ticks(names, letters)
    small = {"size": 13}
    figure.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0, "xref": "container", "y": 1, "yanchor": "top", "pad": {"t": 2}},
        margin={"t": 24, "b": 22, "l": 44, "r": 4},
        yaxis={
            "range": [0, 100], "tickvals": [0, 50, 100], "ticktext": ["0%", "50%", "100%"], "tickfont": small,
            "fixedrange": True,
        },
        xaxis={
            "range": [-0.5, max(1, len(names)) - 0.5], "tickvals": values, "ticktext": texts, "tickfont": small,
            "tickangle": 0, "showgrid": False, "fixedrange": True, "automargin": False,
        },
        shapes=[
            {"type": "line", "x0": place - 0.5, "x1": place - 0.5, "y0": 0, "y1": 1, "yref": "paper",
             "line": {"color": GRAY, "width": 1, "dash": "dot"}, "layer": "below"} for place in borders(names)
        ],
        barmode="overlay", bargap=0.1, showlegend=False, template="none",
    )  # fmt: skip
    return figure
