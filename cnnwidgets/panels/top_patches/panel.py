"""The panel: the patches of a unit, those of the next one at once, and the picture that a patch is of."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import Panel, action, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.image import Image, bound
from cnnwidgets.base.jobs import Job, import_for_pictures
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Cursor, Flag, Slide, public
from cnnwidgets.methods import TopPatches as Found
from cnnwidgets.methods import UnitPatches, project, top_patches
from cnnwidgets.methods.batches import learn_input_shape, numbers_of
from cnnwidgets.methods.code.top_patches import patch_lines
from cnnwidgets.methods.patches import Patch
from cnnwidgets.methods.stages import local
from cnnwidgets.net import BoundModel, UnitAddress
from cnnwidgets.net.relu_rules import NoRule
from cnnwidgets.panels.top_patches import words
from cnnwidgets.panels.top_patches.pairs import Pairs, center
from cnnwidgets.views import ImageView

MOST = 16
"""Patches of each unit that a scan keeps, so that more of them are there at once."""

LAYERS = 4
"""Scans that are kept, so that one can go back to a layer."""


class TopPatches(Panel):
    """What does a unit want? The patches of a data set that excite it most, each beside what in it made the unit answer.

    >>> cw.TopPatches(cw.load("scenes"), cw.samples.scenes(size=200))

    One scan finds the patches of all units of a layer; then choose another unit, and its patches are there at once. Those
    that excite it least, and a random picture of each tenth, show what else it answers to. Click a patch: its picture
    opens in every panel that is linked by :func:`cnnwidgets.link`.

    Parameters:
        net: a bound network, or a bare ``nn.Module``.
        dataset: as :func:`cnnwidgets.methods.scan` takes it.
        layer: a name in ``net.layers``; by default the deepest whose positions see at most half of the picture's side.
        unit: by its index; or by its address, ``net["layer3"][17]``, which also names the layer.
        workers, executor: of the pass over the data set, see :func:`cnnwidgets.methods.scan`.
    """

    layer = public(
        t.Unicode(None, allow_none=True, help="Layer whose units are asked for their patches"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.layer_names]),
        usual=lambda panel: local(panel.net, panel.layer_names),
    )
    unit = public(
        t.Int(0, help="Index of the unit; type a number to find it, or “dead”"),
        c.Choice(options=lambda panel: panel._units()), then="nothing", none=-1,
    )  # fmt: skip
    which = Choice(
        ["strongest", "weakest", "deciles"], label="show", then="nothing",
        help="The patches that excite the unit most, the pictures that excite it least, or a random one of each tenth",
    )  # fmt: skip
    rule = Choice(
        ["deconvnet", "guided", "gradient"], "guided", label="projection", then="nothing",
        help="How the value of the position goes back to the picture through each ReLU",
    )  # fmt: skip
    one_per_picture = Flag(
        True, label="one per picture", when={"which": ["strongest"]},
        help="Whether a picture gives its strongest position only; a change scans anew",
    )  # fmt: skip
    k = Slide(
        9, (1, MOST), label="patches", more=True, then="nothing", when={"which": ["strongest", "weakest"]},
        help="Largest number of patches",
    )  # fmt: skip
    image = public(Image(None, help="Number of the chosen patch's picture in the data set"), None, then="nothing")
    y = Cursor(help="Row of the chosen patch's center in its picture, in pixels")
    x = Cursor(help="Column of the chosen patch's center in its picture, in pixels")

    _looking: Job | None = None

    def __init__(
        self,
        net: BoundModel | nn.Module,
        dataset: Any,
        layer: str | None = None,
        unit: int | UnitAddress = 0,
        *,
        workers: int = 0,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self.dataset, self._workers, self._executor = dataset, workers, executor
        self._scans: dict[tuple[str, bool], Found] = {}
        super().__init__(bound(net, dataset), layer=layer, unit=unit, **options)

    @property
    def layer_names(self) -> list[str]:
        """The layers that have units."""
        return [one.name for one in self.net.layers.with_units]

    def patches(self) -> list[Patch]:
        """The patches on screen."""
        return self._chosen(self.result)

    @action("Next unit", locked_by="unit", absent=lambda panel: len(panel._units()) < 2)
    def next_unit(self) -> None:
        """Go to the next unit that is not dead."""
        units = [unit for text, unit in self._units() if text == str(unit)]
        self.unit = next((unit for unit in units if unit > self.unit), units[0] if units else self.unit)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the patches; False if ``timeout`` (in seconds) passes first."""
        return super().wait(timeout) and (self._looking is None or self._looking.wait(timeout))

    # Panel's parts

    def _learn(self) -> None:
        import_for_pictures()
        learn_input_shape(self.net, self.dataset, numbers_of(self.dataset, None))

    def build(self) -> Part | tuple[Part, ...]:
        if not self.layer_names:
            raise ValueError(f"{self.net.name} has no layer to ask: no output is maps, a vector, a sequence or tokens")
        picture = ImageView(width=330)
        self.pairs = Pairs(self, self.dataset, "image" not in self.locked, picture)
        self.pairs.grid.on_user("selected", self._open)
        self.observe(self._keep_unit, "layer")
        return row(self.pairs.grid, picture, grow=(2, 1), basis=(560, 240))

    def compute(self, state: SimpleNamespace, job: Job) -> Found:
        asked = state.layer, state.one_per_picture
        if asked not in self._scans:
            found = top_patches(
                self.net, self.dataset, state.layer, MOST, one_per_picture=state.one_per_picture,
                workers=self._workers, executor=self._executor, on_update=job.update, cancel=job,
            )  # fmt: skip
            self._scans = dict([*self._scans.items(), (asked, found)][-LAYERS:])
        return self._scans[asked]

    @draws("unit", "which", "rule", "k", "image")
    def draw_patches(self, found: Found) -> None:
        wanted = SimpleNamespace(**self._snapshot())
        self._looking = self.pairs.look_at(self._layer(found), self._chosen(found), wanted, found.seen)

    @draws("unit", "which", "rule", "k")
    def draw_words(self, found: Found) -> None:
        if self.status.kind == "ready":
            self.status.say(self._said(found))

    def summary(self, found: Found) -> str:
        return words.summary(found, self._layer(found), self.unit, self.which, self._chosen(found))

    def remarks(self, found: Found) -> list[str]:
        return [words.projected(self.rule, self.net, self._layer(found).layer), *found.notes]

    def progress(self, partial: Found | None) -> str:
        return f"{partial.seen:,} of {partial.total:,} pictures …" if partial else "Scanning the pictures …"

    def data(self) -> dict[str, np.ndarray]:
        """Of the patches on screen ``values``, ``indices``, ``rows``, ``columns`` and ``labels``, all (n,).

        And what they show, as far as the network has such projections and all are of one size: ``patches`` and
        ``projections``, float32 (n, C, height, width), 0 beyond the picture.
        """
        found = self.result
        layer, patches = self._layer(found), self._chosen(found)
        names = {"values": "value", "indices": "index", "rows": "row", "columns": "column", "labels": "label"}
        arrays = {key: np.array([getattr(patch, name) for patch in patches]) for key, name in names.items()}
        crops = {"patches": [layer.crop(self.net, self.dataset, patch).values for patch in patches]}
        with suppress(NoRule):
            about = self.net, self.dataset, layer.layer.name, self.unit
            crops["projections"] = [project(*about, patch, self.rule).values for patch in patches]
        return arrays | {name: np.stack(some) for name, some in crops.items() if len({one.shape for one in some}) == 1}

    def code(self) -> str:
        found = self.result
        layer, about = self._layer(found), (self.unit, self.which, self.k, found.one_per_picture)
        if not self._chosen(found):
            raise ValueError(words.heading(layer, self.unit, self.which, (), found.seen))
        return patch_lines(self.net, self.dataset, layer.layer, words.numbers(found), *about)

    def _layer(self, found: Found) -> UnitPatches:
        (layer,) = found.layers.values()
        return layer

    def _chosen(self, found: Found) -> list[Patch]:
        layer = self._layer(found)
        return words.chosen(layer, self.unit, self.which, self.k) if 0 <= self.unit < len(layer.dead) else []

    def _units(self) -> list[tuple[str, int]]:
        """The units to choose from; which are dead is known once all pictures were scanned."""
        count = self.net.layers[self.layer].map_shape[0] if self.layer in self.layer_names else 0
        scan = self._scans.get((self.layer, self.one_per_picture))
        dead = self._layer(scan).dead if scan else np.zeros(count, bool)
        return [(f"{unit}{' · dead' if dead[unit] else ''}", unit) for unit in range(count)]

    def _keep_unit(self, change: Any) -> None:
        """Another layer may have fewer units."""
        if change.new in self.layer_names:
            self.unit = min(self.unit, self.net.layers[change.new].map_shape[0] - 1)

    def _open(self, selected: int) -> None:
        """A patch was clicked."""
        layer, patches = self._layer(self._result), self._chosen(self._result)
        if 0 <= selected < len(patches):
            y, x = center(self.net, layer.layer, patches[selected])
            self.put(image=patches[selected].index, y=y, x=x)
