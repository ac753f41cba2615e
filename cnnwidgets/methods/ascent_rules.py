"""How far a picture's numbers go along their gradient in a step.

torch's optimizers are not used: the first one that is made imports torch's compiler, a second before the first picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

TINY = 1e-12


class AscentRule(ABC):
    """From gradients to steps, of N pictures each by itself.

    Parameters:
        lr: the learning rate.
    """

    def __init__(self, lr: float):
        self.lr = lr

    @abstractmethod
    def step(self, gradient: Tensor) -> Tensor:
        """What is added to the values (N, ...), of the gradient in their shape."""


class Plain(AscentRule):
    """The learning rate times the gradient."""

    def step(self, gradient: Tensor) -> Tensor:
        return self.lr * gradient


class Normalized(AscentRule):
    """The gradient divided by its norm, the root of its mean square: the learning rate is the size of a usual change.

    So flat and steep units take steps of the same size.
    """

    def step(self, gradient: Tensor) -> Tensor:
        size = gradient.flatten(1).square().mean(1).sqrt()
        return self.lr * gradient / size.clamp(min=TINY).reshape(-1, *[1] * (gradient.ndim - 1))


class Adam(AscentRule):
    """Kingma and Ba, Adam: A Method for Stochastic Optimization (ICLR 2015), with torch's usual constants."""

    betas = 0.9, 0.999
    eps = 1e-8

    def __init__(self, lr: float):
        super().__init__(lr)
        self._count = 0
        self._mean = self._square = torch.zeros(())

    def step(self, gradient: Tensor) -> Tensor:
        self._count += 1
        first, second = self.betas
        self._mean = first * self._mean.to(gradient) + (1 - first) * gradient
        self._square = second * self._square.to(gradient) + (1 - second) * gradient.square()
        mean, square = self._mean / (1 - first**self._count), self._square / (1 - second**self._count)
        return self.lr * mean / (square.sqrt() + self.eps)


RULES: dict[str, type[AscentRule]] = {"gradient": Plain, "normalized gradient": Normalized, "adam": Adam}
"""By the names that ``rule=`` takes."""
