"""What views in which a user makes a picture have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.views.paper import Paper, inches, picture_of
from cnnwidgets.views.view import View

LONGEST = 1024
"""Pixels of a picture's longer side at most: all of them travel with every stroke."""


class PictureMaker(View):
    """A view in which a user makes a picture."""

    pixels = t.Bytes(help="(height, width, 3) bytes: red, green, blue; empty until there is a picture").tag(
        sync=True, echo_update=False, from_json=lambda value, view: bytes(value)
    )
    shape = t.List(t.Int(min=1, max=LONGEST), [192, 192], 2, 2, help="[height, width] of the picture, in pixels").tag(
        sync=True
    )
    width = t.Int(280, help="largest width in CSS pixels").tag(sync=True)
    title = t.Unicode(help="a line above the picture").tag(sync=True)

    @property
    def picture(self) -> np.ndarray | None:
        """The picture, uint8 (height, width, 3); None until there is one."""
        return picture_of(self.pixels, self.shape).copy() if self.pixels else None

    def show(self, picture: np.ndarray, **traits: Any) -> None:
        """Show a uint8 picture (height, width, 3), and set further traits in the same message."""
        with self.hold_sync():
            self.shape, self.pixels = list(picture.shape[:2]), np.ascontiguousarray(picture, np.uint8).tobytes()
            for name, value in traits.items():
                self.set_trait(name, value)

    def draw_on(self, paper: Paper) -> None:
        (rows, columns), width = self.shape, inches(self.width)
        y = paper.title(self.title, width)
        picture = self.picture
        if picture is None:
            return
        paper.image(0, y, width, rows * width / columns, picture)
