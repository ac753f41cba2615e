"""A map over a picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets as t

from cnnwidgets.views.palette import CLASS_COLORS, OTHER_CLASSES
from cnnwidgets.views.view import View, numbers


class HeatView(View, module="heat_view.js"):
    """Values at a grid of positions of a patch, over the picture: coloured by size, or by class.

    >>> heat.show(values, ys, xs, patch=(9, 9), span=[0, 1])
    >>> heat.show(indices, ys, xs, patch=(9, 9), names=["cat", "dog"])

    Hovering moves the patch; the arrow keys do, too. Dragging draws a region, Escape takes it away.
    """

    without_kernel: ClassVar[Mapping[str, Any]] = {"lock": ["region"]}

    pixels = t.Bytes(help="(height, width, 3) bytes: the picture; empty for none").tag(sync=True)
    shape = t.List(t.Int(), [0, 0], help="[height, width] of the picture, in pixels").tag(sync=True)
    values = t.Bytes(help="(rows, columns) float32; with names their indices, -1 where it is not known").tag(sync=True)
    known = t.Bytes(help="(rows, columns) uint8: 0 where a value is an estimate, which is drawn paler").tag(sync=True)
    ys = t.List(t.Int(), help="first row of the patch for each row of values").tag(sync=True)
    xs = t.List(t.Int(), help="first column of the patch for each column of values").tag(sync=True)
    patch = t.List(t.Int(), [1, 1], help="[height, width] of the patch, in pixels").tag(sync=True)
    names = t.List(t.Unicode(), help="what the values' numbers stand for; empty: values are sizes").tag(sync=True)
    palette = t.List(t.Unicode(), [*CLASS_COLORS, OTHER_CLASSES], help="colours of the names; the last, of all others").tag(
        sync=True
    )
    span = t.List(t.Float(), [0.0, 1.0], help="[lowest, highest] value of the colours").tag(sync=True)
    mark = t.Float(None, allow_none=True, help="a value that the legend marks").tag(sync=True)
    marked = t.Unicode("clean", help="what the marked value is called").tag(sync=True)
    quantity = t.Unicode("value", help="what the values are").tag(sync=True)
    opacity = t.Float(0.8, min=0.0, max=1.0, help="of the map over the picture").tag(sync=True)
    box = t.List(t.Int(), help="[top, left, height, width] of the patch, in pixels; empty for none").tag(sync=True)
    region = t.List(t.Int(), help="[top, left, height, width] that was drawn, in pixels; empty for none").tag(sync=True)
    lock = t.List(t.Unicode(), help="what cannot be changed by hand: box, region").tag(sync=True)
    width = t.Int(330, help="largest width in CSS pixels").tag(sync=True)
    title = t.Unicode(help="a line above the map").tag(sync=True)

    def hands(self, lock: Collection[str]) -> Sequence[str]:
        return [*([] if "box" in lock else ["hover"]), "opacity"]

    def show(
        self,
        values: np.ndarray,
        ys: Sequence[int] | np.ndarray,
        xs: Sequence[int] | np.ndarray,
        *,
        patch: Sequence[int],
        known: np.ndarray | None = None,
        **traits,
    ) -> None:
        """Show values (rows, columns) at the patch's first rows ``ys`` and columns ``xs``, in one message.

        Parameters:
            known: bool (rows, columns), False where a value is an estimate.
            traits: further traits to set in the same message.
        """
        with self.hold_sync():
            self.values = numbers(values)
            self.known = numbers(np.ones(np.shape(values)) if known is None else known, np.uint8)
            self.ys, self.xs, self.patch = [int(y) for y in ys], [int(x) for x in xs], [int(n) for n in patch]
            for name, value in traits.items():
                self.set_trait(name, value)
