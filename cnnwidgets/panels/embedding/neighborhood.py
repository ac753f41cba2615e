"""A picture, and the pictures that lie nearest to it: in a layer, and in pixels."""

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

LETTERS = 24
"""Letters of a class name beside a picture."""


class Neighborhood:
    """A picture, and small ones that a click opens: its neighbors, and what is selected.

    Parameters:
        panel: that shows them.
        dataset: that numbers count in.
        open: called with the number of a small picture that was clicked; None where none can be.
    """

    def __init__(self, panel: Panel, dataset: Any, open: Callable[[int], None] | None):
        self._panel, self._dataset, self._open = panel, dataset, open
        self._numbers: dict[ImageGrid, list[int]] = {}
        self.picture = ImageView(width=128)
        self.alike, self.near, self.selected = (self._make_grid(height) for height in (61, 61, 180))

    def look_at(self, number: int, found: Features, pixels: Features, words: Sequence[str], why: str = "") -> None:
        """Show a picture and, if it has a point, its neighbors in a layer and in pixels, as soon as they are found.

        Parameters:
            number: of the picture in the data set.
            words: the label of each point.
            why: it is this one, if no hand has picked it.
        """
        self._panel.aside("look", lambda job: self._look(job, number, found, pixels, words, why))

    def show_selection(self, points: np.ndarray, found: Features, words: Sequence[str], hidden: int = 0) -> None:
        """Show the pictures of selected points; ``hidden`` others are selected and have no point."""
        title = f"{len(points):,} selected{f' (first {MOST})' if len(points) > MOST else ''}"
        self._fill(self.selected, points[:MOST], found, words, f"{title}, {hidden:,} not on the map" if hidden else title)

    def _look(self, job: Job, number: int, found: Features, pixels: Features, words: Sequence[str], why: str) -> None:
        net = self._panel.net
        rows: np.ndarray = np.flatnonzero(found.indices == number)
        picture = net.picture(net.prepare(picture_at(net, self._dataset, number))[0])
        k = min(NEAREST, len(found.values) - 1) if len(rows) else 0
        alike, near = ((nearest(one.values, k, rows=rows)[0] if k else rows[:0]) for one in (found, pixels))
        with LOCK:
            if job.cancelled:  # another one is wanted by now
                return
            title, told = f"Picture {number}", []
            for point in rows.tolist():
                title += f', a "{short(words[point])}"' if words[point] else ""
                answer = found.answer(point, [short(name) for name in net.classes])
                told.append(f"{answer[0].upper()}{answer[1:]}." if answer else "")
            if not len(rows):
                told.append("It is not on the map.")
            if why:
                told.insert(0, f"{why[0].upper()}{why[1:]}.")
                told += ["Click a point to see another picture."] if self._open else []
            self.picture.without_kernel = {"caption": " ".join(told[:2])} if why else {}
            self.picture.show(picture, title=title, caption=" ".join(filter(None, told)))
            both = len(np.intersect1d(alike, near))
            shared = f" ({both or 'none'} of the {k} above)" if k else ""
            layer = "pixels" if found is pixels else "this layer"
            self._fill(self.alike, alike, found, words, f"Nearest by {layer}")
            self._fill(self.near, near if found is not pixels else rows[:0], found, words, f"Nearest by pixels{shared}")

    def _fill(self, grid: ImageGrid, points: np.ndarray, found: Features, words: Sequence[str], title: str) -> None:
        self._numbers[grid] = found.indices[points].tolist()
        if self._panel.reveal(grid, len(points) > 0) and found.pictures is not None:
            labels = [words[point] for point in points]
            pictures = found.pictures[points]
            grid.show(pictures, labels=labels, title=title, selected=-1, limits=[0.0, 255.0], scale="fixed")

    def _make_grid(self, height: int) -> ImageGrid:
        lock = [] if self._open else ["unit"]
        grid = ImageGrid(noun="picture", tools=False, hide=["line"], height=height, lock=lock)
        grid.without_kernel = {"lock": ["unit"]}
        grid.on_user("selected", partial(self._take, grid))
        return grid

    def _take(self, grid: ImageGrid, selected: int) -> None:
        if self._open and 0 <= selected < len(self._numbers[grid]):
            self._open(self._numbers[grid][selected])


def short(name: str) -> str:
    """A class name, or its beginning."""
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…"
