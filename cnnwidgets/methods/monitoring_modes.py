"""In which mode a network trains and is validated: what matters are the layers that work differently in the two."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd


class Modes:
    """Counts training steps and validations in the wrong mode, with the layers that this concerns."""

    def __init__(self, model: nn.Module):
        self._model = model
        self._parts = [(name, part) for name, part in model.named_modules() if _differs(part)]
        self._steps = self._wrong_steps = self._validations = self._wrong_validations = 0
        self._idle: set[str] = set()
        self._busy: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """All layers that work differently in the two modes."""
        return tuple(name for name, _ in self._parts)

    def training(self) -> None:
        """A forward pass of a training step is sampled."""
        self._steps += 1
        idle = [name for name, part in self._parts if not part.training]
        if idle and not self._model.training:  # frozen batch norms in a network that trains are meant to be
            self._wrong_steps += 1
            self._idle.update(idle)

    def active(self) -> tuple[str, ...]:
        """The layers that now work as in training."""
        return tuple(name for name, part in self._parts if part.training)

    def validated(self, active: tuple[str, ...]) -> None:
        """A validation has ended, in which some layers worked as in training."""
        self._validations += 1
        self._wrong_validations += bool(active)
        self._busy.update(active)

    def facts(self) -> dict[str, Any]:
        """In JSON's words."""
        kinds = {name: "batch norm" if isinstance(part, _NormBase) else "dropout" for name, part in self._parts}
        return {
            "steps": self._steps,
            "wrong_steps": self._wrong_steps,
            "idle": {name: kinds[name] for name in sorted(self._idle)},
            "validations": self._validations,
            "wrong_validations": self._wrong_validations,
            "active": {name: kinds[name] for name in sorted(self._busy)},
        }


def _differs(part: nn.Module) -> bool:
    if isinstance(part, _DropoutNd):
        return part.p > 0
    return isinstance(part, _NormBase) and part.track_running_stats
