"""InitLab: how far a signal gets in a deep network, by how its weights are set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.base import Panel, draws, row
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Flag, Number, Seed, Slide
from cnnwidgets.methods.initialization_schemes import INITIALIZATIONS
from cnnwidgets.methods.signal_training import Signals, signals
from cnnwidgets.methods.signals import Signal, Values
from cnnwidgets.methods.tasks import Trainable, task, task_of
from cnnwidgets.methods.variations import vary
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import ChartView
from cnnwidgets.views.by_layer import ticks
from cnnwidgets.views.curves import FONT, LAYOUT, blank, log_axis, needs_plotly
from cnnwidgets.views.palette import GRAY
from cnnwidgets.views.violins import layer_axis, violins

FORWARD, BACK = "#0072b2", "#d55e00"

LETTERS = 40
"""Letters of layers' names that a chart has room for."""


def _is_own(panel: Any) -> bool:
    return panel.is_own


def _of(*parameters: str) -> dict[str, list[str]]:
    """When a control is shown: for the schemes that have these parameters."""
    return {"init": [name for name, scheme in INITIALIZATIONS.items() if set(parameters) <= scheme.parameters.keys()]}


class InitLab(Panel):
    """See how far a signal gets in a deep network before it has learned anything, by how its weights are set.

    >>> cw.InitLab()
    >>> cw.InitLab(model, loader, init="xavier")  # a copy gets the weights, and trains; yours stays as it is

    Above are the values in each layer, below their standard deviation: activations go forward from the first layer,
    gradients of the loss come back from the last. "After" trains for some steps first.

    Parameters:
        network: by default a stack of equal layers on the digits; "digits" or "scenes"; a
            :class:`~cnnwidgets.methods.Task`; or a network.
        loader: for a network of your own: gives batches of pictures and labels.
    """

    init = Choice(
        list(INITIALIZATIONS), "uniform", texts=[one.title for one in INITIALIZATIONS.values()], label="weights",
        help="what the weights are before training, see `cw.methods.initialize`",
    )  # fmt: skip
    std = Number(1.0, 0.0, 100.0, when=_of("std"), label="deviation", help="standard deviation of the weights")
    gain = Number(
        None, 0.0, 100.0, whole=False, when=_of("gain"), more=True, none="usual",
        help="factor of the weights; by default √2 for Kaiming, else 1",
    )  # fmt: skip
    mode = Choice(["fan_in", "fan_out"], when=_of("mode"), more=True, help="keep the signal forward or the gradient back")
    activation = Choice(
        ["identity", "tanh", "sigmoid", "relu", "leaky_relu", "elu"], "tanh", absent=_is_own,
        texts=["none", "tanh", "sigmoid", "ReLU", "leaky ReLU", "ELU"],
        help="what follows the weights of each layer",
    )  # fmt: skip
    depth = Slide(10, (1, 30), absent=_is_own, help="number of layers")
    batch_norm = Flag(False, absent=_is_own, label="batch norm", help="normalize each unit over the batch")
    residual = Flag(False, absent=_is_own, label="residuals", help="add a layer's input to its output")
    moment = Choice(
        ["before", "after"], label="training", help="show the network as it begins, or after some training steps",
    )  # fmt: skip
    steps = Number(100, 1, 2000, free="above", more=True, when={"moment": ["after"]}, help="batches to train on")
    lr = Number(
        0.01, 0.0, 100.0, free="above", more=True, when={"moment": ["after"]}, label="learning rate",
        help="learning rate of the SGD (momentum 0.9) that trains",
    )  # fmt: skip
    width = Number(500, 1, 1000, more=True, absent=_is_own, help="units of each layer")
    seed = Seed(help="random seed of the weights and the batches")

    def __init__(self, network: Trainable | None = None, loader: Iterable[Any] | None = None, **options: Any) -> None:
        self._network, self._loader = network, loader
        super().__init__(**options)

    @property
    def is_own(self) -> bool:
        """Whether it shows another network than its stack."""
        return self._network is not None

    @property
    def subject(self) -> str:
        if self.is_own:
            return self._network if isinstance(self._network, str) else type(self._network).__name__
        return f"{self.depth} layers, {self.activation}"

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.forward, self.back = (ChartView(height=380, readout=True) for _ in range(2))
        for chart, noun in ((self.forward, "activation"), (self.back, "gradient")):
            with suppress(MissingPackage):
                chart.show(blank("layer", noun), f"{noun}s by layer")
        return row(self.forward, self.back)

    def compute(self, state: SimpleNamespace, job: Job) -> Signals:
        scheme = {"scheme": state.init}
        for name in INITIALIZATIONS[state.init].parameters.keys() & vars(state).keys():
            scheme[name] = getattr(state, name)
        if self._network is not None:
            given = task_of(self._network, self._loader, self._loader)
        else:
            options = {name: getattr(state, name) for name in ("activation", "depth", "width", "batch_norm", "residual")}
            given = vary(task("digits"), model={"builder": "linear_stack", **options})
        steps = state.steps if state.moment == "after" else 0
        return signals(given, scheme, steps=steps, lr=state.lr, seed=state.seed, on_update=job.update, cancel=job)

    @draws()
    def draw_both(self, found: Signals) -> None:
        for chart, noun, color in ((self.forward, "activations", FORWARD), (self.back, "gradients", BACK)):
            figure = _plot(found.before, found.after, noun, color, found.expected)
            chart.show(figure, f"{noun} by layer: {found.summary.splitlines()[0]}")

    def summary(self, found: Signals) -> str:
        return found.summary

    def progress(self, partial: Signals | None) -> str:
        return f"Step {len(partial.losses)} of {self.steps} …" if partial else "Loading the pictures …"

    def data(self) -> dict[str, np.ndarray]:
        """By layer, of what is shown: ``std`` and ``gradient_std``, ``counts`` (layers, bins) and ``edges``, and others.

        After training, those before it as well, with ``before_`` in front.
        """
        found = self.result
        shown = _arrays(found.after or found.before)
        return shown if found.after is None else {**shown, **{f"before_{k}": v for k, v in _arrays(found.before).items()}}

    def code(self) -> str:
        return self.result.code(self._network)


def _arrays(signal: Signal) -> dict[str, np.ndarray]:
    found = {"dead": signal.dead, "saturated": signal.saturated}
    for front, values in (("", signal.activations), ("gradient_", signal.gradients)):
        found |= {f"{front}{name}": value for name, value in vars(values).items()}
    return found


@needs_plotly
def _plot(before: Signal, after: Signal | None, noun: str, color: str, expected: np.ndarray) -> Any:
    """The values in each layer above, their deviation below."""
    import plotly.graph_objects as go

    shown: Values = getattr(after or before, noun)
    names, x = before.layers, np.arange(1, len(before.layers) + 1)
    curves: list[dict[str, Any]] = violins(shown.counts, shown.edges, color, xaxis="x", yaxis="y")

    def curve(y: np.ndarray, name: str, color: str, dash: str, width: int = 2) -> None:
        style = {"mode": "lines", "line": {"color": color, "dash": dash, "width": width}}
        curves.append({"x": x, "y": np.where(y > 0, y, np.nan), "name": name, **style, "xaxis": "x2", "yaxis": "y2"})

    curve(shown.std, "after training" if after else "deviation", color, "solid", 3)
    if after:
        curve(getattr(before, noun).std, "before", GRAY, "solid")
    elif noun == "activations":
        curve(shown.between, "between pictures", color, "dot")
        if np.isfinite(expected).any():
            curve(expected, "infinitely wide", GRAY, "dash")
    drawn = np.concatenate([one["y"] for one in curves[len(names) :]])
    seen = drawn[np.isfinite(drawn)]
    low, high = (seen.min() / 1.5, seen.max() * 1.5) if len(seen) else (0.1, 1.0)
    wider = max(1.0, math.sqrt(10 * low / high))  # at least a factor of ten is seen
    stacked = all(name == f"layer{k}" for k, name in enumerate(names, 1))
    axis = layer_axis(names, *((), ()) if stacked else ticks(names, LETTERS))
    room = 0.04 * (shown.edges[-1] - shown.edges[0])
    values = {"range": [shown.edges[0] - room, shown.edges[-1] + room], "exponentformat": "power"}
    below = log_axis(low / wider, high * wider, 5)
    layout = {
        **LAYOUT,
        "xaxis": {**axis, "anchor": "y", "showticklabels": False},
        "xaxis2": {**axis, "anchor": "y2", "title": {"text": "layer", **FONT}},
        "yaxis": {**values, "domain": [0.48, 1], "anchor": "x", "title": {"text": noun, **FONT}},
        "yaxis2": {**below, "domain": [0, 0.4], "anchor": "x2", "title": {"text": "deviation", **FONT}},
    }
    return go.Figure({"data": curves, "layout": layout})
