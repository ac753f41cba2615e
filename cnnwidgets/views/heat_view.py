"""A map over a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.numbers import number, percent
from cnnwidgets.views.palette import class_colors
from cnnwidgets.views.paper import DIM, MARK, Paper, gray, inches, line_of, picture_of
from cnnwidgets.views.view import View, numbers

PALE = 0.45
"""Opacity of an estimate, as a share of the map's."""

CHIP = 0.11
"""Inches of a color in a legend."""

MOST_NAMED = 10
"""Classes that the legend names; of more it counts the others."""


class HeatView(View, module="heat_view.js"):
    """Values at a grid of positions of a patch, over the picture: colored by size, or by class.

    >>> heat.show(values, ys, xs, patch=(9, 9), span=[0, 1])
    >>> heat.show(places, ys, xs, patch=(9, 9), names=["cat", "dog"], colors=[class_color(3), class_color(5)])

    Hovering moves the patch, and so do the arrow keys. Dragging draws a region, Escape takes it away.
    """

    without_kernel: Mapping[str, Any] = {"lock": ["region"]}

    pixels = t.Bytes(help="(height, width, 3) bytes: the picture; empty for none").tag(sync=True)
    shape = t.List(t.Int(), [0, 0], help="[height, width] of the picture, in pixels").tag(sync=True)
    values = t.Bytes(help="(rows, columns) float32; with names their indices, -1 where it is not known").tag(sync=True)
    known = t.Bytes(help="(rows, columns) uint8: 0 where a value is an estimate, which is drawn paler").tag(sync=True)
    ys = t.List(t.Int(), help="first row of the patch for each row of values").tag(sync=True)
    xs = t.List(t.Int(), help="first column of the patch for each column of values").tag(sync=True)
    patch = t.List(t.Int(), [1, 1], help="[height, width] of the patch, in pixels").tag(sync=True)
    names = t.List(t.Unicode(), help="what the values' numbers stand for; empty: values are sizes").tag(sync=True)
    colors = t.List(t.Unicode(), class_colors(MOST_NAMED), help="of the names: each class's own").tag(sync=True)
    span = t.List(t.Float(), [0.0, 1.0], help="[lowest, highest] value of the colors").tag(sync=True)
    mark = t.Float(None, allow_none=True, help="a value that the legend marks").tag(sync=True)
    marked = t.Unicode("no patch", help="what the marked value is called").tag(sync=True)
    share = t.Bool(False, help="whether the values are probabilities: percentages, whose colors may be stretched").tag(
        sync=True
    )
    range = t.Enum(
        ("full", "there"),
        "full",
        help="colors of probabilities: of the whole span, or stretched over the values there",
    ).tag(sync=True)
    hint = t.Unicode(help="a line below that goes away once a region has been drawn").tag(sync=True)
    note = t.Unicode(help="a line below").tag(sync=True)
    opacity = t.Float(0.8, min=0.0, max=1.0, help="of the map over the picture").tag(sync=True)
    box = t.List(t.Int(), help="[top, left, height, width] of the patch, in pixels; empty for none").tag(sync=True)
    region = t.List(t.Int(), help="[top, left, height, width] that was drawn, in pixels; empty for none").tag(sync=True)
    lock = t.List(t.Unicode(), help="what cannot be changed by hand: box, region").tag(sync=True)
    width = t.Int(330, help="largest width in CSS pixels").tag(sync=True)
    title = t.Unicode(help="a line above the map").tag(sync=True)

    @property
    def grid(self) -> np.ndarray:
        """float32 (rows, columns): the values at the positions."""
        return np.frombuffer(self.values, np.float32).reshape(len(self.ys), len(self.xs))

    def draw_on(self, paper: Paper) -> None:
        (rows, columns), width = self.shape, inches(self.width)
        if not (rows * columns and self.ys and self.pixels):
            return
        y = paper.title(self.title, width)
        scale = width / columns
        bottom = paper.image(0, y, width, rows * scale, gray(picture_of(self.pixels, self.shape)))
        steps = [places[1] - places[0] if len(places) > 1 else self.patch[k] for k, places in enumerate((self.ys, self.xs))]
        top, left = (places[0] + (self.patch[k] - steps[k]) / 2 for k, places in enumerate((self.ys, self.xs)))
        size = len(self.xs) * steps[1] * scale, len(self.ys) * steps[0] * scale
        self._draw_map(paper, left * scale, y + top * scale, *size, y)
        for box, color in ((self.region, "#ffffff"), (self.box, MARK)):
            if len(box) == 4:
                first = max(0, box[0]), max(0, box[1])
                tall, wide = min(rows, box[0] + box[2]) - first[0], min(columns, box[1] + box[3]) - first[1]
                paper.frame(first[1] * scale, y + first[0] * scale, wide * scale, tall * scale, color)
        bottom = self._draw_swatches(paper, bottom + 0.08, width) if self.names else self._draw_bar(paper, bottom + 0.08)
        bottom = paper.text(0, bottom + 0.04, self._told(), width=width, color=DIM)
        paper.text(0, bottom, self.note, width=width, lines=2, color=DIM)

    def _draw_map(self, paper: Paper, x: float, y: float, width: float, height: float, above: float) -> None:
        """The map as far as it is in the picture, whose upper end is ``above``."""
        if paper.axes is None:
            return
        known = np.frombuffer(self.known, np.uint8).reshape(self.grid.shape) > 0
        look: dict[str, Any] = {"cmap": "viridis", "vmin": self._ends[0], "vmax": self._ends[1]}
        opacity = self.opacity * np.where(known, 1.0, PALE)
        if self.names:
            from matplotlib.colors import ListedColormap

            colors = self.colors[: len(self.names)]
            look = {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": len(colors) - 0.5}
            opacity = np.where(self.grid < 0, 0.0, opacity)
        from matplotlib.patches import Rectangle

        rows, columns = self.shape
        inside = Rectangle(
            (0, above), inches(self.width), inches(self.width) * rows / columns, transform=paper.axes.transData
        )
        paper.image(x, y, width, height, self.grid, alpha=opacity, clip_path=inside, **look)

    def _draw_bar(self, paper: Paper, y: float) -> float:
        lo, hi = self._ends
        mark = None if self.mark is None else (f"{self.marked}:", self.mark)
        return paper.bar(0, y, "viridis", lo, hi, mark=mark, tell=percent if self.share else number)

    def _draw_swatches(self, paper: Paper, y: float, width: float) -> float:
        """The classes of the map, with their colors and the part of the map that they have."""
        counts = np.array([(self.grid == k).sum() for k in range(len(self.names))])
        rows = [(*one, count) for *one, count in zip(self.colors, self.names, counts, strict=False)][:MOST_NAMED]
        if rest := counts[MOST_NAMED:].sum():
            others = len(self.names) - MOST_NAMED
            rows.append(("none", f"{others} other{'' if others == 1 else 's'}", rest))
        for k, (color, name, count) in enumerate(rows):
            x, top = (k % 2) * width / 2, y + k // 2 * line_of(9.5)
            paper.rectangle(x, top + 0.02, CHIP, CHIP, color=color)
            paper.text(x + CHIP + 0.05, top, f"{name} {percent(count / self.grid.size)}", width=width / 2 - CHIP - 0.05)
        return paper.take(width, y + -(-len(rows) // 2) * line_of(9.5))

    @property
    def _ends(self) -> tuple[float, float]:
        """The values of the first and of the last color."""
        if self.share and self.range == "there":
            return float(self.grid.min()), float(self.grid.max())
        return self.span[0], self.span[1]

    def _told(self) -> str:
        """The value where the patch is."""
        if len(self.box) != 4 or self.box[0] not in self.ys or self.box[1] not in self.xs:
            return ""
        at = self.ys.index(self.box[0]), self.xs.index(self.box[1])
        value = float(self.grid[at])
        if self.names:
            return f"here: {self.names[int(value)] if 0 <= value < len(self.names) else 'not known yet'}"
        known = np.frombuffer(self.known, np.uint8).reshape(self.grid.shape)[at]
        stretched = " · colors stretched" if self.share and self.range == "there" else ""
        return f"here: {'' if known else '≈ '}{(percent if self.share else number)(value)}{stretched}"

    def show(
        self,
        values: np.ndarray,
        ys: Sequence[int] | np.ndarray,
        xs: Sequence[int] | np.ndarray,
        *,
        patch: Sequence[int],
        known: np.ndarray | None = None,
        **traits: Any,
    ) -> None:
        """Show values (rows, columns) at the patch's first rows ``ys`` and columns ``xs``, in one message.

        Parameters:
            known: bool (rows, columns), False where a value is an estimate.
            traits: further traits to set in the same message.
        """
        with self.hold_sync():
            self.values = numbers(values)
            self.known = numbers(np.ones(np.shape(values)) if known is None else known, np.uint8)
            self.ys, self.xs, self.patch = [int(y) for y in ys], [int(x) for x in xs], [int(n) for n in patch]
            for name, value in traits.items():
                self.set_trait(name, value)
