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
from cnnwidgets.net.errors import capitalized, sentence
from cnnwidgets.views import ConnectionsView

SHOWN = 6
"""Most units on each side."""

LETTERS = 14
"""Most letters of a layer's name; of a longer one the last are shown."""

NONE = ("It reads no unit", "No unit reads it")

Node = tuple[str | None, int, float]
"""A layer (None: the picture), a unit and what connects it."""

KINDS = {"weights": "Connections: norm of the weights", "influence": "Connections: influence in this picture"}
"""What lines stand for, and the line that says so; the sign of a norm is that of the weights' sum."""


class Graph:
    """Shows a unit between those that it reads and those that read it."""

    def __init__(self, panel: Panel, view: ConnectionsView) -> None:
        self._panel, self._view = panel, view
        self._sides: tuple[Sequence[Node], Sequence[Node]] = ([], [])

    def look_at(self, address: UnitAddress, inputs: Any, kind: str) -> Job:
        """Show a unit's connections; inputs is the picture (1, C, H, W), preprocessed, whose maps the units have."""
        return self._panel.aside("graph", lambda job: self._look(job, address, inputs, kind))

    def chosen(self, side: int, number: int) -> tuple[str, int] | None:
        """Layer and unit of a node; None of a channel of the picture."""
        layer, unit, _ = self._sides[side][number]
        return None if layer is None else (layer, unit)

    def _look(self, job: Job, address: UnitAddress, inputs: Any, kind: str) -> None:
        try:
            sides, why = self._found(address, inputs, kind)
        except ValueError as error:  # units that are none of a map cannot be followed
            sides, why = ([], []), [sentence(error)]
        layers = {address.layer, *(layer for side in sides for layer, *_ in side if layer)}
        maps = activations(self._panel.net, inputs, layers, cancel=job)
        nodes = [(*address, 0.0), *sides[0], *sides[1]]
        values = [maps[layer].values[unit] if layer else inputs[0, unit].numpy() for layer, unit, _ in nodes]
        before, after = (_told(side) for side in sides)
        heads = [_head("reads", sides[0]), _head("read by", sides[1])]
        ends = [". ".join(map(capitalized, [none, *why])) + "." for none in NONE]
        with LOCK:
            if not job.cancelled:
                self._sides = sides
                here = f"unit {address.unit}"
                self._view.show(before, here, after, values, heads=heads, title=KINDS[kind], ends=ends)

    def _found(self, address: UnitAddress, inputs: Any, kind: str) -> tuple[tuple[list[Node], list[Node]], list[str]]:
        """The nodes before and after a unit, and where its connections end."""
        wired = connections(self._panel.net, *address, SHOWN)
        ends = [note for note in wired.notes if note.startswith("connections end")]
        if kind == "influence":
            found = influence(self._panel.net, *address, image=inputs)
            some = found.strongest_before(SHOWN), found.strongest_after(SHOWN)
            before, after = ([(one.layer, one.unit, one.value) for one in side] for side in some)
        else:
            both = wired.before, wired.after
            before, after = ([(one.layer, one.unit, math.copysign(one.norm, one.weight)) for one in side] for side in both)
        return (before, after), ends


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
