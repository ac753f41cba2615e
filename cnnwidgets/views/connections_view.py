"""A unit between those that it reads and those that read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.numbers import number
from cnnwidgets.views.image_grid import quantize
from cnnwidgets.views.paper import DIM, SMALL, Paper, inches
from cnnwidgets.views.view import View

POSITIVE, NEGATIVE = "#d6604d", "#4393c3"
"""The colors of lines, seen on light and dark pages; ``connections_view.css`` has the same."""

THICKEST = 7.0
"""Points of the line of the largest weight."""

TILE = 0.34
"""Inches of a unit's map."""


class ConnectionsView(View, module="connections_view.js"):
    """A unit between the units that it reads, at its left, and those that read it: the wider a line, the larger its weight.

    >>> view.show([("conv1 · 3", 0.4)], "conv2 · 7", [("conv3 · 1", -0.2)], maps)      # maps: (3, 28, 28)

    As in DrawNet (Torralba). A click, or Enter, chooses a unit on either side.
    """

    without_kernel: Mapping[str, Any] = {"locked": True}

    before = t.List(t.Dict(), help="what it reads, the strongest first: name, value, told").tag(sync=True)
    after = t.List(t.Dict(), help="what reads it, the strongest first: name, value, told").tag(sync=True)
    here = t.Unicode(help="name of the unit in the middle").tag(sync=True)
    pixels = t.Bytes(help="(1 + before + after, height, width) bytes: the middle's map, those before, those after").tag(
        sync=True
    )
    shape = t.List(t.Int(), [0, 0, 0], help="[maps, height, width]").tag(sync=True)
    ends = t.List(t.Unicode(), ["", ""], help="text at the left and at the right where there is no unit").tag(sync=True)
    heads = t.List(t.Unicode(), ["reads", "is read by"], help="headings of the two sides").tag(sync=True)
    chosen = t.List(
        t.Int(), help="[side, number] of the unit that a user chose: side 0 is before, 1 after; empty for none"
    ).tag(sync=True)
    locked = t.Bool(False, help="whether a user cannot choose").tag(sync=True)
    height = t.Int(250, help="height of the graph in CSS pixels").tag(sync=True)
    title = t.Unicode(help="a line above the graph").tag(sync=True)
    caption = t.Unicode(help="a line below the graph").tag(sync=True)

    def show(
        self,
        before: Sequence[Mapping[str, Any]],
        here: str,
        after: Sequence[Mapping[str, Any]],
        maps: Sequence[np.ndarray],
        **traits: Any,
    ) -> None:
        """Show a unit and its connections, in one message.

        Parameters:
            before, after: of each unit ``name``, ``value`` and, if wanted, ``told``, a sentence.
            here: name of the unit in the middle.
            maps: of the unit in the middle, those before and those after: (height, width), each of its own size, and colored
                between its own ends; those of one position between the ends of all of them.
            traits: further traits to set in the same message.
        """
        tiles = np.stack(_tiles(maps)) if len(maps) else np.zeros((0, 1, 1), np.uint8)
        with self.hold_sync():
            self.before, self.here, self.after = [dict(one) for one in before], here, [dict(one) for one in after]
            self.pixels, self.shape = tiles.tobytes(), list(tiles.shape)
            self.chosen = []
            for name, value in traits.items():
                self.set_trait(name, value)

    def draw_on(self, paper: Paper) -> None:
        if not self.here:
            return
        width, height = 3.6, inches(self.height)
        top = paper.title(self.title, width)
        tiles = np.frombuffer(self.pixels, np.uint8).reshape(self.shape)
        most = max((abs(one["value"]) for one in (*self.before, *self.after)), default=0.0) or 1.0
        middle = width / 2, top + height / 2
        for side, (nodes, x) in enumerate(((self.before, 1.0), (self.after, width - 1.0))):
            for k, one in enumerate(nodes):
                y = top + (k + 0.5) * height / len(nodes)
                edge = x + (TILE / 2 if side == 0 else -TILE / 2)
                toward = middle[0] + (-TILE / 2 if side == 0 else TILE / 2)
                color = POSITIVE if one["value"] >= 0 else NEGATIVE
                paper.lines([[(edge, y), (toward, middle[1])]], color, max(0.5, THICKEST * abs(one["value"]) / most))
                self._draw_tile(paper, x, y, tiles, 1 + side * len(self.before) + k)
                at, ha = (x - TILE / 2 - 0.06, "right") if side == 0 else (x + TILE / 2 + 0.06, "left")
                paper.text(at, y - 0.14, one["name"], size=SMALL, width=0.8, ha=ha)
                paper.text(at, y, number(one["value"]), size=SMALL, width=0.8, ha=ha, color=DIM)
            if not nodes:
                at, ha = (0.0, "left") if side == 0 else (width - 1.1, "left")
                paper.text(at, middle[1] - 0.2, self.ends[side], size=SMALL, width=1.1, lines=5, ha=ha, color=DIM)
        self._draw_tile(paper, *middle, tiles, 0)
        paper.text(middle[0], middle[1] + TILE / 2 + 0.03, self.here, size=SMALL, width=1.2, ha="center")
        paper.text(0, paper.take(width, top + height) + 0.04, self.caption, width=width, lines=3, color=DIM)

    def _draw_tile(self, paper: Paper, x: float, y: float, tiles: np.ndarray, k: int) -> None:
        if k < len(tiles):
            paper.image(x - TILE / 2, y - TILE / 2, TILE, TILE, tiles[k], cmap="viridis", vmin=0, vmax=255)


SIDE = 32
"""Most pixels of a map's side."""


def _tiles(maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """uint8 (SIDE, SIDE) each: a map by its nearest positions."""
    single = np.array([one.item() for one in maps if one.size == 1], np.float32)
    levels = iter(quantize(single[None])[0][0]) if len(single) else iter(())
    return [np.full((SIDE, SIDE), next(levels)) if one.size == 1 else _tile(one) for one in maps]


def _tile(values: np.ndarray) -> np.ndarray:
    rows, columns = ((np.arange(SIDE) * size) // SIDE for size in values.shape)
    return quantize(values[np.ix_(rows, columns)][None].astype(np.float32))[0][0]
