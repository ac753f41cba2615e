"""SickRuns: recorded trainings with one thing wrong in each, to name before the panel does, and to repair."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import traitlets as t

from cnnwidgets.base import action, draws
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job
from cnnwidgets.base.traits import Choice, public
from cnnwidgets.methods import diagnose
from cnnwidgets.methods.code.monitoring import monitoring_lines
from cnnwidgets.methods.record_curves import findings_of
from cnnwidgets.methods.sick_runs import SICK_RUNS, sick_run
from cnnwidgets.panels.monitoring import TrainingMonitor, Watched
from cnnwidgets.panels.training import TrainingRace

ANSWERS = sorted({each.symptom for each in SICK_RUNS.values()} | {"plateau", "exploding gradients", "too little data"})
"""What there is to say."""


class SickRuns(TrainingMonitor):
    """Trainings with one thing wrong in each: name it before the panel does, then repair it and race the two.

    >>> cw.SickRuns()
    >>> cw.SickRuns("F", guesses={"F": "inputs in [0, 255]"})

    Look at the curves and the layers, choose what is wrong, and read the diagnosis. "Repair it" trains the sick network
    beside the healed one. ``panel.guesses`` keeps what was said of each run; a homework can be graded by it.

    Parameters:
        run: which one, see ``cw.methods.SICK_RUNS``.
    """

    run = Choice(list(SICK_RUNS), help="which training")
    guesses = public(t.Dict(help="what was said to be wrong, by run"), None, then="draw")

    def __init__(self, run: str = "A", **options: Any) -> None:
        self.race: TrainingRace | None = None
        super().__init__(sick_run(run), run=run, **options)

    @property
    def subject(self) -> str:
        sick = SICK_RUNS[self.run]
        return f"run {self.run}, {sick.steps} epochs on {sick.task}"

    @property
    def guess(self) -> str | None:
        """What was said of this run."""
        return self.guesses.get(self.run)

    def compute(self, state: SimpleNamespace, job: Job) -> Watched:
        record = sick_run(state.run)
        return Watched(record, diagnose(record))

    def more_controls(self) -> dict[str, c.Value]:
        parts = {"kind": "choice", "options": [[name, name] for name in ANSWERS]}
        locked = "guesses" in self.locked
        return {
            "guess": c.Value(label="what is wrong?", value=self.guess, parts=parts, help="your diagnosis", locked=locked)
        }

    def take_value(self, name: str, value: Any) -> None:
        if value is not None:
            self.guesses = {**self.guesses, self.run: value}

    @draws("guesses")
    def draw_findings(self, found: Watched) -> None:
        rows = findings_of(found.diagnosis.findings) if self.guess else []
        self.findings.show(rows, "Say what is wrong: the diagnosis comes after.", "Diagnosis")
        if self.status.kind == "ready":
            self.status.say(self.summary(found))

    def summary(self, found: Watched) -> str:
        if not self.guess:
            return "What is wrong with this training?"
        sick, named = SICK_RUNS[self.asked.run].symptom, found.diagnosis.named(self.guess)
        if self.guess == sick:
            return f"Right: {sick}."
        follows = f'"{self.guess}" is there, too, but follows from it' if named else f'there is no sign of "{self.guess}"'
        return f'It is "{sick}"; {follows}.'

    @action("Repair it", icon="play", absent=lambda panel: not panel.guess)
    def repair(self) -> TrainingRace:
        """Train the sick network beside the healed one; the race appears below."""
        sick = SICK_RUNS[self.run]
        specs = [{**sick.spec, "name": "sick"}, {**sick.healed, "name": "healed"}]
        if self.race is None:
            self.race = TrainingRace(sick.task, specs=specs, steps=sick.steps)
        else:
            with self.race.hold_trait_notifications():
                self.race.task, self.race.steps, self.race.specs = sick.task, sick.steps, specs
        self.nest(self.race)
        return self.race

    def code(self) -> str:
        return monitoring_lines(SICK_RUNS[self.run])
