"""The units of a layer that answer to the same pictures as one of them."""

from __future__ import annotations

import numpy as np

from cnnwidgets.methods import FeatureMaps, LayerProfiles
from cnnwidgets.views import ImageGrid

SHOWN = 8


class Twins:
    """Shows them, each with its map and its correlation.

    Attributes:
        units: their numbers, the nearest first.
    """

    def __init__(self, view: ImageGrid) -> None:
        self._view = view
        self.units: list[int] = []

    def show(self, profiles: LayerProfiles, unit: int, maps: FeatureMaps) -> None:
        """Show the twins of a unit, with their maps where these are of the unit's layer."""
        found = profiles.twins(unit, SHOWN)
        self.units = [twin for twin, _ in found]
        values = maps.values[self.units] if maps.layer.name == profiles.layer.name else np.zeros((len(found), 1, 1))
        labels = [f"{twin} · r {r:.2f}".replace("-", "−") for twin, r in found]
        title = f"Units that answer like unit {unit}" if found else f"No unit answers like unit {unit}"
        self._view.show(values, labels=labels, title=title, selected=-1)
