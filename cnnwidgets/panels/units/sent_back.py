"""What in the picture made a unit answer: the value of its strongest position, sent back to the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import activations
from cnnwidgets.methods.projections import RULES
from cnnwidgets.net import UnitAddress
from cnnwidgets.net.errors import sentence
from cnnwidgets.net.relu_rules import NoRule
from cnnwidgets.numbers import number
from cnnwidgets.panels.top_patches.tiles import NOTHING, around_gray
from cnnwidgets.views import ImageView

TITLES = {"guided": "Guided", "deconvnet": "Deconvnet", "gradient": "Gradient"}


class SentBack:
    """Shows where the picture excites a unit most, sent back by a rule."""

    def __init__(self, panel: Panel, view: ImageView) -> None:
        self._panel, self._view = panel, view

    def look_at(self, address: UnitAddress, inputs: Any, rule: str) -> Job:
        """Show what a picture (1, C, H, W), preprocessed, does to a unit."""
        return self._panel.aside("back", lambda job: self._look(job, address, inputs, rule))

    def _look(self, job: Job, address: UnitAddress, inputs: Any, rule: str) -> None:
        values = activations(self._panel.net, inputs, [address.layer], cancel=job)[address.layer].values[address.unit]
        place = np.unravel_index(int(values.argmax()), values.shape)
        value = float(values[place])
        try:
            at = (address.layer, address.unit, int(place[0]), int(place[1]))
            found = RULES[rule](self._panel.net, inputs, unit=at, reduce="none").values  # type: ignore[union-attr]
            caption = f"from its peak, {number(value)}" if value else "it gives 0 here"
        except NoRule as error:
            found, caption = np.zeros(inputs.shape[1:], np.float32), sentence(error)
        picture = around_gray(abs(value) * found).transpose(1, 2, 0).round().astype(np.uint8)
        with LOCK:
            if not job.cancelled:
                self._view.show(picture if value else np.full_like(picture, NOTHING), title=TITLES[rule], caption=caption)
