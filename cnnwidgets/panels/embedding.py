"""EmbeddingExplorer: what a layer thinks is alike, as a picture of many pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.base.errors import sentence
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Features, Separation
from cnnwidgets.methods.batches import learn_input_shape, numbers_of
from cnnwidgets.methods.embedding import METHODS
from cnnwidgets.methods.features import signature
from cnnwidgets.net import Cancelled
from cnnwidgets.net.items import names_of
from cnnwidgets.panels import embedding_charts as charts
from cnnwidgets.panels.coloring import TRUST, Coloring, PointColors, places_of
from cnnwidgets.panels.controls import Choice, Number, Steps
from cnnwidgets.panels.explored import WORDS, Added, Explored
from cnnwidgets.panels.gathering import Gathering
from cnnwidgets.panels.layout_parameters import (
    COMPARISONS,
    PERPLEXITIES,
    LayoutParameters,
    key_of,
    parameters,
    run_of,
    variants,
)
from cnnwidgets.panels.neighbourhood import Neighbourhood
from cnnwidgets.panels.picture import Picture, bound
from cnnwidgets.panels.runs import Run, Runs
from cnnwidgets.panels.snippets import embedding_lines
from cnnwidgets.views import ChartView, ScatterView, View
from cnnwidgets.views.scatter_atlas import atlas

if TYPE_CHECKING:
    pass

FRAME, FRAMES = 8, 20
"""Iterations between two pictures of a layout that a hand has started, and how many of these are shown a second."""

POOLS = ("grid", "mean", "max")


class EmbeddingExplorer(LayoutParameters):
    """Many pictures, each where a layer's features put it: like beside like.

    >>> cw.EmbeddingExplorer(net, cw.samples.digits())

    PCA is there at once; t-SNE and UMAP start from it and move on screen. The layer slider goes from the pixels to the
    scores. Hover a point for its picture, click it for its nearest neighbours in the layer and in pixels, draw a lasso or
    a box: ``panel.selection`` are the numbers in the data set.

    Parameters:
        net: a bound network, or a bare ``nn.Module``.
        dataset: as :func:`cnnwidgets.methods.scan` takes it.
        layer: a name in ``net.layers``, or ``"input"``; by default the layer before the classifier.
        method: ``"pca"``, ``"tsne"`` or ``"umap"``.
        columns: further things to colour by: name to one number or word for each item of the data set.
        workers, executor: of the way over the data set, see :func:`cnnwidgets.methods.scan`.
    """

    layer = t.Unicode(None, allow_none=True, help="layer whose features are laid out; 'input' are the pixels").tag(
        control=Steps(lambda panel: panel.layer_names)
    )
    method = t.Enum(METHODS, "tsne", help="how features are laid out in two dimensions").tag(
        control=Choice(lambda panel: [(words, name) for name, words in WORDS.items()])
    )
    color = t.Unicode("label", help="what colours the points").tag(control=Choice(lambda panel: panel.coloring.options()))
    compare = t.Enum(tuple(COMPARISONS), "nothing", help="what to look at beside it, to read it right").tag(
        control=Choice(lambda panel: [(words, name) for name, words in COMPARISONS.items()])
    )
    pool = t.Enum(POOLS, "grid", help="what becomes of a map: its average over a coarse grid, its mean, its maximum").tag(
        control=Choice(lambda panel: [(name, name) for name in POOLS])
    )
    limit = t.Int(2000, min=1, help="pictures that are shown at most; of more a sample is taken").tag(
        control=Number(1, 100_000, whole=True)
    )
    playing = t.Bool(True, help="whether the layout moves on").tag(control=None)
    thumbnails = t.Bool(False, help="whether points are drawn as their pictures").tag(control=None)
    selection = t.List(t.Int(), help="numbers of the selected pictures in the data set").tag(control=None)
    image = Picture(None, help="number of the picked picture in the data set").tag(control=None)

    asks = frozenset(
        "layer method color compare perplexity early_exaggeration iterations neighbours minimum_distance epochs supervised "
        "pool learning_rate metric seed limit playing".split()
    )

    def __init__(self, net, dataset, layer=None, method="tsne", *, columns=None, workers=0, executor=None, **options):
        self.dataset, self._columns = dataset, {} if columns is None else columns
        self._scanning = {"workers": workers, "executor": executor}
        self._runs = Runs()
        self._restart = self._watched = False
        self._added: list[Any] = []
        self._drawn: tuple = ()
        self._drawn_beside: dict[w.Widget, np.ndarray] = {}
        self._charted: Mapping[str, Separation] = {}
        self._why_none = ""
        self._moved: np.ndarray | None = None
        super().__init__(bound(net, dataset), method=method, layer=layer, **options)

    @property
    def layer_names(self) -> list[str]:
        """From the pixels to the scores."""
        return self._gathering.layer_names

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

    def restart(self) -> None:
        """Let the layout begin again, from that of PCA, no faster than it can be watched."""
        self._restart = self._watched = True
        self.playing = True
        self.ask()

    # Panel's parts

    def build(self) -> list[w.Widget]:
        order = numbers_of(self.dataset, None)
        learn_input_shape(self.net, self.dataset, order)
        self._gathering = Gathering(self.net, self.dataset, **self._scanning)
        self.coloring = Coloring(names_of(self.dataset), self._columns, len(order))
        if self.layer is None:
            self.layer = signature(self.net)
        lock = [view for trait, view in (("image", "picked"), ("selection", "selected")) if trait in self.locked]
        self.scatter = ScatterView(lock=lock)
        t.link((self, "thumbnails"), (self.scatter, "thumbnails"))
        self.scatter.on_user("selected", self._take_selected)
        self.scatter.on_user("picked", self._take_picked)
        self.react(self._take_selection, "selection")
        self.react(self._take_image, "image")
        self.beside = Neighbourhood(self.net, self.dataset, aside=self.aside, open=self._open)
        self.compared = [ScatterView(tools=False, height=260) for _ in PERPLEXITIES]
        for view in self.compared:
            self.tie((self.scatter, "hidden"), (view, "hidden"))
            view.layout = w.Layout(display="none", flex="1 1 220px", min_width="0")
        self.chart = ChartView(height=300, hint="" if "layer" in self.locked else "click: go there")
        self.chart.show(charts.by_depth(self.layer_names, {}), "how well the classes separate, by depth")
        self.chart.on_user("clicked", self._take_click)
        self.play = w.Button(layout=w.Layout(width="100px"))
        self.play.on_click(lambda _: self._take_play())
        again = w.Button(description="Restart", icon="undo", layout=w.Layout(width="100px"))
        again.on_click(lambda _: self.restart())
        again.disabled = "playing" in self.locked
        tools = self.toolbox()
        self.observe(self._show_parameters, "method")
        self._show_parameters()
        flow = w.Layout(grid_gap="16px", flex_flow="row wrap", align_items="flex-start")
        self.scatter.layout = w.Layout(flex="3 1 480px", min_width="0")
        self.chart.layout = w.Layout(min_width="0")
        main = w.VBox([w.HBox([self.play, again]), self.scatter], layout=w.Layout(flex="3 1 480px", min_width="0"))
        return [*tools, w.HBox([main, self.beside], layout=flow), w.HBox(self.compared, layout=flow), self.chart]

    def compute(self, job: Job) -> Explored:
        asked, gathered = job.state, self._gathering.key
        try:
            found, pixels = self._gathering.features(asked.layer, asked.pool, asked.limit, job.say, job)
        except Cancelled:
            raise Cancelled("cancelled", partial=self._result) from None
        if self._gathering.key != gathered:
            self._runs.clear()  # they hold the features of other pictures
        run = self._runs.get(self._key(asked, found), partial(run_of, asked, found, self._points_before(found)))
        restart, self._restart = self._restart, False
        if restart:
            run.restart()
        now = self._join(run, self._explored(found, pixels, run), asked, job)
        job.update(now, 0.0)
        if asked.playing and not now.finished:
            self._run_on(run, job, lambda: job.update(self._explored(found, pixels, run), run.done))
            now = self._join(run, self._explored(found, pixels, run), asked, job)
        if len(now.points) > 2:
            now = replace(now, trust=now.embedding.trust)  # which takes a while: here, and not while it is drawn
        if not now.finished:
            return now
        self._watched = False
        now = self._compare(now, asked, job)
        self._gathering.separate(job.say, job)
        now = replace(now, separation=self._gathering.separation)
        if job.cancelled:
            raise Cancelled("cancelled", partial=now)
        return now

    def draw(self, result: Explored) -> None:
        drawn = (result.features, self.asked.color, result.added, result.trust if self.asked.color in TRUST else None)
        if drawn != self._drawn:
            self._draw_points(result)
            self._drawn, self._drawn_beside = drawn, {}
        elif result.points is not self._moved:
            self.scatter.move(result.points, tween=300 if result.finished else 0)
        self._moved = result.points
        self.scatter.title, self.scatter.note = result.title, result.note(len(self.dataset))
        for view, beside in zip_longest(self.compared, result.compared):
            view.layout.display = "" if beside else "none"
            if beside and self._drawn_beside.get(view) is not beside[1]:
                title, points, same = beside
                colors = self._colors(result)
                shades: dict[str, Any] = (
                    {"colors": colors.colors, "names": colors.names, "span": colors.span} if same else {}
                )
                view.show(points, title=title, **shades)
                self._drawn_beside[view] = points
        why = "" if result.separation else charts.why_none(result.features.labels)
        if (result.separation and result.separation != self._charted) or why != self._why_none:
            self._charted, self._why_none = result.separation, why
            figure = charts.by_depth(self.layer_names, result.separation, why)
            self.chart.show(figure, f"how well the classes separate, by depth{why and f': {why}'}")
        names = [*self._charted]
        self.chart.marked = names.index(result.features.layer) if result.features.layer in names else -1
        self._show_play(result)

    def summary(self, result: Explored) -> str:
        found = result.features
        parts = [
            f"{found.layer}: {len(found.values):,} pictures, {found.values.shape[1]:,} values each",
            result.progress if result.finished else f"paused, {result.progress}",
        ]
        if result.trust:
            parts.append(f"trustworthiness {result.trust.mean:.3f}, {result.trust.mean_kept:.0%} of neighbours kept")
        if (found.labels < 0).all():
            parts.append("no picture has a label, which is a whole number")
        if found.layer in result.separation:
            parts.append(f"{result.separation[found.layer].accuracy:.1%} of the nearest neighbours' votes are right")
        if found.top is not None or found.regression is not None:
            parts.append(found.output.sentence)
        if found.skipped:
            first, why = found.skipped[0]
            parts.append(f"{len(found.skipped):,} pictures could not be used; the first, {first}: {why}")
        return " · ".join(parts)

    def remarks(self, result: Explored) -> Sequence[str]:
        return self.net.notes

    def progress(self, partial: Explored | None) -> str:
        return partial.progress if partial else super().progress(partial)

    def data(self) -> dict[str, np.ndarray]:
        """``points`` (n, 2) as on screen, ``values`` (n, d) of the layer, ``indices`` and ``labels`` (n,)."""
        found = self.result.features
        return {"points": self.result.points, "values": found.values, "indices": found.indices, "labels": found.labels}

    def code(self) -> str:
        result = self.result
        return embedding_lines(
            self.net, self.dataset, result.features, result.embedding, pool=self.pool, supervised=self.supervised
        )

    def without_kernel(self) -> Mapping[View, dict[str, Any] | None]:
        listed = self.beside.selected.layout.display != "none"  # nobody would bring the list up to date
        return {
            self.scatter: {"lock": ["picked", *(["selected"] if listed else [])]},
            self.beside.picture: None if self.image is None else {},
            **{grid: {"lock": ["unit"]} for grid in (self.beside.alike, self.beside.near, self.beside.selected)},
        }

    # computing

    def _points_before(self, found: Features) -> np.ndarray | None:
        """The layout that was on screen, if it was of the same pictures."""
        before = self._result
        same = before is not None and np.array_equal(before.features.indices, found.indices)
        return before.points if same else None

    def _explored(self, found: Features, pixels: Features, run: Run) -> Explored:
        return Explored(found, pixels, run.embedding, run.points, run.mirrored, separation=self._gathering.separation)

    def _join(self, run: Run, now: Explored, asked: SimpleNamespace, job: Job) -> Explored:
        """With the pictures that were added, once the layout is finished."""
        if not (now.finished and self._added):
            return now
        others = self._gathering.of(self._added, now.features.layer, pool=asked.pool, cancel=job)
        for _, why in others.skipped[:1]:
            raise ValueError(f"{len(others.skipped)} of the {others.total} added pictures cannot be used: {why}")
        return replace(now, added=Added(run.add(others.values), others))

    def _run_on(self, run: Run, job: Job, tell: Callable[[], None]) -> None:
        """Step by step to the end, unless the job is cancelled."""
        while not run.finished:
            if job.cancelled:
                raise Cancelled("cancelled", partial=self._result)
            if run.layout.preparing:
                preparing = run.layout.preparing
                job.say(f"{preparing[0].upper()}{preparing[1:]} …", run.done)
            start = time.monotonic()
            run.step(FRAME if self._watched else None)
            tell()
            if self._watched:
                time.sleep(max(0.0, 1 / FRAMES - (time.monotonic() - start)))

    def _key(self, asked: SimpleNamespace, found: Features, *other: Any) -> tuple:
        return self._gathering.key, key_of(asked, found), *other

    def _compare(self, now: Explored, asked: SimpleNamespace, job: Job) -> Explored:
        """What lies beside the layout, one after the other."""
        for title, other in variants(asked, len(now.points)):
            key = self._key(asked, now.features, title)
            run = self._runs.get(key, partial(run_of, asked, now.features, now.points, **other))
            self._run_on(run, job, partial(_say_beside, job, title, run))
            now = replace(now, compared=(*now.compared, (title, run.points, "noise" not in other)))
            job.update(now, 1.0)
        return now

    # drawing

    def _colors(self, result: Explored) -> PointColors:
        return self.coloring.of(self.asked.color, result.features, result.trust)

    def _draw_points(self, result: Explored) -> None:
        found, added = result.features, result.added
        colors, classes = self._colors(result), self.coloring.classes(found)
        groups, points, shades = [found], [result.points], [colors.colors]
        if added:
            groups.append(added.features)
            points.append(added.points)
            shades.append(self.coloring.of_others(self.asked.color, colors, added.features))
        places = places_of(np.concatenate([one.labels for one in groups]), classes)
        names = tuple(classes.values())
        same = names == found.classes
        answers: dict[str, Any] = {}
        if found.top is not None:
            answers = {
                name: np.concatenate([getattr(one, of) for one in groups])
                for name, of in (("top", "top"), ("chance", "chances"))
            }
        sheet, tile = atlas(np.concatenate([one.pictures for one in groups]))
        self.scatter.show(
            np.concatenate(points),
            colors=np.concatenate(shades),
            names=colors.names,
            span=colors.span,
            quantity=colors.quantity,
            classes=[*found.classes, *(() if same else names)],
            labels=places if same else np.where(places < 0, -1, places + len(found.classes)),
            numbers=np.concatenate([one.indices for one in groups]),
            added=np.arange(len(result.points), sum(map(len, points))),
            atlas=sheet,
            tile=tile,
            **answers,
        )
        self._place_selection(result)
        self._place_image(result)

    def _show_play(self, result: Explored) -> None:
        moving = self.playing and not result.finished and not self._stopped
        self.play.description, self.play.icon = ("Pause", "pause") if moving else ("Play", "play")
        self.play.disabled = result.finished or "playing" in self.locked

    def _show_parameters(self, _=None) -> None:
        """Only the controls of the method's own parameters."""
        for name, trait in LayoutParameters.public_traits().items():
            if name in self.controls and "of" in trait.metadata:
                self.controls[name].layout.display = "" if name in parameters(self.method) else "none"

    # hands

    def _take_play(self) -> None:
        self._watched = True
        if self.playing and self._stopped:
            self.ask()
        else:
            self.playing = not self.playing

    @property
    def _stopped(self) -> bool:
        """Whether the last computation was cancelled."""
        return self._job is not None and self._job.cancelled

    def _open(self, number: int) -> None:
        if "image" not in self.locked:
            self.image = number

    def _take_picked(self, picked: int) -> None:
        with LOCK:
            indices = self._result.features.indices if self._result else ()
        if 0 <= picked < len(indices):
            self._open(int(indices[picked]))

    def _take_selected(self, _) -> None:
        with LOCK:
            indices = self._result.features.indices if self._result else None
        if indices is not None:
            points = self.scatter.selection
            self.selection = indices[points[points < len(indices)]].tolist()

    def _take_image(self) -> None:
        if isinstance(self.image, int):
            self._check_number(self.image)
        self._place_image(self._result)

    def _take_selection(self) -> None:
        for number in self.selection:
            self._check_number(number)
        self._place_selection(self._result)

    def _check_number(self, number: int) -> None:
        if not 0 <= number < len(self.dataset):
            raise ValueError(f"there is no picture {number}: the data set has {len(self.dataset):,}, numbered from 0")

    def _place_image(self, result: Explored) -> None:
        """Show the picked picture, and what is near it."""
        found = result.features
        points = np.flatnonzero(found.indices == self.image) if isinstance(self.image, int) else np.zeros(0, int)
        self.scatter.picked = int(points[0]) if len(points) else -1
        if isinstance(self.image, int) and 0 <= self.image < len(self.dataset):
            self.beside.look_at(self.image, found, result.pixels, self.coloring.words(found))

    def _place_selection(self, result: Explored) -> None:
        found = result.features
        points = np.flatnonzero(np.isin(found.indices, self.selection))
        selected = self.scatter.selection
        if not np.array_equal(points, selected[selected < len(found.indices)]):  # else added ones may be selected, too
            self.scatter.selection = points
        hidden = len(set(self.selection)) - len(points)
        self.beside.show_selection(points, found, self.coloring.words(found), hidden)

    def _take_click(self, clicked: list[int]) -> None:
        """A layer's point in the chart was clicked."""
        if clicked and "layer" not in self.locked:
            self.layer = [*self._charted][clicked[1]]
            self.chart.clicked = []  # so that the same point can be clicked again


def _say_beside(job: Job, title: str, run: Run) -> None:
    job.say(f"Beside it: {title} …", run.done)
