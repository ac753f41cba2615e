"""The file of a run, from which a killed race goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnwidgets.methods.state_files import digest, pack, read, write

if TYPE_CHECKING:
    from torch import Tensor

    from cnnwidgets.methods.training_run import Plan

PAUSE = 5.0
"""Seconds between two writings at least."""


class RunFile:
    """Where a run stands after an epoch.

    Parameters:
        plan: the run's.
        first: the weights that it begins with.

    Raises:
        ValueError: there is a file, and it is of another run or none.
    """

    def __init__(self, plan: Plan, first: dict[str, Tensor]):
        assert plan.file is not None
        self.path: Path = plan.file
        told = [plan.task.name, plan.spec, plan.steps, plan.unit, plan.seed, plan.until, digest(first)]
        self._key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """What was written last; None if there is no file."""
        if not self.path.exists():
            return None
        try:
            found = read(self.path)
            key, state = found["run"], found["state"]
        except Exception as error:
            raise ValueError(f"{str(self.path)!r} is not a readable checkpoint of a run ({error})") from error
        if key != self._key:
            raise ValueError(
                f"the checkpoint {str(self.path)!r} is of another run, with another network, spec, seed or budget: "
                f"delete it, or give another folder"
            )
        return state

    def write(self, state: Callable[[], dict[str, Any]], *, at_once: bool) -> None:
        """Write a state, unless the last one was written a moment ago."""
        if at_once or time.monotonic() - self._written >= PAUSE:
            write(self.path, pack({"run": self._key, "state": state()}, "the run"))
            self._written = time.monotonic()
