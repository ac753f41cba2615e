"""What TopPatches says: of a unit, of each of its patches, and of what was scanned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnnwidgets.methods import Patch, TopPatches, UnitPatches
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.numbers import number

LETTERS = 24
"""Letters of a class name in a sentence."""

RULES = {
    "deconvnet": "projected back by deconvnet: each ReLU passes on what is positive",
    "guided": "projected back by guided backpropagation: each ReLU that was open passes on what is positive",
    "gradient": "differentiated",
}


def chosen(found: UnitPatches, unit: int, which: str, k: int) -> list[Patch]:
    """The patches of a unit that are shown; of a tenth one, the strongest tenth first."""
    match which:
        case "strongest":
            return found.strongest(unit)[:k]
        case "weakest":
            return found.weakest(unit)[:k]
    return [patch for tenth in reversed(range(10)) for patch in found.decile(unit, tenth)]


def tenths(found: UnitPatches, unit: int) -> list[str]:
    """For each of the patches of the deciles, which it is of."""
    return [f"{10 * d}–{10 * d + 10}%" for d in reversed(range(10)) if found.decile(unit, d)]


def heading(found: UnitPatches, unit: int, which: str, patches: Sequence[Patch], scanned: int) -> str:
    """The line over the patches: whose they are, or why there are none."""
    name, units = found.layer.name, len(found.dead)
    if not 0 <= unit < units:
        return (
            f"Choose a unit of {name}, from 0 to {units - 1}" if unit < 0 else f"There is no unit {unit}: {name} has {units}"
        )
    if not patches:
        return f"Unit {unit} is dead: it gives 0 at every position of {_all(scanned)}, and has no patches"
    many, silent = f"{len(patches):,} " if len(patches) > 1 else "", int(found.silent[unit])
    what = {
        "strongest": f"{many}strongest {_plural('patch', len(patches))}",
        "weakest": f"{many}weakest {_plural('picture', len(patches))}",
        "deciles": "a random picture of each tenth",
    }[which]
    if which == "weakest" and silent > len(patches):
        what = f"{len(patches)} of {silent:,} pictures that give 0"
    return f"{name} · unit {unit} · {what} · {_field(found)}"


def _field(found: UnitPatches) -> str:
    sees = found.layer.receptive_field
    if sees is None or sees.status == "global":
        return "sees the whole picture"
    return f"receptive field {sees}, {'exact' if sees.status == 'exact' else 'a bound'}"


def summary(found: TopPatches, layer: UnitPatches, unit: int, which: str, patches: Sequence[Patch]) -> str:
    """What is on screen, in a sentence; then how it was found, a line each."""
    if not patches:
        return f"{heading(layer, unit, which, patches, found.seen)}.\n{scanned(found)}"
    ends = [number(patch.value) for patch in (patches[0], patches[-1])]
    span = f"from {ends[0]} to {ends[1]}" if len(patches) > 1 else f"with {ends[0]}"
    silent, of = int(layer.silent[unit]), f"{found.seen:,} {_plural('picture', found.seen)}"
    if which == "weakest" and patches[0].value == 0 and silent > 1:
        rest = f": the first {len(patches)} of them are shown" if silent > len(patches) else ", and have no order"
        said = f"Unit {unit}: {silent:,} of {of} give 0{rest}"
    elif which == "deciles":
        sampled = of if layer.sampled == found.seen else f"{layer.sampled:,} random ones of {of}"
        said = f"Unit {unit}: a random picture of each tenth of {sampled}, sorted by their strongest values, {span}"
    else:
        said = f"Unit {unit}: the {which} of {of}, {span}"
    return "\n".join([f"{said}.", scanned(found), *_lines(found, layer, which)])


def scanned(found: TopPatches) -> str:
    """How many pictures were seen, and what is wrong with those that were not."""
    said = f"{found.seen:,} of {found.total:,} {_plural('picture', found.total)} scanned"
    if not found.skipped:
        return f"{said}, none skipped"
    first, why = found.skipped[0]
    return f"{said}, {len(found.skipped):,} skipped, which cannot be used (picture {first}: {why})"


def _lines(found: TopPatches, layer: UnitPatches, which: str) -> Iterator[str]:
    sees = layer.layer.receptive_field
    status = sees.status if sees else "global"
    yield {
        "exact": f"A patch is exactly what its position sees, {sees}",
        "bound": f"A patch is a bound, {sees}: no unit sees more",
        "global": "Each position sees the whole picture",
    }[status]
    if which == "strongest" and not found.one_per_picture:
        yield "A picture may give several patches"
    else:
        yield "A picture gives its strongest position only"


def projected(rule: str, net: BoundModel, layer: Layer) -> str:
    """How a projection is made, and why those of deconvnet may all be alike."""
    said = f"At the right of each patch is its value at that position alone, {RULES[rule]}"
    rows = net.layers[: net.layers.names.index(layer.name) + 1]
    if rule == "deconvnet" and not any("maxpool" in row.kind.lower().replace("_", "") for row in rows):
        return f"{said}. ReLUs do not look at the picture then, and no max pooling does before this layer: all may be alike"
    return said


def under(patches: Sequence[Patch], names: Sequence[str], before: Sequence[str]) -> list[str]:
    """The line under each patch: its value, and its class."""
    parts = [(number(patch.value), class_name(patch.label, names)) for patch in patches]
    begins = [f"{tenth} · " for tenth in before] or [""] * len(parts)
    return [f"{begin}{' · '.join(filter(None, part))}" for begin, part in zip(begins, parts, strict=True)]


def told(patches: Sequence[Patch], names: Sequence[str], which: str) -> list[str]:
    """A sentence on each patch."""
    said = []
    for rank, patch in enumerate(patches, 1):
        label = f", {labeled(patch, names)}" if patch.label >= 0 else ""
        ranked = "" if which == "deciles" else f"No. {rank}: "
        said.append(
            f"{ranked}{number(patch.value)} at row {patch.row}, column {patch.column} of picture {patch.index}{label}"
        )
    return said


def labeled(patch: Patch, names: Sequence[str]) -> str:
    """The class of a patch's picture; empty where there is no label."""
    return f"labeled “{short(class_name(patch.label, names))}”" if patch.label >= 0 else ""


def class_name(label: int, names: Sequence[str]) -> str:
    """The name of a class, or its number; empty where there is no label."""
    return "" if label < 0 else names[label] if label < len(names) else str(label)


def short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…"


def _all(count: int) -> str:
    return f"all {count:,} pictures" if count > 1 else "the one picture"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def numbers(found: TopPatches) -> list[int]:
    """The numbers of the pictures that were seen, of a data set that is scanned from its beginning."""
    return np.setdiff1d(np.arange(found.seen + len(found.skipped)), [index for index, _ in found.skipped]).tolist()
