"""Points, or pictures as points, in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from cnnwidgets.views.palette import class_colors
from cnnwidgets.views.paper import inches
from cnnwidgets.views.scatter_still import NONE, draw_points
from cnnwidgets.views.view import View, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAYS = {
    "labels": np.int32,
    "top": np.uint16,
    "chance": np.uint16,
    "numbers": np.int32,
    "edges": np.int32,
    "added": np.int32,
    "selected": np.int32,
}
"""What the arrays that tell more of the points are sent as."""


def _bytes(help: str, **tags: Any) -> t.Bytes:
    return t.Bytes(help=help).tag(sync=True, **tags)


class ScatterView(View, module="scatter_view.js"):
    """Points in the plane, colored by class or by value, or drawn as their pictures; 100,000 can be moved by hand.

    >>> scatter.show(points, colors=labels, names=["cat", "dog"])
    >>> scatter.selection   # what was drawn around with the lasso
    array([ 3, 17, 28], dtype=int32)

    Dragging moves, Ctrl and the wheel zoom (or the wheel alone after a click, until the pointer leaves), from half to 50
    times the scale that shows all; shift-drag draws a box and alt-drag a lasso around points; a click picks a point.
    Hovering, hiding classes and zooming ask the kernel for nothing. The axes have one scale and no numbers: an
    embedding has no units.
    """

    positions = _bytes("(points, 2) float32: x to the right and y up; a point that is not finite is not drawn")
    group = _bytes("(points,) uint16: each point's index in names, 65535 for none; empty: no classes")
    names = t.List(t.Unicode(), help="the classes that color the points").tag(sync=True)
    palette = t.List(
        t.Unicode(), class_colors(30), help="colors of the names, again and again; each ten names have a shape"
    ).tag(sync=True)
    value = _bytes("(points,) uint16: 0 is span's lo and 65534 its hi, 65535 stands for none; empty: no values")
    span = t.List(t.Float(), [0.0, 1.0], help="[lowest, highest] value of the colors").tag(sync=True)
    quantity = t.Unicode("value", help="what the values are").tag(sync=True)
    tween = t.Int(600, min=0, help="milliseconds in which points glide to new positions; 0: at once").tag(sync=True)

    classes = t.List(t.Unicode(), help="what labels and top are indices of; empty: of names").tag(sync=True)
    labels = _bytes("(points,) int32: each point's class, -1 for none; empty: not known")
    top = _bytes("(points, k) uint16: the most probable classes of each point; the first three are told")
    chance = _bytes("(points, k) uint16: their probabilities; 65535 stands for 1, and 0 for 0, for nothing near it")
    numbers = _bytes("(points,) int32: what each point is called, such as its number in a data set; empty: its index")
    atlas = _bytes("a PNG or JPEG file with the picture of each point, from left to right and top to bottom; empty: none")
    tile = t.List(t.Int(), [1, 1, 1], help="[height, width] of a picture in the atlas, and how many are in a row").tag(
        sync=True
    )
    thumbnails = t.Bool(False, help="whether points are drawn as their pictures, where there is room").tag(sync=True)
    thumbnail = t.Int(32, min=16, max=64, help="CSS pixels of a picture's longer side").tag(sync=True)

    labeled = t.Bool(True, help="whether the names stand on the map, each at the middle of its points").tag(sync=True)

    selected = _bytes("(selected,) int32: the selected points, ascending", from_json=lambda value, view: bytes(value))
    hidden = t.List(t.Int(), help="indices of the names whose points are hidden").tag(sync=True)
    hovered = t.Int(-1, help="the point under the pointer; -1 for none").tag(sync=True)
    picked = t.Int(-1, help="the point that was clicked, which has a ring; -1 for none").tag(sync=True)
    added = _bytes("(added,) int32: points that joined later, which have a ring and an entry in the legend")
    edges = _bytes("(edges, 2) int32: pairs of points with a line between them")
    tool = t.Enum(("pan", "lasso", "box"), "pan", help="what dragging does").tag(sync=True)

    title = t.Unicode(help="a line above the points").tag(sync=True)
    note = t.Unicode(help="a line under the title, such as '2,000 of 60,000'").tag(sync=True)
    height = t.Int(520, help="largest height of the points in CSS pixels").tag(sync=True)
    tools = t.Bool(True, help="whether buttons, legend and the line below are shown").tag(sync=True)
    lock = t.List(t.Unicode(), help="what cannot be changed by hand: picked, selected, hidden").tag(sync=True)

    def still(self, axes: Axes) -> None:
        draw_points(self, axes)

    @property
    def still_size(self) -> tuple[float, float]:
        height = inches(self.height)
        return (1.35 if self.tools else 1.0) * height, height

    def show(
        self,
        points: np.ndarray,
        *,
        colors: np.ndarray | None = None,
        names: Sequence[str] = (),
        span: Sequence[float] | None = None,
        tween: int = 600,
        **traits: Any,
    ) -> None:
        """Show points (points, 2), in one message; as many as there are glide to their new places, others replace them.

        Colors are those given here; what else is not given stays, as long as there are as many points.

        Parameters:
            colors: (points,) with ``names`` each point's index in them, -1 for none; without, its value, NaN for none.
            span: [lowest, highest] value of the colors; those that are there if it is not given.
            traits: further traits to set in the same message; ``labels``, ``top``, ``numbers``, ``edges``, ``added`` and
                ``selected`` as arrays, ``chance`` as probabilities from 0 to 1.
        """
        places = _places(points)
        with self.hold_sync():
            if len(places) != len(self.positions):
                for name in ("group", "value", *ARRAYS, "atlas"):
                    self.set_trait(name, b"")
                self.hovered = self.picked = -1
            self.tween, self.positions, self.names = tween, places, list(names)
            group, value = b"", b""
            if colors is not None and self.names:
                colors = np.asarray(colors)
                group = numbers(np.where(colors < 0, NONE, colors), np.uint16)
            elif colors is not None:
                value, self.span = quantize(colors, span)
            self.group, self.value = group, value
            if self.hidden and max(self.hidden) >= len(self.names):
                self.hidden = []
            for name, value in traits.items():
                self.set_trait(name, _array(name, value) if name in ARRAYS else value)

    def move(self, points: np.ndarray, *, tween: int = 0) -> None:
        """Move the points to other places: only these are sent, as for each frame of a computation that is watched.

        Where they are there already nothing is sent.
        """
        places = _places(points)
        if len(places) != len(self.positions):
            raise ValueError(
                f"There are {len(self.positions) // 8} points to move, not {len(places) // 8}; show shows others."
            )
        if places != self.positions:
            with self.hold_sync():
                self.tween, self.positions = tween, places

    @property
    def selection(self) -> np.ndarray:
        """The numbers of the selected points, ascending; may be assigned."""
        return np.frombuffer(self.selected, np.int32)

    @selection.setter
    def selection(self, points: Sequence[int] | np.ndarray) -> None:
        self.selected = numbers(np.unique(points), np.int32)


def _places(points: np.ndarray) -> bytes:
    """Positions as they are sent."""
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"Points are rows of x and y, (points, 2), not {points.shape}.")
    return numbers(points)


def _array(name: str, value: Any) -> bytes:
    """An array that tells more of the points, as it is sent."""
    if isinstance(value, bytes):
        return value
    return numbers(_steps(np.asarray(value)) if name == "chance" else value, ARRAYS[name])


def _steps(shares: np.ndarray) -> np.ndarray:
    """Probabilities as 16 bits: only 0 and 1 are the ends."""
    return np.where((shares > 0) & (shares < 1), np.clip(np.round(shares * 65535.0), 1, 65534), shares * 65535)


def quantize(values: np.ndarray, span: Sequence[float] | None = None) -> tuple[bytes, list[float]]:
    """Values as 16 bits between the ends of a span, which they are cut off at; 65535 where they are not finite."""
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    lo, hi = map(float, span or ((values[known].min(), values[known].max()) if known.any() else (0.0, 1.0)))
    steps = np.round((np.clip(values, lo, hi) - lo) * ((NONE - 1) / (hi - lo) if hi > lo else 0.0))
    return numbers(np.where(known, steps, NONE), np.uint16), [lo, hi]
