"""How charts of curves look in every panel: their axes, their legend, their colors and dashes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnwidgets.numbers import number
from cnnwidgets.optional import needs
from cnnwidgets.views.palette import GRAY, OKABE_ITO

needs_plotly = needs("plotly", "A chart")

FONT = {"font": {"size": 14}}

DASHES = ("solid", "dash", "dashdot", "longdashdot", "longdash", "dot")

COLORS = (*(OKABE_ITO[k] for k in (5, 4, 2, 3, 0, 1, 6)), "#8737f7")
"""Of curves: the palette's, of which those that lie furthest apart come first, and a violet."""


def faint(color: str) -> str:
    """A color #rrggbb that lets four fifths of what is below through; plotly before 7 takes no #rrggbbaa."""
    return f"rgba({', '.join(str(int(color[k : k + 2], 16)) for k in (1, 3, 5))}, 0.2)"


def look(number: int) -> tuple[str, str]:
    """The color and the dash of a curve, by its number: eight colors, six dashes, 48 pairs before one comes again."""
    round_, place = divmod(number, len(COLORS))
    return COLORS[place], DASHES[(place + 5 * round_) % len(DASHES)]


def short(name: str, most: int = 44) -> str:
    """A name that a legend has room for."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


IN_LEGEND = 8
"""Groups of parameters of which a legend tells, if they go their own ways; the readout tells all of them."""


def in_legend(number: int, count: int) -> bool:
    """Whether a legend has room for one of so many groups."""
    return number < count - untold_of(count)


def untold_of(count: int) -> int:
    """For how many of so many groups a legend has no room, one of whose rows then says so."""
    return count - IN_LEGEND + 1 if count > IN_LEGEND else 0


def more_groups(count: int) -> dict[str, Any]:
    """The plotly curve without points that says in a legend how many groups it has no room for."""
    words = f"… {count} more: point at the chart"
    return {"x": [None], "y": [None], "name": words, "mode": "lines", "line": {"color": GRAY}, "hoverinfo": "skip"}


def log_axis(low: float, high: float, most: int = 8) -> dict[str, Any]:
    """A logarithmic axis from one number to another whose ticks are plain numbers: 1, 2 and 5 of each power, or fewer."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    found: list[float] = []
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
        found = [tick for tick in ticks if low <= tick <= high]
        if len(found) <= most:
            break
    found = found[:: -(-len(found) // most) or 1]
    ends = [math.log10(low), math.log10(high)]
    return {"type": "log", "range": ends, "tickvals": found, "ticktext": [number(tick).removeprefix("1×") for tick in found]}


LAYOUT: dict[str, Any] = {
    "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", **FONT},
    "margin": {"t": 30, "l": 70, "r": 16, "b": 44},
    "hovermode": "closest",
    "template": "none",
}


def line(x: Any, y: Any, name: str, color: str, dash: str = "solid", *, axis: str = "") -> dict[str, Any]:
    """A curve of a plotly figure; of a :func:`pair` that of its first chart, which is in the legend, or with axis "2"."""
    drawn = {"mode": "lines", "line": {"color": color, "dash": dash, "width": 3}}
    return {"x": x, "y": y, "name": name, **drawn, "xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": not axis}


@needs_plotly
def pair(curves: Sequence[Any], x: Sequence[str], y: Sequence[str], along: Mapping[str, Any], up: Mapping[str, Any]) -> Any:
    """Two charts side by side as a plotly figure: their axes' titles, and what else their axes are like."""
    import plotly.graph_objects as go

    layout = {**LAYOUT}
    for k, axis in enumerate(("", "2")):
        layout[f"xaxis{axis}"] = {"domain": ([0, 0.46], [0.56, 1])[k], "anchor": f"y{axis}", **along}
        layout[f"yaxis{axis}"] = {"anchor": f"x{axis}", **up}
        for name, title in ((f"xaxis{axis}", x[k]), (f"yaxis{axis}", y[k])):
            layout[name]["title"] = {"text": title, **FONT}
    return go.Figure({"data": curves, "layout": layout})


def dress(figure: Any, x: str, y: str, **layout: Any) -> Any:
    """Give a plotly figure its axes' titles, its legend and its margins; of subplots the axes stay as they are."""
    figure.update_layout(**LAYOUT | layout)
    if x:
        figure.update_layout(xaxis_title={"text": x, **FONT}, yaxis_title={"text": y, **FONT})
    return figure


@needs_plotly
def blank(x: str, y: str) -> Any:
    """A chart's axes, until there are curves.

    What plotly imports to draw those, and lines and words over them, is imported here, on the caller's thread.
    """
    from plotly.subplots import make_subplots

    mark = {"color": GRAY, "line": {"width": 0}}
    make_subplots(1, 1).add_vline(0, line=mark["line"], annotation={"text": "", **FONT})
    figure = make_subplots(1, 1, shared_xaxes=True)
    figure.add_scatter(x=np.empty(0), y=np.empty(0), mode="lines+markers", line={"color": GRAY}, marker=mark, row=1, col=1)
    return dress(figure, x, y)
