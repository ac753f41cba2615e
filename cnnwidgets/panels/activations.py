"""FeatureMapBrowser: every map of every layer for a picture."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import nn

from cnnwidgets.base import column, draws, row
from cnnwidgets.base.beside import Beside
from cnnwidgets.base.coloring import ColoredPanel, Order
from cnnwidgets.base.image import ImagePanel
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Cursor, Layer, public
from cnnwidgets.methods.activations import ORDERS
from cnnwidgets.methods.browsing import Browsed, MapBrowser
from cnnwidgets.net import BoundModel
from cnnwidgets.net.layers import Layer as Row
from cnnwidgets.net.layers import format_shape
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import ChartView, ImageView, TableView
from cnnwidgets.views.curves import bars


class FeatureMapBrowser(ImagePanel, ColoredPanel):
    """All feature maps of all layers for one picture.

    >>> cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes())    # pick among the pictures of a data set
    >>> cw.FeatureMapBrowser(net, "cat.jpg", beside="dog.jpg")          # or beside=another_net: under the same cursor
    >>> cw.FeatureMapBrowser(net, 7, images=cw.samples.scenes(), beside=5)      # two of them, by their numbers

    Choose a layer in the list (arrow keys move through the depth; the cursor stays where it is in the picture). Hovering a
    map gives unit, position and value, and shows in the picture what that position sees: its receptive field. The chart
    says how sparse each layer is; click a bar to go there.
    """

    layer = Layer("with_units", control=None, help="layer whose maps are shown; by default the first")
    y = Cursor(help="row of the cursor in the input, in pixels")
    x = Cursor(help="column of the cursor in the input, in pixels")
    sort = Order(*ORDERS, help="order of the units: index, falling maximum or falling mean")
    beside = public(Beside(None, help="a second picture, or its number in the data set; or a second network"), None)

    _charted: dict[str, float] | None = None  # the shares of zeros in the chart

    def __init__(self, net: BoundModel | nn.Module, image: Any = 0, layer: str | None = None, **options: Any) -> None:
        super().__init__(net, image, layer=layer, **options)

    @property
    def layer_names(self) -> list[str]:
        """The layers that can be shown: those that give maps, a vector or tokens."""
        return [row.name for row in self.net.layers.with_units]

    def build(self) -> Part | tuple[Part, ...]:
        names, fixed = self.layer_names, "layer" in self.locked
        if not names:
            raise ValueError(f"{self.net.name} has no layer to show: none gives maps, a vector or tokens")
        self.browser = MapBrowser(self.net)
        is_network = isinstance(self.beside, BoundModel)
        self.grid = self.make_grid("unit", unit="selected")
        self.second = self.make_grid("unit", **({} if is_network else {"unit": "selected"}))  # its units are others
        width = 250 if self.beside is None or is_network else 150
        self.picture, self.second_picture = ImageView(title="Input", width=width), ImageView(title="Beside", width=width)
        self.chart = ChartView(height=240, fixed=fixed, hint="click: go there")
        with suppress(MissingPackage):
            self.chart.show(_sparsity({}), "share of zeros by depth")  # here, for the worker thread should import nothing
        self.table = TableView(
            heads=["layer", "kind", "output", "parameters", "receptive field"], left=2, height=200, description="layers",
            rows=[_cells(self.net.layers[name]) for name in names], locked=fixed,
        )  # fmt: skip
        self.tie((self.grid, "cursor"), (self.picture, "cursor"), (self.second, "cursor"))
        self.tie((self.grid, "tile"), (self.second, "tile"))
        self.grid.on_user("cursor", self.point)
        self.table.on_user("selected", self.go_to)
        self.chart.on_user("clicked", self.go_to_bar)
        table = [] if "layer" in self.hidden else [self.table]
        if self.beside is None:
            pictures = row(self.picture, self.second_picture, basis=140)
            body = maps = row(column(pictures, *table), self.grid, self.second, basis=400)
        else:
            pictures = row(self.picture, self.second_picture, *table, grow=(0, 0, 1), basis=150)
            maps = row(self.grid, self.second)
            body = column(pictures, maps)
        pictures.hidden, maps.hidden = [self.second_picture], [self.second]
        return body, self.chart

    def compute(self, state: SimpleNamespace, job: Job) -> Browsed:
        beside = state.beside
        if beside is not None and not isinstance(beside, BoundModel):
            beside = self._taken(beside)
        return self.browser.look(state.image, state.layer, beside, on_update=job.update, cancel=job)

    @draws()
    def draw_maps(self, found: Browsed) -> None:
        maps, beside = found.maps, found.beside
        title = f"{self.net.name} · {maps.title}" if beside else maps.title
        self.grid.show(maps.values, orders=maps.orders, title=title)
        self.reveal(self.second, beside is not None)
        if beside:
            title = f"{found.other_name} · {beside.layer.name} · {beside.layer.output}"
            self.second.show(beside.values, orders=beside.orders, title=title)

    @draws()
    def draw_pictures(self, found: Browsed) -> None:
        layer = found.maps.layer
        self.picture.show(
            self.net.picture(found.inputs),
            field=asdict(layer.receptive_field) if layer.receptive_field else {},
            positions=list(layer.map_shape[1:]),
            caption=found.predicted or "",
            title=f"Input {format_shape(self.net.input_shape)}",
        )
        self.reveal(self.second_picture, found.other is not None)
        if found.other is not None:
            self.second_picture.show(self.net.picture(found.other))

    @draws()
    def draw_layers(self, found: Browsed) -> None:
        self.table.selected = self.chart.marked = self.layer_names.index(found.maps.layer.name)
        if found.zeros and found.zeros is not self._charted:  # plotly takes 8 ms: not for another layer
            self.chart.show(_sparsity(found.zeros), f"share of zeros of {len(found.zeros)} layers, by depth")
            self._charted = found.zeros

    @draws("y", "x")
    def place_cursor(self, found: Browsed) -> None:
        if self.y is not None and self.x is not None:
            place = found.maps.layer.to_position(self.y, self.x, self.net.input_shape[1:])
            self.grid.cursor = [float(at) for at in place]

    def summary(self, found: Browsed) -> str:
        says = [self.net.output.sentence] if found.predicted and not self.net.output.is_structure else []
        return " · ".join([found.maps.summary(), *says])

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (units, height, width) and ``picture`` uint8 (H, W, 3); ``beside`` like values."""
        found = self.result
        beside = {"beside": found.beside.values} if found.beside else {}
        return {"values": found.maps.values, "picture": self.net.picture(found.inputs), **beside}

    def point(self, cursor: list[float]) -> None:
        """A hand has moved the cursor on the maps: in the picture it is at the center of what the position sees."""
        y, x = self._result.maps.layer.to_pixel(*cursor, self.net.input_shape[1:])
        self.put(y=y, x=x)

    def go_to(self, number: int) -> None:
        """A hand has chosen a layer by its number in the table or the chart, which list the same layers."""
        self.layer = self.layer_names[number]

    def go_to_bar(self, clicked: list[int]) -> None:
        self.go_to(clicked[1])
        self.chart.clicked = []  # so that the same bar can be clicked again


def _cells(row: Row) -> list[str]:
    """A layer's line in the table."""
    return [row.name, row.kind, row.output, f"{row.parameters:,}", str(row.receptive_field or "no map")]


def _sparsity(zeros: dict[str, float]) -> Any:
    """A bar a layer: the share of zeros, in execution order."""
    percent = {name: 100 * share for name, share in zeros.items()}
    words = {"x": "layer, in order of execution", "y": "% zeros", "hover": "%{text}<br>%{y:.1f} % zeros<extra></extra>"}
    return bars(percent, "Share of zeros by depth", **words, most=100)
