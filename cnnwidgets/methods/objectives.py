"""What a picture is made to maximize: a class's score, a unit, a layer, and whatever adds and multiplies of these.

>>> from cnnwidgets.methods.objectives import diversity, target, unit
>>> unit("layer3", 17) + 0.5 * target("7")
>>> unit("layer3", 17) - unit("layer3", 4, 2, 3)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.methods.attribution import check_unit, subject
from cnnwidgets.methods.objective import Measure, Objective, Seen
from cnnwidgets.net import BoundModel
from cnnwidgets.net.address import UnitAddress, parted
from cnnwidgets.net.arguments import checked

__all__ = ["diversity", "inversion", "layer", "target", "unit"]


@dataclass(frozen=True)
class UnitMean(Objective):
    asked: tuple[Any, ...]

    def on(self, net: BoundModel) -> Measure:
        name, index, *place = check_unit(net, self.asked)  # type: ignore[arg-type]

        def of(seen: Seen) -> Tensor:
            values = seen.maps[name][:, index]
            return values[:, place[0], place[1]] if place else values.mean((1, 2))

        return Measure(of, (name,), ((name, index),))

    def __str__(self) -> str:
        return subject(None, self.asked)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ClassScore(Objective):
    asked: int | str

    def on(self, net: BoundModel) -> Measure:
        if net.output.is_structure:
            raise TypeError(f"{net.output.sentence}: it has no classes; ask for a unit, such as unit('layer3', 17)")
        index = net.target(self.asked)
        return Measure(lambda seen: seen.classes[:, index], classes=True)  # type: ignore[index]  # it is asked for

    def __str__(self) -> str:
        return f"class {self.asked}"


@dataclass(frozen=True)
class LayerObjective(Objective):
    """A score of all of a layer's maps (N, units, height, width).

    Attributes:
        name: of the layer.
        title: what it is, in words.
        of_maps: their score (N,).
        together: as of :class:`Measure`.
    """

    name: str
    title: str
    of_maps: Callable[[Tensor], Tensor]
    together: bool = False

    def on(self, net: BoundModel) -> Measure:
        _ = net.layers[self.name].map_shape
        return Measure(lambda seen: self.of_maps(seen.maps[self.name]), (self.name,), together=self.together)

    def __str__(self) -> str:
        return f"{self.title} {self.name}"


@dataclass(frozen=True, eq=False)
class Inversion(Objective):
    name: str
    picture: Any

    def on(self, net: BoundModel) -> Measure:
        row = net.layers[self.name]
        features = row.by_unit(net.trace(self.picture, [self.name])[self.name])
        if len(features) != 1:
            raise ValueError(f"expected one picture whose features are wanted, got {len(features)}")
        size = features.square().sum()
        if not size:
            raise ValueError(f"{self.name} gives 0 everywhere for the picture: its features say nothing of it")
        return Measure(partial(self._nearness, features=features, size=size), (self.name,))

    def _nearness(self, seen: Seen, features: Tensor, size: Tensor) -> Tensor:
        maps = seen.maps[self.name]
        return -(maps - features.to(maps)).square().sum((1, 2, 3)) / size.to(maps)

    def __str__(self) -> str:
        return f"a picture's features in {self.name}"


# what one asks for


@checked
def unit(layer: str | UnitAddress, index: int | None = None, row: int | None = None, column: int | None = None) -> Objective:
    """A unit's mean over its map, or its value at one position: ``unit("layer3", 17)``, or ``unit(net["layer3"][17])``.

    Erhan, Bengio, Courville and Vincent, Visualizing Higher-Layer Features of a Deep Network (2009).

    Raises:
        TypeError: no unit is given, or two are.
        ValueError: a row is given without a column, or the reverse. Whether there is such a unit is told on a network.
    """
    if (row is None) != (column is None):
        raise ValueError(f"row is {row} and column is {column}; expected both, or neither")
    asked = tuple(parted(layer, index))
    return UnitMean(asked if row is None else (*asked, row, column))


@checked
def target(name: int | str) -> Objective:
    """A class's score before the last softmax or sigmoid, where that can be had.

    Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks (2013).

    Parameters:
        name: of the class, or its index.
    """
    return ClassScore(name)


@checked
def layer(name: str) -> Objective:
    """The sum of the squares of a layer's values: whatever the layer sees in the picture is made more.

    Mordvintsev, Olah and Tyka, Inceptionism: Going Deeper into Neural Networks (2015), known as DeepDream.
    """
    return LayerObjective(name, "all of", lambda maps: maps.square().sum((1, 2, 3)))


@checked
def diversity(layer: str) -> Objective:
    """How much several pictures of one objective differ: minus the mean cosine of a picture's Gram matrix with the others'.

    The Gram matrix has the products of each two units of the layer, summed over the positions. Between -1 and 1; 0 of a
    picture alone. To be added: ``maximize(net, unit("layer3", 17) + 2 * diversity("layer3"), pictures=4)``.

    Olah, Mordvintsev and Schubert, Feature Visualization (Distill 2017).
    """
    return LayerObjective(layer, "diversity in", _differences, together=True)


@checked
def inversion(layer: str, picture: Any) -> Objective:
    """Nearness to a picture's features: minus the squared distance in a layer, as a share of the features' square.

    0 for the picture itself, -1 for a picture without any features. What the layer has forgotten, a picture that maximizes
    this is free in.

    Mahendran and Vedaldi, Understanding Deep Image Representations by Inverting Them (CVPR 2015).

    Parameters:
        picture: as ``net.prepare`` takes it.
    """
    return Inversion(layer, picture)


def _differences(maps: Tensor) -> Tensor:
    if len(maps) == 1:
        return maps.new_zeros(1)
    flat = maps.flatten(2)
    grams = torch.nn.functional.normalize((flat @ flat.mT).flatten(1))
    return (1 - (grams @ grams.T).sum(1)) / (len(maps) - 1)
