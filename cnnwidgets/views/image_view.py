"""One picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.views.paper import DIM, Paper, inches, picture_of
from cnnwidgets.views.view import View

SHADOW = 0.45
"""How dark it is outside of what the cursor's position sees."""


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
    hint = t.Unicode(help="what to do with the patch, on the picture until a hand has moved it").tag(sync=True)

    def draw_on(self, paper: Paper) -> None:
        (rows, columns), width = self.shape, inches(self.width)
        if not rows * columns:
            return
        y = paper.title(self.title, width)
        scale = width / columns
        seen = self._seen()
        picture = self._covered() if len(self.box) == 4 else picture_of(self.pixels, self.shape)
        bottom = paper.image(0, y, width, rows * scale, picture)
        if seen:
            top, left, height, wide = seen
            for rectangle in (
                (0, 0, columns, top), (0, top + height, columns, rows - top - height),
                (0, top, left, height), (left + wide, top, columns - left - wide, height),
            ):  # fmt: skip
                x, down, w, h = (scale * part for part in rectangle)
                paper.rectangle(x, y + down, w, h, color="black", alpha=SHADOW)
        for top, left, height, wide in filter(None, (seen, self._inside(self.box))):
            paper.frame(left * scale, y + top * scale, wide * scale, height * scale)
        told = self._told(seen)
        paper.text(0, bottom + 0.04, " · ".join(filter(None, (told, self.caption))), width=width, lines=4, color=DIM)

    def _covered(self) -> np.ndarray:
        """The picture with the patch on it."""
        picture = picture_of(self.pixels, self.shape).copy()
        top, left, height, width = self.box
        if len(self.mask) == height * width and self.cover:
            on = np.zeros((top + height, left + width), bool)  # the patch may end beyond the picture
            on[top:, left:] = np.frombuffer(self.mask, np.uint8).reshape(height, width)
            on = on[: self.shape[0], : self.shape[1]]
            picture[: on.shape[0], : on.shape[1]][on] = picture_of(self.cover, self.shape)[: on.shape[0], : on.shape[1]][on]
        return picture

    def _inside(self, box: Sequence[float]) -> list[float]:
        """A box [top, left, height, width] as far as it is in the picture; empty for none."""
        if len(box) != 4:
            return []
        first = [max(0.0, box[0]), max(0.0, box[1])]
        return [*first, min(self.shape[0], box[0] + box[2]) - first[0], min(self.shape[1], box[1] + box[3]) - first[1]]

    def _seen(self) -> list[float]:
        """[top, left, height, width] of what the position under the cursor sees, in the picture; empty for none."""
        if not self.field.get("status") or len(self.cursor) != 2:
            return []
        if self.field["status"] == "global":
            return [0, 0, *self.shape]
        corner = [self.field["offset"][k] + self.cursor[k] * self.field["step"][k] for k in range(2)]
        return self._inside([*corner, *self.field["size"]])

    def _told(self, seen: Sequence[float]) -> str:
        """What is framed, in words."""
        if seen and self.field["status"] == "global":
            return "this value sees the whole picture"
        box = seen or self._inside(self.box)
        if not box:
            return ""
        first, last = np.floor(box[:2]).astype(int), np.ceil(np.add(box[:2], box[2:])).astype(int) - 1
        what = f"this value sees {'at most ' if self.field['status'] == 'bound' else ''}" if seen else "on "
        return what + ", ".join(
            f"{noun} {a}" if a == b else f"{noun}s {a}–{b}"
            for noun, a, b in zip(("row", "column"), first, last, strict=True)
        )

    def show(self, picture: np.ndarray, **traits: Any) -> None:
        """Show a uint8 picture (height, width, 3), and set further traits in the same message."""
        with self.hold_sync():
            self.pixels, self.shape = np.ascontiguousarray(picture, np.uint8).tobytes(), list(picture.shape[:2])
            for name, value in traits.items():
                self.set_trait(name, value)
