"""A unit's connections on screen: by their weights, or by what they do in the picture that is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cnnwidgets.base import Panel
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods.activations import activations
from cnnwidgets.methods.connections import connections
from cnnwidgets.methods.influence import influence
from cnnwidgets.net import UnitAddress
from cnnwidgets.net.errors import capitalized
from cnnwidgets.views import ConnectionsView

SHOWN = 6
"""Units at each side."""

LETTERS = 14
"""Of a layer's name, the last of which are shown."""

NONE = ("It reads no unit", "No unit reads it")

Node = tuple[str | None, int, float]
"""A layer (None: the picture), a unit and what connects it."""

KINDS = {"weights": "Connections: norm of the weights", "influence": "Connections: influence in this picture"}
"""What lines stand for, and the line that says so; the sign of a norm is that of the weights' sum."""


class Graph:
    """Shows a unit between those that it reads and those that read it."""

    def __init__(self, panel: Panel, view: ConnectionsView) -> None:
        self._panel, self._view = panel, view
        self._sides: tuple[Sequence[Node], Sequence[Node]] = ((), ())

    def look_at(self, address: UnitAddress, inputs: Any, kind: str) -> Job:
        """Show a unit's connections; inputs is the picture (1, C, H, W), preprocessed, whose maps the units have."""
        return self._panel.aside("graph", lambda job: self._look(job, address, inputs, kind))

    def chosen(self, side: int, number: int) -> tuple[str, int] | None:
        """Layer and unit of a node; None of a channel of the picture."""
        layer, unit, _ = self._sides[side][number]
        return None if layer is None else (layer, unit)

    def _look(self, job: Job, address: UnitAddress, inputs: Any, kind: str) -> None:
        net = self._panel.net
        wired = connections(net, *address, SHOWN)
        sides: list[list[Node]] = [
            [(one.layer, one.unit, math.copysign(one.norm, one.weight)) for one in some]
            for some in (wired.before, wired.after)
        ]
        if kind == "influence":
            found = influence(net, *address, image=inputs)
            some = found.strongest_before(SHOWN), found.strongest_after(SHOWN)
            sides = [[(one.layer, one.unit, one.value) for one in side] for side in some]
        layers = {address.layer, *(layer for side in sides for layer, *_ in side if layer)}
        maps = activations(net, inputs, layers, cancel=job)
        values = [maps[layer].values[unit] if layer else inputs[0, unit].numpy() for layer, unit, _ in _all(address, sides)]
        before, after = (_told(side) for side in sides)
        heads = [_head("reads", sides[0]), _head("read by", sides[1])]
        stopped = [note for note in wired.notes if note.startswith("connections end")]
        with LOCK:
            if not job.cancelled:
                self._sides = (sides[0], sides[1])
                self._view.show(
                    before, f"unit {address.unit}", after, values, heads=heads,
                    title=KINDS[kind], ends=[". ".join(map(capitalized, [none, *stopped])) + "." for none in NONE],
                )  # fmt: skip


def _all(address: UnitAddress, sides: Sequence[Sequence[Node]]) -> list[Node]:
    return [(*address, 0.0), *sides[0], *sides[1]]


def _told(side: Sequence[Node]) -> list[dict[str, Any]]:
    """Units as the view takes them; where all are of one layer, which stands over them, by their number alone."""
    alone = len({layer for layer, *_ in side}) == 1
    return [
        {
            "name": f"unit {unit}" if alone and layer else f"{unit} · {layer or 'picture'}",
            "value": float(value),
            "told": str(UnitAddress(layer, unit)) if layer else f"channel {unit} of the picture",
        }
        for layer, unit, value in side
    ]


def _head(verb: str, side: Sequence[Node]) -> str:
    layers = {layer for layer, *_ in side}
    return f"{verb} {_short(*layers)}" if len(layers) == 1 else verb


def _short(layer: str | None) -> str:
    """A layer's name, or its end."""
    if layer is None:
        return "picture"
    return layer if len(layer) <= LETTERS else f"…{layer[1 - LETTERS :]}"
