"""The value of a unit, watched while pictures go through a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.layers import Layer


class Watch(NamedTuple):
    """A unit of a layer, of which the sum over its map is watched; or its value at one place (row, column)."""

    layer: Layer
    unit: int
    place: tuple[int, ...] = ()

    def of(self, maps: Tensor) -> Tensor:
        """(N,): the unit's values, of the layer's maps (N, units, rows, columns)."""
        return maps[:, self.unit, self.place[0], self.place[1]] if self.place else maps[:, self.unit].sum((1, 2))

    def read(self, output: Tensor) -> Tensor:
        """float32 (N,), on the CPU: the unit's values, of the layer's output for N pictures, whatever its axes are."""
        return self.of(self.layer.by_unit(output)).float().cpu().clone()  # it may be overwritten


def watched(net: BoundModel, pictures: Tensor, watches: Sequence[Watch]) -> tuple[Any, list[Tensor]]:
    """What a network gives for N pictures, and each unit's values (N,), from one forward pass.

    Raises:
        RuntimeError: a picture takes another path through the network, and the layer of a unit is not on it.
    """
    found: dict[Watch, Tensor] = {}

    def look(name: str, output: Tensor) -> None:
        found.update({watch: watch.read(output) for watch in watches if watch.layer.name == name})

    output = net.run(pictures, look if watches else None)
    for missing in (watch for watch in watches if watch not in found):
        raise RuntimeError(f"this picture takes a different path through the network: {missing.layer.name} was not run")
    return output, [found[watch] for watch in watches]
