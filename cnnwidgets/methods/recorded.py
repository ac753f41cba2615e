"""Trainings that are bundled: recorded by ``python -m cnnwidgets.samples.record``, replayed in no time.

Each can be trained again from its own spec: ``race(task(name), [history.spec], ...)``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cnnwidgets.methods.histories import History
from cnnwidgets.methods.race import race
from cnnwidgets.methods.tasks import task
from cnnwidgets.net.arguments import one_of
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


def recorded(name: str) -> History:
    """A bundled training: "over-fitting", LeNet-5 on 600 digits of which 30% have a wrong label.

    >>> cw.EarlyStopping(cw.methods.recorded("over-fitting"))

    Raises:
        ValueError: there is none of this name; the nearest one is offered.
    """
    return History.load(RUNS / f"{one_of('name', name, RECORDED)}.npz")


def record(name: str, folder: Path = RUNS) -> History:
    """Train a run again, and write it to its file."""
    recipe = RECORDED[name]
    (found,) = race(task(recipe.task), [recipe.spec], steps=recipe.steps).histories
    found.save(folder / f"{name}.npz")
    return found
