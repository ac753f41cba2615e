"""How much units before a unit influence it in a picture, and it those after it and the score: gradient times activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.methods.attribution import One
from cnnwidgets.net import BoundModel
from cnnwidgets.net.address import UnitAddress
from cnnwidgets.net.arguments import checking


@dataclass(frozen=True, repr=False, eq=False)
class Influence:
    """How much units influence each other in one picture: each is the sum over positions of gradient times activation.

    Attributes:
        unit: that was asked for.
        value: the sum of its map, in this picture.
        before: by layer float64 (units,): the influence of each unit on the sum of the asked unit's map.
        after: by layer float64 (units,): the influence of the asked unit on the sum of each unit's map.
        on_target: float64 (units,): the influence of each unit of the asked unit's layer on the target's score; None where
            the network has no classes and no target was given.
        target: the class (its index) or the name of the function that ``on_target`` is about; None without one.
        score: of the target: before the last softmax or sigmoid, if that can be had; NaN without one.
        notes: sentences on the network and on what was chosen.
    """

    unit: UnitAddress
    value: float
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    on_target: np.ndarray | None
    target: int | str | None
    score: float
    notes: tuple[str, ...] = ()

    @property
    def of_unit(self) -> float:
        """The influence of the asked unit on the target's score; NaN without a target."""
        return float("nan") if self.on_target is None else float(self.on_target[self.unit.unit])

    def strongest_before(self, k: int = 8) -> list[tuple[UnitAddress, float]]:
        """The units before with the largest influence, by size, and the influence of each."""
        raise NotImplementedError

    def strongest_after(self, k: int = 8) -> list[tuple[UnitAddress, float]]:
        """The units after that are influenced most, by size, and the influence on each."""
        raise NotImplementedError


@checking("target")
def influence(
    net: BoundModel, layer: str | UnitAddress, unit: int | None = None, image: Any = None, target: One | None = None
) -> Influence:
    """How much each unit before a unit influences it in a picture, and it those after and a score.

    Gradient times activation, summed over positions (Olah et al., The Building Blocks of Interpretability, Distill 2018):
    what would go if the unit were 0, as far as the network is straight between here and there; exact where what lies
    between is linear. The layers are those that :func:`connections` finds.

    >>> cw.methods.influence(net, net["layer3"][17], image=picture).strongest_before(3)

    Parameters:
        net: a bound network.
        layer, unit: a name in ``net.layers`` and the number of a unit; or an address, ``net["layer3"][17]``, alone.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name, or a function of the output; by default the predicted class.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        TypeError, ValueError: as of :func:`saliency`.
    """
    raise NotImplementedError
