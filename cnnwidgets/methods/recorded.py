"""Trainings that are bundled: recorded by ``python -m cnnwidgets.samples.record``, replayed in no time.

Each can be trained again from its own spec: ``race(task(name), [history.spec], ...)``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cnnwidgets.methods.histories import History
from cnnwidgets.methods.race import Race, race
from cnnwidgets.methods.race_presets import RACES
from cnnwidgets.methods.tasks import task
from cnnwidgets.net.arguments import checking, one_of
from cnnwidgets.samples import RUNS


class Recipe(NamedTuple):
    """How a run was made."""

    task: str
    steps: int
    spec: dict[str, Any]


RECORDED: dict[str, Recipe] = {
    "over-fitting": Recipe(
        "digits",
        40,
        {
            "optimizer": "Adam",
            "lr": 0.002,
            "data": {"size": 600, "label_noise": 0.3, "batch": 32},
            "name": "600 digits, 30% of the labels wrong",
        },
    ),
}
"""By name: epochs of a spec with seed 0."""

RECORDED_RACES = ("depth",)
"""Presets of races that take long."""


@checking("name")
def recorded(name: str) -> History:
    """A bundled training: "over-fitting", LeNet-5 on 600 digits of which 30% have a wrong label.

    >>> cw.EarlyStopping(cw.methods.recorded("over-fitting"))

    Raises:
        ValueError: there is none of this name; the nearest one is offered.
    """
    return History.load(RUNS / f"{one_of('name', name, RECORDED)}.npz")


@checking("name")
def recorded_race(name: str) -> Race:
    """A bundled race: "depth", with plain and residual networks of 8 to 44 layers.

    >>> cw.TrainingRace(replay="depth")

    Raises:
        ValueError: there is none of this name.
    """
    return Race.load(RUNS / f"race-{one_of('name', name, RECORDED_RACES)}.npz")


def record_race(name: str, folder: Path = RUNS) -> Race:
    """Train a race's preset again with seed 0, and write it to its file."""
    preset = RACES[name]
    found = race(task(preset.task), preset.specs, steps=preset.steps)
    found.save(folder / f"race-{name}.npz")
    return found


def record(name: str, folder: Path = RUNS) -> History:
    """Train a run again, and write it to its file."""
    recipe = RECORDED[name]
    (found,) = race(task(recipe.task), [recipe.spec], steps=recipe.steps).histories
    found.save(folder / f"{name}.npz")
    return found
