"""OptimizerRace: torch's optimizers from one start, on a surface of two weights and on a network."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import Panel, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.controls import action
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Number, Seed, Slide, public
from cnnwidgets.methods import Race, race
from cnnwidgets.methods.descent import OPTIMIZERS, Descents, descend, optimizer_specs
from cnnwidgets.methods.race_curves import quantities
from cnnwidgets.methods.surfaces import SURFACES
from cnnwidgets.methods.tasks import Trainable, task_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.optimizers import charts
from cnnwidgets.panels.training import race_charts
from cnnwidgets.views import BoardView, ChartView
from cnnwidgets.views.curves import blank

PLACES = ("surface", "network")
ON_SURFACE = {"on": ["surface"]}
ON_NETWORK = {"on": ["network"]}

FRAME = 0.04
"""Seconds from one step to the next while it plays, and at most this many of them in all."""

FRAMES = 120

RATES = (1e-4, 1.0)
"""The ends of a rate's slider."""

NETWORK_RATES = 0.05, 0.002
"""That suit the digits: of SGD, and of RMSprop, Adam and AdamW."""


def usual_rates(on: str, surface: str) -> tuple[float, float]:
    """The rates that suit what is raced on: of SGD, and of RMSprop, Adam and AdamW."""
    about = SURFACES[surface]
    return NETWORK_RATES if on == "network" else (about.rate, about.adaptive_rate)


def _rate(help: str, **options: Any) -> Any:
    """A learning rate on a logarithmic slider; None for one that suits what is raced on."""
    slider = c.Slider(bounds=lambda panel: RATES, log=True, nothing="auto", **options)
    return public(t.Float(None, allow_none=True, min=1e-12, max=100.0, help=help), slider)


class OptimizerRace(Panel):
    """Let optimizers race from one start: down a surface of two weights, or on a network.

    >>> cw.OptimizerRace()
    >>> cw.OptimizerRace(on="network", optimizers=["SGD", "momentum", "Adam"])

    Drag the start. All paths are torch's own: "dampened" is momentum with torch's ``dampening``, the (1 - b) of
    v = b v + (1 - b) g; Adam's first beta is the momentum. Without a rate, one that suits is taken.

    Parameters:
        task: what the network is: "digits" or "scenes"; a :class:`~cnnwidgets.methods.Task`; or a network.
        loader, validation_loader: for a network of your own: give batches of pictures and labels.
    """

    on = Choice(PLACES, texts=("a surface", "a network"), help="where they race")
    surface = Choice(
        [*SURFACES], texts=[one.title for one in SURFACES.values()], when=ON_SURFACE, help="the loss of two weights"
    )
    condition = Number(
        100.0, 0.01, 10_000.0, when={"surface": ["bowl"], **ON_SURFACE}, help="how many times steeper it is in y than in x"
    )
    noise = Number(
        None, 0.0, 100.0, none="its own", more=True, when=ON_SURFACE,
        help="standard deviation of what is added to each gradient, as a mini-batch does",
    )  # fmt: skip
    optimizers = public(
        t.List(t.Enum([*OPTIMIZERS]), ["SGD", "momentum", "dampened", "Nesterov", "Adam"], help="which ones race"),
        c.Several(options=lambda panel: [(name, name) for name in OPTIMIZERS]),
    )
    rate = _rate("learning rate of SGD, with and without momentum; auto: one that suits")
    adaptive_rate = _rate(
        "learning rate of RMSprop, Adam and AdamW; auto: one that suits", more=True, label="rate of Adam and RMSprop"
    )
    momentum = Slide(0.9, (0.0, 0.999), step=0.01, help="momentum of SGD; first beta of Adam and AdamW")
    steps = Number(300, 1, 5000, more=True, when=ON_SURFACE, help="steps of each path")
    epochs = Number(3, 1, 100, free="above", when=ON_NETWORK, help="how long each network trains")
    seed = Seed(help="seed of the noise; on a network, of the first weights")
    step = Slide(
        300, lambda panel: (0, panel.steps), low=0, then="nothing", when=ON_SURFACE,
        help="the step whose points are marked",
    )  # fmt: skip
    start = public(
        t.List(t.Float(), help="x and y where paths begin; empty, or off the chart: as the surface has it"), None, none=[]
    )

    def __init__(
        self,
        task: Trainable = "digits",
        loader: Iterable[Any] | None = None,
        validation_loader: Iterable[Any] | None = None,
        **options: Any,
    ) -> None:
        self._task, self._loaders = task, (loader, validation_loader)
        self._shown: Any = None
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return SURFACES[self.surface].title if self.on == "surface" else str(self._task)

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self.chart, self.heights = ChartView(height=360), ChartView(height=360)
        self.curves, self.board = ChartView(height=370, readout=True), BoardView()
        with suppress(MissingPackage):
            self.chart.show(charts.empty(), "a surface")
            self.heights.show(blank("step", "height"), "height by step")
            self.curves.show(blank("epoch", "loss"), "loss by epoch")
        for what in ("dragged", "added"):
            self.chart.on_user(what, lambda at: self.move(at[-2:]))
        self._growing = race_charts.Growing(self.curves)
        self._parts = [self.chart, self.heights], [self.curves, self.board]
        self._body = row(self.chart, self.heights, self.curves, self.board, grow=[3, 2, 8, 1], basis=240)
        return self._body

    def compute(self, state: SimpleNamespace, job: Job) -> Descents | Race:
        usual = usual_rates(state.on, state.surface)
        rate, adaptive = (
            suits if own is None else own for own, suits in zip((state.rate, state.adaptive_rate), usual, strict=True)
        )
        specs = optimizer_specs(state.optimizers, rate, adaptive, state.momentum)
        if state.on == "network":
            job.update(None, 0.0)
            task = task_of(self._task, *self._loaders)
            return race(task, specs, steps=state.epochs, seeds=[state.seed], on_update=job.update, cancel=job)
        options: dict[str, Any] = {name: getattr(state, name) for name in ("steps", "condition", "noise", "seed")}
        inside = len(state.start) == 2 and all(
            low <= at <= high for at, (low, high) in zip(state.start, SURFACES[state.surface].bounds, strict=True)
        )
        found = descend(state.surface, specs, start=state.start if inside else None, **options, cancel=job)
        if getattr(state, "play", False):
            self._play(found, job)
        return found

    def _play(self, found: Descents, job: Job) -> None:
        """Mark one step after the other, no faster than it can be watched."""
        for at in np.unique(np.linspace(0, found.steps, FRAMES).astype(int)):
            if job.is_set():
                return
            job.update(replace(found, marked=int(at)), at / found.steps)
            time.sleep(FRAME)

    @action("Play", icon="play", absent=lambda panel: panel.on != "surface", locked_by="step")
    def play(self) -> None:
        """Go through the steps."""
        self.ask(play=True)

    @draws()
    def draw_paths(self, found: Descents | Race) -> None:
        here = isinstance(found, Descents)
        for part in self._parts[0]:
            self.reveal(part, here)
        for part in self._parts[1]:
            self.reveal(part, not here)
        if isinstance(found, Race):
            self._growing.show(found)
            self.board.show(race_charts.standing_rows(found), f"Test {quantities(found)[-1]}")
        elif found.each is not self._shown:  # a step that is played leaves them as they are
            self.chart.show(*charts.surface(found))
            self.heights.show(*charts.heights(found))
            self.chart.draggable, self._shown = [len(found.each) + 2], found.each

    @draws("step")
    def draw_step(self, found: Descents | Race) -> None:
        if isinstance(found, Descents):
            self.chart.marked = self.step if found.marked is None else found.marked

    def move(self, at: list[float]) -> None:
        """Let the paths begin elsewhere."""
        if len(at) == 2:
            self.start = [float(value) for value in at]

    def summary(self, found: Descents | Race) -> str:
        return found.summary

    def progress(self, partial: Descents | Race | None) -> str:
        if isinstance(partial, Descents):
            return f"Step {partial.marked} of {partial.steps}"
        return partial.progress if partial else "Loading the pictures …"

    def data(self) -> dict[str, np.ndarray]:
        """On a surface ``paths`` (optimizers, steps + 1, 2) and ``heights``; on a network the curves of a race."""
        found = self.result
        return found.curves if isinstance(found, Race) else {"paths": found.paths, "heights": found.heights}

    def code(self) -> str:
        found = self.result
        return found.code(self._task) if isinstance(found, Race) else found.code()
