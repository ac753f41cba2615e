"""All units of a layer over a data set, from one scan: the patches that excite them, and what they answer to by class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cnnwidgets.methods.layer_scan import layer_scan
from cnnwidgets.methods.responses import Responses
from cnnwidgets.methods.scan import Reducer, Scan
from cnnwidgets.methods.strongest import Strongest
from cnnwidgets.methods.top_patches import TopPatches, patches_in
from cnnwidgets.methods.unit_profiles import UnitProfiles, profiles_in
from cnnwidgets.net import BoundModel, Layer


@dataclass(frozen=True, eq=False)
class UnitStudy:
    """What is known of the units of a layer.

    Attributes:
        patches: what :func:`top_patches` returns.
        profiles: what :func:`unit_profiles` returns.
    """

    patches: TopPatches
    profiles: UnitProfiles


def study_units(net: BoundModel, dataset: Any, layer: str, k: int = 9, *, seed: int = 0, **options: Any) -> UnitStudy:
    """The patches and the profiles of all units of a layer, from one scan.

    Parameters:
        net, dataset, layer, k, seed: as of :func:`top_patches`.
        options: of :func:`scan`.

    Raises:
        KeyError, ValueError, Cancelled: as :func:`top_patches` and :func:`unit_profiles` do.
    """

    def found(done: Scan) -> UnitStudy:
        strongest, responses = (replace(done, results={layer: done.results[part]}) for part in ("patches", "responses"))
        return UnitStudy(patches_in(strongest), profiles_in(responses, len(net.classes)))

    def reducers(rows: dict[str, Layer]) -> dict[str, Reducer]:
        return {"patches": Strongest(rows[layer], k, True, seed), "responses": Responses(rows[layer])}

    return layer_scan(net, dataset, layer, reducers, found, **options)
