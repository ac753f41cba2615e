"""EarlyStopping: a recorded training, and where patience would have ended it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.methods import History, Race, Stop, early_stopping
from cnnwidgets.net.arguments import said
from cnnwidgets.panels.controls import Number, Slider
from cnnwidgets.panels.panel import Panel
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank, dress
from cnnwidgets.views.palette import GREY

if TYPE_CHECKING:
    from cnnwidgets.base.jobs import Job

TRAINING, VALIDATION, STOP, BEST = GREY, "#0072b2", "#d55e00", "#009e73"


class EarlyStopping(Panel):
    """Where a recorded training would have stopped, and what that would have saved and cost.

    >>> cw.EarlyStopping("run.json", patience=5)

    Parameters:
        history: a :class:`~cnnwidgets.methods.History`, a file that one was saved to, a race (its first run), or the
            validation losses themselves, one an epoch.
        patience, min_delta: see :class:`cnnwidgets.methods.Patience`.
    """

    patience = t.Int(5, min=1, help="epochs without a better validation loss that are borne").tag(
        control=Slider(lambda panel: (1, max(2, len(panel.losses))))
    )
    min_delta = t.Float(0.0, min=0.0, help="how much lower a loss must be to count as better").tag(
        control=Number(0.0, 100.0)
    )

    asks = frozenset(("patience", "min_delta"))

    def __init__(self, history: History | Race | Sequence[float] | str | Path, patience: int = 5, **options):
        if isinstance(history, (str, Path)):
            history = History.load(history)
        elif isinstance(history, Race):
            history = history.histories[0]
        self.history = history if isinstance(history, History) else None
        self.losses = history.validation_loss if isinstance(history, History) else _losses(history)
        super().__init__(None, patience=patience, **options)

    @property
    def subject(self) -> str:
        return f"{len(self.losses)} epochs" + (f" of {self.history.name}" if self.history else "")

    # Panel's parts

    def build(self) -> list[w.Widget]:
        self.chart = ChartView(height=320, readout=True)
        self.chart.show(blank("epoch", "loss"), "loss by epoch")
        return [*self.toolbox(), self.chart]

    def compute(self, job: Job) -> Stop:
        return early_stopping(self.losses, self.patience, self.min_delta)

    def draw(self, result: Stop) -> None:
        import plotly.graph_objects as go

        epochs = np.arange(1, len(self.losses) + 1)
        figure = go.Figure()
        if self.history:
            line = {"color": TRAINING, "dash": "dot", "width": 2}
            figure.add_scatter(
                x=epochs, y=self.history.epoch_loss, name="training loss", mode="lines", line=line, hoverinfo="none"
            )
        line = {"color": VALIDATION, "width": 3}
        figure.add_scatter(x=epochs, y=self.losses, name="validation loss", mode="lines", line=line, hoverinfo="none")
        for name, epoch, color, symbol in (
            ("lowest", result.lowest_epoch, STOP, "star"),
            ("kept", result.best_epoch, BEST, "circle"),
        ):
            if epoch >= 0 and (name == "kept" or result.cost > 0):
                figure.add_scatter(
                    x=[epoch + 1], y=[self.losses[epoch]], name=f"{name}: epoch {epoch + 1}", mode="markers",
                    marker={"color": color, "size": 13, "symbol": symbol}, hoverinfo="skip",
                )  # fmt: skip
        if result.stopped:
            figure.add_vline(result.epoch + 1, line={"color": STOP, "width": 2, "dash": "dash"})
            figure.add_annotation(
                x=result.epoch + 1, y=1, yref="paper", text="stops here", showarrow=False, xanchor="left", yanchor="top",
                font={"color": STOP, "size": 14}, xshift=4,
            )  # fmt: skip
            if result.saved:
                figure.add_vrect(
                    result.epoch + 1, len(epochs), fillcolor=TRAINING, opacity=0.15, line_width=0, layer="below"
                )
        dress(figure, "epoch", "loss", yaxis_rangemode="tozero")
        self.chart.show(figure, self.summary(result))

    def summary(self, result: Stop) -> str:
        return result.summary

    def data(self) -> dict[str, np.ndarray]:
        """``validation_loss`` (epochs,), and the ``epoch`` after which it stops, from 0; -1 if it does not."""
        return {"validation_loss": self.losses, "epoch": np.array(self.result.epoch if self.result.stopped else -1)}

    def code(self) -> str:
        return self.result.code()


def _losses(given: Any) -> np.ndarray:
    """float64 (epochs,): the validation losses in a list; a TypeError says what else is taken."""
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
            f"or the validation losses in a list{hint if isinstance(given, dict) else ''}"
        )
    return losses
