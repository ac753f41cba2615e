"""The scores of an ascent as curves that grow."""

from __future__ import annotations

from typing import Any

from cnnwidgets.panels.maximizer.climb import Climb
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import dress, look, needs_plotly
from cnnwidgets.views.palette import GRAY


class Growing:
    """A chart of an ascent that grows with it: only what is new is sent."""

    def __init__(self, chart: ChartView):
        self._chart, self._drawn, self._sent = chart, None, 0  # type: ChartView, Any, int

    def show(self, climb: Climb) -> None:
        key = climb.run, climb.steps, climb.switched
        if key != self._drawn or climb.made < self._sent:
            self._drawn = None  # plotly may be missing
            self._chart.show(plot(climb), "the score of what the network is shown, by step")
            self._drawn, self._sent = key, 0
        if climb.made > self._sent:
            steps = range(self._sent, climb.made)
            self._chart.extend({k: (steps, one.history[self._sent :]) for k, one in enumerate(climb.found)})
            self._sent = climb.made


@needs_plotly
def plot(climb: Climb) -> Any:
    """The empty chart; a dotted line stands where something was switched."""
    import plotly.graph_objects as go

    figure = go.Figure()
    several = len(climb.found) > 1
    for k in range(len(climb.found)):
        color, dash = look(k)
        style = {"color": color, "dash": dash, "width": 2 if several else 3}
        figure.add_scatter(x=[], y=[], mode="lines", name=f"picture {k + 1}", line=style, hoverinfo="none", showlegend=False)
    figure.add_scatter(x=[None], y=[None], hoverinfo="skip", showlegend=False)  # or there are no axes at first
    for step in climb.switched:
        figure.add_vline(step, line={"color": GRAY, "width": 1.5, "dash": "dot"})
    return dress(
        figure, "step", "score", xaxis={"range": [0, max(1, climb.steps)]}, margin={"t": 12, "l": 62, "r": 12, "b": 40}
    )
