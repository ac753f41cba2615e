"""Where a unit is: ``net["layer3"][17]``, a pair (layer, unit) that prints in this form and goes wherever a unit goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnwidgets.net.arguments import is_whole, said


class UnitAddress(NamedTuple):
    """A unit of a layer; ``net["layer3"][17]`` gives it.

    It is the pair ``("layer3", 17)``, so every method and panel that takes a unit takes its address.

    Attributes:
        layer: the name that was asked for, in ``net.layers``.
        unit: the unit's number, from 0.
    """

    layer: str
    unit: int

    def __repr__(self) -> str:
        return f'net["{self.layer}"][{self.unit}]'


class LayerAddress(Sequence[UnitAddress]):
    """A layer's units, in order; ``net["layer3"]`` gives them.

    Attributes:
        layer: the name that was asked for, in ``net.layers``.
    """

    def __init__(self, layer: str, count: int) -> None:
        self.layer, self._count = layer, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, unit: Any) -> Any:
        """The address of a unit.

        Raises:
            TypeError: unit is not a whole number.
            IndexError: the layer has no such unit.
        """
        if not is_whole(unit):
            raise TypeError(f"a unit of {self.layer} is asked for by {said(unit)}; expected a whole number")
        if not 0 <= int(unit) < self._count:
            raise IndexError(f"{self.layer} has no unit {unit}; expected 0 to {self._count - 1}, got {unit}")
        return UnitAddress(self.layer, int(unit))

    def __repr__(self) -> str:
        return f'net["{self.layer}"]'


def parted(layer: str | UnitAddress, unit: int | None) -> UnitAddress:
    """A layer and a unit, of these two or of an address alone.

    Raises:
        TypeError: there is no unit, or there are two.
    """
    if isinstance(layer, str) == (unit is None):
        raise TypeError(f"layer is {said(layer)} and unit is {said(unit)}; expected a layer and a unit, or an address alone")
    return UnitAddress(layer, unit) if unit is not None else layer  # type: ignore[arg-type, return-value]
