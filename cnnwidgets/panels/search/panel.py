"""HyperparameterSearch: trials in a space of values, from coarse to fine."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, column, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.controls import action
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Flag, Number, Seed, public
from cnnwidgets.methods.searches import Searches, searches
from cnnwidgets.methods.spaces import WAYS, Space, axes_of
from cnnwidgets.methods.tasks import Trainable, task_of
from cnnwidgets.methods.trials import Search, Trial, words_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.search import charts
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank

SPACE = {"lr": (1e-3, 1.0, "log"), "momentum": (0.0, 0.99), "weight_decay": (1e-6, 0.1, "log")}
"""What is searched where nothing is given."""

QUICK: dict[str, dict[str, Any]] = {"digits": {"model": "mlp"}}
"""What trains on a sample's data where no ``base`` says it: something that learns in less than a second."""


def _axes(panel: Any) -> list[tuple[str, str]]:
    return [(words_of(name), name) for name in panel.space]


class HyperparameterSearch(Panel):
    """Search for the values that train best: at random, on a grid or by evolution, from coarse to fine.

    >>> cw.HyperparameterSearch("digits")
    >>> cw.HyperparameterSearch(model, loader, validation_loader, space={"lr": (1e-4, 1, "log")})  # copies train

    Each point is a network that was trained with the values that it stands at; its color says how good it became. Drag a box
    around the good ones and press "Search here": the box is the next range. Click a point for its training.
    ``panel.result.save("search.json")`` saves the trials, and ``cw.HyperparameterSearch(replay="search.json")`` shows them
    again without training.

    Parameters:
        task: "digits" or "scenes"; a :class:`~cnnwidgets.methods.Task`; or a network.
        loader, validation_loader: for a network of your own: give batches of pictures and labels.
        space: see :func:`cnnwidgets.methods.search`; by default rate, momentum and weight decay of SGD.
        base: what all trials have in common, see there; ``{}`` trains the sample's own network. By default the digits are
            learned by two linear layers, which takes a third of a second.
        replay: a file that a search was saved to, or a :class:`~cnnwidgets.methods.Search`, such as
            ``Search.from_optuna(study)``: nothing is trained. ``task`` is then what the code trains.
        executor: any ``concurrent.futures.Executor`` that the runs go to.
    """

    by = Choice([*WAYS, "all three"], help="how trials are drawn", label="method")
    runs = Number(12, 1, 200, free="above", help="how many trials")
    steps = Number(2, 1, 100, free="above", label="epochs", help="how long each trains")
    x = public(
        t.Unicode(None, allow_none=True, help="what goes to the right"),
        c.Choice(options=_axes), then="draw", usual=lambda panel: next(iter(panel.space)),
    )  # fmt: skip
    y = public(
        t.Unicode(None, allow_none=True, help="what goes up"),
        c.Choice(options=_axes), then="draw", usual=lambda panel: [*panel.space][min(1, len(panel.space) - 1)],
    )  # fmt: skip
    seeds = Number(1, 1, 20, more=True, help="runs of each trial, each from other first weights; the median counts")
    stop_hopeless = Flag(True, more=True, help="stop a run that is worse than the median of earlier runs")
    seed = Seed(help="seed of the trials that are drawn")
    boxes = public(t.List(t.Dict(), help="the ranges that boxes have narrowed, one after the other"), None)
    box = public(t.List(t.Float(), help="[x0, y0, x1, y1] of the box that is drawn; empty for none"), None, then="nothing")
    trial = public(t.Int(-1, help="number of the trial that is looked at; -1 for the best"), None, then="nothing", none=-1)

    def __init__(
        self,
        task: Trainable = "digits",
        loader: Iterable[Any] | None = None,
        validation_loader: Iterable[Any] | None = None,
        *,
        space: Space | None = None,
        base: dict[str, Any] | None = None,
        replay: Search | Searches | str | Path | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self._task: Any = task
        self._loaders, self._executor = (loader, validation_loader), executor
        self._base = QUICK.get(task, {}) if base is None and isinstance(task, str) else base or {}
        self._replay = _searches_of(replay)
        if self._replay:
            self.space: Space = {name: axis.range for name, axis in self._replay.first.axes.items()}
            options["hide"] = [name for name in self.public_traits() if name not in ("x", "y")]
        else:
            self.space = SPACE if space is None else space
            axes_of(self.space, self._base, 1)
        super().__init__(**options)

    @property
    def subject(self) -> str:
        if self._replay:
            return f"{len(self._replay.trials)} trials"
        return self._task if isinstance(self._task, str) else getattr(self._task, "__name__", type(self._task).__name__)

    @property
    def ranges(self) -> Space:
        """The space that is searched now: what the boxes have left of it."""
        axes = axes_of(self.space, self._base, 1)
        for box in self.boxes:
            axes = {name: axis.narrowed(*box[name]) if name in box else axis for name, axis in axes.items()}
        return {name: axis.range for name, axis in axes.items()}

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.chart = ChartView(height=380, boxable=not self._replay)
        self.course, self.training = ChartView(height=180), ChartView(height=200)
        with suppress(MissingPackage):
            self.chart.show(charts.empty(words_of(self.x or ""), words_of(self.y or "")), "trials by their values")
            self.course.show(blank("trials", "best so far"), "the best value by the number of trials")
            self.training.show(blank("epoch", "accuracy"), "the training of a trial")
        self.chart.on_user("clicked", self.pick)
        self.bind(self.chart, "box")
        return row(self.chart, column(self.course, self.training), grow=[3, 2], basis=240)

    def compute(self, state: SimpleNamespace, job: Job) -> Searches:
        if self._replay:
            return self._replay
        job.update(None, 0.0)
        return searches(
            task_of(self._task, *self._loaders),
            self.ranges,
            WAYS if state.by == "all three" else (state.by,),
            runs=state.runs,
            steps=state.steps,
            seeds=range(state.seeds),
            seed=state.seed,
            base=self._base,
            stop_hopeless=state.stop_hopeless,
            executor=self._executor,
            on_update=job.update,
            cancel=job,
        )

    @draws("trial")
    def draw_trials(self, found: Searches) -> None:
        self.chart.show(*charts.scatter(found, self.x, self.y, self._looked_at(found)[1]))

    @draws("box")
    def draw_hint(self, found: Searches) -> None:
        done = self._replay or self.box or self.boxes
        self.chart.hint = "" if done else "drag a box to search in it"

    @draws()
    def draw_course(self, found: Searches) -> None:
        self.course.show(*charts.course(found))

    @draws("trial")
    def draw_training(self, found: Searches) -> None:
        search, trial = self._looked_at(found)
        if trial and trial.histories:
            self.training.show(*charts.training(search, trial))

    def _looked_at(self, found: Searches) -> tuple[Search, Trial | None]:
        """The trial that is looked at, and the search it is of."""
        if 0 <= self.trial < len(found.trials):
            return found.trials[self.trial]
        return found.first, found.first.best

    def pick(self, clicked: list[int]) -> None:
        groups = charts.groups(self._result) if self._result else []
        if clicked[0] < len(groups):
            self.trial = int(groups[clicked[0]].numbers[clicked[1]])

    @action("Search here", primary=True, absent=lambda panel: not panel.box, locked_by="boxes")
    def narrow(self) -> None:
        """Search again, in the box."""
        left, low, right, high = self.box
        box = {self.y: [low, high], self.x: [left, right]}
        self.put(boxes=[*self.boxes, box], box=[], trial=-1)

    @action("Back", absent=lambda panel: not panel.boxes, locked_by="boxes")
    def widen(self) -> None:
        """Search again where the last box was drawn."""
        self.put(boxes=self.boxes[:-1], box=[], trial=-1)

    def summary(self, found: Searches) -> str:
        return found.summary

    def progress(self, partial: Searches | None) -> str:
        return partial.progress if partial else "Loading the pictures …"

    def data(self) -> dict[str, np.ndarray]:
        """A value for each trial: of each axis, ``value``, ``best_so_far``, ``stopped``, and ``by``: its search's number."""
        return self.result.table

    def code(self) -> str:
        search, trial = self._looked_at(self.result)
        return search.code(self._task, trial)


def _searches_of(given: Search | Searches | str | Path | None) -> Searches | None:
    if given is None or isinstance(given, Searches):
        return given
    return Searches((given,)) if isinstance(given, Search) else Searches.load(given)
