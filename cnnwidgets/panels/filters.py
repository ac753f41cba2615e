"""FilterGrid: the weights of a layer as pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import nn

from cnnwidgets.base import column, draws, row
from cnnwidgets.base.coloring import COLORING, ColoredPanel, Order, Scale
from cnnwidgets.base.image import bound
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Layer, Slide, Unit
from cnnwidgets.methods import Filters, filters
from cnnwidgets.methods.filters import ORDERS, layer_with_filters
from cnnwidgets.net import BoundModel
from cnnwidgets.views import ImageGrid, MatrixView

MOST_WEIGHTS = 8_000_000
"""Most weights that are sent to the browser; the first fully connected layer of vgg16 has 103 million."""

HINT = "Click a filter, or use the arrow keys, to see its weights and its nearest filters."


class FilterGrid(ColoredPanel):
    """The filters of a layer as a grid of pictures.

    >>> cw.FilterGrid(cw.load("scenes"))

    The filters of a first layer are in color. Filters of deeper layers show all their input channels side by side, or one
    at a time. The rows of a fully connected layer are drawn as the map that they weight: for a linear classifier, one
    template per class. Click a filter, or use the arrow keys, to see its weights, its norm and its nearest filters. Dead
    filters, whose weights are nearly zero, are crossed out.
    """

    layer = Layer("weighted", shown=lambda panel: panel.shown_layer, help="Layer whose filters are shown")
    unit = Unit(0)  # so that a panel shows from the start what a click on a filter gives
    channel = Slide(
        None, lambda panel: (0, panel.channels - 1), then="nothing", low=0, nothing="all",
        absent=lambda panel: panel.channels == 1, help="Input channel to show, or all of them",
    )  # fmt: skip
    sort = Order(*ORDERS, help="Order of the filters: by index, largest norm first, or similar filters side by side")
    scale = Scale("layer", "filter")

    def __init__(self, net: BoundModel | nn.Module, layer: str | None = None, **options: Any) -> None:
        super().__init__(bound(net, ()), layer=layer, **options)

    @property
    def channels(self) -> int:
        """Number of input channels of the filters on screen."""
        return self._result.values.shape[1] if self._result else 1

    @property
    def shown_layer(self) -> str | None:
        """The layer whose filters are on screen, which may be one before the layer that was chosen."""
        return self._result.layer.name if self._result else None

    def build(self) -> Part | tuple[Part, ...]:
        self.grid = self.make_grid("filter", unit="selected")
        self.grid.height, self.grid.quantity = 350, "weight"
        self.alike = self.bind(ImageGrid(tools=False, height=240, noun="filter", lock=["unit"]), *COLORING)
        self.kernel = MatrixView(height=210)
        self.detail = column(self.alike, self.kernel, follows="unit")
        return row(self.grid, self.detail, grow=(3, 2), basis=(420, 360))

    def compute(self, state: SimpleNamespace, job: Job) -> Filters:
        found = filters(self.net, layer_with_filters(self.net, state.layer).name if state.layer else None)
        found.first(MOST_WEIGHTS)  # sorting takes a while the first time: here, not while the lock is held
        return found

    @draws()
    def keep_channel(self, found: Filters) -> None:
        if self.channel is not None:
            self.channel = min(self.channel, self.channels - 1)

    @draws("channel")
    def draw_grid(self, found: Filters) -> None:
        count, orders = found.first(MOST_WEIGHTS)
        maps, mosaic = found.pictures(self.channel, count)
        labels = found.classes(self.net)[:count]
        self.grid.show(maps, orders=orders, dim=found.dead[:count], mosaic=mosaic, title=found.title, labels=labels)

    @draws("unit", "channel")
    def draw_detail(self, found: Filters) -> None:
        count, _ = found.first(MOST_WEIGHTS)
        if not self.reveal(self.alike, 0 <= self.unit < count):
            self.kernel.show(np.zeros((0, 0, 0)), caption=HINT)
            return
        maps, mosaic = found.pictures(self.channel, count)
        alike = [(other, cosine) for other, cosine in found.alike(self.unit, 5) if other < count]
        nearest = f"its {len(alike)} nearest" if len(alike) > 1 else "its nearest"
        self.alike.show(
            maps[[self.unit, *(other for other, _ in alike)]],
            mosaic=mosaic,
            span=[float(maps.min()), float(maps.max())],
            title=f"Filter {self.unit} and {nearest} (cosine similarity)" if alike else f"Filter {self.unit}",
            labels=[f"no. {self.unit}", *(f"no. {other} · {cosine:.2f}".replace("-", "−") for other, cosine in alike)],
        )
        self.kernel.show(*found.kernels(self.unit, self.channel))

    def summary(self, found: Filters) -> str:
        asked, said = self.asked.layer, found.summary(found.first(MOST_WEIGHTS)[0])
        if asked and not self.net.layers[asked].weight:
            kind, name = self.net.layers[asked].kind, found.layer.name
            article = "An" if kind[0].lower() in "aeiou" else "A"
            return f"{article} {kind} has no filters. These are those of {name}, the last layer before it with any.\n{said}"
        return said

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (filters, channels, height, width), without the channel axis if one is chosen; ``norms`` (filters,)."""
        found = self.result
        return {"values": found.values if self.channel is None else found.values[:, self.channel], "norms": found.norms}

    def code(self) -> str:
        return self.result.code(self.net, self.channel)
