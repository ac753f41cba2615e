"""All units of a layer over a data set in one scan: the patches that excite them, and what they answer to by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnwidgets.methods.top_patches import TopPatches, top_patches
from cnnwidgets.methods.unit_profiles import UnitProfiles, unit_profiles
from cnnwidgets.net import BoundModel


@dataclass(frozen=True)
class UnitStudy:
    patches: TopPatches
    profiles: UnitProfiles


def study_units(net: BoundModel, dataset: Any, layer: str, k: int = 9, **options: Any) -> UnitStudy:
    options.pop("on_update", None)
    return UnitStudy(top_patches(net, dataset, layer, k, **options), unit_profiles(net, dataset, layer, **options))
