"""What a step does to the weights: the norms of gradients, weights and updates, and which weights it reaches at all."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

MOST = 2**20
"""Values of a parameter that are looked at for updates and directions; of a larger one every k-th."""


class Measured(NamedTuple):
    """Of a sampled step: a norm for each parameter, (p,), and the cosine with the gradient of the sample before."""

    gradient: np.ndarray
    weight: np.ndarray
    update: np.ndarray
    cosine: float


class Weights:
    """The parameters of a network, and what an optimizer makes of them."""

    def __init__(self, model: nn.Module, optimizer: Optimizer | None):
        self._model, self._optimizer = model, optimizer
        self.names = [name for name, _ in model.named_parameters()]
        self._parameters = [each for _, each in model.named_parameters()]
        self._reached = np.zeros(len(self.names), bool)
        self._seen = np.zeros(len(self.names), bool)
        self._start: list[str] = []
        self._before: list[Tensor] = []
        self._direction: Tensor | None = None
        self._gradients = np.empty(0)
        self._cosine = float("nan")

    @property
    def layers(self) -> list[str]:
        """The names of the modules that hold parameters, in the order of their definition."""
        return [*dict.fromkeys(name.rpartition(".")[0] for name in self.names)]

    def look(self) -> None:
        """Take the norm of each gradient, and compare the direction of all of them with that of the last time."""
        if not self._start:
            self._start = [alike(each) for each in self._parameters]
        grads = [each.grad for each in self._parameters]
        norms = [_norm(each) for each in grads if each is not None]
        there = np.array([each is not None for each in grads], bool)
        self._gradients = np.zeros(len(grads))
        self._gradients[there] = torch.stack([each.to(norms[0].device) for each in norms]).tolist() if norms else []
        self._seen |= there
        self._reached |= self._gradients > 0  # NaN does not count
        now = [_some(_dense(each)).flatten().float() for each in grads if each is not None]
        flat = torch.cat([each.to(now[0].device) for each in now]) if now else torch.zeros(0)
        last, self._direction = self._direction, flat / torch.linalg.vector_norm(flat)
        comparable = last is not None and last.shape == flat.shape
        self._cosine = float(last @ self._direction) if last is not None and comparable else float("nan")

    def broken(self, gradients: bool = False) -> list[str]:
        """The layers of which a weight, or a gradient, is NaN or infinite."""
        held = [each.grad if gradients else each for each in self._parameters]
        both = zip(self.names, held, strict=True)
        bad = [name for name, each in both if each is not None and not bool(torch.isfinite(each).all())]
        return [*dict.fromkeys(name.rpartition(".")[0] or name for name in bad)]

    def keep(self) -> None:
        """Keep the weights as they are: a step follows."""
        self._before = [_some(each).clone() for each in self._parameters]

    @property
    def is_broken(self) -> bool:
        """Whether the gradients that were looked at last are NaN or infinite."""
        return not np.isfinite(self._gradients).all()

    def after(self) -> Measured:
        """What the step has changed."""
        both = zip(self._parameters, self._before, strict=True)
        updates = [float(_norm(_some(each) - before)) for each, before in both]
        weights = [float(_norm(before)) for before in self._before]
        self._before = []
        return Measured(self._gradients, np.array(weights), np.array(updates), self._cosine)

    def by_layer(self, rows: list[np.ndarray], layers: list[str]) -> np.ndarray:
        """(s, l): the norms by layer of s rows of norms (p,) by parameter."""
        place = {name: k for k, name in enumerate(layers)}
        owner = np.array([place[name.rpartition(".")[0]] for name in self.names], int)
        table = np.zeros((len(rows), len(layers)))
        for row, norms in zip(table, rows, strict=True):
            row += np.sqrt(np.bincount(owner, norms**2, len(layers)))
        return table

    def rows(self) -> list[dict[str, Any]]:
        """Facts about each parameter, in JSON's words."""
        groups = self._optimizer.param_groups if self._optimizer is not None else []
        group = {id(each): k for k, one in enumerate(groups) for each in one["params"]}
        norms = {name for name, part in self._model.named_modules() if is_norm(part)}
        start = self._start or [alike(each) for each in self._parameters]
        return [
            {
                "name": name,
                "layer": name.rpartition(".")[0],
                "shape": [*each.shape],
                "norm": name.rpartition(".")[0] in norms,
                "trainable": each.requires_grad,
                "group": (number := group.get(id(each), -1)),
                "decay": float(groups[number].get("weight_decay") or 0) if number >= 0 else 0.0,
                "rate": rate(groups[number]) if number >= 0 else 0.0,
                "gradient": "some" if reached else "zero" if seen else "none",
                "start": begun,
                "end": alike(each),
            }
            for name, each, reached, seen, begun in zip(
                self.names, self._parameters, self._reached, self._seen, start, strict=True
            )
        ]


def rate(group: dict[str, Any]) -> float:
    """The rate of an optimizer's group; 0 if it sets its own."""
    return float(group.get("lr") or 0.0)


def is_norm(part: nn.Module) -> bool:
    """Whether a module normalizes."""
    return isinstance(part, (_NormBase, nn.LayerNorm, nn.GroupNorm)) or "norm" in type(part).__name__.lower()


def alike(weights: Tensor) -> str:
    """What all units of a layer have in common: "zero" weights, "equal" ones (one row, many times), or nothing, ""."""
    if weights.ndim < 2 or len(weights) < 2:
        return ""
    with torch.no_grad():
        rows = _dense(weights.detach()).flatten(1)
        largest = float(rows.abs().max())
        if largest == 0:
            return "zero"
        return "equal" if float((rows - rows[:1]).abs().max()) <= 1e-6 * largest else ""


def _norm(values: Tensor) -> Tensor:
    return torch.linalg.vector_norm(_dense(values.detach()))


def _dense(values: Tensor) -> Tensor:
    """The values of a sparse gradient."""
    return values.coalesce().values() if values.is_sparse else values


def _some(values: Tensor) -> Tensor:
    """All values of a parameter, or every k-th of a large one."""
    values = values.detach()
    return values if values.numel() <= MOST else values.flatten()[:: -(-values.numel() // MOST)]
