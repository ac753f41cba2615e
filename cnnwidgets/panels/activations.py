"""FeatureMapBrowser: every feature map of every layer for one picture."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import column, draws, row
from cnnwidgets.base.coloring import ColoredPanel, Order
from cnnwidgets.base.fitting import Unfit
from cnnwidgets.base.image import Image, ImagePanel
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.picture_maps import PictureMaps
from cnnwidgets.base.traits import Cursor, Layer, public
from cnnwidgets.methods.activations import ORDERS
from cnnwidgets.methods.browsing import Browsed, MapBrowser
from cnnwidgets.net import BoundModel
from cnnwidgets.net.errors import capitalized
from cnnwidgets.net.layers import Layer as Row
from cnnwidgets.net.layers import format_shape
from cnnwidgets.optional import MissingPackage
from cnnwidgets.views import Cell, ChartView, ImageView, TableView
from cnnwidgets.views.by_layer import bars_by_layer


class FeatureMapBrowser(ImagePanel, ColoredPanel):
    """All feature maps of all layers for one picture.

    >>> cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes())    # a data set, to choose pictures from
    >>> cw.FeatureMapBrowser(net, "cat.jpg", beside="dog.jpg")          # a second picture, under the same cursor
    >>> cw.FeatureMapBrowser(net, 7, images=cw.samples.scenes(), beside=5)      # both by their numbers

    Choose a layer in the table; the arrow keys go through the layers, and the cursor keeps its place in the picture. Point
    at a map to read unit, position and value; the picture shows what that position sees, its receptive field. The chart
    shows the share of zeros in each layer; click a bar to open the layer. :class:`cnnwidgets.TwoNetworks` shows the maps of
    two networks.
    """

    layer = Layer(
        "with_units", absent=lambda panel: not panel.is_bare, help="Layer whose maps are shown; by default the first"
    )  # else the table is its control
    y = Cursor(help="Row of the cursor in the picture, in pixels")
    x = Cursor(help="Column of the cursor in the picture, in pixels")
    sort = Order(*ORDERS, help="Order of the maps: by index, or largest maximum or mean first")
    beside = public(Image(None, help="A second picture, or its number in the data set"), None)

    _charted: dict[str, float] | None = None  # the shares of zeros in the chart

    def __init__(self, net: BoundModel | nn.Module, image: Any = 0, layer: str | None = None, **options: Any) -> None:
        super().__init__(net, image, layer=layer, **options)

    @t.validate("beside")
    def _refuse_network(self, proposal: Any) -> Any:
        match proposal.value:
            case BoundModel() | nn.Module() | {"network": str(), "id": int()}:  # the last in a state of an earlier version
                raise Unfit("expected a picture or its number, got a network; cw.TwoNetworks compares two networks")
        return proposal.value

    @property
    def layer_names(self) -> list[str]:
        """The layers that can be shown: those whose output is maps, a vector, a sequence or tokens."""
        return [row.name for row in self.net.layers.with_units]

    def build(self) -> Part | tuple[Part, ...]:
        names, fixed = self.layer_names, "layer" in self.locked
        if not names:
            raise ValueError(f"{self.net.name} has no layer to show: no output is maps, a vector, a sequence or tokens")
        self.browser = MapBrowser(self.net)
        alone = self.beside is None
        self.grid, self.second = (self.make_grid("unit", unit="selected") for _ in range(2))
        self.second.hide = [*self.second.hide, "zoom"]  # the first grid's is both's
        self.grid.steady = self.second.steady = True
        self.grid.height = self.second.height = 352 if alone else 260
        width = 200 if alone else 160
        self.picture, self.second_picture = ImageView(width=width), ImageView(title="Beside", width=width)
        self.chart = ChartView(height=112, fixed=fixed, hint="click a bar to open it")
        none = dict.fromkeys(names, 0.0)  # plotly is imported here, for the worker thread should import nothing
        with suppress(MissingPackage):
            self.chart.show(self.zeros_chart(none), "zeros in each layer")
        self.table = TableView(
            heads=["layer", "kind", "output", "parameters", "receptive field"], left=2, spare=3,
            rows=[_cells(self.net.layers[name]) for name in names], height=314 if alone else 200, locked=fixed,
            description="layers",
        )  # fmt: skip
        self.tie((self.grid, "cursor"), (self.picture, "cursor"), (self.second, "cursor"))
        self.tie((self.grid, "tile"), (self.second, "tile"))
        self.grid.on_user("cursor", self.point)
        self.table.on_user("selected", self.go_to)
        self.chart.on_user("clicked", self.go_to_bar)
        return self.lay_out(width)

    def lay_out(self, width: int) -> Part:
        """Picture and table with the maps at their right; two pictures above their maps."""
        table = [] if "layer" in self.hidden else [self.table]
        bases = [width, width, *[330 for _ in table]]
        if self.beside is None:
            pictures = row(self.picture, self.second_picture, *table, grow=[0, 0, *[1 for _ in table]], basis=bases)
            left = column(pictures, self.chart)
            maps = body = row(left, self.grid, self.second, grow=(1, 2, 2), basis=[580 if table else 300, 240, 240])
        else:
            pictures = row(
                self.picture, self.second_picture, *table, self.chart, grow=[0, 0, *[2 for _ in table]], basis=[*bases, 330]
            )
            maps = row(self.grid, self.second)
            body = column(pictures, maps)
        pictures.hidden, maps.hidden = [self.second_picture], [self.second]
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> Browsed:
        beside = None if state.beside is None else self.taken(state.beside)
        return self.browser.look(state.image, state.layer, beside, on_update=job.update, cancel=job)

    @draws()
    def draw_maps(self, found: Browsed) -> None:
        maps, beside = found.maps, found.beside
        self.grid.show(maps.values, orders=maps.orders, title=f"Picture · {maps.title}" if beside else maps.title)
        self.reveal(self.second, beside is not None)
        if beside:
            title = f"Beside · {beside.layer.name} · {beside.layer.output}"
            self.second.show(beside.values, orders=beside.orders, title=title)

    @draws()
    def draw_pictures(self, found: Browsed) -> None:
        layer = found.maps.layer
        self.picture.show(
            self.net.picture(found.inputs),
            field=asdict(layer.receptive_field) if layer.receptive_field else {},
            positions=list(layer.map_shape[1:]),
            caption=found.predicted or "",
            title=f"Picture ({format_shape(self.net.input_shape)})",
        )
        self.reveal(self.second_picture, found.other is not None)
        if found.other is not None:
            self.second_picture.show(self.net.picture(found.other))

    @draws()
    def draw_layers(self, found: Browsed) -> None:
        self.table.selected = self.chart.marked = self.layer_names.index(found.maps.layer.name)
        if found.zeros and found.zeros is not self._charted:  # plotly takes 8 ms: not for another layer
            self.chart.show(self.zeros_chart(found.zeros), f"zeros in each of {len(found.zeros)} layers")
            self._charted = found.zeros

    def zeros_chart(self, zeros: dict[str, float]) -> Any:
        """The share of zeros in each layer, as bars; beside a table the axis has less room."""
        percents = {name: 100 * share for name, share in zeros.items()}
        return bars_by_layer(percents, "Zeros in each layer", "zeros", letters=64 if self.beside is None else 40)

    @draws("y", "x")
    def place_cursor(self, found: Browsed) -> None:
        if self.y is not None and self.x is not None:
            place = found.maps.layer.to_position(self.y, self.x, self.net.input_shape[1:])
            self.grid.cursor = [float(at) for at in place]

    def summary(self, found: Browsed) -> str:
        says = [capitalized(self.net.output.sentence)] if found.predicted and not self.net.output.is_structure else []
        return "\n".join([found.maps.summary(), *says])

    def maps_of(self, found: Browsed) -> PictureMaps:
        values, signed = found.maps.values, bool(found.maps.values.min() < 0)
        scales = np.abs(values).max((1, 2)).tolist()
        maps = {str(k): Cell(one, scales[k] or 1.0, signed, quantity="value") for k, one in enumerate(values)}
        return PictureMaps(self.net.picture(found.inputs), maps, "unit")

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (units, height, width), ``picture`` uint8 (H, W, 3), and ``beside``, like values, if there is any."""
        found = self.result
        beside = {"beside": found.beside.values} if found.beside else {}
        return {"values": found.maps.values, "picture": self.net.picture(found.inputs), **beside}

    def point(self, cursor: list[float]) -> None:
        """A user moved the cursor on the maps: in the picture it is at the center of what that position sees."""
        y, x = self._result.maps.layer.to_pixel(*cursor, self.net.input_shape[1:])
        self.put(y=y, x=x)

    def go_to(self, number: int) -> None:
        """A user chose a layer, by its number in the table or the chart, which list the same layers."""
        self.layer = self.layer_names[number]

    def go_to_bar(self, clicked: list[int]) -> None:
        self.go_to(clicked[1])
        self.chart.clicked = []  # so that the same bar can be clicked again


def _cells(row: Row) -> list[str]:
    """A layer's row in the table."""
    return [row.name, row.kind, row.output, f"{row.parameters:,}", str(row.receptive_field or "none")]
