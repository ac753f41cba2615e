"""A unit's strongest patch at each checkpoint, beside the part of it that made the unit answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Evolution, Patch
from cnnwidgets.net import BoundModel
from cnnwidgets.net.items import names_of
from cnnwidgets.net.relu_rules import NoRule
from cnnwidgets.numbers import number
from cnnwidgets.panels.top_patches.tiles import NOTHING, Looks, side_by_side
from cnnwidgets.panels.top_patches.words import class_name
from cnnwidgets.views import ImageGrid

RULE = "guided"
"""How the value goes back to the picture through each ReLU."""


class Film:
    """A grid with a tile for each checkpoint: a patch, and its projection.

    Parameters:
        panel: that shows it.
        nets: the checkpoints.
        names: what they are called.
        dataset: that the patches are of.
        grid: of the tiles.
    """

    def __init__(
        self, panel: Panel, nets: Sequence[BoundModel], names: Sequence[str], dataset: Any, grid: ImageGrid
    ) -> None:
        self._panel, self._names, self._classes = panel, names, names_of(dataset)
        self._looks = [Looks(net, dataset) for net in nets]
        self.grid = grid
        grid.limits, grid.scale = [0.0, 255.0], "fixed"

    def show(self, found: Evolution, layer: str, unit: int) -> Job:
        """Show a unit's strongest patches as soon as they are read and projected."""
        some = [patches[layer].strongest(unit)[:1] for patches in found.patches]
        return self._panel.aside("film", lambda job: self._show(job, layer, unit, some))

    def _show(self, job: Job, layer: str, unit: int, some: Sequence[Sequence[Patch]]) -> None:
        seen = [self._looks[k].seen(layer, patch[0]).patch if patch else None for k, patch in enumerate(some)]
        known = [one for one in seen if one is not None]
        gray = np.full(known[0].shape if known else (1, 1, 3), NOTHING, np.uint8)
        back = self._projections(job, layer, unit, some, gray)
        tiles, mosaic = side_by_side([gray if one is None else one for one in seen], back)
        what = f"strongest patch{'' if back is None else ' and what counted in it'}" if known else "dead at all checkpoints"
        title, told = f"{layer} · unit {unit} · {what}", self._told(some)
        with LOCK:
            if not job.cancelled:
                self.grid.show(tiles, mosaic=mosaic, title=title, labels=[*self._names], told=told)

    def _projections(
        self, job: Job, layer: str, unit: int, some: Sequence[Sequence[Patch]], gray: np.ndarray
    ) -> list[np.ndarray] | None:
        """Of each patch; None where the network has none."""
        found = []
        for looks, patch in zip(self._looks, some, strict=True):
            if job.cancelled:
                break
            try:
                found.append(looks.projection(layer, unit, patch[0], RULE) if patch else gray)
            except NoRule:
                return None
        return found

    def _told(self, some: Sequence[Sequence[Patch]]) -> list[str]:
        """A sentence on each tile."""
        told = []
        for name, patches in zip(self._names, some, strict=True):
            if not patches:
                told.append(f"{name}: the unit gives 0 at every position of every picture")
                continue
            (patch,) = patches
            label = f", labeled “{class_name(patch.label, self._classes)}”" if patch.label >= 0 else ""
            told.append(
                f"{name}: {number(patch.value)} at row {patch.row}, column {patch.column} of picture {patch.index}{label}"
            )
        return told
