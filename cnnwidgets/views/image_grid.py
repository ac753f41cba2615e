"""Many small maps at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.views.grid_still import draw_grid
from cnnwidgets.views.paper import Paper
from cnnwidgets.views.view import View, numbers

SCALES = ("map", "layer", "fixed")
COLORS = ("auto", "viridis", "gray", "diverging")


class ImageGrid(View, module="image_grid.js"):
    """Many small maps on one canvas. Thousands are drawn at once; sorting, scaling and coloring need no kernel.

    >>> grid = ImageGrid(noun="unit")
    >>> grid.show(maps, orders={"index": range(64)})   # maps: (64, 28, 28)

    The maps travel as one byte per pixel, each scaled between its own smallest and largest value. The value under the
    cursor is therefore exact to 1/255 of that range, and is marked "≈".
    """

    pixels = t.Bytes(help="(maps, height, width, channels) bytes: 0 is a map's lo, 255 its hi").tag(sync=True)
    shape = t.List(t.Int(), [0, 0, 0, 1], help="[maps, height, width, channels]; three channels are red, green, blue").tag(
        sync=True
    )
    lo = t.Bytes(help="(maps,) float32: each map's smallest value").tag(sync=True)
    hi = t.Bytes(help="(maps,) float32: each map's largest value").tag(sync=True)
    span = t.List(t.Float(), help="[lowest, highest] value of the layer that the maps belong to; empty: of these maps").tag(
        sync=True
    )
    dim = t.Bytes(help="(maps,) uint8: 1 for a map that is crossed out").tag(sync=True)
    orders = t.Dict(help="name of an order to (maps,) int32: the maps' indices in that order").tag(sync=True)
    sort = t.Unicode("index", help="the order in use").tag(sync=True)
    scale = t.Enum(SCALES, "map", help="what the colors span: each map, all maps, or ``limits``").tag(sync=True)
    limits = t.List(t.Float(), [-1.0, 1.0], help="[lowest, highest] value of the fixed scale").tag(sync=True)
    contrast = t.Float(1.0, min=1.0, help="the colors end at 1/contrast of the range").tag(sync=True)
    colors = t.Enum(
        COLORS,
        "auto",
        help="color table; auto: diverging around zero for signed maps",
    ).tag(sync=True)
    selected = t.Int(-1, help="index of the selected map; -1 for none").tag(sync=True)
    cursor = t.List(t.Float(), help="[row, column] of the position under the cursor, in map positions; empty for none").tag(
        sync=True
    )
    tile = t.Int(0, help="width of a tile in CSS pixels; 0: chosen to fit").tag(sync=True)
    height = t.Int(460, help="largest height of the grid in CSS pixels; more is scrolled").tag(sync=True)
    steady = t.Bool(False, help="whether the grid keeps its full height, so that what is below never moves").tag(sync=True)
    lines = t.Int(1, help="lines of text reserved below the grid, so that what comes next never moves").tag(sync=True)
    noun = t.Unicode("map", help="what one map is called: unit, filter").tag(sync=True)
    title = t.Unicode(help="a line above the grid").tag(sync=True)
    labels = t.List(t.Unicode(), help="one label under each tile; empty for none").tag(sync=True)
    told = t.List(t.Unicode(), help="what the line tells of each map, instead of its values; empty: these").tag(sync=True)
    numbered = t.Bool(False, help="whether each map's index stands in its corner, if there is room").tag(sync=True)
    quantity = t.Unicode("value", help="what the values are, which the legend says").tag(sync=True)
    mosaic = t.List(
        t.Int(),
        help="[rows, columns, parts] where each map is a number of parts side by side, such as a filter's input channels: "
        "the size and the number of the parts; empty for none",
    ).tag(sync=True)
    overlay = t.Dict(
        help="what lies over the maps: values, (maps, layers, rows, columns) bytes, 255 being the top of each layer; shape "
        "[layers, rows, columns]; tops of the layers; full, the amounts from which they are opaque; colors; box [top, left, "
        "height, width] in map pixels; noun, what a layer is called; empty for none"
    ).tag(sync=True)
    lit = t.Int(-1, help="layer of the overlay that is shown alone; -1: the largest at each position").tag(sync=True)
    opacity = t.Float(0.7, min=0.0, max=1.0, help="opacity of the overlay, under which color maps turn gray").tag(sync=True)
    toggles = t.Bool(False, help="whether a click on the selected map selects none").tag(sync=True)
    hide = t.List(
        t.Unicode(), help="what is not shown: sort, scale, limits, contrast, colors, zoom; line, which tells values"
    ).tag(sync=True)
    lock = t.List(t.Unicode(), help="what a user cannot change: these, and unit, the selection").tag(sync=True)
    tools = t.Bool(True, help="whether the controls and the legend are shown").tag(sync=True)

    @property
    def maps(self) -> np.ndarray:
        """float32 (maps, height, width) or, in color, (maps, height, width, 3), right to 1/255 of each map's range."""
        shape = self.shape if self.shape[3] > 1 else self.shape[:3]
        levels = np.frombuffer(self.pixels, np.uint8).reshape(shape).astype(np.float32) / 255
        lo, hi = (np.frombuffer(ends, np.float32).reshape(-1, *[1] * (len(shape) - 1)) for ends in (self.lo, self.hi))
        return lo + levels * (hi - lo)

    def draw_on(self, paper: Paper) -> None:
        draw_grid(self, paper)

    def show(self, maps: np.ndarray, *, orders: Mapping | None = None, dim: np.ndarray | None = None, **traits: Any) -> None:
        """Show maps, in one message.

        Parameters:
            maps: (maps, height, width) or, in color, (maps, height, width, 3), finite numbers.
            orders: name to (maps,) indices.
            dim: (maps,) bool, maps that are crossed out.
            traits: further traits to set in the same message.
        """
        maps = np.asarray(maps, np.float32)
        pixels, lo, hi = quantize(maps)
        shape = [*maps.shape, 1][:4]
        with self.hold_sync():
            self.set_trait("pixels", pixels.tobytes())
            self.shape, self.lo, self.hi = shape, numbers(lo), numbers(hi)
            self.dim = numbers(np.zeros(len(maps), bool) if dim is None else dim, np.uint8)
            if orders is not None:
                self.orders = {name: numbers(order, np.int32) for name, order in orders.items()}
            for name, value in traits.items():
                self.set_trait(name, value)
            if self.selected >= len(maps):
                self.selected = -1


def quantize(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each map scaled to bytes between its smallest and largest value: (uint8 like maps, lo (maps,), hi (maps,))."""
    if not maps.size:
        return maps.astype(np.uint8), *np.zeros((2, len(maps)), np.float32)
    flat = maps.reshape(len(maps), -1)
    lo, hi = flat.min(1), flat.max(1)
    span = hi - lo
    scale = np.divide(255, span, out=np.zeros_like(span), where=span > np.finfo(np.float32).tiny * 255)
    scaled = flat - lo[:, None]
    scaled *= scale[:, None]
    scaled += 0.5  # astype cuts off, so this rounds
    return scaled.astype(np.uint8).reshape(maps.shape), lo, hi
