"""The drawing pad of a network: size, paper and pens, as its own pictures suggest."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnwidgets.net import BoundModel
from cnnwidgets.net.items import fitting, read
from cnnwidgets.net.pictures import LUMA
from cnnwidgets.views.draw_view import COLORS, GRAYS

SHORT, LONG = 192, 512
"""Pixels of a drawing's shorter side at least, and of its longer side at most."""

LOOKED_AT = 9
"""Pictures of a data set, evenly spaced, from which its paper is found."""

NEAR, PLAIN = 24, 0.9
"""Pictures lie on paper if this share of what is at their edges is within so many of 255 levels of one color."""


def pad_of(net: BoundModel, pictures: Sequence[Any]) -> dict[str, Any]:
    """What a drawing for a network starts with: traits of a ``DrawView``.

    Its shape [height, width] is a whole multiple of the network's input, where that is small. The paper has the color of
    the pictures' edges, if these are all of one color, and is white otherwise; the ink is black or white, whichever shows.
    On paper of one color ``frame``, [top, left, bottom, right] in shares of the sides, holds all that lies on it.

    Parameters:
        pictures: a list or data set; items that are not pictures are ignored.
    """
    channels, height, width = net.input_shape
    numbers = {round(number) for number in np.linspace(0, len(pictures) - 1, LOOKED_AT)} if len(pictures) else set()
    seen = [_seen(net, pictures, number) for number in sorted(numbers)]
    found = _paper([picture for picture in seen if picture is not None])
    paper, frame = found or (np.full(3, 255), [])
    ink = GRAYS[0] if paper @ LUMA > 127 else GRAYS[2]
    return {
        "shape": _shape(height, width),
        "paper": "#" + "".join(f"{value:02x}" for value in paper),
        "ink": ink,
        "colors": list(GRAYS if channels == 1 else COLORS),
        "frame": frame,
    }


def pixels_of(deflated: Any, shape: Sequence[int]) -> np.ndarray:
    """uint8 (height, width, 3) of a picture's pixels, as the browser sends them.

    Raises:
        ValueError: there are not as many as the shape [height, width] says, or more than a pad has.
    """
    height, width = shape
    if not 0 < max(shape) <= LONG:
        raise ValueError(f"expected a picture of up to {LONG}×{LONG} pixels, got {height}×{width}")
    pixels = zlib.decompressobj().decompress(bytes(deflated), 3 * height * width)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).copy()  # which can be written to


def _shape(height: int, width: int) -> list[int]:
    times = min(max(1, math.ceil(SHORT / min(height, width))), LONG / max(height, width))
    return [round(height * times), round(width * times)]


def _seen(net: BoundModel, pictures: Sequence[Any], number: int) -> np.ndarray | None:
    """uint8 (H, W, 3): a picture as the network gets it; None if it is none."""
    try:
        picture = fitting(pictures, number, read(pictures[number]).image, net.takes)
        return net.picture(net.prepare(picture))
    except Exception:  # of a user's data set, or of Pillow: the panel says it where it is shown
        return None


def _paper(seen: list[np.ndarray]) -> tuple[np.ndarray, list[float]] | None:
    """The color of the paper that pictures (H, W, 3) lie on, and the frame of what is on it; None if they lie on none."""
    if not seen:
        return None
    stack = np.stack(seen).astype(int)
    edges = np.concatenate([side.reshape(-1, 3) for side in (stack[:, 0], stack[:, -1], stack[:, :, 0], stack[:, :, -1])])
    paper = np.median(edges, axis=0).astype(int)
    if (np.abs(edges - paper).max(-1) <= NEAR).mean() < PLAIN:
        return None
    covered = (np.abs(stack - paper).max(-1) > NEAR).any(0)
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        return paper, []
    corners = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) / np.tile(covered.shape, 2)
    return paper, corners.round(4).tolist()
