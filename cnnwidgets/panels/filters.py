"""FilterGrid: the weights of a layer as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.methods import Filters, filters
from cnnwidgets.net.layers import Layer, format_shape
from cnnwidgets.panels.controls import Choice, Slider
from cnnwidgets.panels.grid import COLORING, GridPanel
from cnnwidgets.panels.picture import bound
from cnnwidgets.views import ImageGrid, MatrixView, View
from cnnwidgets.views.image_grid import SCALES, tiled

if TYPE_CHECKING:
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
    orders = ("index", "norm", "similarity")
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
        row = self.net.layers[self.layer] if self.layer else None
        if row and not row.weight:  # linked to a browser, say, that shows a ReLU: the layer that feeds it
            before = self.net.layers[: self.net.layers.names.index(row.name)]
            row = next((other for other in reversed(before) if other.weight), row)
        result = filters(self.net, row and row.name)
        self._orders(result)  # takes a while the first time: here, not while the lock is held
        return result

    def draw(self, result: Filters) -> None:
        self.channel = min(self.channel, self.channels - 1)
        slider = self.controls.get("channel")
        if slider:
            slider.max = max(self.channels - 1, -1)
            slider.layout.display = "" if self.channels > 1 else "none"
        self._draw_grid()
        self._draw_selected()

    def summary(self, result: Filters) -> str:
        row, dead = result.layer, int(result.dead.sum())
        parts = [f"{row.name}: {len(result.values)} filters of {format_shape(result.values.shape[1:])} weights"]
        asked = self.asked.layer
        if asked and not self.net.layers[asked].weight:
            parts.insert(0, f"{asked} has no filters; shown are those of the layer before it")
        if len(self._shown(result)) < len(result.values):
            parts.append(f"the first {len(self._shown(result))} are shown")
        if result.layer.input_map:
            parts.append("each row is drawn as the map that it weighs")
        return " · ".join([*parts, f"{dead} dead" if dead else "none dead"])

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (filters, channels, height, width), of one channel without that axis; ``norms`` (filters,)."""
        result = self.result
        values = result.values if self.channel < 0 else result.values[:, self.channel]
        return {"values": values, "norms": result.norms}

    def code(self) -> str:
        result = self.result
        owner, _, attribute = result.layer.weight.rpartition(".")
        part = f"model.get_submodule({owner!r})" if owner else "model"
        lines = [self.net.code, f"values = {part}.{attribute}.detach()"]
        if result.transposed:
            lines.append(f"values = values.unflatten(0, ({result.transposed}, -1)).transpose(1, 2).flatten(0, 1)")
        lines.append(f"values = values.reshape{result.values.shape}  # filters, channels, height, width")
        if self.channel >= 0:
            lines.append(f"values = values[:, {self.channel}]")
        return "\n".join(lines)

    def without_kernel(self) -> Mapping[View, dict[str, Any] | None]:
        return {self.grid: {"lock": ["unit"]}}

    def _shown(self, result: Filters) -> np.ndarray:
        return result.values[: max(1, MOST_WEIGHTS // result.values[0].size)]

    def _orders(self, result: Filters) -> dict[str, np.ndarray]:
        """The orders of the filters on screen; by similarity only if they are all there."""
        shown = len(self._shown(result))
        possible = self.orders if shown == len(result.values) else self.orders[:2]
        return {by: result.order(by)[result.order(by) < shown] for by in possible}

    def _maps(self, result: Filters) -> tuple[np.ndarray, list[int]]:
        """What the tiles show: (filters, height, width[, 3]), and their mosaic."""
        values, channels = self._shown(result), result.values.shape[1]
        if self.channel >= channels:
            raise ValueError(
                f"there is no channel {self.channel}: {result.layer.name} has {channels}, numbered from 0; -1 shows all"
            )
        if values.shape[1:3] == (1, 1) and values.shape[3] > 1:  # weights of an input that is no map
            return tiled(values.reshape(len(values), -1, 1, 1))
        if self.channel >= 0 or values.shape[1] == 1:
            return values[:, max(self.channel, 0)], []
        if result.in_color:
            return values.transpose(0, 2, 3, 1), []
        return tiled(values)

    def _draw_grid(self) -> None:
        result = self._result
        maps, mosaic = self._maps(result)
        orders = self._orders(result)
        title = f"{result.layer.name} · {result.layer.kind}, {format_shape(result.values.shape[1:])}"
        self.grid.show(maps, orders=orders, dim=result.dead[: len(maps)], mosaic=mosaic, title=title)

    def _draw_selected(self) -> None:
        result, unit = self._result, self.unit
        shown = 0 <= unit < len(self._shown(result))
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
        kernels = result.values[unit]
        if kernels.shape[:2] == (1, 1):
            kernels = kernels.reshape(-1, 1, 1)
        strengths = np.linalg.norm(kernels.reshape(len(kernels), -1), axis=1)
        if self.channel >= 0:
            chosen = [self.channel]
        elif result.in_color:
            chosen = [0, 1, 2]
        else:
            chosen = np.argsort(-strengths, kind="stable")[:3].tolist()
        names = ["red", "green", "blue"] if result.in_color else [f"channel {c}" for c in range(len(kernels))]
        which = "" if len(chosen) == len(kernels) else f" (the {len(chosen)} strongest of {len(kernels)} channels)"
        caption = f"norm {result.norms[unit]:.3g}{which if self.channel < 0 else ''}"
        if result.dead[unit]:
            caption += " · dead: next to zero beside the layer's other filters"
        self.kernel.show(kernels[chosen], [f"{names[c]}, norm {strengths[c]:.2g}" for c in chosen], caption)


def _line(row: Layer) -> str:
    return f"{row.name} · {row.kind} · {row.parameters:,} parameters"
