"""Panels and addresses of units: ``net["layer3"][17]`` stands for a layer and a unit, and a panel knows the one it shows."""

from __future__ import annotations

from typing import Any

from cnnwidgets.net.address import LayerAddress, UnitAddress
from cnnwidgets.net.arguments import said


def addressed(state: dict[str, Any]) -> dict[str, Any]:
    """A panel's state in which an address has become the name of a layer and the number of a unit.

    Raises:
        ValueError: another layer is given besides a unit's address.
    """
    layer, unit = state.get("layer"), state.get("unit")
    if isinstance(layer, LayerAddress):
        state = {**state, "layer": layer.layer}
    elif isinstance(layer, UnitAddress) and unit in (None, -1, layer.unit):
        state = {**state, **layer._asdict()}
    if isinstance(unit, UnitAddress):
        if state.get("layer") not in (None, unit.layer):
            raise ValueError(
                f"layer is {said(state['layer'])} and unit is {unit}; expected the address alone, or {unit.unit}"
            )
        state = {**state, **unit._asdict()}
    return state


def address_in(panel: Any) -> UnitAddress | None:
    """The address of the unit that a panel shows; None where it shows none."""
    layer, unit = getattr(panel, "layer", None), getattr(panel, "unit", None)
    return UnitAddress(layer, unit) if layer and isinstance(unit, int) and unit >= 0 else None
