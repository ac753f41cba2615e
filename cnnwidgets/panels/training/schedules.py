"""SchedulePlayground: learning-rate schedules to shape and compare, and a race that trains with them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cnnwidgets.base import Panel, action, column, draws
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job, import_for_trainings
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Choice, Flag, Number, public
from cnnwidgets.methods import Schedule
from cnnwidgets.methods.knots import moved, values_of
from cnnwidgets.methods.race import UNITS
from cnnwidgets.methods.schedule_curves import curves_of
from cnnwidgets.methods.schedule_follower import Follower, arrays_of, finding_on, listing_of
from cnnwidgets.methods.schedule_presets import PRESETS, preset_of
from cnnwidgets.methods.schedules import title
from cnnwidgets.methods.tasks import Trainable
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.training import schedule_charts as charts
from cnnwidgets.panels.training.editor import GROUP, changed, controls_of
from cnnwidgets.panels.training.race import TrainingRace
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank, look

RESTED = 0.2
"""Seconds without a move after which all steps are computed: before, they would hold up the sketch."""

FIRST = next(iter(PRESETS.values()))


class Menu(c.Choice):
    """The schedules to choose from. Their words change while one is shaped: a list, for buttons would jump."""

    def spec(self, panel: Any, name: str) -> dict[str, Any]:
        return {"kind": "choice", "options": panel.listed(name, self.options)}


class SchedulePlayground(Panel):
    """Learning-rate schedules exactly as torch's schedulers give them, side by side; and a race that trains with them.

    >>> cw.SchedulePlayground()
    >>> cw.SchedulePlayground(scheduler=my_scheduler, steps=90)  # it is followed, and stays as it is

    Click a curve to choose a schedule, and shape it: each value of its kind has a control. Point at the chart for the exact
    rate of a step. Drag the knots of a schedule that is drawn by hand; double-click to add or remove one. "Code" shows the
    PyTorch lines. "Train with these" trains the same network under every schedule on screen.

    Parameters:
        task: what "Train with these" trains: "digits" or "scenes"; a :class:`~cnnwidgets.methods.Task`; or a network, of
            which a copy trains.
        loader, validation_loader: for a network of your own: give batches of pictures and labels.
        optimizer: your own: schedules start with the rate, momentum and weight decay of each of its groups. If it has
            several, give the network whose weights are in them.
        scheduler: your own, shown beside the others: what it will do from where it stands, in every group. Groups with the
            same rate are one curve, named by ``group["name"]`` or by their numbers.
        steps: how often a scheduler is stepped.
        losses: validation losses of a run of yours, one per step, for schedules that wait for a plateau.
    """

    steps = Number(FIRST.steps, 1, 1_000_000, free="above", help="how often the schedulers are stepped")
    unit = Choice(
        UNITS,
        texts=("epochs", "batches"),
        label="in",
        then="nothing",
        help="when the schedulers are stepped: after every epoch, or after every batch",
    )
    log = Flag(False, then="nothing", label="logarithmic axis", help="show the rate on a logarithmic axis")
    specs = public(
        t.List(t.Dict(), FIRST.specs, help="the schedules on screen, see `cw.methods.schedule`"), None, sync=False
    )
    selected = public(
        t.Int(0, min=0, help="number of the schedule whose controls are shown"),
        Menu(
            label="which",
            group=GROUP,
            options=lambda panel: panel.menu,
            swatch=lambda panel: look(panel._chosen)[0],
            absent=lambda panel: "specs" in panel.hidden or not panel.specs,
        ),
        then="nothing",
    )
    losses = public(
        t.List(t.Float(), help="validation loss after each step, for a plateau; empty: as drawn"), None, sync=False
    )
    loss_knots = public(
        t.List(
            t.List(t.Float()),
            [[0.0, 2.3], [15.0, 0.6], [30.0, 0.6], [40.0, 0.3], [59.0, 0.3]],
            help="[step, loss] of the knots that a validation loss is drawn by",
        ),
        None,
        sync=False,
    )

    def __init__(
        self,
        task: Trainable = "digits",
        loader: Iterable[Any] | None = None,
        validation_loader: Iterable[Any] | None = None,
        *,
        optimizer: Optimizer | None = None,
        scheduler: LRScheduler | None = None,
        steps: int | None = None,
        **options: Any,
    ) -> None:
        self._optimizer, self._scheduler = optimizer, scheduler
        self._given: list[dict[str, Any]] = options.get("specs", [])
        self._task = task, loader, validation_loader
        self.race: TrainingRace | None = None
        if steps is not None:
            options["steps"] = steps
        elif scheduler is not None or optimizer is not None:
            options.setdefault("steps", 100)
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return ", ".join(title(spec) for spec in self.specs)

    def build(self) -> Part | tuple[Part, ...]:
        import_for_trainings()
        self._begin_with_own()
        self.chart = ChartView(height=290, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank(self.unit, "learning rate"), f"learning rate by {self.unit}")
        self.chart.on_user("clicked", self._choose)
        self.loss_chart = ChartView(height=180, readout=True)
        for doing in ("dragged", "added", "removed"):
            self.chart.on_user(doing, partial(self._move_knot, doing))
            self.loss_chart.on_user(doing, partial(self._move_loss, doing))
        body = column(self.chart, self.loss_chart)
        body.hidden = [self.loss_chart]
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> tuple[Schedule, ...]:
        if not state.specs:
            raise ValueError("there is no schedule on screen: add one or choose a preset")
        specs = [{**spec, "losses": _losses(state)} if _waits(spec) else spec for spec in state.specs]
        if sketches := self._follower.sketches(specs, state.steps):
            job.update(sketches, 0.0)  # all of them: few numbers travel fast
            job.rest(RESTED)
        return self._follower.follow(specs, state.steps, job)

    @draws("log", "unit", "selected")
    def draw_rates(self, found: tuple[Schedule, ...]) -> None:
        specs = self.asked.specs
        selected = min(self.selected, len(specs) - 1)
        spec = specs[selected]
        knots = (spec.get("at"), spec.get("rates")) if spec.get("kind") == "drawn" else None
        self.chart.draggable = [len(curves_of(found))] if knots and "specs" not in self.locked else []
        figure = charts.rates(found, selected, log=self.log, unit=self.unit, knots=knots)
        self.chart.height = 290 if "yaxis2" not in figure.layout else 370
        self.chart.show(figure, f"learning rate by {self.unit}: {', '.join(map(title, specs))}")

    @draws("unit")
    def draw_losses(self, found: tuple[Schedule, ...]) -> None:
        asked = self.asked
        if self.reveal(self.loss_chart, any(map(_waits, asked.specs))):
            knots = [] if asked.losses else asked.loss_knots
            self.loss_chart.draggable = [1] if knots else []
            self.loss_chart.show(
                charts.losses(_losses(asked), knots, self.unit), "the validation loss that drives the plateau"
            )

    def summary(self, found: tuple[Schedule, ...]) -> str:
        lines = [finding_on(found, self.unit), *self._follower.aside]
        if any(one.moves_momentum for one in found if one.spec["kind"] == "recorded"):
            lines.append("Your scheduler moves the momentum, too; the code and a training do not.")
        if any(len(one.steps) < self.asked.steps for one in found):
            lines.append("A sketch, until all steps are computed.")
        return "\n".join(lines)

    def progress(self, partial: tuple[Schedule, ...] | None) -> str:
        return self.summary(partial) if partial else "Computing the rates …"

    def data(self) -> dict[str, np.ndarray]:
        """``steps`` (n,); and one row per group of each schedule: its number in ``group`` and that of its ``schedule``
        (rows,), ``lr`` and ``momentum`` (rows, n).
        """
        return arrays_of(self.result)

    def code(self) -> str:
        return listing_of(self.result)

    # controls

    @property
    def menu(self) -> list[tuple[str, int]]:
        """The schedules to choose from; a number beyond them stands for the last."""
        return [(f"{k + 1}. {title(spec)}", self.selected if k == self._chosen else k) for k, spec in enumerate(self.specs)]

    @property
    def _chosen(self) -> int:
        """The number of the schedule whose controls are shown; -1 if there is none."""
        return min(self.selected, len(self.specs) - 1)

    def more_controls(self) -> dict[str, c.Value]:
        locked = "specs" in self.locked
        presets = {"kind": "chips", "options": [[name, name] for name in PRESETS], "sparks": charts.sparks()}
        now = preset_of(self.steps, self.specs)
        preset = c.Value(
            label="preset", value=now, parts=presets, help="schedules to start from", group="Start from", locked=locked
        )
        if not self.specs or "specs" in self.hidden:
            return {"preset": preset}
        return {"preset": preset, **controls_of(self.specs[self._chosen], self.steps, self._chosen, locked)}

    def take_value(self, name: str, value: Any) -> None:
        if name != "preset":
            self._change(changed(self.specs[self._chosen], name, value))
        elif value is not None:
            with self.hold_trait_notifications():
                self.selected, self.steps = 0, PRESETS[value].steps
                self.specs = [dict(spec) for spec in PRESETS[value].specs]

    @action("Add", locked_by="specs", icon="add")
    def add(self) -> None:
        """Add a copy of this schedule."""
        like = self.specs[self._chosen] if self.specs else FIRST.specs[0]
        self.specs = [*self.specs, {key: value for key, value in like.items() if key != "name"}]
        self.selected = len(self.specs) - 1

    @action("Remove", locked_by="specs", icon="remove", absent=lambda panel: len(panel.specs) < 2)
    def remove(self) -> None:
        """Remove this schedule."""
        specs = [spec for k, spec in enumerate(self.specs) if k != self._chosen]
        if specs:
            self.selected = max(0, self._chosen - 1)
            self.specs = specs

    @action("Train with these", primary=True, icon="play")
    def train(self) -> TrainingRace:
        """Train the network under every schedule on screen; the race appears below."""
        specs = [
            {key: value for key, value in spec.items() if key != "losses"} for spec in self.specs
        ]  # it measures its own
        about: dict[str, Any] = {"specs": specs, "steps": self.steps, "unit": self.unit}
        if self.race is None:
            self.race = TrainingRace(*self._task, **about)
        else:
            with self.race.hold_trait_notifications():
                for name, value in about.items():
                    setattr(self.race, name, value)
            self.race.ask()
        self.nest(self.race)
        return self.race

    # hands

    def _choose(self, clicked: list[int]) -> None:
        """A curve was clicked: its schedule's controls are shown."""
        curves = curves_of(self._result or ())
        if clicked and clicked[0] < len(curves):
            self.selected = curves[clicked[0]].schedule

    def _change(self, spec: dict[str, Any]) -> None:
        self.specs = [spec if k == self._chosen else other for k, other in enumerate(self.specs)]

    def _move_knot(self, doing: str, where: list[float]) -> None:
        """A knot of a schedule that is drawn by hand was moved, added or removed."""
        spec = self.specs[self._chosen]
        if spec.get("kind") == "drawn":
            knots = moved(list(zip(spec["at"], spec["rates"], strict=True)), doing, where, self.steps)
            at, rates = zip(*knots, strict=True)
            self._change({**spec, "at": list(at), "rates": list(rates)})

    def _move_loss(self, doing: str, where: list[float]) -> None:
        knots = [tuple(knot) for knot in self.loss_knots]
        self.loss_knots = [list(knot) for knot in moved(knots, doing, where, self.steps)]

    # the user's own

    def _begin_with_own(self) -> None:
        """Start with the optimizer and the scheduler that were given."""
        self._follower = Follower(self._optimizer, self._scheduler, self._task[0])
        self._follow_own()
        if self._optimizer is not None or self._scheduler is not None:
            self.specs = self._follower.beginning(self._given)
            self.observe(self._follow_own, ["steps", "losses", "loss_knots"])

    def _follow_own(self, change: Any = None) -> None:
        if own := self._follower.own:
            own.follow(self.steps, _losses(self))
            self.specs = [own.spec if own.gives(spec) else spec for spec in self.specs]


def _waits(spec: dict[str, Any]) -> bool:
    """Whether it waits for a plateau of a loss, and brings no loss of its own."""
    return spec.get("kind") == "plateau" and not spec.get("losses")


def _losses(asked: Any) -> list[float]:
    """The validation loss of every step: as given, else as drawn."""
    return list(asked.losses) or values_of(asked.loss_knots, asked.steps)
