"""What UnitExplorer says of a unit."""

from __future__ import annotations

from collections.abc import Sequence

from cnnwidgets.methods import FeatureMaps, UnitPatches
from cnnwidgets.methods.unit_study import UnitStudy
from cnnwidgets.net import UnitAddress
from cnnwidgets.numbers import number, percent
from cnnwidgets.panels.top_patches.words import class_name, scanned, short

__all__ = ["number", "summary"]


def summary(address: UnitAddress, maps: FeatureMaps, study: UnitStudy, names: Sequence[str]) -> str:
    """What is on screen, in a sentence; then how it was found, a line each."""
    layer, unit = address
    profiles = study.profiles[layer]
    if profiles.dead[unit]:
        seen = f"all {study.patches.seen:,} pictures"
        return f"{address} is dead: it gives 0 at every position of {seen}.\n{scanned(study.patches)}"
    here = f", {number(float(maps.maximum[unit]))} in this picture" if maps.layer.name == profiles.layer.name else ""
    best = profiles.best(unit)
    tells = f"; it separates “{short(class_name(best[0][0], names))}” best (AUC {number(best[0][1])})" if best else ""
    lines = [f"{address}: above 0 in {percent(float(profiles.active[unit]))} of the pictures{here}{tells}."]
    lines.append(scanned(study.patches))
    if twins := profiles.twins(unit, 3):
        said = ", ".join(f"{twin} (r {number(r)})" for twin, r in twins)
        lines.append(f"Units that answer like it: {said}")
    return "\n".join(lines)


def over_patches(layer: UnitPatches, unit: int) -> str:
    """The line over a unit's patches; empty where there are none."""
    sees, count = layer.layer.receptive_field, len(layer.strongest(unit))
    field = "whole pictures" if sees is None or sees.status == "global" else f"{sees}, {_STATUS[sees.status]}"
    return f"Unit {unit} · {count} strongest patches · {field}" if count else ""


_STATUS = {"exact": "exact", "bound": "a bound"}
