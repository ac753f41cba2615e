"""EarlyStopping: a recorded training, and where patience ends it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.base import Panel, draws
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Number, Slide
from cnnwidgets.methods import History, Race, Stop, early_stopping, recorded
from cnnwidgets.methods.recorded import RECORDED
from cnnwidgets.net.arguments import said
from cnnwidgets.numbers import number
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank, dress, needs_plotly
from cnnwidgets.views.palette import GRAY

DOTS = 60
"""Epochs that are marked by a dot each; of more there is a line only."""

TRAINING, VALIDATION, STOP, BEST = GRAY, "#0072b2", "#d55e00", "#009e73"


class EarlyStopping(Panel):
    """Where early stopping ends a recorded training, and what that saves and misses.

    >>> cw.EarlyStopping("over-fitting")
    >>> cw.EarlyStopping("run.json")  # a saved History, or Lightning's metrics.csv: shows the training loss, too
    >>> cw.EarlyStopping([1.0, 0.6, 0.5, 0.52, 0.51, 0.55, 0.4, 0.45], patience=2)

    Parameters:
        history: "over-fitting", which is bundled; a :class:`~cnnwidgets.methods.History`, a file that one was saved to, a
            race (its first run), or a list of validation losses, one per epoch.
        patience, min_delta: see :class:`cnnwidgets.methods.Patience`.
    """

    patience = Slide(
        5, lambda panel: (1, max(2, len(panel.losses))), low=1, help="epochs to wait for a better validation loss"
    )
    min_delta = Number(
        0.0, 0.0, 100.0, free="above", label="smallest gain",
        help="how much lower a loss must be to count as better (min_delta)",
    )  # fmt: skip

    def __init__(self, history: History | Race | Sequence[float] | str | Path, patience: int = 5, **options: Any) -> None:
        if isinstance(history, (str, Path)):
            history = recorded(history) if history in RECORDED else History.load(history)
        elif isinstance(history, Race):
            history = history.histories[0]
        self.history = history if isinstance(history, History) else None
        self.losses = history.validation_loss if isinstance(history, History) else _losses(history)
        super().__init__(patience=patience, **options)

    @property
    def subject(self) -> str:
        return f"{len(self.losses)} epochs" + (f" of {self.history.name}" if self.history else "")

    def build(self) -> Part | tuple[Part, ...]:
        self.chart = ChartView(height=340, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank("epoch", "loss"), "loss by epoch")
        return self.chart

    def compute(self, state: SimpleNamespace, job: Job) -> Stop:
        return early_stopping(self.losses, state.patience, state.min_delta)

    @draws()
    def draw_losses(self, found: Stop) -> None:
        training = self.history.epoch_loss if self.history else None
        self.chart.show(_plot(found, self.losses, training), found.summary)

    def summary(self, found: Stop) -> str:
        return found.summary

    def data(self) -> dict[str, np.ndarray]:
        """``validation_loss`` (epochs,), and the ``epoch`` after which it stops, counted from 0; -1 if it never stops."""
        return {"validation_loss": self.losses, "epoch": np.array(self.result.epoch if self.result.stopped else -1)}

    def code(self) -> str:
        return self.result.code()


@needs_plotly
def _plot(found: Stop, losses: np.ndarray, training: np.ndarray | None) -> Any:
    """The losses by epoch, from 1; where it stops, what it saves, what it keeps and what it misses."""
    import plotly.graph_objects as go

    figure, epochs = go.Figure(), np.arange(1, len(losses) + 1)
    dotted = len(losses) <= DOTS or not np.isfinite(losses).all()  # beside a gap an epoch may have no line
    curve: dict[str, Any] = {"x": epochs, "mode": "lines+markers" if dotted else "lines", "hoverinfo": "none"}
    figure.add_scatter(y=losses, name="validation loss", line={"color": VALIDATION, "width": 3}, **curve)
    if training is not None:
        figure.add_scatter(y=training, name="training loss", line={"color": TRAINING, "dash": "dot", "width": 2}, **curve)
    missed = [("missed", found.lowest_epoch, STOP, "star")] if found.cost > 0 else []
    for name, epoch, color, symbol in (("kept", found.best_epoch, BEST, "circle"), *missed):
        if epoch >= 0:
            words = f"{name}: epoch {epoch + 1} (loss {number(losses[epoch])})"
            figure.add_scatter(
                x=[epoch + 1], y=[losses[epoch]], name=words, mode="markers",
                marker={"color": color, "size": 13, "symbol": symbol}, hoverinfo="skip",
            )  # fmt: skip
    if found.stopped:
        end = found.epoch + 1
        figure.add_vline(end, line={"color": STOP, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=end, y=1, yref="paper", text="stops here", showarrow=False, xanchor="left", yanchor="top",
            font={"size": 14}, xshift=4,
        )  # fmt: skip
        if found.saved:
            figure.add_vrect(end, len(epochs), fillcolor=TRAINING, opacity=0.15, line_width=0, layer="below")
            figure.add_annotation(
                x=(end + len(epochs)) / 2, y=0, yref="paper", yanchor="bottom", showarrow=False, font={"size": 13},
                text=f"{found.saved} epoch{'s' * (found.saved > 1)} saved",
            )  # fmt: skip
    return dress(figure, "epoch", "loss", yaxis_rangemode="tozero")


def _losses(given: Any) -> np.ndarray:
    """float64 (epochs,): the validation losses in a list; a TypeError says what else can be given."""
    if isinstance(given, dict):
        key = next((key for key in ("val_loss", "validation_loss") if key in given), next(iter(given), "val_loss"))
        hint = f" such as history[{key!r}]"
    try:
        losses = np.asarray(None if isinstance(given, dict) else given, float)
    except (TypeError, ValueError):
        losses = np.empty(())
    if losses.ndim != 1:
        raise TypeError(
            f"history is {said(given)}; expected a History, a Race, a file that one was saved to, "
            f"or a list of validation losses{hint if isinstance(given, dict) else ''}"
        )
    return losses
