"""What stills are drawn on: Matplotlib axes as a sheet of paper, whose unit is the inch and whose origin the upper left."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARK, INK, DIM = "#ffb000", "#1a1a1a", "#5f5f5f"
"""The color of what is chosen, that of text, and that of text that says less."""

TABLES = {"viridis": "viridis", "gray": "gray", "diverging": "RdBu_r"}
"""The views' color tables by Matplotlib's names."""

TITLE, TEXT, SMALL = 9.5, 8.5, 7.5
"""Sizes of text in points."""

BAR = 2.0
"""Inches of a color bar."""

GAP, EDGE = 0.1, 0.03
"""Inches between things, and around all of them, for frames stand out."""

LETTER = 0.6
"""Width of a letter in parts of its size."""

SHADE = (0.0, 0.0, 0.0, 0.7)


def inches(pixels: float) -> float:
    """CSS pixels of a screen in inches of a still."""
    return pixels / 96


def line_of(size: float) -> float:
    """Inches from one line of text to the next."""
    return 1.3 * size / 72


def fitting(text: str, width: float, size: float) -> str:
    """A text, or as much of its beginning as fits into so many inches."""
    most = max(1, int(width * 72 / (LETTER * size)))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def wrapped(text: str, width: float, size: float, most: int) -> list[str]:
    """A text in lines that fit into so many inches, ``most`` of them."""
    if not np.isfinite(width):
        return text.splitlines()
    return textwrap.wrap(text, max(4, int(width * 72 / (LETTER * size))), max_lines=most, placeholder=" …")


def picture_of(pixels: bytes, shape: Sequence[int]) -> np.ndarray:
    """uint8 (height, width, 3): a picture's bytes."""
    return np.frombuffer(pixels, np.uint8).reshape(*shape, 3)


def gray(picture: np.ndarray) -> np.ndarray:
    """uint8 (height, width): a picture without its colors."""
    return np.rint(picture @ (0.299, 0.587, 0.114)).astype(np.uint8)


class Paper:
    """Axes to draw on from above; without axes nothing is drawn, and the size is found that it would take.

    Places and sizes are in inches, x to the right and y down. What is drawn says where it ends below.
    """

    def __init__(self, axes: Axes | None = None):
        self.axes = axes
        self.width = self.height = 0.0
        if axes is not None:
            axes.set_axis_off()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of what is drawn."""
        return (self.width + 2 * EDGE, self.height + 2 * EDGE) if self.height else (0.0, 0.0)

    def close(self) -> None:
        """Let the axes show all of it."""
        if self.axes is not None:
            self.axes.set(xlim=(-EDGE, self.width + EDGE), ylim=(self.height + EDGE, -EDGE))
            self.axes.set_aspect("equal", adjustable="box", anchor="NW")

    def take(self, right: float, bottom: float) -> float:
        """Use the paper as far as there; returns the lower end."""
        self.width, self.height = max(self.width, right), max(self.height, bottom)
        return bottom

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = TEXT,
        width: float = np.inf,
        lines: int = 1,
        ha: str = "left",
        **look: Any,
    ) -> float:
        """Write a text whose upper end is y; as much of it as fits into the lines, the last of which says so."""
        parts = wrapped(text, width, size, lines)
        for k, part in enumerate(parts):
            if self.axes is not None:
                look = {"color": INK, "va": "top"} | look
                words = self.axes.text(x, y + k * line_of(size), part, fontsize=size, ha=ha, parse_math=False, **look)
                words.set_in_layout(False)
        room = LETTER * size / 72 * max(map(len, parts), default=0)
        start = {"left": x, "center": x - room / 2, "right": x - room}[ha]
        return self.take(start + room if ha == "left" else x, y + len(parts) * line_of(size)) if parts else y

    def title(self, text: str, width: float) -> float:
        """Write the line above everything, in bold: it is also the axes' title."""
        parts = wrapped(text, width, TITLE, 2)
        if self.axes is not None and parts:
            words = self.axes.set_title("\n".join(parts), loc="left", y=1.0, fontsize=TITLE, fontweight="bold", color=INK)
            words.set(parse_math=False, va="top", transform=self.axes.transData, position=(0, 0), in_layout=False)
        return self.take(0, len(parts) * line_of(TITLE) + (0.04 if parts else 0))

    def image(self, x: float, y: float, width: float, height: float, array: np.ndarray, **look: Any) -> float:
        """Lay an array (rows, columns[, channels]) over a rectangle."""
        if self.axes is not None and array.size:
            limits = {"vmin": 0, "vmax": 255} if array.dtype == np.uint8 and array.ndim == 2 else {}
            look = {"interpolation": "nearest", "cmap": "gray", "aspect": "auto"} | limits | look
            self.axes.imshow(array, extent=(x, x + width, y + height, y), **look)
        return self.take(x + width, y + height)

    def frame(self, x: float, y: float, width: float, height: float, color: str = MARK, thickness: float = 2.0) -> None:
        """Frame a rectangle with two strokes, so that it shows on any picture."""
        if self.axes is None:
            return
        from matplotlib.patches import Rectangle

        for stroke, line in ((SHADE, thickness + 1.5), (color, thickness)):
            self.axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=stroke, linewidth=line))

    def rectangle(self, x: float, y: float, width: float, height: float, **look: Any) -> None:
        """Fill a rectangle."""
        if self.axes is not None:
            from matplotlib.patches import Rectangle

            self.axes.add_patch(Rectangle((x, y), width, height, **{"linewidth": 0} | look))

    def lines(self, points: Any, color: Any = INK, width: float = 0.8) -> None:
        """Draw lines, each a list of (x, y)."""
        if self.axes is not None and len(points):
            from matplotlib.collections import LineCollection

            self.axes.add_collection(LineCollection(points, colors=color, linewidths=width), autolim=False)

    def bar(
        self,
        x: float,
        y: float,
        table: str,
        lo: float,
        hi: float,
        *,
        words: Sequence[str] = (),
        mark: tuple[str, float] | None = None,
        tell: Callable[[float], str] = number,
    ) -> float:
        """Draw a color bar with lo, hi and, where it lies between them, zero; or three words in their place; and a mark."""
        values = [lo, 0.0, hi] if lo < 0 < hi else [lo, hi]
        texts = [words[0], *(words[1:2] if len(values) == 3 else []), words[2]] if words else [*map(tell, values)]
        pad = max(0.3, *(LETTER * TEXT / 144 * len(text) for text in texts))

        def at(value: float) -> float:
            return x + pad + BAR * (float(np.clip((value - lo) / (hi - lo), 0, 1)) if hi > lo else 0.5)

        if self.axes is not None:
            edges = np.linspace(x + pad, x + pad + BAR, 65)
            colors = np.linspace(0, 1, 64)[None]
            self.axes.pcolormesh(edges, [y, y + 0.11], colors, cmap=TABLES[table], vmin=0, vmax=1)
        bottom = y + 0.13
        for value, text in zip(values, texts, strict=True):
            self.lines([[(at(value), y + 0.11), (at(value), y + 0.15)]])
            bottom = self.text(at(value), y + 0.16, text, ha="center")
        if mark:
            said = f"{mark[0]} {tell(mark[1])}"
            half = LETTER * TEXT / 144 * len(said)
            bottom = self.text(min(max(at(mark[1]), x + half), x + 2 * pad + BAR - half), bottom, said, ha="center")
            self.frame(at(mark[1]) - 0.015, y, 0.03, 0.11, thickness=1)
        return self.take(x + 2 * pad + BAR, bottom)
