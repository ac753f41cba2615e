"""The patches of a unit on screen, each beside its projection, and the picture that one of them is of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Patch, UnitPatches
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.errors import sentence
from cnnwidgets.net.items import names_of
from cnnwidgets.net.relu_rules import NoRule
from cnnwidgets.panels.top_patches import words
from cnnwidgets.panels.top_patches.tiles import Looks, Seen, side_by_side
from cnnwidgets.views import ImageGrid, ImageView

SOON = 0.2
"""Seconds between two looks at projections that take long."""


class Pairs:
    """A grid of patches with their projections, and one of their pictures.

    Parameters:
        panel: that shows them.
        dataset: that the patches are of.
        free: whether a hand can choose one.
        picture: where the chosen one's picture is shown; None for nowhere.
    """

    def __init__(self, panel: Panel, dataset: Any, free: bool, picture: ImageView | None = None) -> None:
        self._panel, self._names, self._looks = panel, names_of(dataset), Looks(panel.net, dataset)
        lock = [] if free else ["unit"]
        self.grid = ImageGrid(
            noun="patch", tools=False, height=364, steady=True, lock=lock, limits=[0.0, 255.0], scale="fixed"
        )
        self.grid.without_kernel = {"lock": ["unit"]}
        self.picture = picture

    def look_at(
        self, layer: UnitPatches, patches: Sequence[Patch], wanted: SimpleNamespace, scanned: int, title: str = ""
    ) -> Job:
        """Show a unit's patches as soon as they are read; where projections take long, gray stands for those to come.

        Parameters:
            wanted: the panel's state that they were chosen with.
            scanned: number of pictures that they are of.
            title: the line over them; by default it says whose they are, or why there are none.
        """
        tenths = words.tenths(layer, wanted.unit) if wanted.which == "deciles" and patches else []
        about = {
            "title": title or words.heading(layer, wanted.unit, wanted.which, patches, scanned),
            "labels": words.under(patches, self._names, tenths),
            "told": words.told(patches, self._names, wanted.which),
            "selected": _chosen(self._panel.net, layer.layer, patches, wanted),
        }
        return self._panel.aside("look", lambda job: self._look(job, layer.layer, patches, wanted, about))

    def _look(
        self, job: Job, layer: Layer, patches: Sequence[Patch], wanted: SimpleNamespace, about: dict[str, Any]
    ) -> None:
        soon = time.monotonic() + SOON
        seen = [self._looks.seen(layer.name, patch) for patch in patches]
        back: list[np.ndarray] = []
        try:
            for patch in patches:
                if job.cancelled:
                    return
                if time.monotonic() > soon:
                    self._show(job, layer, patches, seen, back, about)
                    soon += SOON
                back.append(self._looks.projection(layer.name, wanted.unit, patch, wanted.rule))
        except NoRule as error:
            told = {**about, "title": f"{about['title']} · no projections: {sentence(error)}"}
            self._show(job, layer, patches, seen, None, told)
        else:
            self._show(job, layer, patches, seen, back, about)

    def _show(
        self,
        job: Job,
        layer: Layer,
        patches: Sequence[Patch],
        seen: Sequence[Seen],
        back: Sequence[np.ndarray] | None,
        about: dict[str, Any],
    ) -> None:
        tiles, mosaic = side_by_side([one.patch for one in seen], back)
        with LOCK:
            if job.cancelled:  # others are wanted by now
                return
            self.grid.show(tiles, mosaic=mosaic, **about)
            if self.picture and self._panel.reveal(self.picture, bool(patches)):
                shown = max(about["selected"], 0)
                self._show_picture(self.picture, layer, patches[shown], seen[shown].picture)

    def _show_picture(self, view: ImageView, layer: Layer, patch: Patch, picture: np.ndarray) -> None:
        sees = layer.receptive_field
        view.show(
            picture,
            field=asdict(sees) if sees else {},
            positions=list(layer.map_shape[1:]),
            cursor=[float(patch.row), float(patch.column)],
            title=f"Picture {patch.index}",
            caption=words.labeled(patch, self._names),
        )


def center(net: BoundModel, layer: Layer, patch: Patch) -> tuple[float, float]:
    """The pixel of the picture at the center of what a patch's position sees."""
    return layer.to_pixel(patch.row, patch.column, net.input_shape[1:])


def _chosen(net: BoundModel, layer: Layer, patches: Sequence[Patch], wanted: SimpleNamespace) -> int:
    """Which of the patches is that of the chosen picture, and of its patches the one at the cursor; -1 for none."""
    image = wanted.image if isinstance(wanted.image, int) else None  # a picture itself is none of the data set
    of = [number for number, patch in enumerate(patches) if patch.index == image]
    here = [number for number in of if center(net, layer, patches[number]) == (wanted.y, wanted.x)]
    return (here or of or [-1])[0]
