"""What is on screen as one Matplotlib figure: the stills of views, as the views are laid out."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnwidgets.views import View
from cnnwidgets.views.paper import DIM, INK, TITLE, line_of, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

DPI = 80

GAP, EDGE = 0.25, 0.12
"""Inches between parts, and around all."""

NARROWEST = 5.0
"""Inches that words below a figure have at least."""

WIDEST = 13.0
"""Inches that the parts of a row take beside each other; more of them are in a row below."""


class NothingDrawn(ValueError):
    """There is no view on screen that shows anything."""


class Group(NamedTuple):
    """Views and groups side by side, or one below the other.

    Attributes:
        direction: "row" or "column".
        parts: views and groups.
        weights: by which the parts of a row share the room that is left.
    """

    direction: str
    parts: Sequence[View | Group]
    weights: Sequence[float] = ()


def new_figure(width: float, height: float) -> Figure:
    """An empty Matplotlib figure (sizes in inches) that belongs to no pyplot, so that any thread may draw it."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.0, h_pad=0.0, wspace=0.0, hspace=0.0)
    return Figure(figsize=(width, height), layout=layout, dpi=DPI)


def figure_of(tree: View | Group) -> Figure:
    """The stills of all views as they are laid out, each in the size that it wants.

    Raises:
        NothingDrawn: there is no view that shows anything.
    """
    whole = _measured(tree)
    if not (whole.width and whole.height):
        raise NothingDrawn("nothing is on screen that could be drawn")
    size = whole.width + 2 * EDGE, whole.height + 2 * EDGE
    figure = new_figure(*size)
    for view, *place in _placed(whole, EDGE, EDGE, whole.width):
        view.still(_part_of(figure, size, place).add_subplot())
    return figure


def captioned(figure: Figure, finding: str, note: str) -> bytes:
    """A PNG of a figure, with what it says and a note below it."""
    from PIL import Image

    above, width = _drawn(figure), max(figure.get_figwidth(), NARROWEST)
    lines = [(line, INK) for line in wrapped(finding, width - 2 * EDGE, TITLE, 4)] + [(note, DIM)]
    height = (len(lines) + 0.5) * line_of(TITLE)
    below = new_figure(width, height)
    for k, (text, color) in enumerate(lines):
        place = EDGE / width, 1 - k * line_of(TITLE) / height
        below.text(*place, text, fontsize=TITLE, color=color, va="top", parse_math=False)
    under = _drawn(below)
    whole = Image.new("RGB", (under.width, above.height + under.height), "white")
    whole.paste(above)
    whole.paste(under, (0, above.height))
    whole.save(buffer := io.BytesIO(), "PNG", optimize=True)
    return buffer.getvalue()


def _drawn(figure: Figure) -> Any:
    """What a figure looks like, as a PIL picture."""
    from PIL import Image

    figure.savefig(buffer := io.BytesIO(), format="png", dpi=DPI, facecolor="white")
    return Image.open(buffer).convert("RGB")


class _Part(NamedTuple):
    """Something of a size in inches: a view, or parts in a direction."""

    what: Any
    width: float
    height: float
    parts: Sequence[_Part] = ()
    weights: Sequence[float] = ()


def _measured(tree: View | Group) -> _Part:
    if isinstance(tree, View):
        return _Part(tree, *tree.still_size)
    weights = [*tree.weights, *[1.0] * len(tree.parts)]
    found = [(part, weight) for one, weight in zip(tree.parts, weights, strict=False) if (part := _measured(one)).height]
    return _column([_row(row) for row in _broken(found)] if tree.direction == "row" else [part for part, _ in found])


def _broken(parts: Sequence[tuple[_Part, float]]) -> list[list[tuple[_Part, float]]]:
    """The parts of a row in rows that are not too wide."""
    rows: list[list[tuple[_Part, float]]] = []
    room = 0.0
    for one in parts:
        room -= one[0].width + GAP
        if room < 0 or not rows:
            rows.append([])
            room = WIDEST - one[0].width
        rows[-1].append(one)
    return rows


def _row(parts: Sequence[tuple[_Part, float]]) -> _Part:
    width = sum(part.width for part, _ in parts) + GAP * (len(parts) - 1)
    return _Part("row", width, max(part.height for part, _ in parts), *zip(*parts, strict=True))


def _column(parts: Sequence[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    height = sum(part.height for part in parts) + GAP * (len(parts) - 1)
    return _Part("column", max((part.width for part in parts), default=0.0), height, parts)


def _placed(part: _Part, x: float, y: float, width: float) -> Iterator[tuple[View, float, float, float, float]]:
    """Each view with its left and upper end, its width and its height; ``width`` is what the part has."""
    if isinstance(part.what, View):
        yield part.what, x, y, width, part.height
    elif part.what == "column":
        for one in part.parts:
            yield from _placed(one, x, y, width)
            y += one.height + GAP
    else:
        left, total = width - part.width, sum(part.weights)
        for one, weight in zip(part.parts, part.weights, strict=True):
            wide = one.width + (left * weight / total if total else 0.0)
            yield from _placed(one, x, y, wide)
            x += wide + GAP


def _part_of(figure: Figure, size: Sequence[float], place: Sequence[float]) -> SubFigure:
    """A rectangle [left, top, width, height] of a figure, in which labels and titles are kept."""
    ends = zip(place[:2], place[2:], size, strict=True)
    across, down = ([begin, long, max(whole - begin - long, 1e-3)] for begin, long, whole in ends)
    return figure.add_subfigure(figure.add_gridspec(3, 3, width_ratios=across, height_ratios=down)[1, 1])
