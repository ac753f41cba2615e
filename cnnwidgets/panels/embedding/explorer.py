"""The panel: layouts that move, and what a hand does with their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from itertools import zip_longest
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import action, column, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.image import Image, bound
from cnnwidgets.base.jobs import LOCK, Job, import_for_layouts
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Number, public
from cnnwidgets.methods.batches import learn_input_shape, numbers_of
from cnnwidgets.methods.class_changes import class_of
from cnnwidgets.methods.embedding import EMBEDDINGS
from cnnwidgets.methods.embedding_parameters import TITLES
from cnnwidgets.methods.embedding_session import EmbeddingSession
from cnnwidgets.methods.embedding_state import EmbeddingState
from cnnwidgets.methods.features import INPUT, signature
from cnnwidgets.methods.first_example import first_example
from cnnwidgets.methods.layout_comparisons import COMPARISONS, PERPLEXITIES
from cnnwidgets.methods.point_colors import TRUST, PointColoring
from cnnwidgets.methods.point_marks import point_marks
from cnnwidgets.net import BoundModel
from cnnwidgets.net.errors import sentence
from cnnwidgets.net.items import names_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.embedding.depth import TITLE as DEPTHS
from cnnwidgets.panels.embedding.depth import by_depth
from cnnwidgets.panels.embedding.neighborhood import Neighborhood
from cnnwidgets.panels.embedding.parameters import LayoutParameters
from cnnwidgets.views import ChartView, ScatterView, atlas
from cnnwidgets.views.palette import class_color, class_colors

POOLS = ("grid", "mean", "max")

MAP = 362
"""Height of the map in CSS pixels."""


def _points(panel: EmbeddingExplorer, found: EmbeddingState) -> tuple:
    """What is to be shown of points, but for their places."""
    color = panel.asked.color
    return found.features, found.added, color, found.trust if color in TRUST else None


def _palette(indices: Sequence[int]) -> list[str]:
    """The colors of some classes, by their indices; of other names by their places."""
    return [class_color(index) for index in indices] or class_colors(30)


class EmbeddingExplorer(LayoutParameters):
    """Many pictures as points: those that a layer finds similar lie close together.

    >>> cw.EmbeddingExplorer(cw.load("digits"), cw.samples.digits())

    PCA is there at once; t-SNE and UMAP start from it and move on screen. The layer slider goes from the pixels to the
    scores. Hover over a point to see its picture, click it to see its nearest neighbors in the layer and in pixels, draw a
    lasso or a box around points to select them: ``panel.selection`` holds their numbers in the data set.

    Parameters:
        net: a bound network, or a bare ``nn.Module``.
        dataset: as :func:`cnnwidgets.methods.scan` takes it.
        layer: a name in ``net.layers``, or ``"input"``; by default the layer before the classifier.
        method: ``"pca"``, ``"tsne"`` or ``"umap"``.
        columns: further things to color by: a name, and one number or word for each item of the data set.
        workers, executor: of the pass over the data set, see :func:`cnnwidgets.methods.scan`.
    """

    layer = public(
        t.Unicode(None, allow_none=True, help="Layer whose features are shown; 'input' are the pixels."),
        c.Steps(options=lambda panel: [(name, name) for name in panel.layer_names]),
        usual=lambda panel: signature(panel.net),
    )
    method = Choice(EMBEDDINGS, "tsne", texts=list(TITLES.values()), help="How features become points in the plane.")
    color = public(
        t.Unicode("label", help="What the colors of the points stand for."),
        c.Choice(options=lambda panel: panel.coloring.options()),
    )
    compare = Choice(
        tuple(COMPARISONS), texts=list(COMPARISONS.values()), label="compare with",
        help="Check how far to trust this map.",
    )  # fmt: skip
    pool = Choice(
        POOLS, more=True, help="One feature map becomes its averages over a coarse grid, its mean, or its maximum."
    )
    limit = Number(
        2000, 1, 100_000, free="above", more=True, help="Largest number of pictures; a larger data set is sampled."
    )
    playing = public(t.Bool(True, help="Whether the layout moves on."), None)
    thumbnails = public(t.Bool(False, help="Whether points are drawn as their pictures."), None, then="nothing")
    selection = public(
        t.List(t.Int(), help="Numbers of the selected pictures in the data set."), None, then="nothing", sync=False
    )
    image = public(
        Image(None, help="Number of the picked picture in the data set; None: one that is worth a look."),
        None,
        then="nothing",
    )

    def __init__(
        self,
        net: BoundModel | nn.Module,
        dataset: Any,
        layer: str | None = None,
        method: str = "tsne",
        *,
        columns: Mapping[str, Any] | None = None,
        workers: int = 0,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self.dataset, self._columns = dataset, {} if columns is None else columns
        self._scanning = {"workers": workers, "executor": executor}
        self._added: list[Any] = []
        super().__init__(bound(net, dataset), method=method, layer=layer, **options)

    @property
    def layer_names(self) -> list[str]:
        """From the pixels to the scores."""
        return self._session.cache.layer_names

    def add(self, images: Any) -> np.ndarray:
        """Let other pictures join the layout, whose points stay: float32 (m, 2), where they lie.

        Parameters:
            images: a list of pictures as ``net.prepare`` takes them, or a data set.

        Raises:
            ValueError: the layout is not finished, or a picture cannot be used; then none of them joins.
        """
        before = self._added
        try:
            self._added = [*before, *(images[i] for i in numbers_of(images, None).tolist())]
            self.ask()
            if not self.result.added:
                raise ValueError("the layout is paused, and pictures join a finished one: set playing = True first")
        except Exception as error:
            self._added = before
            self.status.say(sentence(error), "error")
            raise
        return self.result.added.points[len(before) :]

    @action(
        lambda panel: "Pause" if panel.moving else "Play",
        absent=lambda panel: bool(panel._result and panel._result.finished),
        locked_by="playing",
    )
    def play(self) -> None:
        """Let the layout move on, no faster than it can be watched, or stay where it is."""
        if self.moving:
            self.playing = False
        else:
            self.playing = True
            self.ask(watched=True)

    @action("Restart", icon="reset", when={"method": ["tsne", "umap"]}, locked_by="playing")
    def restart(self) -> None:
        """Let the layout begin again, from that of PCA, no faster than it can be watched."""
        self.playing = True
        self.ask(restart=True, watched=True)

    @property
    def moving(self) -> bool:
        """Whether the layout on screen moves on."""
        stopped = (self._result and self._result.finished) or (self._job and self._job.cancelled)
        return self.playing and not stopped

    def ask(self, **wishes: Any) -> None:
        """Ask for a layout; what a hand has wished is wished on until it is done."""
        import_for_layouts(self.method)
        with LOCK:
            before = vars(self._job.state) if self._job and not self._job.ended else {}
            kept = {name: before.get(name, False) for name in ("restart", "watched")}
            super().ask(added=self._added, class_names=self.coloring.classes, **{**kept, **wishes})

    # Panel's parts

    def _learn(self) -> None:
        order = numbers_of(self.dataset, None)
        learn_input_shape(self.net, self.dataset, order)
        self._session = EmbeddingSession(self.net, self.dataset, **self._scanning)
        self.coloring = PointColoring(names_of(self.dataset), self._columns, len(order))

    def build(self) -> Part | tuple[Part, ...]:
        lock = [view for trait, view in (("image", "picked"), ("selection", "selected")) if trait in self.locked]
        self.scatter = self.bind(ScatterView(lock=lock, height=MAP), "thumbnails")
        self.scatter.on_user("selected", self._select)
        self.scatter.on_user("picked", self._pick)
        self.react(self._check_numbers, "selection", "image")
        self.react(self._change_other, "selection", "image")
        self.beside = Neighborhood(self, self.dataset, None if "image" in self.locked else self._open)
        self.compared = [ScatterView(tools=False) for _ in PERPLEXITIES]
        self.tie((self.scatter, "hidden"), *((view, "hidden") for view in self.compared))
        fixed = "layer" in self.locked
        self.chart = ChartView(height=184, fixed=fixed, hint="" if fixed else "click to open it")
        with suppress(MissingPackage):
            self._show_depths({})
        self.chart.on_user("clicked", self._go)
        near = column(self.beside.alike, self.beside.near)
        picked = row(self.beside.picture, near, grow=(1, 6), basis=130, follows=(self.scatter, "picked"))
        selected = column(self.beside.selected, follows=(self.scatter, "selected"))
        self.others = row(*self.compared, basis=220)
        body = row(self.scatter, self.others, row(picked, column(selected, self.chart), basis=400), basis=430)
        selected.hidden, near.hidden, self.others.hidden, body.hidden = (
            [*selected.parts], [*near.parts], [*self.others.parts], [self.others],
        )  # fmt: skip
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> EmbeddingState:
        return self._session.run(state, self._result, on_update=job.update, on_progress=job.say, cancel=job)

    @draws(of=_points)
    def draw_points(self, found: EmbeddingState) -> None:
        pictures: Any = [one.pictures for one in (found.features, *([found.added.features] if found.added else []))]
        sheet, tile = atlas(np.concatenate(pictures))
        marks = point_marks(found, self.coloring, self.asked.color)
        marks["palette"] = _palette(marks.pop("indices"))
        self.scatter.show(found.places, **marks, atlas=sheet, tile=tile)

    @draws()
    def move_points(self, found: EmbeddingState) -> None:
        self.scatter.move(found.places, tween=300 if found.finished else 0)
        self.scatter.title, self.scatter.note = found.title(self._subject(found)), found.note(len(self.dataset))

    @draws("selection", of=_points)
    def draw_selection(self, found: EmbeddingState) -> None:
        features = found.features
        points = np.flatnonzero(np.isin(features.indices, self.selection))
        selected = self.scatter.selection
        if not np.array_equal(points, selected[selected < len(features.indices)]):  # else added ones may be selected, too
            self.scatter.selection = points
        hidden = len(set(self.selection)) - len(points)
        self.beside.show_selection(points, features, self.coloring.words(features), hidden)
        self.reveal(self.chart, not len(points))  # in the same place
        listed = ["selected"] if len(points) else []  # a page would not bring their pictures up to date
        self.scatter.without_kernel = {"lock": ["picked", *listed]}

    @draws("image", of=_points)
    def draw_picked(self, found: EmbeddingState) -> None:
        features, number, why = found.features, self.image if isinstance(self.image, int) else -1, ""
        if self.image is None:
            point, why = first_example(features, self.coloring.right_or_unknown(features))
            number = int(features.indices[point])
        points = np.flatnonzero(features.indices == number)
        self.scatter.picked = int(points[0]) if len(points) else -1
        if 0 <= number < len(self.dataset):
            self.beside.look_at(number, features, found.pixels, self.coloring.words(features), why)

    @draws()
    def draw_compared(self, found: EmbeddingState) -> None:
        height = {1: MAP, 2: 300}.get(len(found.compared), 160)
        colors = self.coloring.of(self.asked.color, found.features, found.trust)
        shades: dict[str, Any] = {"colors": colors.colors, "names": colors.names, "span": colors.span}
        shades["palette"] = _palette(colors.indices)
        for view, beside in zip_longest(self.compared, found.compared):
            if self.reveal(view, beside is not None):
                note, own = "", np.empty(0, int)
                if beside.change:
                    note, own = beside.change.note, np.flatnonzero(found.features.labels == beside.change.label)
                look = {"title": beside.title, "note": note, "height": height, "labeled": height > 200, "selected": own}
                view.show(beside.points, **look, **(shades if beside.same else {}))
        self.reveal(self.others, bool(found.compared))

    @draws(of=lambda panel, found: (found.separation, found.why_inseparable, found.features.layer))
    def draw_depths(self, found: EmbeddingState) -> None:
        layer = found.features.layer
        if found.separation or found.why_inseparable:  # else they are found at the end
            self._show_depths(found.separation, layer, found.why_inseparable)
        self.chart.marked = self.depths.index(layer) if layer in self.depths else -1

    def summary(self, found: EmbeddingState) -> str:
        return found.summary

    def remarks(self, found: EmbeddingState) -> Sequence[str]:
        return self.net.notes

    def progress(self, partial: EmbeddingState | None) -> str:
        return partial.progress if partial else super().progress(partial)

    def data(self) -> dict[str, np.ndarray]:
        """``points`` (n, 2) as on screen, ``values`` (n, d) of the layer, ``indices`` and ``labels`` (n,)."""
        found = self.result.features
        return {"points": self.result.points, "values": found.values, "indices": found.indices, "labels": found.labels}

    def code(self) -> str:
        return self.result.code(self.net, self.dataset)

    def _show_depths(self, separation: Mapping[str, Any], here: str = "", why: str = "") -> None:
        self.depths = [*separation]
        self.chart.show(by_depth(self.layer_names, separation, here, why), f"{DEPTHS}{why and f': {why}'}")

    def _subject(self, found: EmbeddingState) -> str:
        """The layer, in words."""
        name = found.features.layer
        if name == INPUT:
            return "the pixels"
        return f"{name} (layer {self.net.layers.names.index(name) + 1}, {self.net.layers[name].kind})"

    # hands

    def _open(self, number: int) -> None:
        self.image = number

    def _pick(self, point: int) -> None:
        indices = self._result.features.indices if self._result else ()
        if 0 <= point < len(indices):
            self.image = int(indices[point])

    def _select(self, _: bytes) -> None:
        if self._result:
            indices, points = self._result.features.indices, self.scatter.selection
            self.selection = indices[points[points < len(indices)]].tolist()

    def _change_other(self) -> None:
        """A class beside the map is changed, and another one is chosen by now."""
        if changes := [one.change for one in self._result.compared if one.change]:
            found = self._result.features
            chosen = self.selection or ([self.image] if isinstance(self.image, int) else [])
            label = class_of(found.labels, np.isin(found.indices, chosen), self.coloring.classes(found))
            if label != changes[0].label:
                self.ask()

    def _go(self, clicked: list[int]) -> None:
        """To the layer whose point in the chart was clicked."""
        if clicked:
            self.layer = self.depths[clicked[1]]
            self.chart.clicked = []  # so that the same point can be clicked again

    def _check_numbers(self) -> None:
        size = len(self.dataset)
        for number in [*self.selection, *([self.image] if isinstance(self.image, int) else [])]:
            if not 0 <= number < size:
                raise ValueError(f"the data set has no picture {number}: its {size:,} pictures are numbered from 0")
