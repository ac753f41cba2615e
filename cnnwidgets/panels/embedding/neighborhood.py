"""A picked picture, and the pictures that lie nearest to it: in a layer, and in pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from cnnwidgets.base import Panel
from cnnwidgets.base.image import picture_at
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Features, nearest
from cnnwidgets.views import ImageGrid, ImageView

NEAREST = 8
"""Neighbors that are shown."""

MOST = 40
"""Selected pictures that are shown."""


class Neighborhood:
    """A picture large, and small ones that a click opens: its neighbors, and what is selected.

    Parameters:
        panel: that shows them.
        dataset: that numbers count in.
        open: called with the number of a small picture that was clicked; None where none can be.
    """

    def __init__(self, panel: Panel, dataset: Any, open: Callable[[int], None] | None):
        self._panel, self._dataset, self._open = panel, dataset, open
        self._numbers: dict[ImageGrid, list[int]] = {}
        self.picture = ImageView(title="Click a point: its picture and its neighbors", width=200)
        self.picture.without_kernel = {"title": ""}
        self.alike, self.near, self.selected = (self._make_grid() for _ in range(3))

    def look_at(self, number: int, found: Features, pixels: Features, words: Sequence[str]) -> None:
        """Show a picture and, if it has a point, its neighbors in a layer and in pixels, as soon as they are found.

        Parameters:
            number: of the picture in the data set.
            words: the label of each point.
        """
        self._panel.aside("look", lambda job: self._look(job, number, found, pixels, words))

    def show_selection(self, points: np.ndarray, found: Features, words: Sequence[str], hidden: int = 0) -> None:
        """Show the pictures of selected points; ``hidden`` others are selected and have no point."""
        some = f"the first {MOST} of {len(points):,} selected" if len(points) > MOST else f"{len(points):,} selected"
        self._fill(self.selected, points[:MOST], found, words, f"{some}, {hidden:,} not shown" if hidden else some)

    def _look(self, job: Job, number: int, found: Features, pixels: Features, words: Sequence[str]) -> None:
        net = self._panel.net
        rows: np.ndarray = np.flatnonzero(found.indices == number)
        picture = net.picture(net.prepare(picture_at(net, self._dataset, number))[0])
        k = min(NEAREST, len(found.values) - 1) if len(rows) else 0
        alike, near = ((nearest(one.values, k, rows=rows)[0] if k else rows[:0]) for one in (found, pixels))
        with LOCK:
            if job.cancelled:  # another one is wanted by now
                return
            said, answer = ", which has no point", ""
            for point in rows.tolist():
                said, answer = words[point] and f": {words[point]}", found.answer(point, net.classes)
            self.picture.without_kernel = {}
            self.picture.show(picture, title=f"Picture {number}{said}", caption=answer)
            shared = f" ({len(np.intersect1d(alike, near))} of {k} in both)"
            self._fill(self.alike, alike, found, words, f"Nearest in {found.layer}")
            self._fill(self.near, near if found is not pixels else rows[:0], found, words, f"Nearest in pixels{shared}")

    def _fill(self, grid: ImageGrid, points: np.ndarray, found: Features, words: Sequence[str], title: str) -> None:
        self._numbers[grid] = found.indices[points].tolist()
        if self._panel.reveal(grid, len(points) > 0) and found.pictures is not None:
            labels = [words[point] for point in points]
            pictures = found.pictures[points]
            grid.show(pictures, labels=labels, title=title, selected=-1, limits=[0.0, 255.0], scale="fixed")

    def _make_grid(self) -> ImageGrid:
        lock = [] if self._open else ["unit"]
        grid = ImageGrid(noun="picture", tools=False, hide=["line"], tile=52, height=190, lock=lock)
        grid.without_kernel = {"lock": ["unit"]}
        grid.on_user("selected", partial(self._take, grid))
        return grid

    def _take(self, grid: ImageGrid, selected: int) -> None:
        if self._open and 0 <= selected < len(self._numbers[grid]):
            self._open(self._numbers[grid][selected])
