"""A picked picture, and the pictures that lie nearest to it: in a layer, and in pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w
import numpy as np

from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Features, nearest
from cnnwidgets.net import BoundModel
from cnnwidgets.panels.picture import picture_at
from cnnwidgets.views import ImageGrid, ImageView

NEAREST = 8
"""Neighbours that are shown."""

MOST = 40
"""Selected pictures that are shown."""


class Neighbourhood(w.VBox):
    """A picture large, and small ones that a click opens: its neighbours, and what is selected.

    Parameters:
        aside: does what a hand asks for beside a computation, see :meth:`cnnwidgets.panels.Panel.aside`.
        open: called with the number (in the data set) of a small picture that was clicked.
    """

    def __init__(self, net: BoundModel, dataset: Any, aside: Callable[..., None], open: Callable[[int], None]):
        self._net, self._dataset, self._aside, self._open = net, dataset, aside, open
        self._numbers: dict[ImageGrid, list[int]] = {}
        self.picture = ImageView(title="Click a point: its picture and its neighbours", width=200)
        self.alike, self.near, self.selected = (self._make_grid() for _ in range(3))
        views = [self.selected, self.picture, self.alike, self.near]
        super().__init__(views, layout=w.Layout(flex="1 1 280px", min_width="0", max_height="640px", overflow="hidden auto"))

    def look_at(self, number: int, found: Features, pixels: Features, words: Sequence[str]) -> None:
        """Show a picture and, if it has a point, its neighbours in a layer and in pixels, as soon as they are found.

        Parameters:
            number: of the picture in the data set.
            words: the label of each point.
        """
        self._aside("look", lambda job: self._look(job, number, found, pixels, words))

    def show_selection(self, points: np.ndarray, found: Features, words: Sequence[str], hidden: int = 0) -> None:
        """Show the pictures of selected points; ``hidden`` others are selected and have no point."""
        some = f"the first {MOST} of {len(points):,} selected" if len(points) > MOST else f"{len(points):,} selected"
        self._fill(self.selected, points[:MOST], found, words, f"{some}, {hidden:,} not shown" if hidden else some)

    def _look(self, job: Job, number: int, found: Features, pixels: Features, words: Sequence[str]) -> None:
        rows: np.ndarray = np.flatnonzero(found.indices == number)
        picture = self._net.picture(self._net.prepare(picture_at(self._net, self._dataset, number))[0])
        k = min(NEAREST, len(found.values) - 1) if len(rows) else 0
        alike, near = ((nearest(one.values, k, rows=rows)[0] if k else rows[:0]) for one in (found, pixels))
        with LOCK:
            if job.cancelled:  # another one is wanted by now
                return
            said, answer = ", which has no point", ""
            for point in rows.tolist():
                said, answer = words[point] and f": {words[point]}", self._answer(found, point)
            self.picture.show(picture, title=f"Picture {number}{said}", caption=answer)
            shared = f" ({len(np.intersect1d(alike, near))} of {k} in both)"
            self._fill(self.alike, alike, found, words, f"Nearest in {found.layer}")
            self._fill(self.near, near if found is not pixels else rows[:0], found, words, f"Nearest in pixels{shared}")

    def _fill(self, grid: ImageGrid, points: np.ndarray, found: Features, words: Sequence[str], title: str) -> None:
        grid.layout.display = "" if len(points) else "none"
        self._numbers[grid] = found.indices[points].tolist()
        if len(points) and found.pictures is not None:
            grid.selected = -1
            grid.show(
                found.pictures[points],
                labels=[words[point] for point in points],
                title=title,
                limits=[0.0, 255.0],
                scale="fixed",
            )

    def _answer(self, found: Features, point: int) -> str:
        """What the network says of a point's picture."""
        if found.regression is not None:
            return found.output.says(zip(self._net.classes, found.regression[point].tolist(), strict=False))
        if found.top is None or found.chances is None:
            return ""
        names = [found.classes[index] for index in found.top[point]]
        return found.output.says(zip(names, found.chances[point].tolist(), strict=True))

    def _make_grid(self) -> ImageGrid:
        grid = ImageGrid(noun="picture", tools=False, hide=["line"], tile=52, height=190, layout=w.Layout(display="none"))
        grid.on_user("selected", lambda selected: self._take(grid, selected))
        return grid

    def _take(self, grid: ImageGrid, selected: int) -> None:
        if 0 <= selected < len(self._numbers.get(grid, ())):
            self._open(self._numbers[grid][selected])
