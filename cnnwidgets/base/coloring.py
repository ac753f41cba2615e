"""What panels around an ImageGrid share: the unit that is selected, its colors and their scale."""

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


def Order(*names: str, help: str) -> Any:
    """The order of the units in a panel's grid: one of those that the grid has now."""
    offered = controls.Choice(options=lambda panel: [(name, name) for name in names if name in panel.grid.orders])
    return public(t.Enum(names, names[0], help=help), offered, then="nothing")


def Scale(default: str, *, help: str) -> Any:
    """What the colors of a grid span."""
    return Choice(SCALES, default, help=help, then="nothing")


class ColoredPanel(Panel):
    """A panel around ``grid``, an :class:`~cnnwidgets.views.ImageGrid`; a subclass adds ``sort``, an :func:`Order`."""

    grid: ImageGrid

    unit = Unit()
    scale = Scale("map", help="what the colors span: each unit, the layer, or fixed limits")
    limits = public(
        t.List(t.Float(), [-1.0, 1.0], minlen=2, maxlen=2, help="[lowest, highest] of the fixed scale"),
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
        help="how many times sooner the colors run out",
    )
    colors = Choice(COLORS, then="nothing", more=True, help="color table; auto: diverging around zero for signed values")

    @t.validate("limits")
    def _rising(self, proposal: Any) -> list[float]:
        low, high = proposal.value
        if not low < high:
            raise Unfit(f"limits are {said(proposal.value)}; expected [lowest, highest]")
        return proposal.value

    def make_grid(self, noun: str, **names: str) -> ImageGrid:
        """A grid whose order and colors are the panel's, and so are traits that are named as ``mine="theirs"``."""
        orders = dict.fromkeys(self.traits()["sort"].values, b"")  # type: ignore[attr-defined]
        grid = ImageGrid(noun=noun, orders=orders, hide=["sort", *COLORING], lock=self.locked)
        return self.bind(grid, "sort", *COLORING, **names)
