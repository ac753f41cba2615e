"""SchedulePlayground: learning-rate schedules to bend and to watch, and networks that train under them."""

from __future__ import annotations

from dataclasses import replace
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
from cnnwidgets.base.traits import Choice, Flag, Number, public
from cnnwidgets.methods import Schedule, schedule
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.knots import moved, values_of
from cnnwidgets.methods.own_scheduler import OwnScheduler, aside, check, network_of
from cnnwidgets.methods.race import UNITS
from cnnwidgets.methods.schedule_groups import settings_of
from cnnwidgets.methods.schedule_presets import PRESETS, preset_of
from cnnwidgets.methods.schedules import sketch, title, told
from cnnwidgets.panels.training import schedule_charts as charts
from cnnwidgets.panels.training.editor import changed, controls_of
from cnnwidgets.panels.training.race import TrainingRace
from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import blank

LONG = 5_000
"""Steps beyond which a sketch is shown first."""

SKETCHED = 1_500
"""Steps of a sketch."""

RESTED = 0.2
"""Seconds without a move after which all steps are made: they would keep the sketch's way to the screen busy."""

FIRST = next(iter(PRESETS.values()))


class Menu(c.Choice):
    """The schedules to choose from, whose words change while one is bent: never buttons, which would jump."""

    def spec(self, panel, name):
        return {"kind": "choice", "options": panel.listed(name, self.options)}


class SchedulePlayground(Panel):
    """Learning-rate schedules as torch's own schedulers give them, side by side; and a race that trains with them.

    >>> cw.SchedulePlayground()
    >>> cw.SchedulePlayground(scheduler=my_scheduler, steps=90)  # which is followed, and left as it is

    Choose a schedule and bend it: each value of its kind has a control. Point at the chart for the exact rate of a step;
    drag the knots of a schedule that is drawn by hand, double-click to add or remove one. "Code" shows the PyTorch lines.
    "Train with these" trains the same network under every schedule on screen.

    Parameters:
        optimizer: one of yours: schedules begin with the rate, momentum and weight decay of each of its groups.
        scheduler: one of yours, shown beside the others: what it will do from where it stands, in every group. Groups that
            have the same rate are one curve, whose name says which they are: ``group["name"]``, or their numbers.
        steps: how often a scheduler is stepped.
        model, train, validation: what "Train with these" trains: "digits", "scenes", a
            :class:`~cnnwidgets.methods.Task`, or a network with its two loaders; a copy trains. Several groups train a
            network that has their weights: the one whose optimizer is given.
        losses: validation losses of a run of yours, one a step, for schedules that wait for a plateau.
    """

    steps = Number(FIRST.steps, 1, 1_000_000, free="above", help="how often the scheduler is stepped")
    unit = Choice(
        UNITS,
        texts=("epochs", "batches"),
        then="nothing",
        help="when a scheduler is stepped: after every epoch, or after every batch",
    )
    log = Flag(False, then="nothing", help="whether the rate has a logarithmic axis")
    specs = public(
        t.List(t.Dict(), FIRST.specs, help="the schedules on screen, see `cw.methods.schedule`"), None, sync=False
    )
    selected = public(
        t.Int(0, min=0, help="number of the schedule whose controls are shown"),
        Menu(
            label="schedule",
            options=lambda panel: panel.menu,
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
        optimizer: Optimizer | None = None,
        scheduler: LRScheduler | None = None,
        steps: int | None = None,
        *,
        model="digits",
        train=None,
        validation=None,
        **options,
    ):
        self._optimizer, self._scheduler = optimizer, scheduler
        self._given: list[dict[str, Any]] = options.get("specs", [])
        self._yours: OwnScheduler | None = None
        self._aside: list[str] = []
        self._task = model, train, validation
        self._known: dict[str, Schedule] = {}
        self.race: TrainingRace | None = None
        if steps is not None:
            options["steps"] = steps
        elif scheduler is not None or optimizer is not None:
            options.setdefault("steps", 100)
        super().__init__(**options)

    @property
    def subject(self) -> str:
        return ", ".join(title(spec) for spec in self.specs)

    def build(self):
        import_for_trainings()
        self._take_own()
        self.chart = ChartView(height=380, readout=True)
        self.chart.show(blank(self.unit, "learning rate"), f"learning rate by {self.unit}")
        self.loss_chart = ChartView(height=200, readout=True)
        for doing in ("dragged", "added", "removed"):
            self.chart.on_user(doing, partial(self._move_knot, doing))
            self.loss_chart.on_user(doing, partial(self._move_loss, doing))
        body = column(self.chart, self.loss_chart)
        body.hidden = [self.loss_chart]
        return body

    def compute(self, state, job) -> tuple[Schedule, ...]:
        steps = state.steps
        specs = [self._driven(spec, state) for spec in state.specs]
        if not specs:
            raise ValueError("there is no schedule on screen: add one, or choose a preset")
        keys = [f"{steps} {spec}" for spec in specs]
        if steps > LONG and all(spec.get("kind") != "plateau" for spec in specs):
            at = np.unique(np.linspace(0, steps - 1, SKETCHED).astype(int))
            sketches = [self._sketched(spec, steps, at, self._known.get(key)) for key, spec in zip(keys, specs, strict=True)]
            job.update(tuple(sketches), 0.0)  # all of them: few numbers travel fast
            job.rest(RESTED)
        known = {key: self._known.get(key) or self._follow(spec, steps, job) for key, spec in zip(keys, specs, strict=True)}
        self._known = known
        return tuple(known[key] for key in keys)

    @draws("log", "unit", "selected")
    def draw_rates(self, found: tuple[Schedule, ...]) -> None:
        specs = self.asked.specs
        selected = min(self.selected, len(specs) - 1)
        spec = specs[selected]
        knots = (spec.get("at"), spec.get("rates")) if spec.get("kind") == "drawn" else None
        self.chart.draggable = [len(charts.curves_of(found))] if knots and "specs" not in self.locked else []
        figure = charts.rates(found, selected, log=self.log, unit=self.unit, knots=knots)
        self.chart.show(figure, f"learning rate by {self.unit}: {', '.join(map(title, specs))}")

    @draws("unit")
    def draw_losses(self, found: tuple[Schedule, ...]) -> None:
        asked = self.asked
        waits = any(spec.get("kind") == "plateau" and not spec.get("losses") for spec in asked.specs)
        if self.reveal(self.loss_chart, waits):
            knots = [] if asked.losses else asked.loss_knots
            self.loss_chart.draggable = [1] if knots else []
            self.loss_chart.show(charts.losses(_losses(asked), knots, self.unit), "the validation loss of a plateau")

    def summary(self, found: tuple[Schedule, ...]) -> str:
        exact = all(len(one.steps) == self.asked.steps for one in found)
        rates = [f"{title(one.spec)}: {told(one)}" for one in found]
        unit = {"epoch": "epochs", "batch": "batches"}[self.unit]
        more = [] if exact else ["a sketch, until all steps are made"]
        if any(one.moves_momentum for one in found if one.spec["kind"] == "recorded"):
            more = ["the momentum of yours moves, which the code and a training do not follow", *more]
        return " · ".join([f"{self.asked.steps:,} {unit}", *rates, *self._aside, *more])

    def progress(self, partial: tuple[Schedule, ...] | None) -> str:
        return self.summary(partial) if partial else "Stepping …"

    def data(self) -> dict[str, np.ndarray]:
        """``steps`` (n,); a row for each group of each schedule: its number in ``group``, that of its ``schedule`` (rows,);
        ``lr`` and ``momentum`` (rows, n).
        """
        counts = [len(one.rates) for one in self.result]
        return {
            "steps": self.result[0].steps,
            "schedule": np.repeat(np.arange(len(counts)), counts),
            "group": np.concatenate([np.arange(count) for count in counts]),
            "lr": np.concatenate([one.rates for one in self.result]),
            "momentum": np.concatenate([one.momenta for one in self.result]),
        }

    def code(self) -> str:
        """The lines that put the rates of each schedule, as they are on screen, into a list ``values``."""
        listings = [f"# {title(one.spec)}\n{one.code}\n\nvalues.append(lr)" for one in self.result]
        return tidy("\n\n".join(["\nvalues = []", *listings]))

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
        presets = {"kind": "choice", "options": [["choose …", None], *([name, name] for name in PRESETS)]}
        preset = c.Value(
            value=preset_of(self.steps, self.specs), parts=presets, help="schedules to begin with", locked=locked
        )
        if not self.specs or "specs" in self.hidden:
            return {"preset": preset}
        group = f"Schedule {self._chosen + 1}"
        return {"preset": preset, **controls_of(self.specs[self._chosen], self.steps, group=group, locked=locked)}

    def take_value(self, name: str, value: Any) -> None:
        if name != "preset":
            self._change(changed(self.specs[self._chosen], name, value))
        elif value is not None:
            with self.hold_trait_notifications():
                self.selected, self.steps = 0, PRESETS[value].steps
                self.specs = [dict(spec) for spec in PRESETS[value].specs]

    @action("Add", locked_by="specs", icon="add")
    def add(self) -> None:
        """One more schedule, like this one."""
        like = self.specs[self._chosen] if self.specs else FIRST.specs[0]
        self.specs = [*self.specs, {key: value for key, value in like.items() if key != "name"}]
        self.selected = len(self.specs) - 1

    @action("Remove", locked_by="specs", icon="remove", absent=lambda panel: len(panel.specs) < 2)
    def remove(self) -> None:
        """Take this schedule away."""
        specs = [spec for k, spec in enumerate(self.specs) if k != self._chosen]
        if specs:
            self.selected = max(0, self._chosen - 1)
            self.specs = specs

    @action("Train with these", primary=True, icon="play")
    def train(self) -> TrainingRace:
        """Train the network under every schedule on screen, below; the race is a panel of its own."""
        specs = [{key: value for key, value in spec.items() if key != "losses"} for spec in self.specs]  # it has real ones
        about: dict[str, Any] = {"specs": specs, "steps": self.steps, "unit": self.unit}
        if self.race is None:
            model, train, validation = self._task
            self.race = TrainingRace(**about, model=model, train=train, validation=validation)
            self.nest(self.race)
        else:
            with self.race.hold_trait_notifications():
                for name, value in about.items():
                    setattr(self.race, name, value)
            self.race.ask()
        return self.race

    # hands

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

    # computing

    def _take_own(self) -> None:
        """Begin with the optimizer and the scheduler that were given."""
        check(self._optimizer, self._scheduler)
        network = network_of(self._task[0])
        optimizer = self._optimizer if self._scheduler is None else self._scheduler.optimizer
        if optimizer is not None:
            self._aside = aside(optimizer, network)
        if self._scheduler is not None:
            self._yours = OwnScheduler(self._scheduler, network)
            self._yours.follow(self.steps, _losses(self))
            self.specs = [*self._given, self._yours.spec]
            self.observe(self._follow_own, ["steps", "losses", "loss_knots"])
        elif self._optimizer is not None and not self._given:
            self.specs = [settings_of(self._optimizer, network) | {"kind": kind} for kind in ("constant", "step", "cosine")]

    def _follow_own(self, change) -> None:
        if self._yours:
            self._yours.follow(self.steps, _losses(self))
            self.specs = [self._yours.spec if self._yours.gives(spec) else spec for spec in self.specs]

    def _driven(self, spec: dict[str, Any], asked: SimpleNamespace) -> dict[str, Any]:
        """A spec, with a validation loss if it waits for a plateau and has none of its own."""
        if spec.get("kind") != "plateau" or spec.get("losses"):
            return spec
        return {**spec, "losses": _losses(asked)}

    def _follow(self, spec: dict[str, Any], steps: int, job: Job) -> Schedule:
        if self._yours and self._yours.gives(spec):
            return self._yours.schedule(spec)
        return schedule(spec, steps, cancel=job)

    def _sketched(self, spec: dict[str, Any], steps: int, at: np.ndarray, known: Schedule | None) -> Schedule:
        if known:
            return replace(known, steps=at, rates=known.rates[:, at], momenta=known.momenta[:, at])
        rates = sketch(spec, steps, at)
        return Schedule(at, rates, np.full(rates.shape, np.nan), "", spec)


def _losses(asked: Any) -> list[float]:
    """A validation loss of so many steps: as it is given, else as it is drawn."""
    return list(asked.losses) or values_of(asked.loss_knots, asked.steps)
