"""A drawing pad."""

from __future__ import annotations

import re

import numpy as np
import traitlets as t

from cnnwidgets.views.picture_maker import PictureMaker

COLORS = ("#000000", "#ffffff", "#d62728", "#ff7f0e", "#ffd92f", "#2ca02c", "#1f77b4", "#9467bd")
GRAYS = ("#000000", "#808080", "#ffffff")


class _Color(t.Unicode):
    """A color as "#rrggbb"."""

    info_text = 'a color such as "#1f77b4"'

    def validate(self, obj: t.HasTraits | None, value: object) -> str:
        if not (isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value)):
            self.error(obj, value)
        return value


class DrawView(PictureMaker, module="draw_view.js"):
    """Paper and pens: a picture that a user draws by mouse, pen or finger, with an eraser, undo and clear.

    >>> pad = DrawView(paper="#000000", ink="#ffffff", colors=["#000000", "#808080", "#ffffff"])
    >>> pad.on_user("pixels", lambda pixels: print(net.predict(pad.picture)))

    ``show`` sets a picture to draw on. A stroke is sent while it is drawn, as fast as the kernel takes it.
    """

    paper = _Color("#ffffff", help="color of the paper").tag(sync=True)
    ink = _Color("#000000", help="initial color of the pen").tag(sync=True)
    colors = t.List(
        _Color(), [*COLORS], help="colors of the pens; unless all are gray, other colors can be chosen, too"
    ).tag(sync=True)
    frame = t.List(t.Float(min=0, max=1), help="[top, left, bottom, right], in shares of the sides, of a dotted frame to "
                   "draw in; empty for none").tag(sync=True)  # fmt: skip

    @property
    def picture(self) -> np.ndarray:
        """The picture, uint8 (height, width, 3); empty paper until something is drawn."""
        drawn = super().picture
        return np.full((*self.shape, 3), list(bytes.fromhex(self.paper[1:])), np.uint8) if drawn is None else drawn

    def clear(self) -> None:
        """Start again on empty paper."""
        self.pixels = b""
