"""Races that lectures speak of: what is varied, on which sample, for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class RacePreset(NamedTuple):
    """Runs that are worth seeing together.

    Attributes:
        task: a sample's name.
        steps: epochs.
        specs: see :func:`cnnwidgets.methods.race`.
    """

    task: str
    steps: int
    specs: list[dict[str, Any]]


def _named(common: dict[str, Any], **runs: dict[str, Any]) -> list[dict[str, Any]]:
    """The specs of runs, by name: what they have in common, and what is their own."""
    return [{"name": name.replace("_", " "), "kind": "constant", **common, **own} for name, own in runs.items()]


def _stack(depth: int, residual: bool) -> dict[str, Any]:
    kind = "residual" if residual else "plain"
    model = {"builder": "stack", "depth": depth, "residual": residual, "stride": 4}
    return {"name": f"{kind} {depth}", "kind": "constant", "lr": 0.05, "model": model}


_CARELESS = {"size": 600, "label_noise": 0.3, "batch": 32}

RACES: dict[str, RacePreset] = {
    "initialization": RacePreset(
        "digits",
        6,
        [
            {"name": name, "kind": "constant", "lr": 0.02, "init": init}
            for name, init in {
                "zero": "zero",
                "normal 0.01": {"scheme": "normal", "std": 0.01},
                "uniform": "uniform",
                "Xavier": "xavier",
                "Kaiming": "kaiming",
            }.items()
        ],
    ),
    "depth": RacePreset("digits", 12, [_stack(depth, residual) for residual in (False, True) for depth in (8, 20, 32, 44)]),
    "regularization": RacePreset(
        "digits",
        25,
        _named(
            {"optimizer": "Adam", "lr": 0.002, "data": _CARELESS},
            none={},
            dropout={"regularize": {"dropout": 0.5}},
            weight_decay={"optimizer": "AdamW", "regularize": {"weight_decay": 5.0}},
            label_smoothing={"regularize": {"label_smoothing": 0.3}},
        ),
    ),
    "augmentation": RacePreset(
        "digits",
        20,
        [
            {"name": name, "kind": "constant", "optimizer": "Adam", "lr": 0.002, "data": {"size": 200, "batch": 32, **data}}
            for name, data in {
                "none": {},
                "a little": {"augment": ["rotate", "shift"], "strength": 0.25},
                "too much": {"augment": ["rotate", "shift", "noise"], "strength": 0.7},
                "on test images, too": {"augment": ["rotate", "shift"], "strength": 0.7, "augment_test": True},
            }.items()
        ],
    ),
    "batch size": RacePreset(
        "digits",
        10,
        [
            {"name": f"{batch} per batch", "kind": "constant", "lr": 0.02, "data": {"batch": batch}}
            for batch in (8, 32, 128, 512)
        ],
    ),
    "amount of data": RacePreset(
        "digits",
        30,
        [
            {
                "name": f"{size} digits",
                "kind": "constant",
                "optimizer": "Adam",
                "lr": 0.002,
                "data": {"size": size, "batch": 32},
            }
            for size in (40, 160, 640)
        ],
    ),
    "loss": RacePreset(
        "digits",
        8,
        _named(
            {"optimizer": "Adam", "lr": 0.001},
            cross_entropy={},
            focal={"loss": "focal"},
            squared_error={"loss": "mse"},
            the_number_itself={"loss": {"name": "mse", "target": "number"}},
        ),
    ),
}
"""By name; a new race shows the first."""


def race_preset_of(task: str | None, specs: Sequence[dict[str, Any]]) -> str | None:
    """The name of the preset that this is, on any task if that is None, and for any time; None if it is none."""
    return next((name for name, each in RACES.items() if task in (None, each.task) and each.specs == [*specs]), None)
