"""FilterGrid: the weights of a layer as pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import nn

from cnnwidgets.base import draws, row
from cnnwidgets.base.coloring import COLORING, ColoredPanel, Order, Scale
from cnnwidgets.base.image import bound
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Layer, Slide
from cnnwidgets.methods import Filters, filters
from cnnwidgets.methods.filters import ORDERS, layer_with_filters
from cnnwidgets.net import BoundModel
from cnnwidgets.views import ImageGrid, MatrixView

MOST_WEIGHTS = 8_000_000
"""Weights that are sent to the browser at most; vgg16's first fully connected layer has 103 million."""


class FilterGrid(ColoredPanel):
    """The filters of a layer as a grid of pictures.

    >>> cw.FilterGrid(cw.load("scenes"))

    First layers are shown in color; deeper layers with all input channels side by side, or one at a time; a fully
    connected layer's rows as the map they weigh, which for a linear classifier is a template a class. Click a filter, or
    move with the arrow keys, to see its numbers, its norm and the filters most like it. Filters that are (next to) zero
    are crossed out.
    """

    layer = Layer("weighted", text=lambda row: f"{row.name} · {row.kind} · {row.parameters:,} parameters",
                  help="layer whose filters are shown; by default the first that has any")  # fmt: skip
    channel = Slide(-1, lambda panel: (-1, panel.channels - 1), then="nothing", absent=lambda panel: panel.channels == 1,
                    help="input channel that is shown; -1: all of them")  # fmt: skip
    sort = Order(*ORDERS, help="order: index, falling norm, or neighbors alike")
    scale = Scale("layer", help="what the colors span: each filter, the layer, or fixed limits")

    def __init__(self, net: BoundModel | nn.Module, layer: str | None = None, **options: Any) -> None:
        super().__init__(bound(net, ()), layer=layer, **options)

    @property
    def channels(self) -> int:
        """Number of input channels of the filters on screen."""
        return self._result.values.shape[1] if self._result else 1

    def build(self) -> Part | tuple[Part, ...]:
        self.grid = self.make_grid("filter", unit="selected")
        self.alike = self.bind(ImageGrid(tools=False, tile=84, height=240, noun="filter", lock=["unit"]), *COLORING)
        self.kernel = MatrixView()
        self.detail = row(self.alike, self.kernel, grow=(1, 2), follows="unit")
        return self.grid, self.detail

    def compute(self, state: SimpleNamespace, job: Job) -> Filters:
        found = filters(self.net, layer_with_filters(self.net, state.layer).name if state.layer else None)
        found.first(MOST_WEIGHTS)  # sorting takes a while the first time: here, not while the lock is held
        return found

    @draws()
    def keep_channel(self, found: Filters) -> None:
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
        if not self.reveal(self.detail, 0 <= self.unit < count):
            return
        maps, mosaic = found.pictures(self.channel, count)
        alike = [(other, cosine) for other, cosine in found.alike(self.unit, 5) if other < count]
        self.alike.show(
            maps[[self.unit, *(other for other, _ in alike)]],
            mosaic=mosaic,
            span=[float(maps.min()), float(maps.max())],
            title=f"Filter {self.unit} and the {len(alike)} most like it (cosine)" if alike else f"Filter {self.unit}",
            labels=[str(self.unit), *(f"{other}: {cosine:.2f}" for other, cosine in alike)],
        )
        self.kernel.show(*found.kernels(self.unit, self.channel))

    def summary(self, found: Filters) -> str:
        asked, said = self.asked.layer, found.summary(found.first(MOST_WEIGHTS)[0])
        if asked and not self.net.layers[asked].weight:
            return f"{asked} has no filters; shown are those of the layer before it · {said}"
        return said

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (filters, channels, height, width), of one channel without that axis; ``norms`` (filters,)."""
        found = self.result
        return {"values": found.values if self.channel < 0 else found.values[:, self.channel], "norms": found.norms}

    def code(self) -> str:
        return self.result.code(self.net, self.channel)
