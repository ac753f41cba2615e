"""What panels around an ImageGrid share: the selected unit, the colors and their scale."""

from __future__ import annotations

from typing import Any

import traitlets as t

from cnnwidgets.base import controls
from cnnwidgets.base.fitting import Unfit
from cnnwidgets.base.panel import Panel
from cnnwidgets.base.traits import Choice, Slide, Unit, public
from cnnwidgets.net.arguments import said
from cnnwidgets.views import ImageGrid
from cnnwidgets.views.image_grid import COLORS, SCALES

COLORING = ("scale", "limits", "contrast", "colors")


def Order(*names: str, help: str, more: bool = False) -> Any:
    """The order of the units in a panel's grid, among the orders that the grid has now."""
    offered = controls.Choice(options=lambda panel: [(name, name) for name in names if name in panel.grid.orders], more=more)
    return public(t.Enum(names, names[0], help=help), offered, then="nothing")


def Scale(default: str, noun: str, more: bool = False) -> Any:
    """What the colors of a grid span; ``noun`` is what the panel calls one of its maps."""
    texts = [f"per {noun}", "per layer", "fixed"]
    help = f"What the colors span: the values of each {noun}, of the whole layer, or a fixed range (see More)"
    return Choice(SCALES, default, texts=texts, help=help, then="nothing", more=more)


class ColoredPanel(Panel):
    """A panel around ``grid``, an :class:`~cnnwidgets.views.ImageGrid`; a subclass adds ``sort``, an :func:`Order`."""

    grid: ImageGrid

    unit = Unit()
    scale = Scale("map", "map")
    limits = public(
        t.List(t.Float(), [-1.0, 1.0], minlen=2, maxlen=2, help="Lowest and highest value of the fixed range"),
        controls.Pair(more=True, when={"scale": ["fixed"]}),
        then="nothing",
    )
    contrast = Slide(
        1.0,
        lambda panel: (1.0, 20.0),
        low=1.0,
        step=0.1,
        then="nothing",
        more=True,
        help="Brighten weak values: the colors end at 1/contrast of the range",
    )
    colors = Choice(COLORS, then="nothing", more=True, help="Color table; auto: diverging around zero for signed values")

    @t.validate("limits")
    def _rising(self, proposal: Any) -> list[float]:
        low, high = proposal.value
        if not low < high:
            raise Unfit(f"limits are {said(proposal.value)}; expected [lowest, highest]")
        return proposal.value

    def make_grid(self, noun: str, **names: str) -> ImageGrid:
        """A grid that shares the panel's order, its colors, and the traits that are named as ``mine="theirs"``."""
        orders = dict.fromkeys(self.traits()["sort"].values, b"")  # type: ignore[attr-defined]
        grid = ImageGrid(noun=noun, orders=orders, numbered=True, hide=["sort", *COLORING], lock=self.locked)
        return self.bind(grid, "sort", *COLORING, **names)
