"""The still of a ScatterView."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnwidgets.numbers import number
from cnnwidgets.views.palette import GRAY
from cnnwidgets.views.paper import DIM, INK, LETTER, MARK, SMALL, TEXT, TITLE, fitting, inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

    from cnnwidgets.views.scatter_view import ScatterView

NONE = 65535
"""Stands for no class, and for no value."""

SHAPES = "os^DPvX"
"""Matplotlib's marks in the order of the view's."""

HUES = 10
"""So many classes share a shape."""

MOST_IN_LEGEND = 24

FADED = 0.25
"""Opacity of what is not selected, where anything is."""


def draw_points(view: ScatterView, axes: Axes) -> None:
    """Draw a view's points, what is marked among them, and their legend."""
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    for spine in axes.spines.values():
        spine.set_color("0.8")
    places = np.frombuffer(view.positions, np.float32).reshape(-1, 2)
    groups, shown = _groups(view, len(places)), np.isfinite(places).all(1)
    shown &= ~np.isin(groups, view.hidden) if view.names else True
    _draw_titles(view, axes)
    edges = np.frombuffer(view.edges, np.int32).reshape(-1, 2)
    for a, b in edges[shown[edges].all(1)]:
        axes.plot(*places[[a, b]].T, color=INK, linewidth=0.8, alpha=0.6, zorder=1)
    pictured = view.thumbnails and view.atlas
    points = _scatter(view, axes, places, groups, shown, 0.0 if pictured else _size(view, shown.sum()))
    _ring(axes, places, [k for k in np.frombuffer(view.added, np.int32) if k < len(shown) and shown[k]], 46, INK, 1.2)
    _ring(axes, places, [view.picked] if 0 <= view.picked < len(shown) and shown[view.picked] else [], 90, MARK, 2.2)
    if pictured:
        _draw_pictures(view, axes, places, np.flatnonzero(shown))
    elif view.labeled and view.names:
        _draw_names(view, axes, places, np.where(shown, groups, len(view.names)))
    if view.tools:
        _draw_legend(view, axes, groups, points)


def _groups(view: ScatterView, count: int) -> np.ndarray:
    """int (points,): each point's class, the number of classes for none."""
    if not view.group:
        return np.full(count, len(view.names))
    return np.minimum(np.frombuffer(view.group, np.uint16).astype(int), len(view.names))


def _size(view: ScatterView, count: int) -> float:
    """A mark's size in points: smaller where there are many, or little room."""
    return float(np.clip(9000 / max(count, 1), 1.5, 16)) * (1.0 if view.height > 400 else 0.5)


def _draw_titles(view: ScatterView, axes: Axes) -> None:
    words = "\n".join(filter(None, (view.title, view.note)))
    axes.set_title(words, fontsize=TITLE if view.tools else TEXT, loc="left", color=INK).set_parse_math(False)


def _scatter(view: ScatterView, axes: Axes, places: np.ndarray, groups: np.ndarray, shown: np.ndarray, size: float) -> Any:
    """The points, in one collection."""
    look: dict[str, Any] = {"s": size, "linewidths": 0}
    if view.value:
        codes = np.frombuffer(view.value, np.uint16)
        lo, hi = view.span
        values = np.ma.masked_where(codes == NONE, lo + codes / (NONE - 1) * (hi - lo))[shown]
        look |= {"c": values, "vmin": lo, "vmax": hi, "cmap": "viridis", "plotnonfinite": True}
    else:
        look["c"] = [_color(view, k) for k in groups[shown].tolist()] or GRAY
    selected = view.selection[view.selection < len(places)]
    if len(selected):
        look["alpha"] = np.where(np.isin(np.arange(len(places)), selected), 1.0, FADED)[shown]
    points = axes.scatter(*places[shown].T, **look)
    if view.value:
        points.cmap = points.cmap.with_extremes(bad=GRAY)
    elif len(view.names) > HUES:
        points.set_paths([_mark(k, len(view.names)) for k in groups[shown].tolist()])
    return points


def _color(view: ScatterView, index: int) -> str:
    return view.palette[index % len(view.palette)] if index < len(view.names) else GRAY


def _mark(index: int, count: int) -> Path:
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(_shape(index, count))
    return style.get_path().transformed(style.get_transform())


def _shape(index: int, count: int) -> str:
    return SHAPES[index // HUES % len(SHAPES)] if index < count else "o"


def _ring(axes: Axes, places: np.ndarray, points: list[int], size: float, color: str, width: float) -> None:
    if points:
        x, y = places[points].T
        axes.scatter(x, y, size, facecolors="none", edgecolors=color, linewidths=width, zorder=4)


def _draw_pictures(view: ScatterView, axes: Axes, places: np.ndarray, points: np.ndarray) -> None:
    """The points' pictures, each where no other one lies before it."""
    from PIL import Image

    if not len(points):
        return
    sheet = np.asarray(Image.open(io.BytesIO(view.atlas)).convert("RGB"))
    height, width, columns = view.tile
    side = inches(view.thumbnail) / view.still_size[1]  # in parts of what is seen
    low, high = places[points].min(0), places[points].max(0)
    unit = side * float((high - low).max() or 1.0) / max(height, width)
    half, taken = np.array([width, height]) * unit / 2, np.empty((0, 2))
    for point in points.tolist():
        if (np.abs(taken - places[point]) < 2 * half).all(1).any():
            continue
        taken = np.vstack([taken, places[point]])
        top, left = point // columns * height, point % columns * width
        (x, y), (w, h) = places[point], half
        axes.imshow(
            sheet[top : top + height, left : left + width], extent=(x - w, x + w, y - h, y + h), aspect="auto", zorder=3
        )
    axes.set_aspect("equal", adjustable="box")
    axes.set(xlim=(low[0] - 2 * half[0], high[0] + 2 * half[0]), ylim=(low[1] - 2 * half[1], high[1] + 2 * half[1]))


def _draw_names(view: ScatterView, axes: Axes, places: np.ndarray, groups: np.ndarray) -> None:
    """The names of classes, each at the middle of its points, those of large ones first, and none over another."""
    counts = np.bincount(groups, minlength=len(view.names) + 1)[:-1]
    if not counts.any():
        return
    unit = float(np.ptp(places[groups < len(view.names)], axis=0).max()) / view.still_size[1]  # of an inch
    taken: list[np.ndarray] = []
    for index in sorted(np.flatnonzero(counts).tolist(), key=lambda index: -counts[index]):
        name = fitting(view.names[index], 1.4, TEXT)
        middle = np.median(places[groups == index], 0)
        box = np.array([*middle, (len(name) + 1) * LETTER * TEXT / 72 * unit, 2 * TEXT / 72 * unit])
        if any((np.abs(box[:2] - other[:2]) < (box[2:] + other[2:]) / 2).all() for other in taken):
            continue
        taken.append(box)
        frame = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": _color(view, index), "alpha": 0.88}
        x, y = middle.tolist()
        text = axes.text(x, y, name, fontsize=TEXT, color=INK, ha="center", va="center", parse_math=False, bbox=frame)
        text.set_in_layout(False)


def _draw_legend(view: ScatterView, axes: Axes, groups: np.ndarray, points: Any) -> None:
    if view.value:
        bar = axes.figure.colorbar(points, ax=axes, shrink=0.8, aspect=30)
        bar.set_label(view.quantity, parse_math=False, fontsize=TEXT)
        bar.set_ticks(ends := sorted({*view.span, *([0.0] if view.span[0] < 0 < view.span[1] else [])}))
        bar.set_ticklabels([number(value) for value in ends], fontsize=SMALL)
    added = len(np.frombuffer(view.added, np.int32))
    if not (view.names or added):
        return
    counts = np.bincount(groups, minlength=len(view.names) + 1)
    occurring = [k for k in range(len(view.names)) if counts[k] or len(view.names) <= MOST_IN_LEGEND]
    if len(occurring) > MOST_IN_LEGEND:
        occurring.sort(key=lambda k: (-counts[k], k))
    chips = [
        _chip(axes, view, k, f"{fitting(view.names[k], 1.4, TEXT)} ({counts[k]:,})") for k in occurring[:MOST_IN_LEGEND]
    ]
    if view.names and counts[-1]:
        chips.append(_chip(axes, view, len(view.names), f"no class ({counts[-1]:,})"))
    if added:
        chips.append(
            axes.scatter([], [], s=46, facecolors="none", edgecolors=INK, linewidths=1.2, label=f"added ({added:,})")
        )
    more = len(occurring) - MOST_IN_LEGEND
    legend = axes.legend(
        handles=chips, loc="upper left", bbox_to_anchor=(1, 1), fontsize=TEXT, frameon=False,
        title=f"and {more:,} more classes" if more > 0 else None, title_fontsize=SMALL,
    )  # fmt: skip
    for text, hidden in zip(legend.get_texts(), [k in view.hidden for k in occurring[:MOST_IN_LEGEND]], strict=False):
        if hidden:
            text.set(color=DIM, text=f"{text.get_text()} (hidden)")
    for text in legend.get_texts():
        text.set_parse_math(False)


def _chip(axes: Axes, view: ScatterView, index: int, label: str) -> Any:
    mark = _shape(index, len(view.names))
    return axes.scatter([], [], s=36, color=_color(view, index), marker=mark, linewidths=0, label=label)
