"""A picked picture, and the pictures that lie nearest to it: in a layer, and in pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w
import numpy as np

from cnnwidgets.methods import Features, nearest
from cnnwidgets.methods.features import INPUT
from cnnwidgets.net import BoundModel
from cnnwidgets.panels.jobs import LOCK, Job
from cnnwidgets.panels.picture import item_for
from cnnwidgets.views import ImageGrid, ImageView

NEAREST = 8
"""Neighbours that are shown."""

MOST = 40
"""Selected pictures that are shown."""


class Neighbourhood(w.VBox):
    """A picture large, and small ones that a click opens: its neighbours, and what is selected.

    Parameters:
        open: called with the number (in the data set) of a small picture that was clicked.
    """

    def __init__(self, net: BoundModel, dataset: Any, open: Callable[[int], None]):
        self._net, self._dataset, self._open = net, dataset, open
        self._wanted: tuple | None = None
        self._numbers: dict[ImageGrid, list[int]] = {}
        self.picture = ImageView(title="Click a point: its picture and its neighbours", width=200)
        self.alike, self.near, self.selected = (self._make_grid() for _ in range(3))
        views = [self.picture, self.alike, self.near, self.selected]
        super().__init__(views, layout=w.Layout(flex="1 1 280px", min_width="0"))

    def look_at(self, point: int, found: Features, pixels: Features, names: Sequence[str]) -> None:
        """Show a point's picture and its neighbours in a layer and in pixels, as soon as they are found."""
        self._wanted = point, found, pixels, names
        Job(lambda job: self._look(), lambda *_: None).start()

    def show_selection(self, points: np.ndarray, found: Features, names: Sequence[str]) -> None:
        some = f"the first {MOST} of {len(points):,} selected" if len(points) > MOST else f"{len(points):,} selected"
        self._fill(self.selected, points[:MOST], found, names, some)

    def _look(self) -> None:
        """On the worker thread; the newest wish only."""
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            return
        point, found, pixels, names = wanted
        k = min(NEAREST, len(found.values) - 1)
        rows = np.array([point])
        number = int(found.indices[point])
        picture = self._net.picture(self._net.prepare(item_for(self._net, self._dataset, number))[0])
        alike, near = ((nearest(one.values, k, rows=rows)[0] if k else rows[:0]) for one in (found, pixels))
        with LOCK:
            label = _label(found, point, names)
            self.picture.show(picture, title=f"Picture {number}{label and f': {label}'}", caption=_answer(found, point))
            shared = f" ({len(np.intersect1d(alike, near))} of {k} in both)"
            self._fill(self.alike, alike, found, names, f"Nearest in {found.layer}")
            self._fill(self.near, near, found, names, f"Nearest in pixels{shared if found.layer != INPUT else ''}")

    def _fill(self, grid: ImageGrid, points: np.ndarray, found: Features, names: Sequence[str], title: str) -> None:
        grid.layout.display = "" if len(points) else "none"
        self._numbers[grid] = found.indices[points].tolist()
        if len(points) and found.pictures is not None:
            labels = [_label(found, point, names) for point in points]
            grid.selected = -1
            grid.show(found.pictures[points], labels=labels, title=title, limits=[0.0, 255.0], scale="fixed")

    def _make_grid(self) -> ImageGrid:
        grid = ImageGrid(noun="picture", tools=False, hide=["line"], tile=52, height=190, layout=w.Layout(display="none"))
        grid.observe(lambda change: self._take(grid, change.new), "selected")
        return grid

    def _take(self, grid: ImageGrid, selected: int) -> None:
        if 0 <= selected < len(self._numbers.get(grid, ())):
            self._open(self._numbers[grid][selected])


def _label(found: Features, point: int, names: Sequence[str]) -> str:
    label = int(found.labels[point])
    return names[label] if label >= 0 else ""


def _answer(found: Features, point: int) -> str:
    if found.top is None or found.chances is None:
        return ""
    pairs = zip(found.top[point], found.chances[point], strict=True)
    return "the network says " + ", ".join(f"{found.classes[index]} ({chance:.0%})" for index, chance in pairs)
