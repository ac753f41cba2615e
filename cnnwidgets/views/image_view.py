"""One picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import traitlets as t

from cnnwidgets.views.view import View


class ImageView(View, module="image_view.js"):
    """A picture, and on it the rectangle that the map position under the cursor sees, or a patch that can be dragged."""

    pixels = t.Bytes(help="(height, width, 3) bytes: red, green, blue").tag(sync=True)
    shape = t.List(t.Int(), [0, 0], help="[height, width] of the picture, in pixels").tag(sync=True)
    field = t.Dict(help="receptive field: size, step, offset ([rows, columns], in pixels) and status; empty for none").tag(
        sync=True
    )
    positions = t.List(t.Int(), help="[height, width] of the map that the cursor moves on").tag(sync=True)
    cursor = t.List(t.Float(), help="[row, column] of a map position; empty for none").tag(sync=True)
    box = t.List(t.Int(), help="[top, left, height, width] of a patch, in pixels; empty for none").tag(sync=True)
    cover = t.Bytes(help="(height, width, 3) bytes: what shows in the patch, wherever it lies").tag(sync=True)
    mask = t.Bytes(help="(patch height, patch width) bytes: 1 where the patch covers").tag(sync=True)
    step = t.List(t.Int(), [1, 1], help="[rows, columns] that an arrow key moves the patch, in pixels").tag(sync=True)
    lock = t.Bool(False, help="whether the patch cannot be moved by hand").tag(sync=True)
    width = t.Int(280, help="largest width in CSS pixels").tag(sync=True)
    title = t.Unicode(help="a line above the picture").tag(sync=True)
    caption = t.Unicode(help="a line below the picture").tag(sync=True)

    def hands(self, lock: Collection[str]) -> Sequence[str]:
        return ["the patch"] if self.box and not self.lock else []

    def show(self, picture: np.ndarray, **traits) -> None:
        """Show a uint8 picture (height, width, 3), and set further traits in the same message."""
        with self.hold_sync():
            self.pixels, self.shape = np.ascontiguousarray(picture, np.uint8).tobytes(), list(picture.shape[:2])
            for name, value in traits.items():
                self.set_trait(name, value)
