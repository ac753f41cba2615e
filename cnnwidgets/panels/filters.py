"""FilterGrid: the weights of a layer as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.base.image import bound
from cnnwidgets.methods import Filters, filters
from cnnwidgets.methods.filters import ORDERS, layer_with_filters
from cnnwidgets.net.layers import Layer
from cnnwidgets.panels import twin
from cnnwidgets.panels.controls import Choice, Slider
from cnnwidgets.panels.grid import COLORING, GridPanel
from cnnwidgets.views import ImageGrid, MatrixView, View
from cnnwidgets.views.image_grid import SCALES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnnwidgets.base.jobs import Job

MOST_WEIGHTS = 8_000_000
"""Weights that are sent to the browser at most; vgg16's first fully connected layer has 103 million."""


class FilterGrid(GridPanel):
    """The filters of a layer as a grid of pictures.

    >>> cw.FilterGrid(cw.load("scenes"))

    First layers are shown in colour; deeper layers with all input channels side by side, or one at a time; a fully
    connected layer's rows as the map they weigh, which for a linear classifier is a template a class. Click a filter, or
    move with the arrow keys, to see its numbers, its norm and the filters most like it. Filters that are (next to) zero
    are crossed out.
    """

    layer = t.Unicode(None, allow_none=True, help="layer whose filters are shown; by default the first that has any").tag(
        control=Choice(lambda panel: [(_line(row), row.name) for row in panel.net.layers.weighted])
    )
    channel = t.Int(-1, help="input channel that is shown; -1: all of them").tag(
        control=Slider(lambda panel: (-1, panel.channels - 1))
    )
    orders = ORDERS
    sort = t.Enum(orders, "index", help="order: index, falling norm, or neighbours alike").tag(control=None)

    scale = t.Enum(SCALES, "layer", help="what the colours span: each filter, the layer, or fixed limits").tag(control=None)

    asks = frozenset(("layer",))

    def __init__(self, net, layer: str | None = None, **options):
        super().__init__(bound(net, ()), layer=layer, **options)

    @property
    def channels(self) -> int:
        """Number of input channels of the filters on screen."""
        return self._result.values.shape[1] if self._result else 1

    def build(self) -> list[w.Widget]:
        if self.layer is None and self.net.layers.weighted:
            self.layer = self.net.layers.weighted[0].name
        self.grid = self.make_grid("filter")
        self.alike = ImageGrid(tools=False, tile=84, height=240, noun="filter", lock=["unit"])
        self.kernel = MatrixView()
        for trait in COLORING:
            self.tie((self.grid, trait), (self.alike, trait))
        self.react(self._draw_grid, "channel")
        self.react(self._draw_selected, "unit", "channel")
        self.detail = w.HBox(
            [self.alike, self.kernel], layout=w.Layout(display="none", grid_gap="16px", flex_flow="row wrap")
        )
        self.alike.layout = w.Layout(flex="1 1 280px", min_width="0")
        self.kernel.layout = w.Layout(flex="2 1 380px", min_width="0", overflow="auto")
        return [*self.toolbox(), self.grid, self.detail]

    def compute(self, job: Job) -> Filters:
        found = filters(self.net, layer_with_filters(self.net, self.layer).name if self.layer else None)
        self._orders(found)  # takes a while the first time: here, not while the lock is held
        return found

    def draw(self, result: Filters) -> None:
        self.channel = min(self.channel, self.channels - 1)
        slider = self.controls.get("channel")
        if slider:
            slider.max = max(self.channels - 1, -1)
            slider.layout.display = "" if self.channels > 1 else "none"
        self._draw_grid()
        self._draw_selected()

    def summary(self, result: Filters) -> str:
        asked, said = self.asked.layer, result.summary(self._shown(result))
        if asked and not self.net.layers[asked].weight:
            return f"{asked} has no filters; shown are those of the layer before it · {said}"
        return said

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (filters, channels, height, width), of one channel without that axis; ``norms`` (filters,)."""
        result = self.result
        values = result.values if self.channel < 0 else result.values[:, self.channel]
        return {"values": values, "norms": result.norms}

    def code(self) -> str:
        return self.result.code(self.net, self.channel)

    def figure(self) -> Figure:
        result = self.shown
        maps, _ = self._maps(result)
        order = self._orders(result).get(self.sort, range(len(maps)))
        figure = twin.new_figure(9.0, 5.0)
        title = f"{self.net.name} · {result.layer.name} · {len(maps)} filters"
        self.draw_maps(figure.subplots(), maps[order], title, "weight")
        return figure

    def without_kernel(self) -> Mapping[View, dict[str, Any] | None]:
        return {self.grid: {"lock": ["unit"]}}

    def _shown(self, result: Filters) -> int:
        """How many filters are on screen."""
        return result.first(MOST_WEIGHTS)[0]

    def _orders(self, result: Filters) -> dict[str, np.ndarray]:
        return result.first(MOST_WEIGHTS)[1]

    def _maps(self, result: Filters) -> tuple[np.ndarray, list[int]]:
        """What the tiles show: (filters, height, width[, 3]), and their mosaic."""
        return result.pictures(self.channel, self._shown(result))

    def _draw_grid(self) -> None:
        result: Filters = self._result
        maps, mosaic = self._maps(result)
        dim = result.dead[: len(maps)]
        self.grid.show(maps, orders=self._orders(result), dim=dim, mosaic=mosaic, title=result.title)

    def _draw_selected(self) -> None:
        result, unit = self._result, self.unit
        shown = 0 <= unit < self._shown(result)
        self.detail.layout.display = "" if shown else "none"
        if not shown:
            return
        maps, mosaic = self._maps(result)
        alike = [(other, cosine) for other, cosine in result.alike(unit, 5) if other < len(maps)]
        self.alike.show(
            maps[[unit, *(other for other, _ in alike)]],
            mosaic=mosaic,
            span=[float(maps.min()), float(maps.max())],
            title=f"Filter {unit} and the {len(alike)} most like it (cosine)" if alike else f"Filter {unit}",
            labels=[str(unit), *(f"{other}: {cosine:.2f}" for other, cosine in alike)],
        )
        self.kernel.show(*result.kernels(unit, self.channel))


def _line(row: Layer) -> str:
    return f"{row.name} · {row.kind} · {row.parameters:,} parameters"
