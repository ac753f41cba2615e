"""SchedulePlayground: learning-rate schedules to bend and to watch, and networks that train under them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cnnwidgets.base.jobs import import_for_trainings
from cnnwidgets.methods import Schedule, schedule
from cnnwidgets.methods.race import UNITS
from cnnwidgets.methods.schedule_groups import settings_of
from cnnwidgets.methods.schedules import sketch, title, told
from cnnwidgets.panels import schedule_charts as charts
from cnnwidgets.panels.controls import Choice, Number, Tick
from cnnwidgets.panels.curves import blank
from cnnwidgets.panels.knots import moved
from cnnwidgets.panels.own_scheduler import OwnScheduler, aside, check, network_of
from cnnwidgets.panels.panel import Panel
from cnnwidgets.panels.race import TrainingRace
from cnnwidgets.panels.schedule_editor import ScheduleEditor
from cnnwidgets.panels.schedule_presets import PRESETS
from cnnwidgets.panels.snippets import tidy
from cnnwidgets.views import ChartView
from cnnwidgets.views.hands import on_user

if TYPE_CHECKING:
    from cnnwidgets.base.jobs import Job

LONG = 5_000
"""Steps beyond which a sketch is shown first."""

SKETCHED = 1_500
"""Steps of a sketch."""

RESTED = 0.2
"""Seconds without a move after which all steps are made: they would keep the sketch's way to the screen busy."""

FIRST = next(iter(PRESETS.values()))


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

    steps = t.Int(FIRST.steps, min=1, help="how often the scheduler is stepped").tag(
        control=Number(1, 1_000_000, whole=True)
    )
    unit = t.Enum(UNITS, "epoch", help="when a scheduler is stepped: after every epoch, or after every batch").tag(
        control=Choice(lambda panel: [("epochs", "epoch"), ("batches", "batch")])
    )
    log = t.Bool(False, help="whether the rate has a logarithmic axis").tag(control=Tick())
    specs = t.List(t.Dict(), FIRST.specs, help="the schedules on screen, see `cw.methods.schedule`").tag(control=None)
    selected = t.Int(0, min=0, help="number of the schedule whose controls are shown").tag(control=None)
    losses = t.List(t.Float(), help="validation loss after each step, for a plateau; empty: as drawn").tag(control=None)
    loss_knots = t.List(
        t.List(t.Float()),
        [[0.0, 2.3], [15.0, 0.6], [30.0, 0.6], [40.0, 0.3], [59.0, 0.3]],
        help="[step, loss] of the knots that a validation loss is drawn by",
    ).tag(control=None)

    asks = frozenset("steps specs losses loss_knots".split())

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
        self._own: OwnScheduler | None = None
        self._aside: list[str] = []
        self._task = model, train, validation
        self._known: dict[str, Schedule] = {}
        self.race: TrainingRace | None = None
        if steps is not None:
            options["steps"] = steps
        elif scheduler is not None or optimizer is not None:
            options.setdefault("steps", 100)
        super().__init__(None, **options)

    @property
    def subject(self) -> str:
        return ", ".join(title(spec) for spec in self.specs)

    # Panel's parts

    def build(self) -> list[w.Widget]:
        import_for_trainings()
        self._take_own()
        self.chart = ChartView(height=380, readout=True)
        self.chart.show(blank(self.unit, "learning rate"), f"learning rate by {self.unit}")
        self.loss_chart = ChartView(height=200, readout=True)
        self.loss_chart.layout.display = "none"
        self.editor = ScheduleEditor(self._take_spec)
        self.menu = w.Dropdown(description="schedule", layout=w.Layout(width="min(420px, 100%)"))
        on_user(self.menu, "index", self._take_menu)
        locked = "specs" in self.locked
        self.buttons = {
            name: w.Button(description=name, tooltip=tip, disabled=locked, layout=w.Layout(width="auto"))
            for name, tip in (
                ("Add", "one more schedule, like this one"),
                ("Remove", "take this schedule away"),
            )
        }
        self.buttons["Add"].on_click(lambda _: self._add())
        self.buttons["Remove"].on_click(lambda _: self._remove())
        self.presets = w.Dropdown(
            options=[("choose …", ""), *((name, name) for name in PRESETS)], description="preset", disabled=locked
        )
        self.presets.layout.width = "min(420px, 100%)"
        self.presets.observe(self._take_preset, "value")
        self.start = w.Button(
            description="Train with these", icon="play", button_style="primary", layout=w.Layout(width="180px"),
            tooltip="train the same network under every schedule on screen",
        )  # fmt: skip
        self.start.on_click(lambda _: self.train())
        for what in ("dragged", "added", "removed"):
            self.chart.on_user(what, partial(self._take_drag, what))
            self.loss_chart.on_user(what, partial(self._take_loss_drag, what))
        self.react(self._draw_chart, "log", "unit", "selected")
        flow = w.Layout(flex_flow="row wrap", grid_gap="4px")
        parts = [*self.toolbox(), w.HBox([self.presets], layout=flow)]
        if "specs" not in self.hidden:
            parts += [w.HBox([self.menu, *self.buttons.values()], layout=flow), self.editor]
        return [*parts, self.chart, self.loss_chart, self.start]

    def compute(self, job: Job) -> tuple[Schedule, ...]:
        steps = job.state.steps
        specs = [self._driven(spec, job.state) for spec in job.state.specs]
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

    def draw(self, result: tuple[Schedule, ...]) -> None:
        self._draw_chart()
        self._draw_losses()

    def summary(self, result: tuple[Schedule, ...]) -> str:
        exact = all(len(one.steps) == self.asked.steps for one in result)
        rates = [f"{title(one.spec)}: {told(one)}" for one in result]
        unit = {"epoch": "epochs", "batch": "batches"}[self.unit]
        more = [] if exact else ["a sketch, until all steps are made"]
        if any(one.moves_momentum for one in result if one.spec["kind"] == "recorded"):
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
        return tidy("\n\n".join(f"# {title(one.spec)}\n{one.code}" for one in self.result))

    def train(self) -> TrainingRace:
        """Train the network under every schedule on screen, below; the race is a panel of its own."""
        specs = [{key: value for key, value in spec.items() if key != "losses"} for spec in self.specs]  # it has real ones
        about: dict[str, Any] = {"specs": specs, "steps": self.steps, "unit": self.unit}
        if self.race is None:
            model, train, validation = self._task
            self.race = TrainingRace(**about, model=model, train=train, validation=validation)
            self.children = [*self.children, self.race]
        else:
            with self.race.hold_trait_notifications():
                for name, value in about.items():
                    setattr(self.race, name, value)
            self.race.ask()
        return self.race

    # computing

    def _take_own(self) -> None:
        """Begin with the optimizer and the scheduler that were given."""
        check(self._optimizer, self._scheduler)
        network = network_of(self._task[0])
        optimizer = self._optimizer if self._scheduler is None else self._scheduler.optimizer
        if optimizer is not None:
            self._aside = aside(optimizer, network)
        if self._scheduler is not None:
            self._own = OwnScheduler(self._scheduler, network)
            self._own.follow(self.steps, self._losses(self.steps))
            self.specs = [*self._given, self._own.spec]
            self.observe(self._follow_own, ["steps", "losses", "loss_knots"])
        elif self._optimizer is not None and not self._given:
            self.specs = [settings_of(self._optimizer, network) | {"kind": kind} for kind in ("constant", "step", "cosine")]

    def _follow_own(self, change) -> None:
        if self._own:
            self._own.follow(self.steps, self._losses(self.steps))
            self.specs = [self._own.spec if self._own.gives(spec) else spec for spec in self.specs]

    def _driven(self, spec: dict[str, Any], asked: SimpleNamespace) -> dict[str, Any]:
        """A spec, with a validation loss if it waits for a plateau and has none of its own."""
        if spec.get("kind") != "plateau" or spec.get("losses"):
            return spec
        return {**spec, "losses": _losses(asked.losses, asked.loss_knots, asked.steps)}

    def _losses(self, steps: int) -> list[float]:
        return _losses(self.losses, self.loss_knots, steps)

    def _follow(self, spec: dict[str, Any], steps: int, job: Job) -> Schedule:
        if self._own and self._own.gives(spec):
            return self._own.schedule(spec)
        return schedule(spec, steps, cancel=job)

    def _sketched(self, spec: dict[str, Any], steps: int, at: np.ndarray, known: Schedule | None) -> Schedule:
        if known:
            return replace(known, steps=at, rates=known.rates[:, at], momenta=known.momenta[:, at])
        rates = sketch(spec, steps, at)
        return Schedule(at, rates, np.full(rates.shape, np.nan), "", spec)

    # drawing

    def _draw_chart(self) -> None:
        result: tuple[Schedule, ...] = self._result
        specs = self.asked.specs
        selected = min(self.selected, len(specs) - 1)
        spec = specs[selected]
        knots = (spec.get("at"), spec.get("rates")) if spec.get("kind") == "drawn" else None
        names = [title(spec) for spec in specs]
        self.chart.draggable = [len(charts.curves_of(result))] if knots and "specs" not in self.locked else []
        figure = charts.rates(result, selected, log=self.log, unit=self.unit, knots=knots)
        self.chart.show(figure, f"learning rate by {self.unit}: {', '.join(names)}")
        self._draw_menu([title(spec) for spec in self.specs], self._chosen)
        self.editor.show(self.specs[self._chosen], self.steps, "specs" in self.locked)

    def _draw_menu(self, names: list[str], selected: int) -> None:
        self.menu.options = [(f"{k + 1}. {name}", k) for k, name in enumerate(names)]
        self.menu.value = selected
        self.buttons["Remove"].disabled = len(names) < 2 or "specs" in self.locked

    def _draw_losses(self) -> None:
        asked = self.asked
        waits = any(spec.get("kind") == "plateau" and not spec.get("losses") for spec in asked.specs)
        self.loss_chart.layout.display = "" if waits else "none"
        if waits:
            knots = [] if asked.losses else asked.loss_knots
            self.loss_chart.draggable = [1] if knots else []
            losses = _losses(asked.losses, asked.loss_knots, asked.steps)
            self.loss_chart.show(charts.losses(losses, knots, self.unit), "the validation loss of a plateau")

    # hands

    @property
    def _chosen(self) -> int:
        """The number of the schedule whose controls are shown; -1 if there is none."""
        return min(self.selected, len(self.specs) - 1)

    def _take_spec(self, spec: dict[str, Any]) -> None:
        self.specs = [spec if k == self._chosen else other for k, other in enumerate(self.specs)]

    def _take_menu(self, number: int | None) -> None:
        if number is not None:
            self.selected = number

    def _add(self) -> None:
        like = self.specs[self._chosen] if self.specs else FIRST.specs[0]
        self.specs = [*self.specs, {key: value for key, value in like.items() if key != "name"}]
        self.selected = len(self.specs) - 1

    def _remove(self) -> None:
        specs = [spec for k, spec in enumerate(self.specs) if k != self._chosen]
        if specs:
            self.selected = max(0, self._chosen - 1)
            self.specs = specs

    def _take_preset(self, change) -> None:
        if not change.new:
            return
        preset = PRESETS[change.new]
        with self.hold_trait_notifications():
            self.selected, self.steps, self.specs = 0, preset.steps, [dict(spec) for spec in preset.specs]

    def _take_drag(self, what: str, where: list[float]) -> None:
        """A knot of a schedule that is drawn by hand was dragged, added or removed."""
        spec = self.specs[self._chosen]
        if where and spec.get("kind") == "drawn":
            knots = moved(list(zip(spec["at"], spec["rates"], strict=True)), what, where, self.steps)
            at, rates = zip(*knots, strict=True)
            self._take_spec({**spec, "at": list(at), "rates": list(rates)})

    def _take_loss_drag(self, what: str, where: list[float]) -> None:
        if where:
            knots = moved([(at, loss) for at, loss in self.loss_knots], what, where, self.steps)
            self.loss_knots = [list(knot) for knot in knots]


def _losses(losses: list[float], knots: list[list[float]], steps: int) -> list[float]:
    """A validation loss of so many steps: as it is given, else as it is drawn."""
    if losses:
        return list(losses)
    at, heights = zip(*knots, strict=True)
    return np.interp(np.arange(steps), at, heights).tolist()
