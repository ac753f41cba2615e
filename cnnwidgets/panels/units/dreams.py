"""The pictures that units answer to most, made on demand and kept."""

from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np

from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Maximized, maximize
from cnnwidgets.methods.objectives import unit
from cnnwidgets.net import UnitAddress
from cnnwidgets.numbers import number
from cnnwidgets.views import ImageView

STEPS = 96
"""Steps of gradient ascent."""

FRAME = 0.15
"""Least seconds from one picture on screen to the next."""

KEPT = 256
"""Pictures that are kept."""


class Dreams:
    """Shows of one unit after the other the picture that it answers to most."""

    def __init__(self, panel: Panel, view: ImageView) -> None:
        self._panel, self._view = panel, view
        self._made: OrderedDict[UnitAddress, Maximized] = OrderedDict()

    def look_at(self, address: UnitAddress) -> Job:
        """Show a unit's picture as it comes to be, or at once where it was made before."""
        return self._panel.aside("dream", lambda job: self._look(job, address))

    def _look(self, job: Job, address: UnitAddress) -> None:
        due = 0.0

        def tell(part: list[Maximized], share: float) -> None:
            nonlocal due
            if time.monotonic() > due:
                (found,) = part
                self._show(job, found, f"step {len(found.history)} of {STEPS}")
                due = time.monotonic() + FRAME

        if address not in self._made:
            made = maximize(self._panel.net, [unit(*address)], steps=STEPS, on_update=tell, cancel=job)
            (self._made[address],) = made  # type: ignore[misc]  # a list, for a list was asked
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        found = self._made[address]
        self._show(job, found, found.notes[0] if found.notes else f"mean {number(found.score)}")

    def _show(self, job: Job, found: Maximized, caption: str) -> None:
        picture = np.round(255 * found.picture).astype(np.uint8)
        if picture.ndim == 2 or picture.shape[2] != 3:
            gray = picture if picture.ndim == 2 else picture.mean(2).astype(np.uint8)
            picture = np.repeat(gray[..., None], 3, -1)
        with LOCK:
            if not job.cancelled:
                self._view.show(picture, title="What it wants", caption=caption)
