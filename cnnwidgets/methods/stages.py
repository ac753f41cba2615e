"""The layers that sum up a network in a few rows: the output of each of its stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from cnnwidgets.net import BoundModel, Layer

FEW, MOST = 5, 8
"""Smallest and largest number of stages wanted."""


def stages(net: BoundModel) -> list[str]:
    """Names of layers with units: the first one with weights, and the output of each stage, as maps if possible.

    Stages are the blocks with weights, by the names of the network's modules; where there are few, the blocks inside them.

    >>> stages(cw.load("scenes"))
    ['conv1', 'relu', 'layer1', 'layer2', 'layer3', 'fc']
    """
    rows = net.layers.with_units
    found: list[str] = []
    for depth in range(1, 2 + max((row.name.count(".") for row in rows), default=-1)):
        found = _at_depth(net, rows, depth)
        if len(found) >= FEW:
            break
    taken = np.unique(np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int))
    return [found[place] for place in taken]


def _at_depth(net: BoundModel, rows: list[Layer], depth: int) -> list[str]:
    """The stages by the first so many parts of the names."""
    first = next((row for row in rows if row.weight), rows[0])
    found, stage = [first.name], list[Layer]()
    for _, some in groupby(rows, lambda row: row.name.split(".")[:depth]):
        block = list(some)
        if stage and any(row.weight for row in block):
            found.append(_handed_on(net, stage, depth))
            stage = []
        stage += block
    return list(dict.fromkeys([*found, _handed_on(net, stage, depth)]))


def _handed_on(net: BoundModel, stage: list[Layer], depth: int) -> str:
    """The last row of a stage that is more than one position; the last of all where none is."""
    last = next((row for row in reversed(stage) if math.prod(row.map_shape[1:]) > 1), stage[-1])
    block = ".".join(last.name.split(".")[:depth])
    return block if block in net.layers and net.layers[block] is last else last.name


def local(net: BoundModel, names: Sequence[str]) -> str | None:
    """The deepest of some layers whose positions see at most half of the picture's height and width; else the first."""
    rows = [(name, net.layers[name].receptive_field) for name in names]
    size = net.input_shape[1:]
    small = [
        name
        for name, sees in rows
        if sees and sees.status != "global" and all(2 * a <= b for a, b in zip(sees.size, size, strict=True))
    ]
    return small[-1] if small else next(iter(names), None)
