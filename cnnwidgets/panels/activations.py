"""FeatureMapBrowser: every map of every layer for a picture."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import torch
import traitlets as t

from cnnwidgets.methods import FeatureMaps, activations, zero_shares
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.layers import format_shape
from cnnwidgets.panels.beside import Beside
from cnnwidgets.panels.grid import COLORING, GridPanel
from cnnwidgets.panels.picture import PicturePanel
from cnnwidgets.panels.snippets import layer_lines, picture_lines, tidy
from cnnwidgets.views import ChartView, ImageGrid, ImageView, TableView

if TYPE_CHECKING:
    from cnnwidgets.base.jobs import Job

CACHE_BYTES = 256 * 2**20
"""Maps of layers that were looked at are kept up to this size, for one picture."""


@dataclass(frozen=True)
class Browsed:
    """What the browser shows.

    Attributes:
        inputs: the picture as the network takes it, (1, C, H, W).
        maps: the layer's maps.
        beside: the maps of the second picture or network, if there is one.
        other: the second picture as the network takes it; None if there is none, or it is a network that is beside.
        other_name: what the second one is called.
        zeros: layer name to share of zeros; None until it is computed.
        predicted: what the network says, in words, or a sentence why it says nothing; None until it is computed.
        notes: sentences on the network and on the picture.
    """

    inputs: torch.Tensor
    maps: FeatureMaps
    beside: FeatureMaps | None = None
    other: torch.Tensor | None = None
    other_name: str = "beside"
    zeros: dict[str, float] | None = None
    predicted: str | None = None
    notes: tuple[str, ...] = ()


class FeatureMapBrowser(PicturePanel, GridPanel):
    """All feature maps of all layers for one picture.

    >>> cw.FeatureMapBrowser(net, "cat.jpg")
    >>> cw.FeatureMapBrowser(net, cw.samples.scenes())               # pick among the pictures of a data set
    >>> cw.FeatureMapBrowser(net, 7, images=cw.samples.scenes())     # and begin with number 7
    >>> cw.FeatureMapBrowser(net, "cat.jpg", beside="dog.jpg")       # or beside=another_net: under the same cursor
    >>> cw.FeatureMapBrowser(net, 7, images=cw.samples.scenes(), beside=5)

    Choose a layer in the list (arrow keys move through the depth; the cursor stays where it is in the picture). Hovering a
    map gives unit, position and value, and shows in the picture what that position sees: its receptive field. The chart
    says how sparse each layer is; click a bar to go there.

    Parameters:
        net: a bound network, or a module.
        image: whatever ``net.prepare`` takes as one picture; or a list or data set of them, to pick from; or a number.
        layer: a name in ``net.layers``; by default the first.
        images: the list or data set that numbers count in.
        beside: a second picture, or its number; or a second network.
    """

    layer = t.Unicode(None, allow_none=True, help="layer whose maps are shown; by default the first").tag(control=None)
    y = t.Float(None, allow_none=True, help="row of the cursor in the input, in pixels").tag(control=None)
    x = t.Float(None, allow_none=True, help="column of the cursor in the input, in pixels").tag(control=None)
    orders = ("index", "maximum", "mean")
    sort = t.Enum(orders, "index", help="order of the units: index, falling maximum or falling mean").tag(control=None)

    beside = Beside(None, help="a second picture, or its number in the data set; or a second network").tag(control=None)

    asks = frozenset(("image", "layer", "beside"))

    def __init__(self, net, image: Any = 0, layer: str | None = None, **options):
        self._cache: OrderedDict[tuple, FeatureMaps] = OrderedDict()
        self._inputs: torch.Tensor | None = None
        self._looked_beside: Any = None
        self._charted: dict[str, float] | None = None
        super().__init__(net, image, layer=layer, **options)

    @property
    def layer_names(self) -> list[str]:
        """The layers that can be shown: those that give maps, a vector or tokens."""
        return [row.name for row in self.net.layers.with_units]

    # Panel's parts

    def build(self) -> list[w.Widget]:
        problem = None
        try:
            self.net.prepare(self.source)  # lets the first tensor tell the input's shape
        except Exception as error:  # compute() says what is wrong, unless it keeps the network from running at all
            problem = error
        try:
            names = self.layer_names
        except Exception as error:
            raise problem or error from None
        if not names:
            raise ValueError(f"{self.net.name} has no layer to show: none gives maps, a vector or tokens")
        if self.layer is None:
            self.layer = names[0]
        self.grid = self.make_grid("unit")
        self.picture = ImageView(title="Input", width=150 if self._beside_is_picture else 250)
        self.chart = ChartView(height=270, hint="" if "layer" in self.locked else "click: go there")
        self.chart.show(_sparsity({}), "share of zeros by depth")  # here, for the worker thread should import nothing
        self.table = TableView(
            heads=["layer", "kind", "output", "parameters", "receptive field"],
            rows=[*map(_cells, map(self.net.layers.__getitem__, names))],
            left=2,
            description="layers",
            locked="layer" in self.locked,
        )
        self.tie((self.grid, "cursor"), (self.picture, "cursor"))
        self.grid.on_user("cursor", self._take_cursor)
        self.react(self._place_cursor, "y", "x")
        self.table.on_user("selected", self._go_to)
        self.chart.on_user("clicked", self._take_click)
        box = w.Layout(grid_gap="16px", flex_flow="row wrap", align_items="flex-start")
        self.picture.layout = w.Layout(flex=f"0 1 {self.picture.width}px", min_width="160px")
        self.chart.layout = w.Layout(flex="1 1 240px", min_width="0")
        self.grid.layout = w.Layout(flex="1 1 380px", min_width="0")
        tools = self.toolbox()
        self.table.layout = w.Layout(flex="2 1 470px", min_width="0")
        self._build_beside()
        head = [self.picture, self.second_picture, *([] if "layer" in self.hidden else [self.table]), self.chart]
        return [*tools, w.HBox(head, layout=box), w.HBox([self.grid, self.second], layout=box)]

    def compute(self, job: Job) -> Browsed:
        said: list[str] = []
        inputs = self.net.prepare(self.source, notes=said)
        if self._inputs is None or not torch.equal(inputs, self._inputs):
            self._cache.clear()
            self._inputs = inputs
        layer = job.state.layer or self.layer_names[0]
        browsed = Browsed(inputs, self._maps(self.net, inputs, layer, job), notes=(*self.net.notes, *said))
        browsed = self._with_beside(browsed, layer, job)
        before = self._result
        if before and before.zeros and torch.equal(inputs, before.inputs):
            return replace(browsed, zeros=before.zeros, predicted=before.predicted)
        job.update(browsed)
        return replace(browsed, zeros=zero_shares(self.net, inputs, cancel=job), predicted=self._predict(inputs))

    def draw(self, result: Browsed) -> None:
        row = result.maps.layer
        title = f"{row.name} · {row.output}{_note(row)}"
        self._draw_maps(self.grid, result.maps, f"{self.net.name} · {title}" if result.beside else title)
        self._draw_beside(result)
        self.picture.show(
            self.net.picture(result.inputs),
            field=_field(row),
            positions=list(row.map_shape[1:]),
            caption=result.predicted or "",
            title=f"Input {format_shape(self.net.input_shape)}",
        )
        self.table.selected = self.chart.marked = self.layer_names.index(row.name)
        self._place_cursor()
        if result.zeros and result.zeros is not self._charted:  # plotly takes 8 ms: not for another layer
            self._charted = result.zeros
            self.chart.show(_sparsity(result.zeros), f"share of zeros of {len(result.zeros)} layers, by depth")

    def summary(self, result: Browsed) -> str:
        maps = result.maps
        silent = int((maps.maximum <= 0).sum())
        parts = [
            f"{maps.layer.name}: {len(maps.values)} units, {maps.zeros:.0%} of the values are zero, "
            f"{silent} units nowhere above zero",
            f"values from {_number(maps.values.min())} to {_number(maps.values.max())}",
            *([self.net.output.sentence] if result.predicted and not self.net.output.is_structure else []),
        ]
        return " · ".join(parts)

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (units, height, width) and ``picture`` uint8 (H, W, 3); ``beside`` like values."""
        result = self.result
        beside = {"beside": result.beside.values} if result.beside else {}
        return {"values": result.maps.values, "picture": self.net.picture(result.inputs), **beside}

    def code(self) -> str:
        return tidy("\n".join([picture_lines(self.net, self.image, self.images), layer_lines(self.result.maps.layer)]))

    # the second picture or network

    @property
    def _beside_is_picture(self) -> bool:
        return self.beside is not None and not isinstance(self.beside, BoundModel)

    def _build_beside(self) -> None:
        """The second picture beside the first, and the second grid, row beside row with the first."""
        orders = dict.fromkeys(self.orders, b"")
        self.second = ImageGrid(noun="unit", orders=orders, hide=self.hidden, lock=self.locked)
        self.second.layout = w.Layout(flex="1 1 380px", min_width="0", display="none")
        own = [] if isinstance(self.beside, BoundModel) else ["selected"]  # another network's units are others
        for trait in ("cursor", "sort", "tile", *COLORING, *own):
            self.tie((self.grid, trait), (self.second, trait))
        self.second_picture = ImageView(title="Beside", width=self.picture.width)
        self.second_picture.layout = w.Layout(flex=f"0 1 {self.picture.width}px", min_width="160px", display="none")

    def _with_beside(self, browsed: Browsed, layer: str, job: Job) -> Browsed:
        """With the maps of the second picture; or of the same layer of another network, or that at the same depth."""
        beside, inputs = self.beside, browsed.inputs
        if beside is not self._looked_beside:
            for key in [key for key in self._cache if key[0]]:
                del self._cache[key]
            self._looked_beside = beside
        if beside is None:
            return browsed
        if not isinstance(beside, BoundModel):
            other = self.net.prepare(self._taken(beside))
            return replace(browsed, beside=self._maps(self.net, other, layer, job, beside=True), other=other)
        beside.learn_input_shape([inputs[0]])
        given = inputs if beside.takes_inputs_of(self.net) else self.net.intensities(inputs)
        if layer not in beside.layers:
            mine, theirs = self.layer_names, [row.name for row in beside.layers.with_units]
            depth = mine.index(self.net.layers[layer].name) / max(1, len(mine) - 1)
            layer = theirs[round(depth * (len(theirs) - 1))]
        maps = self._maps(beside, beside.prepare(given), layer, job, beside=True)
        return replace(browsed, beside=maps, other_name=beside.name)

    def _draw_beside(self, result: Browsed) -> None:
        self.second.layout.display = "" if result.beside else "none"
        self.second_picture.layout.display = "none" if result.other is None else ""
        if result.beside:
            row = result.beside.layer
            self._draw_maps(self.second, result.beside, f"{result.other_name} · {row.name} · {row.output}")
        if result.other is not None:
            self.second_picture.show(self.net.picture(result.other))

    # inside

    def _maps(self, net: BoundModel, inputs: torch.Tensor, layer: str, job: Job, beside: bool = False) -> FeatureMaps:
        key = beside, layer
        if key not in self._cache:
            self._cache[key] = activations(net, inputs, [layer], cancel=job)[layer]
            while sum(maps.values.nbytes for maps in self._cache.values()) > CACHE_BYTES and len(self._cache) > 1:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _predict(self, inputs: torch.Tensor) -> str:
        try:
            output = self.net.output
            return output.sentence if output.is_structure else output.says(self.net.predict(inputs, k=3)[0])
        except (TypeError, ValueError) as error:
            return str(error)

    def _draw_maps(self, grid: ImageGrid, maps: FeatureMaps, title: str) -> None:
        grid.show(maps.values, orders={by: maps.order(by) for by in self.orders}, title=title)

    def _take_cursor(self, cursor: list[float]) -> None:
        """The cursor moved on the maps: in the picture it is at the centre of what the position sees."""
        if self._result and len(cursor) == 2:
            row = self._result.maps.layer
            with self.hold_trait_notifications():
                self.y, self.x = row.to_pixel(*cursor, self.net.input_shape[1:])

    def _place_cursor(self) -> None:
        if position := self._position():
            self.grid.cursor = position

    def _position(self) -> list[float]:
        """[row, column] on the maps of the cursor's place in the picture; empty for none."""
        if self.y is None or self.x is None:
            return []
        row, column = self._result.maps.layer.to_position(self.y, self.x, self.net.input_shape[1:])
        return [float(row), float(column)]

    def _take_click(self, clicked: list[int]) -> None:
        if clicked:
            self._go_to(clicked[1])
            self.chart.clicked = []  # so that the same bar can be clicked again

    def _go_to(self, number: int) -> None:
        """A layer was chosen by its number in the table or the chart, which list the same layers."""
        if number >= 0 and "layer" not in self.locked:
            self.layer = self.layer_names[number]


def _cells(row: Layer) -> list[str]:
    """A layer's line in the table."""
    return [row.name, row.kind, row.output, f"{row.parameters:,}", str(row.receptive_field or "no map")]


def _note(row: Layer) -> str:
    """What a reader should know of an output that is no ordinary map."""
    if row.grid:
        beside = f", without {row.beside_grid} beside it" if row.beside_grid else ""
        return f" · on their grid of {format_shape(row.grid[:2])}{beside}"
    return {
        "vector": " · one value a unit",
        "sequence": " · a row of positions a unit",
        "tokens": " · tokens are no map: a row of positions a unit",
        "map, channels last": " · channels last",
    }.get(row.layout, f" · sees {row.receptive_field}")


def _number(value: float) -> str:
    return f"{value:.3g}"


def _field(row: Layer) -> dict[str, Any]:
    return asdict(row.receptive_field) if row.receptive_field else {}


def _sparsity(zeros: dict[str, float]) -> Any:
    """A bar a layer: the share of zeros, in execution order."""
    import plotly.graph_objects as go

    names = list(zeros)
    bar = go.Bar(
        x=list(range(len(names))), y=[100 * share for share in zeros.values()], text=names, textposition="none",
        marker={"color": "#648fff", "line": {"width": 0}}, selected={"marker": {"color": "#ffb000"}},
        unselected={"marker": {"opacity": 1}}, hovertemplate="%{text}<br>%{y:.1f} % zeros<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(bar)
    figure.update_layout(
        title={"text": "Share of zeros by depth", "font": {"size": 14}},
        yaxis={"title": {"text": "% zeros", "font": {"size": 13}}, "range": [0, 100]},
        xaxis={"title": {"text": "layer, in order of execution", "font": {"size": 13}}, "showticklabels": False},
        bargap=0.1,
        template="none",
    )
    return figure
