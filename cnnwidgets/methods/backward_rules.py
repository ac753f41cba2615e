"""The three ways back through a ReLU, in numbers small enough to follow by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.code.backward_rules import rule_lines
from cnnwidgets.net.relu_rules import RULES, follow

LARGEST = 1e100
"""Largest size of a number: sums of products of larger ones may overflow."""


@dataclass(frozen=True)
class RuleExample:
    """Numbers to start with.

    Attributes:
        input: (rows, columns).
        above: the gradient from above, of the shape of the ReLU's output.
        weights: of a convolution before the ReLU; None for a ReLU alone.
    """

    input: list[list[float]]
    above: list[list[float]]
    weights: list[list[float]] | None = None


EXAMPLES: dict[str, RuleExample] = {
    "relu": RuleExample(
        [[1.0, -1.0, 5.0], [2.0, -5.0, -7.0], [-3.0, 2.0, 4.0]],
        [[-2.0, 3.0, -1.0], [6.0, -3.0, 1.0], [2.0, -1.0, 3.0]],
    ),
    "network": RuleExample(
        [[2.0, 1.0, 1.0, 1.0], [3.0, 0.0, 2.0, 1.0], [1.0, 2.0, 1.0, 2.0], [2.0, 0.0, 2.0, 3.0]],
        [[2.0, 3.0], [-1.0, -2.0]],
        [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]],
    ),
}
"""A ReLU with the numbers of Springenberg et al.'s figure 1; and a network: a convolution with Sobel's filter for vertical
edges, a ReLU, a weighted sum. Its four outputs are the four cases: input positive or not, gradient positive or not."""


@dataclass(frozen=True)
class RuleTable:
    """The forward pass and the three backward passes. All arrays are float64 (rows, columns).

    Attributes:
        input: the input.
        weights: of the convolution; None if there is none.
        before: input of the ReLU: the convolution's output, or the input itself.
        after: output of the ReLU.
        above: the gradient from above: the change of the score per change of ``after``.
        score: the sum of ``above * after``, which is differentiated.
        through_relu: by rule (a name in ``RULES``), the gradient at ``before``.
        at_input: by rule, the gradient at ``input``; without a convolution the same as ``through_relu``.
    """

    input: np.ndarray
    weights: np.ndarray | None
    before: np.ndarray
    after: np.ndarray
    above: np.ndarray
    score: float
    through_relu: dict[str, np.ndarray]
    at_input: dict[str, np.ndarray]

    @property
    def windows(self) -> list[list[int]]:
        """For each cell of ``before``, the numbers of the input's cells that it is made of, in the order of the weights."""
        columns, size = self.input.shape[1], (1, 1) if self.weights is None else self.weights.shape
        return [[(i + k) * columns + j + m for k, m in np.ndindex(*size)] for i, j in np.ndindex(*self.before.shape)]

    @property
    def reached(self) -> list[dict[int, int]]:
        """For each cell of the input, the cells of ``before`` that it is a part of, and the number of the weight there."""
        seen: list[dict[int, int]] = [{} for _ in range(self.input.size)]
        for output, window in enumerate(self.windows):
            for weight, cell in enumerate(window):
                seen[cell][output] = weight
        return seen

    @property
    def passed(self) -> dict[str, int]:
        """By rule, how many of the numbers from above pass the ReLU."""
        return {rule: int(np.count_nonzero(values)) for rule, values in self.through_relu.items()}

    def code(self) -> str:
        """Plain PyTorch lines that put the gradients at the input into a dict ``values``, by rule."""
        return rule_lines(self.input, self.weights, self.above)


def backward_rules(input: Any, above: Any, weights: Any = None) -> RuleTable:
    """Forward through a ReLU, with or without a convolution before it, and backward by each of three rules.

    With x the ReLU's input and g the gradient from above, backpropagation passes g where x > 0; deconvnet (Zeiler and
    Fergus, ECCV 2014) where g > 0; guided backpropagation (Springenberg et al., ICLR workshop 2015) where both are.
    These are the rules of :func:`cnnwidgets.net.relu_rules.follow`, which attributions use in whole networks.

    >>> backward_rules([[1, -1]], [[-2, 3]]).at_input["deconvnet"]
    array([[0., 3.]])

    Parameters:
        input: (rows, columns) numbers.
        above: the gradient from above, of the shape of the ReLU's output.
        weights: of the convolution (cross-correlation, stride 1, no padding, no bias), at most as large as the input.

    Raises:
        ValueError: an argument is not a table of numbers, has numbers larger than 1e100, or the shapes do not fit.
    """
    x, g = (torch.from_numpy(table(given)) for given in (input, above))
    kernel = None if weights is None else torch.from_numpy(table(weights))
    if kernel is not None and (kernel.shape[0] > x.shape[0] or kernel.shape[1] > x.shape[1]):
        raise ValueError(f"the weights are {_by(kernel)}, which is larger than the input ({_by(x)})")
    x.requires_grad_()
    through_relu, at_input = {}, {}
    for rule in RULES:
        before = x if kernel is None else torch.nn.functional.conv2d(x[None, None], kernel[None, None])[0, 0]
        after = before.relu()
        if after.shape != g.shape:
            raise ValueError(f"the gradient from above is {_by(g)}, but the ReLU's output is {_by(after)}")
        follow(rule, [after])
        score = (g * after).sum()
        gradients = torch.autograd.grad(score, [before, x])
        through_relu[rule], at_input[rule] = (gradient.numpy() for gradient in gradients)
    return RuleTable(
        x.detach().numpy(),
        None if kernel is None else kernel.numpy(),
        before.detach().numpy(),
        after.detach().numpy(),
        g.numpy(),
        float(score.detach()),
        through_relu,
        at_input,
    )


def table(numbers: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Numbers as float64 (rows, columns).

    Raises:
        ValueError: they are not a table, not of this shape, not finite, or larger than 1e100.
    """
    try:
        found = np.array(numbers, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{numbers!r} is not a table of numbers; expected rows of the same length") from None
    if found.ndim != 2 or not found.size:
        raise ValueError(f"expected numbers in rows and columns, got an array of shape {found.shape}")
    if shape and found.shape != shape:
        raise ValueError(f"expected {shape[0]}×{shape[1]} numbers, got {found.shape[0]}×{found.shape[1]}")
    if not (np.abs(found) <= LARGEST).all():
        raise ValueError(f"expected numbers from −{LARGEST:g} to {LARGEST:g}, got {found[~(np.abs(found) <= LARGEST)][0]}")
    return found


def _by(tensor: torch.Tensor) -> str:
    return f"{tensor.shape[0]}×{tensor.shape[1]}"
