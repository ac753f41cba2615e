"""The derivative of a network's loss by autograd, and by central differences, with the kinks that they cross."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnwidgets.methods.copies import trainable_copy
from cnnwidgets.methods.criteria import Loss, fit_labels, scores_of
from cnnwidgets.net.randomness import OwnNumbers
from cnnwidgets.net.trace import Calls

KINKED = frozenset(("relu", "relu6", "leaky_relu", "prelu", "rrelu"))

POOLS: dict[str, Callable[..., Any]] = {f"max_pool{k}d": getattr(F, f"max_pool{k}d") for k in (1, 2, 3)}


class Differences:
    """A copy of a network in one precision, whose loss is differentiated both ways.

    Parameters: see :func:`cnnwidgets.methods.gradient_check`.
    """

    def __init__(self, module: nn.Module, images: Tensor, labels: Tensor, kind: torch.dtype, criterion: Loss, seed: int = 0):
        self.module = trainable_copy(module).to(kind).eval().requires_grad_(True)
        device = next((each.device for each in self.module.parameters()), images.device)
        self.images = images.detach().to(device, kind).clone().requires_grad_()
        self._labels, self._criterion, self._seed = labels.to(device), criterion, seed
        numbers = OwnNumbers(seed)
        with torch.no_grad(), numbers:
            self._loss_now()
        self._draws = numbers.drew

    def value(self, of: str) -> Tensor:
        return self.images if of == "input" else dict(self.module.named_parameters())[of]

    def chosen(self, of: str, entries: int, seed: int) -> np.ndarray:
        count = self.value(of).numel()
        return np.sort(np.random.default_rng(seed).choice(count, min(entries, count), replace=False))

    def loss(self) -> float:
        with torch.no_grad():
            return self._loss().item()

    def gradient(self, of: str, chosen: np.ndarray) -> np.ndarray:
        """float64 (entries,): what autograd says."""
        with torch.inference_mode(False), torch.enable_grad():
            (found,) = torch.autograd.grad(self._loss(), self.value(of), allow_unused=True, materialize_grads=True)
        return found.detach().flatten()[torch.from_numpy(chosen)].double().cpu().numpy()

    def quotients(self, of: str, chosen: np.ndarray, h: float) -> tuple[np.ndarray, int]:
        """float64 (entries,): the central differences; and how many kinks lie between their ends."""
        value, found, crossed = self.value(of), [], 0
        with torch.inference_mode(False), torch.no_grad():
            for entry in chosen:
                place = tuple(int(axis) for axis in np.unravel_index(entry, tuple(value.shape)))
                before = value[place].clone()
                ends, sides = [], []
                for step in (h, -h):
                    value[place] = before + step
                    look = _Sides(self.module)
                    with look.watching():
                        ends.append(self._loss())
                    sides.append(look.sides)
                value[place] = before
                found.append(((ends[0] - ends[1]).double() / (2 * h)).item())
                crossed += sum(map(_crossed, *sides))
        return np.array(found), crossed

    def _loss(self) -> Tensor:
        """The loss; of a network that draws random numbers in evaluation mode, too, always by the same ones."""
        with OwnNumbers(self._seed) if self._draws else nullcontext():
            return self._loss_now()

    def _loss_now(self) -> Tensor:
        scores = scores_of(self.module(self.images))
        return self._criterion(scores, fit_labels(scores, self._labels, self._criterion))


class _Sides(Calls):
    """Notes on which side of its kink each ReLU is, and where each maximum of a pooling lies."""

    def __init__(self, module: nn.Module):
        super().__init__(module, visit=lambda name, output: None)
        self.sides: list[tuple[Tensor, ...]] = []

    def saw_function(self, name: str, args: tuple, kwargs: dict, output: Any) -> None:
        if name in KINKED:
            self.sides.append(((output > 0).byte() + (output >= 6 if name == "relu6" else 0),))
        elif name in POOLS:
            found, places = POOLS[name](*args, **{**kwargs, "return_indices": True})
            given = args[0] if args else kwargs["input"]
            axes = -int(name[-2])
            self.sides.append((places.flatten(axes), found.flatten(axes), given.flatten(axes).clone()))


def _crossed(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> int:
    """How many values of a function lie on different sides of a kink at two ends.

    Of a pooling whose maximum has changed its place only those count where the other place had less: equal values change
    nothing.
    """
    apart = one[0] != other[0]
    for here, there in ((one, other), (other, one)) if len(one) > 1 else ():
        less = here[1] - here[2].gather(-1, there[0]) > 1e-14 * here[1].abs()
        apart = apart & less
    return int(apart.sum())
