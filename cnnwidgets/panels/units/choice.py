"""Which unit of which layer is looked at, in which picture: the state of a UnitExplorer, and the keys that change it."""

from __future__ import annotations

from typing import Any

import traitlets as t

from cnnwidgets.base import Choice, ColoredPanel, Cursor, ImagePanel, Order, action, public
from cnnwidgets.base import controls as c
from cnnwidgets.base.coloring import Scale
from cnnwidgets.base.fitting import Unfit
from cnnwidgets.methods.activations import ORDERS
from cnnwidgets.methods.stages import local
from cnnwidgets.net import UnitAddress
from cnnwidgets.net.arguments import said
from cnnwidgets.panels.units.graph import KINDS

RULES = ("guided", "deconvnet", "gradient")


class UnitChoice(ImagePanel, ColoredPanel):
    """A unit that is chosen, one that may be held, and units that are switched off.

    The keys are those of the Deep Visualization Toolbox (Yosinski et al., 2015), as far as it has them.
    """

    layer = public(
        t.Unicode(None, allow_none=True, help="Layer whose units are shown"),
        c.Choice(options=lambda panel: [(name, name) for name in panel.layer_names]),
        usual=lambda panel: local(panel.net, panel.layer_names),
    )
    unit = public(t.Int(0, help="Index of the chosen unit"), None, then="nothing", none=-1)
    y = Cursor(help="Row of the cursor in the picture, in pixels")
    x = Cursor(help="Column of the cursor in the picture, in pixels")
    sort = Order(*ORDERS, more=True, help="Order of the units: by index, or largest maximum or mean first")
    scale = Scale("map", "map", more=True)
    rule = Choice(
        RULES, label="projection", then="nothing", more=True, help="How a value goes back to the picture through each ReLU"
    )  # fmt: skip
    connected = Choice(
        list(KINDS), label="connections", then="nothing", more=True,
        help="Lines show the weights between units, or their influence in this picture: gradient times activation",
    )  # fmt: skip
    detail = Choice(
        ["classes", "twins", "ablation"], label="show", then="nothing",
        help="How well the unit separates each class, which units answer like it, or the accuracy without it",
    )  # fmt: skip
    held = public(t.List(help="Layer and number of the unit that is held while you look at others"), None)
    off = public(t.List(t.Int(), help="Units of the layer that are switched off"), None, then="nothing")

    _switched: tuple[str, list[int]]
    """The layer of the story, and the units of it that are off, as they were."""

    @property
    def layer_names(self) -> list[str]:
        """The layers that have units."""
        return [one.name for one in self.net.layers.with_units]

    @property
    def here(self) -> UnitAddress:
        """The unit whose story is told: the one that is held, or else the chosen one."""
        return UnitAddress(*(self.held or (self.layer, self.unit)))

    @t.validate("held")
    def _one_unit(self, proposal: Any) -> list[Any]:
        match proposal.value:
            case [] | [str(), int()]:
                return proposal.value
        raise Unfit(f"held is {said(proposal.value)}; expected [layer, unit], or [] for none")

    @action("Previous layer", key="u", more=True, locked_by="layer")
    def layer_before(self) -> None:
        """Go to the previous layer; the cursor stays in place."""
        self._go_by(-1)

    @action("Next layer", key="o", more=True, locked_by="layer")
    def layer_after(self) -> None:
        """Go to the next layer; the cursor stays in place."""
        self._go_by(1)

    @action("Next projection", key="b", more=True, locked_by="rule")
    def next_rule(self) -> None:
        """Send values back to the picture by the next rule: guided, deconvnet, gradient."""
        self.rule = RULES[(RULES.index(self.rule) + 1) % len(RULES)]

    @action(lambda panel: "Release" if panel.held else "Hold", key="f", more=True, locked_by="held")
    def hold(self) -> None:
        """Hold this unit's story while you look at other units, layers and pictures; or release it."""
        self.held = [] if self.held or self.unit < 0 else [self.layer, self.unit]

    @action(lambda panel: "Restore" if panel.here.unit in panel.off else "Ablate", key="a", more=True, locked_by="off")
    def ablate(self) -> None:
        """Switch the unit off, or on again, and see the accuracy without it."""
        unit = self.here.unit
        if unit < 0:
            return  # none is chosen
        self.put(off=sorted({*self.off} ^ {unit}), detail="ablation")

    def _go_by(self, step: int) -> None:
        names = self.layer_names
        self.layer = names[max(0, min(len(names) - 1, names.index(self.net.layers[self.layer].name) + step))]

    def _keep_unit(self, change: Any) -> None:
        """Another layer may have fewer units."""
        if change.new in self.net.layers and self.net.layers[change.new].has_units:
            self.unit = min(self.unit, len(self.net[change.new]) - 1)

    def _keep_off(self, change: Any) -> None:
        """Of another layer no units are switched off, but for those that come with it."""
        layer, off = self._switched
        if self.here.layer != layer and self.off == off:
            self.off = []
        self._switched = self.here.layer, self.off
