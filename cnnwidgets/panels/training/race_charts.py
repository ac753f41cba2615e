"""The charts of a TrainingRace."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods import Race
from cnnwidgets.methods.race_curves import curves_of, have_rates, quantities, rated, snapshot_bars, standings
from cnnwidgets.methods.schedules import brief, sketch
from cnnwidgets.numbers import number, percent
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import (
    FONT,
    dress,
    faint,
    in_legend,
    log_axis,
    look,
    more_groups,
    needs_plotly,
    short,
    untold_of,
)
from cnnwidgets.views.palette import GRAY

BARS = {"snapshots": "#56b4e9", "average": "#0072b2", "others": GRAY}
"""Their colors."""

ROOM = 1.25
"""The loss axis goes to this many times the first batch's loss, which is about ln(classes) in an untrained network."""

DECADES = 3
"""Powers of ten that the rates' axis shows at most, from the highest rate down."""

SKETCHED = 200
"""Steps at which the rates' axis is measured."""


class Growing:
    """A chart of a race that grows with it: only what is new is sent."""

    def __init__(self, chart: ChartView):
        self._chart, self._drawn, self._sent = chart, None, []  # type: ChartView, Any, list[int]

    def show(self, race: Race) -> None:
        """Show a race, the whole of it or as far as it came."""
        curves = [curve for name in race.names for curve in curves_of(race, name)]
        several = [len(race.of(name)) > 1 for name in race.names]
        key = race.names, race.unit, several, race.steps, quantities(race), _top(race)
        if key != self._drawn or any(len(x) < sent for (x, _), sent in zip(curves, self._sent, strict=True)):
            figure, ended = plot(race)
            self._chart.show(figure, f"{', '.join(quantities(race))} and rate of every schedule as the training goes")
            self._chart.ended = ended
            self._drawn, self._sent = key, [0] * len(curves)
        new = {
            k: (x[sent:], y[sent:]) for k, ((x, y), sent) in enumerate(zip(curves, self._sent, strict=True)) if len(x) > sent
        }
        if new:
            self._chart.extend(new)
            self._sent = [len(x) for x, _ in curves]


@needs_plotly
def plot(race: Race) -> tuple[Any, list[int]]:
    """The empty chart of a race, and the numbers of the curves that have their names at their ends.

    Loss and accuracy are side by side, the rate is below each where rates differ, on the same axis of time. No axis moves
    as the curves grow.
    """
    from plotly.subplots import make_subplots

    shown, names, rates = quantities(race), brief(race.names), have_rates(race)
    last = 2 if rates else 1
    heights = {"row_heights": [0.76, 0.24], "vertical_spacing": 0.06} if rates else {}
    figure = make_subplots(last, len(shown), shared_xaxes=True, **heights)
    ended: list[int] = []

    def add(name: str, line: dict[str, Any], row: int, column: int, told: bool = False, **more: Any) -> None:
        curve = {"x": [], "y": [], "mode": "lines", "line": line, "hoverinfo": "none", **more}
        figure.add_scatter(**curve, **({"name": name} if name else {}), showlegend=told, row=row, col=column)

    for k, name in enumerate(map(short, race.names)):
        color, dash = look(k)
        courses = rated(race, race.names[k])
        for column, _ in enumerate(shown, 1):
            add(f"{name}, training", {"color": color, "dash": "dot", "width": 1.5}, 1, column)
            if column == len(shown):
                ended.append(len(figure.data))
            add(
                name, {"color": color, "dash": dash, "width": max(2, 5 - k)}, 1, column, meta=names[k]
            )  # on each other: all show
            if len(race.of(race.names[k])) > 1:
                for fill in ("none", "tonexty"):
                    band: dict[str, Any] = {"fill": fill, "fillcolor": faint(color), "hoverinfo": "skip"}
                    add("", {"width": 0, "color": color}, 1, column, **band)
            for j, (_, label) in enumerate(courses):
                stroke = {"color": color, "dash": look(k + j)[1], "width": max(2, 4 - k), "shape": "vh"}
                told = bool(label) and column == 1 and in_legend(j, len(courses))
                add(f"{name}, {short(label) or 'rate'}", stroke, 2, column, told)
    for place in range(last * len(shown)):  # plotly lays out no axes of curves that are all empty
        nothing: dict[str, Any] = {"x": [None], "y": [None], "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(**nothing, row=place // len(shown) + 1, col=place % len(shown) + 1)
    for words, line in (("test images", {"width": 4}), ("training images", {"width": 1.5, "dash": "dot"})):
        style = {"color": GRAY, **line}
        figure.add_scatter(x=[None], y=[None], name=words, mode="lines", line=style, hoverinfo="skip", row=1, col=1)
    if untold := sum(untold_of(len(rated(race, name))) for name in race.names):
        figure.add_scatter(**more_groups(untold), row=2, col=1)
    dress(figure, "", "", margin={"t": 30, "l": 62, "r": 8, "b": 40})
    figure.update_xaxes(range=[0, race.steps])
    if race.unit == "epoch" and race.steps <= 10:
        figure.update_xaxes(dtick=1)
    for column, words in enumerate(shown, 1):
        places = {"domain": [[0.0, 0.33], [0.46, 0.79]][column - 1] if len(shown) > 1 else [0.0, 0.84]}
        figure.update_xaxes(**places, col=column)
        figure.update_yaxes(title={"text": words, "standoff": 4, **FONT}, row=1, col=column)
        if rates:
            figure.update_yaxes(**log_axis(*_rates(race), most=4), title={"text": "rate (log)", **FONT}, row=2, col=column)
        figure.update_xaxes(title={"text": race.unit, **FONT}, row=last, col=column)
    if "loss" in shown and (top := _top(race)) is not None:
        figure.update_yaxes(range=[0, top], row=1, col=1)
    if "accuracy" in shown:
        figure.update_yaxes(range=[0, 1], tickformat=".0%", row=1, col=len(shown))
    return figure, ended


def standing_rows(race: Race) -> list[dict[str, Any]]:
    """The rows of a leader board."""
    accurate = "accuracy" in quantities(race)
    rows = []
    for one in standings(race):
        known = np.isfinite(one.value)
        text = (percent(one.value) if accurate else number(one.value)) if known else "NaN" if one.stopped else "–"
        if known and one.spread:
            text += f" ± {100 * one.spread:.1f}" if accurate else f" ± {number(one.spread, 2)}"
        share = (one.value if known else 0.0) if accurate else None
        rows.append(
            {"name": one.name, "text": text, "share": share, "color": look(one.number)[0], "note": one.stopped}
        )  # fmt: skip
    return rows


@needs_plotly
def snapshots(race: Race) -> Any:
    """Bars for the snapshots of a schedule, their average, and the other schedules; None if there are none."""
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
        text=[percent(mean) for mean in means], textposition="inside", insidetextanchor="start", textfont={"size": 14},
        hovertemplate="%{y}<br>%{x:.1%}<extra></extra>",
    )  # fmt: skip
    title = {"text": "Snapshots, their average, and the other schedules", **FONT, "x": 0.01}
    axis = {"range": [0, 1.02], "tickformat": ".0%"}  # the last label needs some room
    return dress(figure, "test accuracy", "", title=title, yaxis_autorange="reversed", xaxis=axis, margin_b=56)


def _top(race: Race) -> float | None:
    """Where the loss axis ends: one of few numbers, so that it stays as further runs begin; None before the first step."""
    first = [one.loss[0] for one in race.histories if len(one.loss) and np.isfinite(one.loss[0])]
    return float(f"{ROOM * max(first):.1g}") if first and max(first) > 0 else None


def _rates(race: Race) -> tuple[float, float]:
    """Where the rates' axis begins and ends: known before the first step, unless a schedule waits for a plateau."""
    at = np.unique(np.linspace(0, race.steps - 1, SKETCHED).astype(int))
    found = [1.0]
    for name in race.names:
        one = race.of(name)[0]
        plateau = one.spec["kind"] == "plateau"
        rates = one.rates if plateau and one.rates.size else sketch(one.spec, race.steps, at) if not plateau else np.empty(0)
        found += rates[rates > 0].tolist()
        found += [one.spec.get("min_lr", 0.0) or min(found[1:]) / 10] if plateau and len(found) > 1 else []
    high = max(found[1:], default=1.0)
    low = max(min(found[1:], default=1.0), high / 10**DECADES)
    return low / 1.5, high * 1.5
