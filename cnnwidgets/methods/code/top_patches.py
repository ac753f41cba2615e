"""The lines that find the patches of a unit, without the scan: every map is kept, and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from cnnwidgets.methods.code.data_sets import looking_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.net import BoundModel, Layer

_LARGEST = """\
tops = maps.reshape(len(maps), -1).max(1)
places = maps.reshape(len(maps), -1).argmax(1)  # at most one patch a picture"""

_ORDERS = {
    "strongest": 'order = np.argsort(-tops, kind="stable")[:{k}]',
    "weakest": 'order = np.argsort(tops, kind="stable")[:{k}]',
    "deciles": """\
sample = np.argsort(priorities(numbers, 0), kind="stable")[:SAMPLE]  # the same random pictures for all units
tenths = np.array_split(np.lexsort((numbers[sample], tops[sample])), len(sample) * np.arange(1, 10) // 10)
order = np.array([sample[min(tenth)] for tenth in tenths[::-1] if len(tenth)])""",
}

_POSITIONS = """\
order = np.argsort(-maps.ravel(), kind="stable")[:{k}]
order, places, tops = order // maps[0].size, order % maps[0].size, maps.ravel()[order]
values, indices, rows, columns = tops, numbers[order], places // maps.shape[2], places % maps.shape[2]"""

_TAKEN = """\
values, indices = tops[order], numbers[order]
rows, columns = places[order] // maps.shape[2], places[order] % maps.shape[2]"""

_CROPS = """\

def patch(i, row, column):
    top, left, height, width = {top}, {left}, {height:g}, {width:g}  # what the position sees
    beyond = torch.nn.functional.pad(picture(i)[0], [{beyond}] * 4)
    top, left, bottom, right = floor(top), floor(left), ceil(top + height), ceil(left + width)
    return beyond[:, top + {beyond} : bottom + {beyond}, left + {beyond} : right + {beyond}].cpu().float().numpy()

patches = [patch(*place) for place in zip(indices, rows, columns)]"""


def patch_lines(
    net: BoundModel, dataset: Any, row: Layer, numbers: Sequence[int], unit: int, which: str, k: int, one_per_picture: bool
) -> str:
    """The lines that put the values of a unit's patches into ``values``, and where they are into ``indices``, ``rows`` and
    ``columns``; what they show is in ``patches``, (C, height, width) each.

    Parameters:
        row: of the layer.
        numbers: of the pictures in the data set that are looked at.
        which: "strongest", "weakest" or "deciles".
        one_per_picture: whether a picture gives its strongest position only; of the strongest.
    """
    found = (
        [_LARGEST, _ORDERS[which].format(k=k), _TAKEN]
        if one_per_picture or which != "strongest"
        else [_POSITIONS.format(k=k)]
    )
    hashes = ["from cnnwidgets.methods.strongest import SAMPLE, priorities"] if which == "deciles" else []
    parts = [
        *looking_lines(net, dataset, row, numbers, f"values[{unit}]"),
        *hashes,
        f"maps = np.stack([look(i) for i in numbers])  # {row.name}, unit {unit}: (pictures, height, width)",
        *found,
        _crops(row),
    ]
    return tidy("\n".join(parts))


def _crops(row: Layer) -> str:
    sees = row.receptive_field
    if sees is None or sees.status == "global":
        return "patches = [picture(i)[0].cpu().float().numpy() for i in indices]  # each position sees the whole picture"
    (height, width), steps, starts = sees.size, sees.step, sees.offset
    top, left = (
        f"{start:g} + {step:g} * {name}" for start, step, name in zip(starts, steps, ("row", "column"), strict=True)
    )
    beyond = ceil(max(sees.size)) + 1
    crops = _CROPS.format(top=top, left=left, height=height, width=width, beyond=beyond)
    return f"from math import ceil, floor\n{crops}"
