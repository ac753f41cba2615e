"""Does a unit matter? The accuracy without it, without random ones, and without all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Ablation, ablate, all_but, predict_without, random_sets
from cnnwidgets.methods.browsing import Browsed
from cnnwidgets.net.errors import sentence
from cnnwidgets.panels.units.charts import ablation_chart, named, words_alone
from cnnwidgets.views import ChartView, ImageView

KEPT = 64
"""Results that are kept."""


class Losses:
    """Shows what becomes of the accuracy, and keeps what was found."""

    def __init__(self, panel: Panel, view: ChartView, dataset: Any) -> None:
        self._panel, self._view, self._dataset = panel, view, dataset
        self._found: dict[tuple[str, tuple[int, ...]], Ablation] = {}

    def look_at(self, layer: str, off: Sequence[int]) -> Job:
        """Show the accuracy without some units of a layer."""
        return self._panel.aside("ablation", lambda job: self._look(job, layer, tuple(off)))

    def answer(self, layer: str, off: Sequence[int], browsed: Browsed, view: ImageView) -> Job:
        """Say below the picture what the network says of it, and what it says without these units."""

        def look(job: Job) -> None:
            try:
                (without,) = predict_without(self._panel.net, (layer, off), browsed.inputs, 1)
            except (IndexError, ValueError):  # of units that cannot be switched off: the chart says why
                return
            said = self._panel.net.output.word(*without)
            with LOCK:
                if not job.cancelled:
                    view.caption = f"{browsed.first}; without {named(off)}: {said}"

        return self._panel.aside("answer", look)

    def _look(self, job: Job, layer: str, off: tuple[int, ...]) -> None:
        net, asked = self._panel.net, (layer, off)
        if asked not in self._found:
            self._show(job, words_alone("Measuring the accuracy …"), "the accuracy, which is being measured")
            try:
                sets = [asked, *random_sets(net, asked), all_but(net, asked)]
                found = ablate(net, self._dataset, sets, cancel=job)
            except (IndexError, TypeError, ValueError) as error:  # without labels or classes there is none
                self._show(job, words_alone(sentence(error)), sentence(error))
                return
            self._found = dict([*self._found.items(), (asked, found)][-KEPT:])
        found = self._found[asked]
        self._show(job, ablation_chart(found, off), found.sentence())

    def _show(self, job: Job, figure: Any, words: str) -> None:
        with LOCK:
            if not job.cancelled:
                self._view.show(figure, words)
