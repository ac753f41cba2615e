"""The panel: a layer's units for a picture, and the story of one of them."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import nn

from cnnwidgets.base import column, draws, row
from cnnwidgets.base.coloring import COLORING
from cnnwidgets.base.jobs import Job, import_for_pictures
from cnnwidgets.base.layout import Part
from cnnwidgets.net import BoundModel, UnitAddress
from cnnwidgets.net.items import names_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.top_patches.pairs import Pairs, center
from cnnwidgets.panels.units import charts, words
from cnnwidgets.panels.units.choice import UnitChoice
from cnnwidgets.panels.units.dreams import Dreams
from cnnwidgets.panels.units.exploring import Explored, Exploring
from cnnwidgets.panels.units.graph import Graph
from cnnwidgets.panels.units.loss import Losses
from cnnwidgets.panels.units.sent_back import SentBack
from cnnwidgets.panels.units.twins import Twins
from cnnwidgets.views import ChartView, ConnectionsView, ImageGrid, ImageView
from cnnwidgets.views.curves import blank

PICTURE = 128
"""Width of a picture in CSS pixels."""

GRID = 184
"""Height of the units, and of the patches."""


class UnitExplorer(UnitChoice):
    """What does this unit want, what is it wired to, and does it matter? One unit's story, on your own data.

    >>> cw.UnitExplorer(cw.load("scenes"), cw.samples.scenes(size=200))
    >>> cw.UnitExplorer(net, pictures, unit=net["layer3"][17])      # opens the unit at this address

    All units of a layer answer to one picture. For the one that you choose: what in the picture it answers to, the patches
    that excite it most, the picture that it wants, its strongest connections, and how well it separates each class. Switch
    it off to see the accuracy without it. The keys u and o change the layer, b changes the projection, f holds the unit
    while you look at others, a switches it off; h lists all keys.

    Parameters:
        net: a bound network, or a bare ``nn.Module``.
        dataset: as :func:`cnnwidgets.methods.scan` takes it.
        image: the number of a picture in it, or a picture.
        layer: a name in ``net.layers``; by default the deepest whose positions see at most half of the picture's side.
        unit: its number, or its address, which also names the layer.
        workers, executor: of the pass over the data set, see :func:`cnnwidgets.methods.scan`.
    """

    _jobs: dict[str, Job]

    def __init__(
        self,
        net: BoundModel | nn.Module,
        dataset: Any,
        image: Any = 0,
        layer: str | None = None,
        unit: int | UnitAddress = 0,
        *,
        workers: int = 0,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self.dataset, self._workers, self._executor = dataset, workers, executor
        self._jobs = {}
        super().__init__(net, image, images=dataset, layer=layer, unit=unit, **options)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all that is shown of the unit; False if ``timeout`` (in seconds) passes first."""
        return super().wait(timeout) and all(job.wait(timeout) for job in [*self._jobs.values()])

    # Panel's parts

    def _learn(self) -> None:
        import_for_pictures()
        super()._learn()

    def build(self) -> Part | tuple[Part, ...]:
        if not self.layer_names:
            raise ValueError(f"{self.net.name} has no layer to show: no output is maps, a vector, a sequence or tokens")
        self._exploring = Exploring(self.net, self.dataset, self._workers, self._executor)
        self._names = names_of(self.dataset) or self.net.classes
        self.grid = self.make_grid("unit", unit="selected")
        self.grid.tools, self.grid.steady, self.grid.height = False, True, GRID
        self.picture = ImageView(width=PICTURE)
        self.map = ImageGrid(noun="map", tools=False, height=PICTURE + 24, tile=PICTURE, hide=["line"])
        self.bind(self.map, *COLORING)
        self.back, self.dream = ImageView(width=PICTURE), ImageView(width=PICTURE)
        self.pairs = Pairs(self, self.dataset, "image" not in self.locked)
        self.pairs.grid.height = GRID
        self.graph = ConnectionsView(height=192, locked="unit" in self.locked or "layer" in self.locked)
        self.chart = ChartView(height=172)
        with suppress(MissingPackage):
            self.chart.show(blank("", ""), "nothing yet")  # plotly is imported here
            self.chart.show(charts.words_alone("Scanning the pictures …"), "nothing yet")
        self.twins = ImageGrid(noun="unit", tools=False, height=176, hide=["line"])
        self._twins = Twins(self.twins)
        self.bind(self.twins, *COLORING)
        self.tie((self.grid, "cursor"), (self.picture, "cursor"), (self.map, "cursor"))
        self.grid.on_user("cursor", self.point)
        self.pairs.grid.on_user("selected", self._open)
        self.graph.on_user("chosen", self._follow)
        self.twins.on_user("selected", self._go_to_twin)
        self.observe(self._keep_unit, "layer")
        self._switched = self.here.layer, self.off
        self.observe(self._keep_off, ["layer", "held", "off"])
        self._dreams, self._graph = Dreams(self, self.dream), Graph(self, self.graph)
        self._losses, self._sent_back = Losses(self, self.chart, self.dataset), SentBack(self, self.back)
        pictures = row(self.picture, self.map, self.back, self.dream, grow=(0, 0, 0, 0), basis=PICTURE + 32)
        left = column(row(self.grid, self.pairs.grid, grow=(1, 1.4), basis=(260, 380)), pictures)
        self._detail = column(self.chart, self.twins)
        return row(left, column(self.graph, self._detail), grow=(2.2, 1), basis=(640, 330))

    def compute(self, state: SimpleNamespace, job: Job) -> Explored:
        held = self.net[state.held[0]][state.held[1]].layer if state.held else None
        return self._exploring.look(state.image, state.layer, held, on_update=job.update, cancel=job)

    @draws(of=lambda panel, found: found.browsed.maps)
    def draw_maps(self, found: Explored) -> None:
        maps = found.browsed.maps
        self.grid.show(maps.values, orders=maps.orders, title=f"{maps.layer.name} · {maps.layer.output}")

    @draws(of=lambda panel, found: found.browsed)
    def draw_picture(self, found: Explored) -> None:
        browsed, layer = found.browsed, found.browsed.maps.layer
        self.picture.show(
            self.net.picture(browsed.inputs), field=asdict(layer.receptive_field) if layer.receptive_field else {},
            positions=list(layer.map_shape[1:]), title="Picture",
        )  # fmt: skip

    @draws("off", of=lambda panel, found: found.browsed)
    def draw_answer(self, found: Explored) -> None:
        self.picture.caption = found.browsed.first
        address = self._story(found)
        if self.off and address and found.browsed.first:
            self._jobs["answer"] = self._losses.answer(address.layer, self.off, found.browsed, self.picture)

    @draws("y", "x")
    def place_cursor(self, found: Explored) -> None:
        if self.y is not None and self.x is not None:
            place = found.browsed.maps.layer.to_position(self.y, self.x, self.net.input_shape[1:])
            self.grid.cursor = [float(at) for at in place]

    @draws("unit")
    def draw_map(self, found: Explored) -> None:
        maps = found.browsed.maps
        if 0 <= self.unit < len(maps.values):
            one = maps.values[self.unit]
            span = [float(maps.values.min()), float(maps.values.max())]
            self.map.show(
                one[None], span=span, title=f"Unit {self.unit}", labels=[f"up to {words.number(float(one.max()))}"]
            )

    @draws("unit", "held", "rule")
    def draw_back(self, found: Explored) -> None:
        if address := self._story(found):
            self._jobs["back"] = self._sent_back.look_at(address, found.browsed.inputs, self.rule)

    @draws("unit", "held", "rule", "image")
    def draw_patches(self, found: Explored) -> None:
        address = self._story(found)
        if not address or not (study := found.studies.get(address.layer)):
            return
        layer = study.patches[address.layer]
        patches, title = layer.strongest(address.unit), words.over_patches(layer, address.unit)
        wanted = SimpleNamespace(**self._snapshot() | {"unit": address.unit, "which": "strongest"})
        self._jobs["look"] = self.pairs.look_at(layer, patches, wanted, study.patches.seen, title)

    @draws("unit", "held", of=lambda panel, found: (panel._story(found), found.whole))
    def draw_dream(self, found: Explored) -> None:
        if found.whole and (address := self._story(found)):
            self._jobs["dream"] = self._dreams.look_at(address)

    @draws("unit", "held", "connected", of=lambda panel, found: (panel._story(found), found.browsed.maps))
    def draw_graph(self, found: Explored) -> None:
        if address := self._story(found):
            self._jobs["graph"] = self._graph.look_at(address, found.browsed.inputs, self.connected)

    @draws("unit", "held", "detail", "off")
    def draw_detail(self, found: Explored) -> None:
        address = self._story(found)
        self.reveal(self.chart, not self.reveal(self.twins, self.detail == "twins"))
        if not found.whole or not address or not (study := found.studies.get(address.layer)):
            return
        profiles = study.profiles[address.layer]
        if self.detail == "twins":
            self._twins.show(profiles, address.unit, found.browsed.maps)
        elif self.detail == "ablation":
            self._jobs["ablation"] = self._losses.look_at(address.layer, self.off or [address.unit])
        else:
            self.chart.show(charts.profile_chart(profiles, address.unit, self._names), "what the unit answers to, by class")

    @draws("unit", "held")
    def draw_words(self, found: Explored) -> None:
        if found.whole and self.status.kind == "ready":
            self.status.say(self._said(found))

    def _story(self, found: Explored) -> UnitAddress | None:
        """The unit whose story is told with a result, which may be that of the previous layer; None if it does not exist."""
        layer, unit = self.held or (found.layer, self.unit)
        known = layer in self.net.layers and self.net.layers[layer].has_units
        return UnitAddress(layer, unit) if known and 0 <= unit < len(self.net[layer]) else None

    def summary(self, found: Explored) -> str:
        address = self._story(found)
        if address is None or address.layer not in found.studies:
            return f"Choose a unit of {found.layer}, from 0 to {len(self.net[found.layer]) - 1}."
        return words.summary(address, found.browsed.maps, found.studies[address.layer], self._names)

    def progress(self, partial: Explored | None) -> str:
        study = partial.studies.get(self.layer) if partial else None
        return f"{study.patches.seen:,} of {study.patches.total:,} pictures …" if study else "Scanning the pictures …"

    def data(self) -> dict[str, np.ndarray]:
        """Of the picture ``values`` (units, height, width) and ``picture`` uint8 (H, W, 3), of the unit ``means`` and
        ``auc`` (classes,), of its patches ``patch_values`` and ``patch_indices`` (n,)."""
        found = self.result
        shown = {"values": found.browsed.maps.values, "picture": self.net.picture(found.browsed.inputs)}
        if (address := self._story(found)) is None:
            return shown
        study, unit = found.studies[address.layer], address.unit
        patches, profiles = study.patches[address.layer].strongest(unit), study.profiles[address.layer]
        return {
            **shown,
            "means": profiles.means[unit],
            "auc": profiles.auc[unit],
            "patch_values": np.array([patch.value for patch in patches]),
            "patch_indices": np.array([patch.index for patch in patches], np.int64),
        }

    # hands

    def point(self, cursor: list[float]) -> None:
        """A user moved the cursor on the maps: in the picture it is at the center of what that position sees."""
        y, x = self._result.browsed.maps.layer.to_pixel(*cursor, self.net.input_shape[1:])
        self.put(y=y, x=x)

    def _open(self, selected: int) -> None:
        """A patch was clicked."""
        layer = self._result.studies[self.here.layer].patches[self.here.layer]
        patches = layer.strongest(self.here.unit)
        if 0 <= selected < len(patches):
            y, x = center(self.net, layer.layer, patches[selected])
            self.put(image=patches[selected].index, y=y, x=x)

    def _follow(self, chosen: list[int]) -> None:
        """A unit at a side of the graph was clicked."""
        if chosen and (node := self._graph.chosen(*chosen)):
            self.put(layer=node[0], unit=node[1], held=[])

    def _go_to_twin(self, selected: int) -> None:
        if 0 <= selected < len(self._twins.units):
            self.unit = self._twins.units[selected]
