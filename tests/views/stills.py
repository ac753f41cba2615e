"""What stills have on their axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cnnwidgets.views import View
from cnnwidgets.views.paper import MARK


def drawn(view: View) -> list[Axes]:
    """The axes of a view's still."""
    figure = Figure(figsize=view.still_size, layout="constrained")
    view.still(figure.subplots())
    return figure.axes


def texts(view: View) -> list[str]:
    """All that is written on a view's still."""
    return [text.get_text() for axes in drawn(view) for text in axes.texts]


def frames(axes: Axes, color: str = MARK) -> list[tuple[float, float, float, float]]:
    """The left and upper end, the width and the height of what is framed in a color."""
    return [
        (*patch.get_xy(), patch.get_width(), patch.get_height())
        for patch in axes.patches
        if not patch.get_fill() and to_hex(patch.get_edgecolor()) == to_hex(color)
    ]


def tiles(sheet: np.ndarray, count: int, height: int, width: int) -> list[np.ndarray]:
    """The maps on a sheet: NaN, or in color what cannot be seen through, lies between them, and a value is repeated."""
    blank = np.isnan(sheet) if sheet.ndim == 2 else sheet[..., 3] == 0
    found = []
    for top, bottom in _runs(~blank.all(1)):
        for left, right in _runs(~blank[top:bottom].all(0)):
            tile = sheet[top:bottom, left:right]
            one = tile[:: len(tile) // height, :: tile.shape[1] // width]
            found.append(one[..., :3] if one.ndim == 3 else one)
    assert len(found) == count
    return found


def _runs(flags: np.ndarray) -> list[list[int]]:
    """Where runs of True begin and end."""
    return np.flatnonzero(np.diff(np.r_[0, flags.astype(int), 0])).reshape(-1, 2).tolist()
