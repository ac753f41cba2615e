"""What is maximized: a class, a unit, a layer, or an objective of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import controls as c
from cnnwidgets.base.addresses import addressed
from cnnwidgets.base.target import Target, by_name, class_options
from cnnwidgets.base.traits import Layer, Number, public
from cnnwidgets.methods import objectives
from cnnwidgets.methods.objective import Objective
from cnnwidgets.net import UnitAddress
from cnnwidgets.panels.maximizer.settings import AscentSettings

OF = {"class": "a class", "unit": "a unit", "layer": "a layer", "objective": "an objective"}

ABOUT_UNITS = {"of": ["unit", "layer"]}


def _last_maps(panel: Any) -> str | None:
    """The last layer whose maps have several positions."""
    names = [layer.name for layer in panel.net.layers.maps if np.prod(layer.map_shape[1:]) > 1]
    return names[-1] if names else None


def _last_unit(panel: Any) -> int:
    """The highest number of a unit of the layer."""
    layers = panel.net.layers  # also those of blocks, which are in none of its lists
    has_units = panel.layer in layers and layers[panel.layer].has_units
    return layers[panel.layer].map_shape[0] - 1 if has_units else 0


class Wanted(AscentSettings):
    """A panel with something to maximize.

    Parameters: as of :class:`ActivationMaximizer`.
    """

    of = public(
        t.Enum([*OF], None, allow_none=True, help="What the picture is to please"),
        c.Choice(
            label="maximize",
            options=lambda panel: [(OF[of], of) for of in OF if of != "objective" or panel.objective is not None],
        ),
        usual=lambda panel: "class" if panel.net.classes else "unit",
    )
    target = public(
        Target(default_value=None, allow_none=True, help="The class, whose score before the softmax is maximized"),
        c.Choice(label="class", options=lambda panel: class_options(panel.net), when={"of": ["class"]}),
        usual=lambda panel: by_name(panel.net, 0) if panel.net.classes else None,
    )
    layer = Layer("with_units", usual=False, when=ABOUT_UNITS, help="The layer").tag(usual=_last_maps)
    unit = public(
        t.Int(-1, help="The unit, by its number; the mean of its map is maximized"),
        c.Slider(
            bounds=lambda panel: (0, _last_unit(panel)), when={"of": ["unit"]},
            shown=lambda panel: 0 if panel.unit < 0 else None,
        ),
        none=-1,
    )  # fmt: skip
    pictures = Number(1, 1, 16, more=True, help="How many, from other noise each")
    diversity = Number(
        0.0, 0.0, 1000.0, free="above", more=True, absent=lambda panel: panel.pictures == 1,
        help="How much it counts that the pictures differ in the layer",
    )  # fmt: skip

    def __init__(
        self,
        net: Any,
        layer: str | None = None,
        unit: int | UnitAddress | None = None,
        target: int | str | None = None,
        *,
        objective: Objective | None = None,
        image: Any = None,
        **options: Any,
    ) -> None:
        self.objective = objective
        given = addressed({"layer": layer, "unit": unit, "target": target})
        options = {**{name: value for name, value in given.items() if value is not None}, **options}
        asked = [("objective", objective), ("unit", given["unit"]), ("class", target), ("layer", layer)]
        options.setdefault("of", next((of for of, value in asked if value is not None), None))
        if image is not None:
            options.setdefault("start", "picture")
        super().__init__(net, 0 if image is None else image, **options)

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        if "of" in state:
            self.of = state["of"]  # though a unit came with it

    def wanted(self, state: Any) -> tuple[Objective, str]:
        """What a state wants to be maximized, and the expression that makes it."""
        found: Objective
        match state.of:
            case "class":
                index = self.net.target(state.target)
                found, written = objectives.target(state.target), f"target({index})"
            case "unit":
                unit = max(0, state.unit)  # none was chosen yet
                found, written = objectives.unit(state.layer, unit), f"unit({state.layer!r}, {unit})"
            case "layer":
                found, written = objectives.layer(state.layer), f"layer({state.layer!r})"
            case _ if self.objective is None:
                raise ValueError("there is no objective: give objective= where the panel is made")
            case _:
                found, written = self.objective, "objective"
        if state.pictures > 1 and state.diversity:
            found += state.diversity * objectives.diversity(state.layer)
            written += f" + {state.diversity} * diversity({state.layer!r})"
        return found, written
