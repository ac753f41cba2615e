"""The panel: a scrubber over a training's checkpoints, and what a layer looks like at each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import column, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job, import_for_layouts, import_for_pictures
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Number, Seed, public
from cnnwidgets.methods.batches import learn_input_shape, numbers_of
from cnnwidgets.methods.checkpoints import Checkpoints, checkpoints_of
from cnnwidgets.methods.course_layouts import METHODS
from cnnwidgets.methods.stages import local, stages
from cnnwidgets.net import BoundModel
from cnnwidgets.net.items import names_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.evolution.charts import similarity_chart
from cnnwidgets.panels.evolution.film import Film
from cnnwidgets.panels.evolution.playing import Played
from cnnwidgets.panels.evolution.work import Seen, Work
from cnnwidgets.views import ChartView, ImageGrid, ScatterView

PICTURE = 96
"""Side of the picture in CSS pixels."""

CHART = "how similar each layer is to its end, by checkpoint"


class FeatureEvolution(Played):
    """How did the network's features develop? Filters, a unit and all pictures at each checkpoint, under one slider.

    >>> cw.FeatureEvolution(cw.load("scenes"), cw.samples.scenes(size=200))
    >>> cw.FeatureEvolution(net, pictures, "folder")     # written by cw.monitor(..., checkpoints="folder")

    The chart compares each layer with what it is at the end (CKA): do lower layers settle first? Click a curve to choose its
    layer and the checkpoint. Below are all pictures as points; at the right a unit's map of the picture and its strongest
    patch at each checkpoint, and the layer's filters. Everything is computed once; then scrub or play.

    Parameters:
        net: a bound network, or a bare ``nn.Module``.
        dataset: as :func:`cnnwidgets.methods.scan` takes it.
        checkpoints, layers, workers, executor: see :func:`cnnwidgets.methods.evolution`.
        layer: one of the layers; by default the deepest whose positions see at most half of the picture's side.
        unit: by its index.
    """

    layer = public(
        t.Unicode(None, allow_none=True, help="Layer whose filters, maps, patches and features are shown"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.layer_names]),
        usual=lambda panel: local(panel.checkpoints.nets[-1], panel.layer_names),
    )
    unit = public(
        t.Int(0, help="Index of the unit; type a number to find it, or click its filter"),
        c.Choice(options=lambda panel: panel._units(), more=True), then="nothing", none=-1,
    )  # fmt: skip
    checkpoint = public(
        t.Int(0, min=0, help="Number of the checkpoint on screen, from 0; the arrow keys change it"),
        c.Steps(label="at", options=lambda panel: [(name, k) for k, name in enumerate(panel.checkpoints.names)]),
        then="nothing",
    )
    method = Choice(
        METHODS, texts=["PCA", "t-SNE"], label="points by", more=True,
        help="How features become points: PCA, on the two principal axes of the end, or t-SNE, which takes longer",
    )  # fmt: skip
    limit = Number(500, 4, 100_000, free="above", more=True, help="Largest number of pictures; a larger data set is sampled")
    seed = Seed(help="Random seed of the t-SNE")

    checkpoints: Checkpoints

    _film: Job | None = None

    def __init__(
        self,
        net: BoundModel | nn.Module,
        dataset: Any,
        checkpoints: Any = None,
        layer: str | None = None,
        unit: int = 0,
        *,
        image: Any = 0,
        layers: Sequence[str] | None = None,
        workers: int = 0,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self._given, self._layers, self._workers, self._executor = checkpoints, layers, workers, executor
        super().__init__(net, image, images=dataset, layer=layer, unit=unit, **options)

    @property
    def layer_names(self) -> list[str]:
        """The layers that are compared with their ends."""
        return self._stages

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the result and the patches; False if ``timeout`` (in seconds) passes first."""
        return super().wait(timeout) and (self._film is None or self._film.wait(timeout))

    def ask(self, **wishes: Any) -> None:
        import_for_layouts(self.method)
        super().ask(**wishes)

    # Panel's parts

    def _learn(self) -> None:
        import_for_pictures()
        learn_input_shape(self.net, self.images, numbers_of(self.images, None))
        self.checkpoints = checkpoints_of(self.net, self._given)
        self._stages = stages(self.checkpoints.nets[-1]) if self._layers is None else list(self._layers)
        if not self._stages:
            raise ValueError(f"{self.net.name} has no layer to show: no output is maps, a vector, a sequence or tokens")
        about = self.net, self.images, self.checkpoints, self._stages
        self._worker = Work(*about, self._workers, self._executor)

    def build(self) -> Part | tuple[Part, ...]:
        import scipy.linalg  # noqa: F401

        names, fixed = self.checkpoints.names, "layer" in self.locked and "checkpoint" in self.locked
        self.chart = ChartView(height=228, fixed=fixed, hint="" if fixed else "click a curve to choose its layer")
        with suppress(MissingPackage):
            self.chart.show(similarity_chart(names, self.layer_names, None, self.layer), CHART)
        self.chart.on_user("clicked", self._choose)
        lock = ["unit"] if "checkpoint" in self.locked else []
        grid: dict[str, Any] = {"noun": "checkpoint", "tools": False, "steady": True, "lock": lock}
        whole: dict[str, Any] = {"limits": [0.0, 255.0], "scale": "fixed", "lock": ["unit"]}
        self.picture = ImageGrid(noun="picture", tools=False, hide=["line"], height=PICTURE, **whole)  # no room for a line
        self.maps = ImageGrid(height=PICTURE, **grid)
        self.film = Film(self, self.checkpoints.nets, names, self.images, ImageGrid(height=68, **grid))
        self.filters = ImageGrid(
            noun="filter", tools=False, height=137, steady=True, quantity="weight", scale="fixed", lock=self.locked
        )
        self.scatter = ScatterView(height=174, tools=False, lock=["selected"] + ["picked"] * ("image" in self.locked))
        self.scatter.on_user("picked", self._pick)
        self.bind(self.filters, unit="selected")
        self.tie((self, "checkpoint"), (self.maps, "selected"), (self.film.grid, "selected"))
        self.observe(self._keep_unit, "layer")
        self.on_user("checkpoint", lambda checkpoint: self._pause())
        seen = row(self.picture, self.maps, grow=(0, 1), basis=[PICTURE, 300])
        return row(column(self.chart, self.scatter), column(seen, self.film.grid, self.filters), grow=(5, 6), basis=420)

    def compute(self, state: SimpleNamespace, job: Job) -> Seen:
        row = self.net.layers[state.layer]
        if state.layer not in self.layer_names:
            named = ", ".join(self.layer_names)
            raise ValueError(f"{row.name} is not among the layers that are compared: {named}; give layers= for others")
        return self._worker.run(state, job)

    @draws(of=lambda panel, seen: (seen.course, seen.layer))
    def draw_chart(self, seen: Seen) -> None:
        self.chart.show(similarity_chart(self.checkpoints.names, self.layer_names, seen.course, seen.layer), CHART)

    @draws("checkpoint")
    def mark(self, seen: Seen) -> None:
        self.chart.marked = self.at

    @draws("checkpoint", of=lambda panel, seen: seen.looks)
    def draw_filters(self, seen: Seen) -> None:
        if self.reveal(self.filters, bool(seen.looks.filters)):
            found = seen.looks.filters[self.at]
            pictures, mosaic = found.pictures()
            title = f"{found.title} · {self.checkpoints.names[self.at]}"
            span = seen.looks.span
            self.filters.show(pictures, mosaic=mosaic, title=title, limits=[-span, span], dim=found.dead)

    @draws(of=lambda panel, seen: seen.looks)
    def draw_picture(self, seen: Seen) -> None:
        self.picture.show(self.net.picture(seen.looks.inputs)[None], title="Picture")

    @draws("unit", of=lambda panel, seen: seen.looks)
    def draw_maps(self, seen: Seen) -> None:
        wrong, maps = self._no_unit(seen), [np.zeros((1, 1)) for _ in seen.looks.maps]
        if not wrong:
            maps = [one.values[self.unit] for one in seen.looks.maps]
        title = wrong or f"{seen.layer} · unit {self.unit} · its map at each checkpoint"
        self.maps.show(np.stack(maps), labels=[*self.checkpoints.names], title=title)

    @draws("unit", of=lambda panel, seen: (seen.course if seen.points else None, seen.layer))
    def draw_film(self, seen: Seen) -> None:
        is_there = seen.points is not None and not self._no_unit(seen)
        if self.reveal(self.film.grid, is_there) and seen.course is not None:
            self._film = self.film.show(seen.course, seen.layer, self.unit)

    @draws(of=lambda panel, seen: (seen.course, seen.points))
    def draw_points(self, seen: Seen) -> None:
        if not self.reveal(self.scatter, seen.points is not None):
            return
        course, points = seen.course, seen.points
        assert course is not None and points is not None
        sheet, tile = seen.sheet or (b"", [1, 1, 1])
        names = list(names_of(self.images) or self.net.classes)
        known = course.labels if names and course.labels.max(initial=-1) < len(names) else np.full(len(course.labels), -1)
        self.scatter.show(
            points[self.at], colors=known, names=names, labels=known, numbers=course.indices, atlas=sheet, tile=tile,
        )  # fmt: skip

    @draws("checkpoint")
    def move_points(self, seen: Seen) -> None:
        if seen.points is not None:
            self.scatter.move(seen.points[self.at], tween=300)
            how = "on the two principal axes of the end" if self.asked.method == "pca" else "by t-SNE"
            self.scatter.title = f"{seen.layer} · {self.checkpoints.names[self.at]}"
            self.scatter.note = f"{len(seen.points[self.at]):,} pictures {how}"

    @draws("checkpoint")
    def draw_words(self, seen: Seen) -> None:
        if self.status.kind == "ready":
            self.status.say(self._said(seen))

    def summary(self, seen: Seen) -> str:
        course = seen.course
        if course is None:
            return f"{len(self.checkpoints.names)} checkpoints."
        said = course.said(self.at)
        scanned = f"{course.seen:,} pictures shown to {len(course.names)} checkpoints"
        return "\n".join([f"{said[:1].upper()}{said[1:]}.", course.sentence.removesuffix("."), scanned])

    def remarks(self, seen: Seen) -> Sequence[str]:
        return seen.course.notes if seen.course else ()

    def progress(self, seen: Seen | None) -> str:
        if seen is None or seen.course is None:
            return "Showing the pictures to every checkpoint …"
        return f"{seen.course.seen:,} of {len(seen.course.order):,} pictures, at {len(seen.course.names)} checkpoints …"

    def data(self) -> dict[str, np.ndarray]:
        """``similarity`` (layers, checkpoints) and ``accuracy`` (checkpoints,); ``maps`` (checkpoints, height, width) of the
        unit, where the layer has it; of the pictures ``indices`` and ``labels`` (n,), and ``points`` (checkpoints, n, 2);
        where filters are shown, ``filters`` (checkpoints, filters, channels, height, width)."""
        seen = self.result
        found = {name: getattr(seen.course, name) for name in ("similarity", "accuracy", "indices", "labels")}
        looks = seen.looks
        if not self._no_unit(seen):
            found["maps"] = np.stack([one.values[self.unit] for one in looks.maps])
        found["points"] = np.stack(seen.points)
        return found | ({"filters": np.stack([one.values for one in looks.filters])} if looks.filters else {})

    def code(self) -> str:
        return self.result.course.code(self.net, self.images)

    # hands

    def _choose(self, clicked: list[int]) -> None:
        """A point of a curve was clicked."""
        curve, checkpoint = clicked
        if curve < len(self.layer_names) and "layer" not in self.locked:
            self.layer = self.layer_names[curve]
        if "checkpoint" not in self.locked:
            self.checkpoint = checkpoint
        self.chart.clicked = []  # so that the same point can be clicked again

    def _pick(self, point: int) -> None:
        """A point was clicked: its picture is shown to the checkpoints."""
        if point >= 0:
            self.image = int(self._result.course.indices[point])

    def _units(self) -> list[tuple[str, int]]:
        count = self.checkpoints.nets[-1].layers[self.layer].map_shape[0] if self.layer in self.layer_names else 0
        return [(str(unit), unit) for unit in range(count)]

    def _no_unit(self, seen: Seen) -> str:
        """The sentence for a unit that the layer does not have; empty for one that it has."""
        count = len(seen.looks.maps[-1].values)
        return "" if 0 <= self.unit < count else f"{seen.layer} has no unit {self.unit}; expected 0 to {count - 1}"

    def _keep_unit(self, change: Any) -> None:
        """Another layer may have fewer units."""
        if change.new in self.layer_names:
            self.unit = min(self.unit, self.checkpoints.nets[-1].layers[change.new].map_shape[0] - 1)
