"""The charts of a TrainingRace."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods import Race
from cnnwidgets.methods.race_curves import curves_of, quantities, rated, snapshot_bars
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import FONT, dress, in_legend, look, more_groups, needs_plotly, short, untold_of
from cnnwidgets.views.palette import GRAY

BARS = {"snapshots": "#56b4e9", "average": "#0072b2", "others": GRAY}
"""Their colors."""


class Growing:
    """A chart of a race that grows with it: only what is new is sent."""

    def __init__(self, chart: ChartView):
        self._chart, self._drawn, self._sent = chart, None, []  # type: ChartView, Any, list[int]

    def show(self, race: Race) -> None:
        """Show a race, the whole of it or as far as it came."""
        curves = [curve for name in race.names for curve in curves_of(race, name)]
        begun = any(len(x) for x, _ in curves)
        several = [len(race.of(name)) > 1 for name in race.names]
        key = race.names, race.unit, several, race.steps, begun, quantities(race)
        if key != self._drawn or any(len(x) < sent for (x, _), sent in zip(curves, self._sent, strict=True)):
            figure = plot(race) if begun else plot(race).update_yaxes(showticklabels=False)  # there is no scale yet
            self._chart.show(figure, f"{', '.join(quantities(race))} and rate of every schedule as the training goes")
            self._drawn, self._sent = key, [0] * len(curves)
        new = {
            k: (x[sent:], y[sent:]) for k, ((x, y), sent) in enumerate(zip(curves, self._sent, strict=True)) if len(x) > sent
        }
        if new:
            self._chart.extend(new)
            self._sent = [len(x) for x, _ in curves]


@needs_plotly
def plot(race: Race) -> Any:
    """The empty chart of a race: loss and accuracy side by side, the rate below each, on the same axis of time."""
    from plotly.subplots import make_subplots

    shown = quantities(race)
    gaps = {"vertical_spacing": 0.06, "horizontal_spacing": 0.12}
    figure = make_subplots(2, len(shown), shared_xaxes=True, row_heights=[0.74, 0.26], **gaps)

    def add(name: str, line: dict[str, Any], row: int, column: int, told: bool = False, **more: Any) -> None:
        curve = {"x": [], "y": [], "mode": "lines", "line": line, "hoverinfo": "none", **more}
        figure.add_scatter(**curve, **({"name": name} if name else {}), showlegend=told, row=row, col=column)

    for k, name in enumerate(map(short, race.names)):
        color, dash = look(k)
        courses = rated(race, race.names[k])
        for column, _ in enumerate(shown, 1):
            add(f"{name}, training", {"color": color, "dash": "dot", "width": 1.5}, 1, column)
            add(name, {"color": color, "dash": dash, "width": 3}, 1, column, column == 1, legendgroup=name)
            if len(race.of(race.names[k])) > 1:
                for fill in ("none", "tonexty"):
                    band: dict[str, Any] = {"fill": fill, "fillcolor": f"{color}33", "hoverinfo": "skip"}
                    add("", {"width": 0, "color": color}, 1, column, **band)
            for j, (_, label) in enumerate(courses):
                stroke = {"color": color, "dash": look(k + j)[1], "width": 2, "shape": "vh"}
                told = bool(label) and column == 1 and in_legend(j, len(courses))
                add(f"{name}, {short(label) or 'rate'}", stroke, 2, column, told)
    thin = {"color": GRAY, "dash": "dot", "width": 1.5}
    figure.add_scatter(x=[None], y=[None], name="training data", mode="lines", line=thin, hoverinfo="skip", row=1, col=1)
    if untold := sum(untold_of(len(rated(race, name))) for name in race.names):
        figure.add_scatter(**more_groups(untold), row=2, col=1)
    dress(figure, "", "")
    figure.update_xaxes(range=[0, race.steps])
    for column, words in enumerate(shown, 1):
        figure.update_yaxes(title={"text": words, "standoff": 4, **FONT}, row=1, col=column)
        figure.update_yaxes(type="log", exponentformat="power", nticks=3, showticklabels=column == 1, row=2, col=column)
        figure.update_xaxes(title={"text": race.unit, **FONT}, row=2, col=column)
    if "accuracy" in shown:
        figure.update_yaxes(tickformat="~%", row=1, col=2)
    figure.update_yaxes(title={"text": "rate", **FONT}, row=2, col=1)  # the same on both sides
    return figure


@needs_plotly
def snapshots(race: Race) -> Any:
    """Bars for the snapshots of a schedule, their average, and the other schedules; None where there are none."""
    import plotly.graph_objects as go

    rows = [(*bar, BARS[kind]) for kind, bars in snapshot_bars(race).items() for bar in bars]
    if not rows:
        return None
    words, values, colors = zip(*rows, strict=True)
    means = np.array([np.mean(value) for value in values])
    several = {"type": "data", "array": [np.std(value, ddof=1) for value in values]} if len(values[0]) > 1 else None
    figure = go.Figure()
    figure.add_bar(
        y=[short(word) for word in words], x=means, orientation="h", marker={"color": list(colors)}, error_x=several,
        text=[f"{mean:.1%}" for mean in means], textposition="inside", insidetextanchor="start", textfont={"size": 14},
        hovertemplate="%{y}<br>%{x:.2%}<extra></extra>",
    )  # fmt: skip
    title = {"text": "Snapshots, their average, and others of the same budget", **FONT, "x": 0.01}
    axis = {"range": [0, 1.02], "tickformat": ".0%"}  # the last label needs some room
    return dress(figure, "held-out accuracy", "", title=title, yaxis_autorange="reversed", xaxis=axis, margin_b=56)
