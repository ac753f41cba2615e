"""A panel of panels."""

from __future__ import annotations

import cnnwidgets as cw
from cnnwidgets.base import Panel, row
from cnnwidgets.base.traits import Layer


class Studio(Panel):
    """Two filter grids, whose layer is chosen once and whose selection is the same."""

    layer = Layer("weighted", then="nothing", help="layer of both")

    def build(self):
        self.left = cw.FilterGrid(self.net, self.layer, hide=["layer"])
        self.right = cw.FilterGrid(self.net, self.layer, hide=["layer"], sort="norm")
        self.tie((self, "layer"), (self.left, "layer"), (self.right, "layer"))
        self.tie((self.left, "unit"), (self.right, "unit"))
        return row(self.left, self.right, basis=400)

    def compute(self, state, job):
        return self.left.layer

    def summary(self, result):
        return "one layer, two orders"

    def code(self):
        return self.left.code()
