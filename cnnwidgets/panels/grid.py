"""What panels around an ImageGrid share: its unit, its colours and their scale as public traits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import ipywidgets as w
import traitlets as t

from cnnwidgets.base.fitting import Unfit
from cnnwidgets.net.arguments import said
from cnnwidgets.panels.panel import Panel
from cnnwidgets.views import ImageGrid
from cnnwidgets.views.image_grid import COLORS, SCALES

if TYPE_CHECKING:
    pass

COLORING = ("scale", "limits", "contrast", "colors")


class GridPanel(Panel):
    """A panel around an :class:`~cnnwidgets.views.ImageGrid`; a subclass adds ``sort``, an Enum of its ``orders``."""

    orders: ClassVar[tuple[str, ...]]

    unit = t.Int(-1, help="index of the selected unit; -1 for none").tag(control=None, none=-1)
    scale = t.Enum(SCALES, "map", help="what the colours span: each unit, the layer, or fixed limits").tag(control=None)
    limits = t.List(t.Float(), [-1.0, 1.0], minlen=2, maxlen=2, help="[lowest, highest] of the fixed scale").tag(
        control=None
    )
    contrast = t.Float(1.0, min=1.0, help="how many times sooner the colours run out").tag(control=None)
    colors = t.Enum(
        COLORS,
        "auto",
        help="colour table; auto: diverging around zero for signed values",
    ).tag(control=None)

    @t.validate("limits")
    def _rising(self, proposal):
        low, high = proposal.value
        if not low < high:
            raise Unfit(f"limits are {said(proposal.value)}; expected [lowest, highest]")
        return proposal.value

    def make_grid(self, noun: str) -> ImageGrid:
        """A grid whose selection, order and colours are this panel's."""
        orders = dict.fromkeys(self.orders, b"")
        grid = ImageGrid(noun=noun, orders=orders, hide=self.hidden, lock=self.locked, layout=w.Layout(min_width="0"))
        t.link((self, "unit"), (grid, "selected"))
        for trait in ("sort", *COLORING):
            t.link((self, trait), (grid, trait))
        return grid
