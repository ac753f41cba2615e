"""The algebra of objectives: scores of a picture that add and multiply, and are measured on a network when there is one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import is_number
from cnnwidgets.numbers import number


class Seen(NamedTuple):
    """What the network has made of the pictures of one objective.

    Attributes:
        maps: by layer (N, units, height, width).
        classes: (N, classes), the scores before the last softmax or sigmoid, where they can be had; None if no objective
            asks for a class.
    """

    maps: dict[str, Tensor]
    classes: Tensor | None


class Measure(NamedTuple):
    """An objective that a network has been found to have.

    Attributes:
        of: the score (N,) of what was seen of N pictures.
        layers: those whose maps it reads.
        units: those of them that it asks for singly.
        classes: whether it reads the scores of classes.
        together: whether a picture's score depends on the objective's other pictures.
    """

    of: Callable[[Seen], Tensor]
    layers: tuple[str, ...] = ()
    units: tuple[tuple[str, int], ...] = ()
    classes: bool = False
    together: bool = False


class Objective(ABC):
    """A score of a picture. Objectives add and multiply, with each other and with numbers."""

    @abstractmethod
    def on(self, net: BoundModel) -> Measure:
        """How it is measured on a network.

        Raises:
            KeyError, TypeError, ValueError: the network has no such layer, unit or class.
        """

    def __add__(self, other: Objective | float) -> Objective:
        return _joined(Sum, self, other)

    __radd__ = __add__

    def __mul__(self, other: Objective | float) -> Objective:
        return _joined(Product, other, self)

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1 * self

    def __sub__(self, other: Objective | float) -> Objective:
        return _joined(Difference, self, other)

    def __rsub__(self, other: float) -> Objective:
        return _joined(Difference, other, self)


@dataclass(frozen=True)
class Constant(Objective):
    """A number, the same for every picture."""

    value: float

    def on(self, net: BoundModel) -> Measure:
        return Measure(lambda seen: torch.tensor(self.value))

    def __str__(self) -> str:
        return number(self.value)


@dataclass(frozen=True)
class Pair(Objective):
    """Two objectives in one."""

    one: Objective
    other: Objective

    def both(self, net: BoundModel, join: Callable[[Tensor, Tensor], Tensor]) -> Measure:
        one, other = self.one.on(net), self.other.on(net)
        return Measure(
            lambda seen: join(one.of(seen), other.of(seen)),
            tuple(dict.fromkeys(one.layers + other.layers)),
            one.units + other.units,
            one.classes or other.classes,
            one.together or other.together,
        )


class Sum(Pair):
    def on(self, net: BoundModel) -> Measure:
        return self.both(net, torch.add)

    def __str__(self) -> str:
        return f"{self.one} + {self.other}"


class Difference(Pair):
    def on(self, net: BoundModel) -> Measure:
        return self.both(net, torch.sub)

    def __str__(self) -> str:
        taken = f"({self.other})" if isinstance(self.other, (Sum, Difference)) else str(self.other)
        return f"{self.one} − {taken}"


class Product(Pair):
    def on(self, net: BoundModel) -> Measure:
        return self.both(net, torch.mul)

    def __str__(self) -> str:
        return " × ".join(
            f"({each})" if isinstance(each, (Sum, Difference)) else str(each) for each in (self.one, self.other)
        )


def _joined(kind: type[Pair], one: Objective | float, other: Objective | float) -> Objective:
    each = [Constant(float(part)) if is_number(part) else part for part in (one, other)]  # type: ignore[arg-type]
    return kind(*each) if all(isinstance(part, Objective) for part in each) else NotImplemented  # type: ignore[arg-type]
