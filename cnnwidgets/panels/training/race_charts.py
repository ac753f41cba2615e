"""The charts of a TrainingRace."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods import Race
from cnnwidgets.methods.schedule_groups import label as label_of
from cnnwidgets.methods.schedule_groups import rated_alike
from cnnwidgets.methods.verdict import have_accuracy
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import FONT, dress, in_legend, look, more_groups, short, untold_of
from cnnwidgets.views.palette import GREY

Curve = tuple[np.ndarray, np.ndarray]


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


def quantities(race: Race) -> list[str]:
    """What there are curves of; no accuracy where answers are neither right nor wrong."""
    return ["loss", "accuracy"] if have_accuracy(race.histories) else ["loss"]


def curves_of(race: Race, name: str) -> list[Curve]:
    """The curves of a schedule in the order of :func:`plot`: (x, y) of each.

    Where there are several seeds, a curve is their mean, as far as all of them have come, and there is a band around that
    of the held-out data: one standard deviation below, and above. The last ones are the rates, of all groups of parameters
    that do not go alike.
    """
    runs = race.of(name)
    count = min(len(one.ends) for one in runs)
    x = np.arange(1, count + 1) if race.unit == "epoch" else runs[0].ends[:count]
    curves: list[Curve] = []
    for quantity in quantities(race):
        training = np.stack([getattr(one, f"epoch_{quantity}")[:count] for one in runs])
        validation = np.stack([getattr(one, f"validation_{quantity}")[:count] for one in runs])
        curves += [(x, training.mean(0)), (x, validation.mean(0))]
        if len(runs) > 1:
            spread = validation.std(0, ddof=1)
            curves += [(x, validation.mean(0) - spread), (x, validation.mean(0) + spread)]
        for members, _ in rated(race, name):
            rate = runs[0].rates[members[0]][runs[0].ends[:count] - 1]  # which led to what is measured at x
            curves.append((np.r_[0, x], np.r_[rate[:1], rate]) if count else (x, rate))
    return curves


def plot(race: Race) -> Any:
    """The empty chart of a race: loss and accuracy side by side, the rate below each, on the same axis of time."""
    from plotly.subplots import make_subplots

    shown = quantities(race)
    gaps = {"vertical_spacing": 0.06, "horizontal_spacing": 0.12}
    figure = make_subplots(2, len(shown), shared_xaxes=True, row_heights=[0.74, 0.26], **gaps)
    for k, name in enumerate(map(short, race.names)):
        color, dash = look(k)
        for column, _ in enumerate(shown, 1):
            place = {"row": 1, "col": column}
            thin = {"color": color, "dash": "dot", "width": 1.5}
            thick = {"color": color, "dash": dash, "width": 3}
            figure.add_scatter(
                x=[], y=[], name=f"{name}, training", mode="lines", line=thin, showlegend=False, hoverinfo="none", **place
            )
            figure.add_scatter(
                x=[], y=[], name=name, legendgroup=name, mode="lines", line=thick, showlegend=column == 1, hoverinfo="none",
                **place,
            )  # fmt: skip
            if len(race.of(race.names[k])) > 1:
                for fill in ("none", "tonexty"):
                    figure.add_scatter(
                        x=[], y=[], mode="lines", line={"width": 0, "color": color}, fill=fill, fillcolor=f"{color}33",
                        showlegend=False, hoverinfo="skip", **place,
                    )  # fmt: skip
            courses = rated(race, race.names[k])
            for j, (_, label) in enumerate(courses):
                stroke = {"color": color, "dash": look(k + j)[1], "width": 2, "shape": "vh"}
                told = bool(label) and column == 1 and in_legend(j, len(courses))
                figure.add_scatter(
                    x=[], y=[], name=f"{name}, {short(label) or 'rate'}", mode="lines", line=stroke, showlegend=told,
                    hoverinfo="none", row=2, col=column,
                )  # fmt: skip
    thin = {"color": GREY, "dash": "dot", "width": 1.5}
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


def rated(race: Race, name: str) -> list[tuple[list[int], str]]:
    """The groups of a schedule's parameters that have the same rate, and what a legend calls them."""
    spec = race.of(name)[0].spec
    return [(members, label_of(spec.get("groups", ()), members)) for members in rated_alike(spec)]


def snapshots(race: Race) -> Any:
    """Bars for the snapshots of the first schedule that has some, their ensemble, and the other schedules; or None."""
    import plotly.graph_objects as go

    name = next((name for name in race.names if len(race.ensemble(name)[0]) > 1), None)
    if name is None or not have_accuracy(race.histories):
        return None
    runs = race.of(name)
    singles, average = race.ensemble(name)
    rows = [(f"snapshot {k}", accuracies, "#56b4e9") for k, accuracies in enumerate(singles, 1)]
    rows.append((f"average of all {len(singles)}", average, "#0072b2"))
    rows += [(other, [one.final_accuracy for one in race.of(other)], GREY) for other in race.names if other != name]
    words, values, colors = zip(*rows, strict=True)
    means = np.array([np.mean(value) for value in values])
    bars = {"type": "data", "array": [np.std(value, ddof=1) for value in values]} if len(runs) > 1 else None
    figure = go.Figure()
    figure.add_bar(
        y=[short(word) for word in words], x=means, orientation="h", marker={"color": list(colors)}, error_x=bars,
        text=[f"{mean:.1%}" for mean in means], textposition="inside", insidetextanchor="start", textfont={"size": 14},
        hovertemplate="%{y}<br>%{x:.2%}<extra></extra>",
    )  # fmt: skip
    title = {"text": "Snapshots, their average, and others of the same budget", **FONT, "x": 0.01}
    axis = {"range": [0, 1.02], "tickformat": ".0%"}  # the last label needs some room
    return dress(figure, "held-out accuracy", "", title=title, yaxis_autorange="reversed", xaxis=axis, margin_b=56)
