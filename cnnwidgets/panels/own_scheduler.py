"""An optimizer and a scheduler of the user's own, among schedules that are given as specs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cnnwidgets.methods import Schedule, schedule
from cnnwidgets.methods.schedule_parameters import OPTIMIZERS
from cnnwidgets.methods.schedules import momentum_of


class OwnScheduler:
    """Follows a scheduler, which is left as it is; its spec holds the rates that were found.

    Attributes:
        spec: of the kind "recorded".
    """

    def __init__(self, scheduler: LRScheduler):
        self._scheduler = scheduler
        about = {name: value for name, value in settings(scheduler.optimizer).items() if name != "lr"}
        self.spec: dict[str, Any] = {**about, "kind": "recorded", "name": f"{type(scheduler).__name__} (yours)"}
        self._found: Schedule | Exception

    def follow(self, steps: int, losses: Sequence[float]) -> None:
        """Find out what it will do in so many steps, from where it stands. What is wrong is told when it is asked for."""
        try:
            self._found = schedule(self._scheduler, steps, losses=losses)
            self.spec = {**self.spec, "rates": self._found.spec["rates"]}
        except Exception as error:
            self._found = error

    def gives(self, spec: dict[str, Any]) -> bool:
        """Whether a spec is that of this scheduler."""
        return spec.get("name") == self.spec["name"]

    def schedule(self, spec: dict[str, Any]) -> Schedule:
        """What was found, with the momentum, which a spec of rates has not."""
        if isinstance(self._found, Exception):
            raise self._found
        return replace(self._found, spec=spec)


def check(optimizer: Any, scheduler: Any) -> None:
    """Raise what is wrong with an optimizer and a scheduler, either of which may be None."""
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is a {type(optimizer).__name__}; wanted is one of torch.optim")
    if scheduler is not None and not isinstance(scheduler, LRScheduler):
        raise TypeError(f"scheduler is a {type(scheduler).__name__}; wanted is one of torch.optim.lr_scheduler")
    if scheduler is not None and optimizer is not None and scheduler.optimizer is not optimizer:
        raise ValueError("the scheduler is that of another optimizer: give its own, or the scheduler alone")


def settings(optimizer: Optimizer) -> dict[str, Any]:
    """What a spec says of an optimizer."""
    group, kind = optimizer.param_groups[0], type(optimizer).__name__
    momentum = momentum_of(group)
    return {
        "lr": float(group.get("initial_lr", group["lr"])),
        "weight_decay": float(group.get("weight_decay", 0.0)),
        **({"optimizer": kind} if kind in OPTIMIZERS else {}),
        **({"momentum": float(momentum)} if np.isfinite(momentum) else {}),
    }
