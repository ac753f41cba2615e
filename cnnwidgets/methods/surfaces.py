"""Losses of two weights, to go down on, and what theory says of a quadratic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Surface:
    """A loss of two weights x and y.

    Attributes:
        title: what a menu calls it.
        expression: Python, of x and y; ``{condition}`` in it is the condition number of a bowl.
        minima: (x, y) of each.
        lowest: the loss there.
        bounds: (x0, x1), (y0, y1) of the part that is shown.
        start: where paths begin.
        rate, adaptive_rate: that suit it, for SGD and for RMSprop, Adam and AdamW.
        noise: standard deviation of what is added to each gradient, as a mini-batch does.
        about: a sentence.
    """

    title: str
    expression: str
    minima: tuple[tuple[float, float], ...]
    lowest: float
    bounds: tuple[tuple[float, float], tuple[float, float]]
    start: tuple[float, float]
    rate: float
    adaptive_rate: float
    noise: float = 0.0
    about: str = ""

    def function(self, condition: float = 100.0) -> str:
        """The expression with its condition number in it."""
        return self.expression.format(condition=f"{condition:g}")

    def loss(self, weights: Tensor, condition: float = 100.0) -> Tensor:
        """The loss (...) of weights (..., 2)."""
        x, y = weights.unbind(-1)
        return eval(self.function(condition), {"x": x, "y": y})


SURFACES: dict[str, Surface] = {
    "bowl": Surface(
        "bowl", "0.5 * (x**2 + {condition} * y**2)", ((0.0, 0.0),), 0.0, ((-5.0, 2.0), (-1.2, 1.2)), (-4.0, 0.8), 0.012, 0.1,
        about="A quadratic: all minima look like one from near by.",
    ),
    "rosenbrock": Surface(
        "Rosenbrock", "(1 - x)**2 + 100 * (y - x**2)**2", ((1.0, 1.0),), 0.0, ((-2.0, 2.0), (-1.0, 3.0)), (-1.5, 2.0),
        0.001, 0.05, about="A bent valley with a flat floor: Rosenbrock (1960).",
    ),
    "saddle": Surface(
        "saddle", "0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4", ((0.0, -1.0), (0.0, 1.0)), -0.25, ((-2.0, 2.0), (-1.6, 1.6)),
        (1.5, 0.001), 0.1, 0.05, about="A saddle point at the origin, where the gradient is zero, between two minima.",
    ),
    "valley": Surface(
        "noisy valley", "0.5 * (0.1 * x**2 + 5 * y**2)", ((0.0, 0.0),), 0.0, ((-5.0, 2.0), (-1.5, 1.5)), (-4.0, 1.0),
        0.1, 0.1, 1.0, about="Each gradient has noise on it, as that of a mini-batch has.",
    ),
    "beale": Surface(
        "Beale", "(1.5 - x + x * y)**2 + (2.25 - x + x * y**2)**2 + (2.625 - x + x * y**3)**2", ((3.0, 0.5),), 0.0,
        ((-1.0, 4.5), (-1.5, 2.0)), (1.0, 1.5), 0.003, 0.05, about="Flat plains and steep walls: Beale (1958).",
    ),
}  # fmt: skip
"""By name."""


def best_rate(least: float, most: float) -> float:
    """The rate at which gradient descent on a quadratic is fastest, from its least and largest curvature: 2 / (l + L).

    Goh, "Why momentum really works" (Distill 2017).
    """
    return 2 / (least + most)


def critical_momentum(rate: float, curvature: float) -> float:
    """The momentum that is fastest along a direction of this curvature: (1 - sqrt(rate h))^2; with more of it, it swings.

    Goh, "Why momentum really works" (Distill 2017).
    """
    return (1 - math.sqrt(rate * curvature)) ** 2
