"""Layouts that are made step by step, each laid over the one that was shown before it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator

import numpy as np

from cnnwidgets.methods.alignment import align
from cnnwidgets.methods.embedding import Layout
from cnnwidgets.net import Cancelled
from cnnwidgets.net.progress import Cancel

KEPT = 12
"""Layouts that are kept, so that going back to one is at once."""


FRAME, FRAMES = 8, 20
"""Iterations between two pictures of a layout that is watched, and how many of these are shown a second."""


class AlignedLayout:
    """A layout that is made step by step, scaled to a spread of 1, and turned to lie close to the one before.

    Parameters:
        layout: it is stepped from here.
        before: (n, 2), the layout that the pictures leave; None for none.

    Attributes:
        embedding: as far as it is.
        points: float32 (n, 2), those of the embedding, scaled and turned.
        mirrored: whether they are mirrored, too: only if the layout's start lies closer that way.
    """

    def __init__(self, layout: Layout, before: np.ndarray | None = None):
        self.layout = layout
        start = _scaled(layout.embedding.points)
        self._before = start if before is None else _scaled(before)
        self.mirrored = align(start, self._before, mirror=True).mirrored
        self._fit()

    @property
    def finished(self) -> bool:
        """Whether there is no step left."""
        return self.layout.finished

    @property
    def done(self) -> float:
        """The fraction that is done, between 0 and 1."""
        return self.embedding.iteration / max(1, self.embedding.iterations)

    @property
    def preparing(self) -> str:
        """What the next step has to do first; empty if nothing."""
        return self.layout.preparing

    def step(self, iterations: int | None = None) -> None:
        """Go on by so many iterations, see :meth:`Layout.step`."""
        self.layout.step(iterations)
        self._fit()

    def run(
        self, *, watched: bool = False, say: Callable[[str, float], None] = lambda *_: None, cancel: Cancel | None = None
    ) -> Iterator[None]:
        """Go on to the end; each time something has changed it is the caller's turn.

        Parameters:
            watched: no faster than it can be watched.
            say: called with what the next step has to prepare, and the fraction done.
            cancel: an object with ``is_set()``.

        Raises:
            Cancelled: cancel was set.
        """
        while not self.finished:
            if cancel is not None and cancel.is_set():
                raise Cancelled("cancelled")
            if preparing := self.preparing:
                say(f"{preparing[0].upper()}{preparing[1:]} …", self.done)
            start = time.monotonic()
            self.step(FRAME if watched else None)
            yield
            if watched:
                time.sleep(max(0.0, 1 / FRAMES - (time.monotonic() - start)))

    def restart(self) -> None:
        """Back to the layout of PCA."""
        self.layout.restart()
        self._fit()

    def add(self, features: np.ndarray) -> np.ndarray:
        """Where other pictures lie among the points: float32 (m, 2)."""
        raw = self.embedding.points
        return self._aligned.apply(self._mirror * (self.embedding.add(features) - raw.mean(0)) / _spread(raw))

    def _fit(self) -> None:
        self.embedding = self.layout.embedding
        self._aligned = align(self._mirror * _scaled(self.embedding.points), self._before, scale=False)
        self.points = self._aligned.points

    @property
    def _mirror(self) -> np.ndarray:
        return np.array([1, -1 if self.mirrored else 1])


class LayoutCache:
    """Layouts by what they were asked for; the last few of the same pictures are kept."""

    def __init__(self) -> None:
        self._of: Hashable = None
        self._layouts: OrderedDict[Hashable, AlignedLayout] = OrderedDict()

    def get(self, of: Hashable, key: Hashable, make: Callable[[], AlignedLayout]) -> AlignedLayout:
        """The layout with this key; one that is not kept is made. Those of other pictures are let go."""
        if of != self._of:
            self._of = of
            self._layouts.clear()
        if key not in self._layouts:
            self._layouts[key] = make()
            while len(self._layouts) > KEPT:
                self._layouts.popitem(last=False)
        self._layouts.move_to_end(key)
        return self._layouts[key]


def _scaled(points: np.ndarray) -> np.ndarray:
    """Around the origin, with a spread of 1."""
    return (points - points.mean(0, dtype=float)) / _spread(points)


def _spread(points: np.ndarray) -> float:
    """Root mean square distance from the middle; 1 if all points are the same."""
    return float(np.sqrt(((points - points.mean(0, dtype=float)) ** 2).sum(1).mean())) or 1.0
