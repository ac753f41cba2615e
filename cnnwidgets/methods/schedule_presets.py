"""Schedules to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple


class Preset(NamedTuple):
    """Schedules that are worth seeing together, and their number of steps."""

    steps: int
    specs: list[dict[str, Any]]


PRESETS: dict[str, Preset] = {
    "four decays": Preset(
        30,
        [
            {"kind": "step", "lr": 0.02, "step_size": 10, "gamma": 0.1},
            {"kind": "exponential", "lr": 0.02, "gamma": 0.9},
            {"kind": "inverse", "lr": 0.02, "gamma": 0.2},
            {"kind": "cosine", "lr": 0.02},
        ],
    ),
    "drops": Preset(
        100,
        [
            {"kind": "step", "lr": 0.5, "step_size": 30, "gamma": 0.1},
            {"kind": "multistep", "lr": 0.5, "milestones": [30, 80], "gamma": 0.1},
        ],
    ),
    "high, then low": Preset(
        40,
        [
            {"name": "0.1", "kind": "constant", "lr": 0.1, "momentum": 0.0},
            {"name": "0.01", "kind": "constant", "lr": 0.01, "momentum": 0.0},
            {
                "name": "0.1, then 0.01",
                "kind": "multistep",
                "lr": 0.1,
                "milestones": [25],
                "gamma": 0.1,
                "momentum": 0.0,
            },
        ],
    ),
    "three sizes": Preset(
        20,
        [
            {"name": "10: too large", "kind": "constant", "lr": 10.0},
            {"name": "0.02", "kind": "constant", "lr": 0.02},
            {"name": "0.00002: too small", "kind": "constant", "lr": 2e-5},
        ],
    ),
    "up and down": Preset(
        30,
        [
            {"name": "warm-up, then cosine", "kind": "cosine", "lr": 0.05, "warmup": 5},
            {"kind": "onecycle", "lr": 0.05},
            {"kind": "cyclic", "lr": 0.002, "max_lr": 0.05, "step_size_up": 5},
        ],
    ),
    "snapshots": Preset(
        30,
        [
            {"name": "5 snapshots", "kind": "restarts", "lr": 0.03, "T_0": 6},
            {"name": "one cosine", "kind": "cosine", "lr": 0.03},
        ],
    ),
    "plateau": Preset(60, [{"kind": "plateau", "lr": 0.05, "factor": 0.1, "patience": 5}]),
    "by hand": Preset(60, [{"kind": "drawn", "at": [0, 10, 40, 59], "rates": [0.001, 0.05, 0.05, 0.0005]}]),
}
"""By name; a new panel shows the first."""


def preset_of(steps: int, specs: Sequence[dict[str, Any]]) -> str | None:
    """The name of the preset with these schedules; None if there is none."""
    for name, preset in PRESETS.items():
        with suppress(ValueError, RuntimeError):  # of arrays and tensors, which compare number by number
            if (steps, list(specs)) == preset:
                return name
    return None
