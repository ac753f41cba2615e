"""A score that a user makes of a network's output: a function, such as a detector's confidence in its first box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cnnwidgets.net.telling import describe

Function: TypeAlias = "Callable[[Any], Any]"
"""The output of a network to numbers: (N,) for N pictures; or a single number, for a single picture."""


class OwnScore:
    """A function of the output, asked for one number per picture.

    Attributes:
        name: the function's.
        alone: whether it takes one picture at a time; known after the first picture, for which it then gives a number
            and not a row of one.
    """

    def __init__(self, function: Function):
        self.function = function
        self.name = name_of(function)
        self.alone = False

    def __call__(self, output: Any, pictures: int) -> Tensor:
        """(N,): the scores of so many pictures, of what the network gave for them.

        Raises:
            TypeError, ValueError: the function does not give a number for each picture.
        """
        found = self.function(output)
        try:
            values = torch.as_tensor(found)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"{self.name} gave {describe(found)}; expected one number per picture") from None
        self.alone |= pictures == 1 and values.ndim == 0
        if values.numel() != pictures or values.ndim > 1:
            raise ValueError(f"{self.name} gave {describe(values)}, of {pictures} pictures; expected one number per picture")
        return values.reshape(pictures) if values.is_floating_point() else values.reshape(pictures).float()


def name_of(function: Function) -> str:
    """What a function is called: its ``__name__``, or else its class's."""
    return getattr(function, "__name__", type(function).__name__)
