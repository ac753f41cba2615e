"""The charts of a HyperparameterSearch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cnnwidgets.methods.searches import Searches
from cnnwidgets.methods.spaces import WAYS, Axis
from cnnwidgets.methods.trials import Search, Trial, words_of
from cnnwidgets.views.curves import FONT, blank, dress, log_axis, look, needs_plotly
from cnnwidgets.views.palette import GRAY

SYMBOLS = {"complete": "circle", "stopped": "x", "diverged": "x", "running": "circle-open"}
WORDS = {"complete": "trained to the end", "stopped": "stopped early", "diverged": "diverged", "running": "training"}

ROOM = 0.04
"""How far an axis goes on beyond its range, as a share of it."""

VALIDATION = "#0072b2"


class Group(NamedTuple):
    """Trials that are one curve of the scatter.

    Attributes:
        state: of all of them.
        numbers: int64, which trials of all searches they are.
    """

    state: str
    numbers: np.ndarray


def groups(found: Searches) -> list[Group]:
    """The trials by their states, in the order of the legend."""
    states = np.array([trial.state for _, trial in found.trials])
    return [Group(state, np.flatnonzero(states == state)) for state in SYMBOLS if (states == state).any()]


@needs_plotly
def empty(x: str, y: str) -> Any:
    """The axes of the trials, until there are some; what plotly imports for their colors is imported here."""
    nothing: dict[str, Any] = {"color": [0.0], "colorscale": "Viridis", "colorbar": {"title": {"text": "", **FONT}}}
    figure = blank(x, y).add_scatter(x=[None], y=[None], mode="markers", marker={**nothing, "showscale": False})
    return figure.update_layout(title={"text": "", **FONT})


@needs_plotly
def scatter(found: Searches, x: str, y: str, looked_at: Trial | None) -> tuple[Any, str]:
    """The trials over two axes, colored by their values, and a sentence about them."""
    import plotly.graph_objects as go

    first, trials = found.first, found.trials
    figure = go.Figure()
    values = np.array([trial.value for _, trial in trials], float)
    known = values[np.isfinite(values)]
    ends = {"cmin": float(known.min()), "cmax": float(known.max())} if known.size else {"cmin": 0.0, "cmax": 1.0}
    form = {"tickformat": ".0%"} if first.result == "accuracy" else {}
    colors: dict[str, Any] = {
        "colorscale": "Viridis", "reversescale": not first.higher, **ends,
        "colorbar": {"title": {"text": _quantity(first), "side": "right", "font": {"size": 13}}, "thickness": 12, **form},
    }  # fmt: skip
    places = {name: np.concatenate([one.places[name] for one in found.each]) for name in (x, y)}
    for k, (state, some) in enumerate(groups(found)):
        told = [_told(trials[number], found) for number in some]
        # a trial that has no value yet is gray, and one that diverged is the worst
        fill = np.nan_to_num(values[some], nan=ends["cmin"], posinf=ends["cmax"], neginf=ends["cmin"])
        figure.add_scatter(
            x=places[x][some], y=places[y][some], mode="markers", name=WORDS[state], text=told,
            hovertemplate="%{text}<extra></extra>",
            marker={
                "symbol": SYMBOLS[state], "size": 12 if state == "complete" else 9, "color": fill, **colors,
                "showscale": k == 0, "line": {"width": 1, "color": GRAY},
            },
        )  # fmt: skip
    rings = (("best", first.best, "star-open", "#d55e00", 22), ("looked at", looked_at, "circle-open", GRAY, 20))
    for name, trial, symbol, color, size in rings:
        if trial and not (name == "looked at" and trial is first.best):
            at = next(number for number, (_, one) in enumerate(trials) if one is trial)
            figure.add_scatter(
                x=[places[x][at]], y=[places[y][at]], mode="markers", name=name, hoverinfo="skip",
                marker={"symbol": symbol, "size": size, "color": color, "line": {"width": 2.5, "color": color}},
            )  # fmt: skip
    layout = {name: _axis(first.axes[axis]) for name, axis in (("xaxis", x), ("yaxis", y))}
    for name, axis in (("xaxis", x), ("yaxis", y)):
        layout[name]["title"] = {"text": words_of(axis) + (" (log)" if first.axes[axis].log else ""), **FONT}
    sentence = f"{len(trials)} trials by {words_of(x)} and {words_of(y)}, colored by {_quantity(first)}"
    title = {"text": f"{len(trials)} trials", "font": {"size": 14}, "x": 0.01, "y": 0.985, "yanchor": "top"}
    figure = dress(figure, "", "", **layout, showlegend=True, title=title, margin={"t": 66, "l": 70, "r": 16, "b": 44})
    return figure.update_layout(legend_itemsizing="constant"), sentence


def _told(one: tuple[Search, Trial], found: Searches) -> str:
    """A trial in the words of its hover."""
    search, trial = one
    ways = f"{search.by}, " if len(found.each) > 1 else ""
    value = search.told(trial.value) if np.isfinite(trial.value) else "no value yet"
    return f"{value} ({ways}{WORDS[trial.state]})<br>{search.point(trial)}"


def _quantity(search: Search) -> str:
    return {"accuracy": "test accuracy", "loss": "test loss"}.get(search.result, search.result)


def _axis(axis: Axis) -> dict[str, Any]:
    """A chart's axis for an axis of the space, a little longer than its range."""
    low, high = axis.low, axis.high
    if axis.choices:
        names = [str(choice) for choice in axis.choices]
        return {"range": [-0.5, len(names) - 0.5], "tickvals": [*range(len(names))], "ticktext": names}
    if axis.log:
        by = (high / low) ** ROOM if high > low else 1.5
        return log_axis(low / by, high * by, 6)
    by = ROOM * (high - low) or 0.5
    return {"range": [low - by, high + by]}


@needs_plotly
def course(found: Searches) -> tuple[Any, str]:
    """The best value so far by the number of trials, of each search."""
    import plotly.graph_objects as go

    figure, first = go.Figure(), found.each[0]
    for k, one in enumerate(found.each):
        best = one.best_so_far
        color, dash = look(WAYS.index(one.by) if one.by in WAYS else k)
        figure.add_scatter(
            x=np.arange(1, len(best) + 1), y=best, name=one.by, mode="lines",
            line={"color": color, "dash": dash, "width": 3, "shape": "hv"},
            hovertemplate=f"%{{y:{'.1%' if one.result == 'accuracy' else '.3~g'}}} after %{{x}} trials",
        )  # fmt: skip
    most = max((one.runs for one in found.each), default=1)
    known = np.concatenate([one.best_so_far for one in found.each])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = max(0.1 * (high - low), 0.02 * abs(high), 1e-12)
    up = {"range": [low - room, high + room]}
    axes = {
        "xaxis": {"range": [0.5, most + 0.5]},
        "yaxis": up | ({"tickformat": ".1~%"} if first.result == "accuracy" else {}),
    }
    figure = dress(figure, "trials", "best so far", **axes, showlegend=True, margin={"t": 24, "l": 60, "r": 12, "b": 40})
    return figure, f"the best {_quantity(first)} by the number of trials: {', '.join(one.by for one in found.each)}"


@needs_plotly
def training(search: Search, trial: Trial) -> tuple[Any, str]:
    """The validations and the training of a trial, epoch by epoch, one curve per seed."""
    import plotly.graph_objects as go

    figure, what = go.Figure(), search.result
    for k, run in enumerate(trial.histories):
        epochs = np.arange(1, len(run.ends) + 1)
        told = f"%{{y:{'.1%' if what == 'accuracy' else '.3~g'}}} after epoch %{{x}}"
        shared: dict[str, Any] = {"x": epochs, "mode": "lines+markers", "hovertemplate": told, "showlegend": not k}
        values, trained = getattr(run, f"validation_{what}"), getattr(run, f"epoch_{what}")
        figure.add_scatter(y=trained, name="training", line={"color": GRAY, "dash": "dot", "width": 2}, **shared)
        figure.add_scatter(y=values, name="test", line={"color": VALIDATION, "width": 3}, **shared)
    form = {"tickformat": ".0%", "range": [0, 1.02]} if what == "accuracy" else {}
    axes = {"xaxis": {"range": [0.8, search.steps + 0.2], "dtick": max(1, search.steps // 5)}, "yaxis": form}
    words = f"{search.point(trial)}: {search.told(trial.value)}"
    title = {"text": words[:1].upper() + words[1:], "font": {"size": 13}, "x": 0.01, "y": 0.98, "yanchor": "top"}
    figure = dress(figure, "epoch", what, **axes, title=title, margin={"t": 44, "l": 60, "r": 12, "b": 40})
    return figure, f"the training of {words}"
