"""The panel: pictures under the colors of a layer's factors, and each factor beside its patches."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import Panel, column, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.image import Image, bound
from cnnwidgets.base.jobs import Job, import_for_layouts
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Cursor, Seed, Slide, public
from cnnwidgets.methods import Factors, factors
from cnnwidgets.methods.batches import learn_input_shape, numbers_of
from cnnwidgets.methods.cam import cam_layer
from cnnwidgets.methods.code.factors import factor_lines
from cnnwidgets.net import BoundModel
from cnnwidgets.net.items import names_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.concepts import words
from cnnwidgets.panels.concepts.charts import explained
from cnnwidgets.panels.concepts.looks import Looks, place_of
from cnnwidgets.views import ChartView, ImageGrid
from cnnwidgets.views.grid_overlay import overlay
from cnnwidgets.views.palette import class_colors

MOST = 16
"""Most factors on the slider: as many as can be told apart, by color and by number."""

PICTURES = 40
"""Pictures that are shown."""

LAYERS = 4
"""Samples of layers that are kept, so that one can go back to a layer."""


@dataclass(frozen=True, eq=False)
class Colored:
    """Factors, and what they look like: pictures and strips of patches, uint8 (n, height, width, 3) each."""

    found: Factors
    pictures: np.ndarray
    strips: np.ndarray


class Concepts(Panel):
    """What is a layer made of? Its maps as a few factors, each a color over many pictures, beside its patches.

    >>> cw.Concepts(cw.load("scenes"), cw.samples.scenes(size=200), n=4)

    Move the slider to change the number of factors: one scan of the pictures serves them all. Click a factor to show it
    alone; click it again to show all. Click a picture: it opens in every panel that is linked by :func:`cnnwidgets.link`.

    Parameters:
        net: a bound network, or a bare ``nn.Module``.
        dataset: as :func:`cnnwidgets.methods.scan` takes it.
        layer: a name in ``net.layers``; by default that of the last feature maps.
        n: number of factors; by default 6, or as many as the layer has units, where these are fewer.
        workers, executor: of the pass over the data set, see :func:`cnnwidgets.methods.scan`.
    """

    layer = public(
        t.Unicode(None, allow_none=True, help="Layer whose maps are factored"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.layer_names]),
        usual=lambda panel: panel._last_maps(),
    )
    n = Slide(
        6, lambda panel: (1, panel._most()), low=1, label="factors",
        help="Number of factors; the chart shows the most that each number can explain",
    )  # fmt: skip
    factor = public(
        t.Int(-1, help="Factor that is shown alone; all: each position has the color of its largest factor"),
        c.Choice(options=lambda panel: panel._factors(), label="show"),
        then="nothing", none=-1,
    )  # fmt: skip
    opacity = Slide(0.75, (0.0, 1.0), step=0.05, then="nothing", help="Opacity of the colors over the pictures")
    seed = Seed(help="Seed of the random positions and pictures")
    image = public(Image(None, help="Number of the chosen picture in the data set"), None, then="nothing")
    y = Cursor(help="Row of the place that was clicked in the chosen picture, in pixels")
    x = Cursor(help="Column of the place that was clicked in the chosen picture, in pixels")

    def __init__(
        self,
        net: BoundModel | nn.Module,
        dataset: Any,
        layer: str | None = None,
        n: int | None = None,
        *,
        workers: int = 0,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self.dataset, self._workers, self._executor = dataset, workers, executor
        self._sampled: dict[tuple[str, int], Factors] = {}
        self._has_usual_number = n is None
        number = {} if n is None else {"n": n}
        super().__init__(bound(net, dataset), layer=layer, **{**options, **number})

    @property
    def layer_names(self) -> list[str]:
        """The layers that have maps of more than one position."""
        return [one.name for one in self.net.layers if one.has_places and max(one.map_shape[1:]) > 1]

    # Panel's parts

    def _learn(self) -> None:
        import_for_layouts("nmf")
        learn_input_shape(self.net, self.dataset, numbers_of(self.dataset, None))

    def build(self) -> Part | tuple[Part, ...]:
        if not self.layer_names:
            raise ValueError(f"{self.net.name} has no layer to factor: no output is maps of several positions")
        self._looks, self._names = Looks(self.net, self.dataset), names_of(self.dataset)
        options: dict[str, Any] = {"tools": False, "steady": True, "lines": 2, "limits": [0.0, 255.0], "scale": "fixed"}
        free = {name: [] if name not in self.locked else ["unit"] for name in ("factor", "image")}
        self.pictures = ImageGrid(noun="picture", height=362, lock=free["image"], **options)
        self.pictures.without_kernel = {"lock": ["unit"]}
        self.patches = ImageGrid(noun="factor", height=232, lock=free["factor"], toggles=True, **options)
        self.chart = ChartView(height=124, fixed="n" in self.locked, hint="click a point to choose n")
        with suppress(MissingPackage):
            self.chart.show(explained(0, 0, np.zeros(0), MOST), "nothing yet")
        self.tie((self, "factor"), (self.pictures, "lit"), (self.patches, "selected"))
        self.bind(self.pictures, "opacity")
        self.pictures.on_user("selected", self._open)
        self.chart.on_user("clicked", self._take_number)
        if self._has_usual_number:
            self._keep_number()
        self.observe(self._keep_number, "layer")
        return row(self.pictures, column(self.patches, self.chart), grow=(1, 2), basis=(500, 320))

    def compute(self, state: SimpleNamespace, job: Job) -> Colored:
        asked = state.layer, state.seed
        if asked in self._sampled:
            found = self._sampled[asked].again(state.n, seed=state.seed, cancel=job)
        else:
            found = factors(
                self.net, self.dataset, state.layer, state.n, rectify=True, pictures=PICTURES, seed=state.seed,
                workers=self._workers, executor=self._executor, cancel=job,
                on_update=lambda part, share: job.say(f"{part.seen:,} of {part.total:,} pictures …", share),
            )  # fmt: skip
            self._sampled = dict([*self._sampled.items(), (asked, found)][-LAYERS:])
        return Colored(found, self._looks.pictures(found.indices), self._looks.strips(found))

    @draws()
    def draw_pictures(self, colored: Colored) -> None:
        found = colored.found
        box = place_of(self.net, found.layer, colored.pictures.shape[1:3])
        self.pictures.show(
            colored.pictures,
            title=words.heading(found),
            told=words.of_pictures(found, self._names),
            overlay=overlay(found.maps, class_colors(len(found.directions)), box, "factor"),
        )

    @draws()
    def draw_patches(self, colored: Colored) -> None:
        found = colored.found
        self.patches.show(
            colored.strips, labels=words.under(found), told=words.of_factors(found, self._names), selected=self.factor
        )

    @draws()
    def draw_chart(self, colored: Colored) -> None:
        found = colored.found
        figure = explained(found.explained, len(found.directions), found.sample.best, max(self.n, MOST))
        self.chart.show(figure, words.summary(found).split("\n", 1)[0])

    @draws("image")
    def mark_picture(self, colored: Colored) -> None:
        shown = colored.found.indices.tolist()
        self.pictures.selected = shown.index(self.image) if isinstance(self.image, int) and self.image in shown else -1

    def summary(self, colored: Colored) -> str:
        return words.summary(colored.found)

    def remarks(self, colored: Colored) -> tuple[str, ...]:
        return colored.found.notes

    def progress(self, partial: Colored | None) -> str:
        return "Factoring the maps …"

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (pictures, n, rows, columns), the amount of each factor in the pictures on screen; their ``indices``
        and ``labels``, (pictures,) each; ``directions`` (n, units) and ``shares`` (n,).
        """
        found = self.result.found
        named = {name: getattr(found, name) for name in ("indices", "labels", "directions", "shares")}
        return {"values": found.maps, **named}

    def code(self) -> str:
        return factor_lines(self.net, self.dataset, self.result.found, self.asked.seed)

    def _last_maps(self) -> str | None:
        """The layer of the last feature maps; where there are none before the output, the last that has positions."""
        with suppress(ValueError):
            return cam_layer(self.net)[0].name
        return self.layer_names[-1] if self.layer_names else None

    def _most(self) -> int:
        """Factors that there can be, by hand."""
        return min(MOST, self._units())

    def _factors(self) -> list[tuple[str, int]]:
        return [("all", -1), *((str(k), k) for k in range(min(self.n, self._units())))]

    def _units(self) -> int:
        """Units of the layer, which there cannot be more factors of."""
        return self.net.layers[self.layer].map_shape[0] if self.layer in self.layer_names else MOST

    def _keep_number(self, change: Any = None) -> None:
        """The layer may have fewer units."""
        self.n = min(self.n, self._most())

    def _take_number(self, clicked: list[int]) -> None:
        """A point of the chart was clicked."""
        curve, point = clicked
        if curve == 0:
            self.n = point + 1
        self.chart.clicked = []  # so that the same one can be clicked again

    def _open(self, selected: int) -> None:
        """A picture was clicked, at the grid's cursor."""
        colored = self._result
        shown, size = colored.pictures.shape[1:3], self.net.input_shape[1:]
        y, x = ((at + 0.5) * full / small - 0.5 for at, full, small in zip(self.pictures.cursor, size, shown, strict=True))
        self.put(image=int(colored.found.indices[selected]), y=y, x=x)
