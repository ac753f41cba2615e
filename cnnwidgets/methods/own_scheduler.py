"""An optimizer and a scheduler of the user's own, beside schedules that are given as specs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cnnwidgets.methods.schedule_groups import kind_of, left_out
from cnnwidgets.methods.schedule_parameters import OPTIMIZERS
from cnnwidgets.methods.schedules import Schedule, schedule
from cnnwidgets.methods.tasks import Task

NAMED = 3
"""How many weights that are in no group are named in a sentence."""


class OwnScheduler:
    """Follows a scheduler, which stays as it is; its spec holds the rates that were found.

    Attributes:
        spec: of the kind "recorded".
    """

    def __init__(self, scheduler: LRScheduler, network: nn.Module | None):
        self._scheduler, self._network = scheduler, network
        self.spec: dict[str, Any] = {"kind": "recorded", "name": f"{type(scheduler).__name__} (yours)"}
        self._found: Schedule | Exception

    def follow(self, steps: int, losses: Sequence[float]) -> None:
        """Find out what it will do in this many steps. An error is kept until the schedule is asked for."""
        try:
            self._found = schedule(self._scheduler, steps, losses=losses, network=self._network)
            self.spec = {**self._found.spec, "name": self.spec["name"]}
        except Exception as error:
            self._found = error

    def gives(self, spec: dict[str, Any]) -> bool:
        """Whether a spec is that of this scheduler."""
        return spec.get("name") == self.spec["name"]

    def schedule(self, spec: dict[str, Any]) -> Schedule:
        """What was found, with the momentum, which a spec of rates does not hold."""
        if isinstance(self._found, Exception):
            raise self._found
        return replace(self._found, spec=spec)


def check(optimizer: Any, scheduler: Any) -> None:
    """Raise what is wrong with an optimizer and a scheduler, either of which may be None.

    A wrapper of an optimizer will do, as long as it has its groups.
    """
    if optimizer is not None and not getattr(optimizer, "param_groups", None):
        raise TypeError(f"optimizer is a {type(optimizer).__name__}; expected one of torch.optim")
    if scheduler is not None and not isinstance(scheduler, LRScheduler):
        raise TypeError(f"scheduler is a {type(scheduler).__name__}; expected one of torch.optim.lr_scheduler")
    if scheduler is not None and optimizer is not None and scheduler.optimizer.param_groups is not optimizer.param_groups:
        raise ValueError("the scheduler belongs to another optimizer: give that one, or the scheduler alone")


def network_of(model: Any) -> nn.Module | None:
    """The network of what is trained: itself, or a task's; None if each training makes a new one."""
    model = model.model if isinstance(model, Task) else model
    return model if isinstance(model, nn.Module) else None


def aside(optimizer: Optimizer, network: nn.Module | None) -> list[str]:
    """What else there is to know about an optimizer, in sentences."""
    told = []
    if (kind := kind_of(optimizer)) not in OPTIMIZERS:
        told.append(f"An SGD stands in for your {kind} in the code and when training.")
    if missing := left_out(optimizer, network):
        some = ", ".join(missing[:NAMED]) + (" …" if len(missing) > NAMED else "")
        told.append(f"In no group, so never trained: {some}.")
    return told
