"""What each axis of a tensor counts: units, the rows and columns of a map, tokens, and any mixture of them.

An axis is made of parts, the outer one first. ``flatten(2)`` of a map leaves one axis of two parts (rows, columns); windows
cut rows into two parts on two axes. A part knows what it is a part of, so that what a network takes apart and puts together
again is known again, and a row of tokens knows the map that it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest
from math import prod
from typing import NamedTuple

Grid = tuple[int, int, int]
"""Rows, columns and the number of the first token: token ``first + row * columns + column`` lies at (row, column)."""

BATCH, UNITS, ROWS, COLUMNS, TOKENS = "batch", "units", "rows", "columns", "tokens"
MOVED = {ROWS: "moved rows", COLUMNS: "moved columns", TOKENS: "anything"}
"""What has positions in an order, or from places, that are not the picture's any more."""
ANYTHING = "anything"

CHANNELS_FIRST, CHANNELS_LAST = (-2, -1), (-3, -2)


class Part(NamedTuple):
    """One index out of those that an axis is made of.

    Attributes:
        role: what it counts.
        length: how many there are in the whole.
        size: how many of them this part runs over: less than ``length`` where the whole was cut.
        stride: how far apart they lie in the whole.
        grid: where tokens lie; None of all others.
    """

    role: str
    length: int
    size: int
    stride: int = 1
    grid: Grid | None = None


Axis = tuple[Part, ...]
Axes = tuple[Axis, ...]


def whole(role: str, length: int, grid: Grid | None = None) -> Axis:
    return (Part(role, length, length, 1, grid),)


def unknown(shape: Sequence[int]) -> Axes:
    """The axes of a tensor of which nothing is known, but that a batch comes first."""
    return tuple(whole(ANYTHING if number else BATCH, size) for number, size in enumerate(shape))


def map_axes(shape: Sequence[int]) -> Axes:
    """Those of maps (N, units, rows, columns)."""
    return tuple(whole(role, size) for role, size in zip((BATCH, UNITS, ROWS, COLUMNS), shape, strict=True))


# one axis


@lru_cache(1024)
def size_of(axis: Axis) -> int:
    return prod(part.size for part in axis)


@lru_cache(1024)
def roles(axis: Axis) -> frozenset[str]:
    """What an axis counts; parts of a single element count nothing beside others."""
    return frozenset(part.role for part in axis if part.size > 1) or frozenset(part.role for part in axis)


def is_units(axis: Axis) -> bool:
    return UNITS in roles(axis)


@lru_cache(1024)
def has_places(axis: Axis) -> bool:
    """Whether its positions, or some of them, lie in the picture."""
    return any(part.role in (ROWS, COLUMNS, TOKENS) for part in axis)


@lru_cache(1024)
def grid_of(axis: Axis) -> Grid | None:
    """Where the positions of an axis of tokens lie; None if that is not known."""
    parts = [part for part in axis if part.size > 1 or part.role in (ROWS, COLUMNS)]
    if any(part.size != part.length for part in parts):
        return None
    match [part.role for part in parts]:
        case ["rows", "columns"]:
            return parts[0].length, parts[1].length, 0
        case ["tokens"]:
            return parts[0].grid
    return None


def tokens(length: int, grid: Grid) -> Axis:
    """An axis of ``length`` tokens, of which those on the grid may be all."""
    rows, columns, _ = grid
    if length == rows * columns:
        return whole(ROWS, rows) + whole(COLUMNS, columns)
    return whole(TOKENS, length, grid)


def resized(axis: Axis, size: int) -> Axis:
    """The same with another number of positions (a stride, a crop, a border), if it counts one thing; else anything."""
    *_, part = [part for part in axis if part.size > 1] or axis
    if len(roles(axis)) > 1 or part.role in (TOKENS, ANYTHING) or part.size != part.length:
        return whole(UNITS if is_units(axis) else ANYTHING, size)
    return tuple(whole(part.role, size)[0] if each is part else each for each in axis)


def moved(axis: Axis) -> Axis:
    """The same with positions that are not in the picture's order any more."""
    return tuple(part._replace(role=MOVED.get(part.role, part.role), grid=None) for part in axis)


def merged(found: Sequence[Axis]) -> Axis:
    """What an axis counts, of several tensors that were combined element by element: whoever knows most says it."""
    best = max(found, key=_knows)
    in_places = {axis for axis in found if has_places(axis)}
    return moved(best) if len(in_places) > 1 else best


def _knows(axis: Axis) -> int:
    known = roles(axis)
    return 3 if has_places(axis) else 2 if UNITS in known else 1 if known != {ANYTHING} else 0


# all axes of a tensor


def shape_of(axes: Axes) -> tuple[int, ...]:
    return tuple(map(size_of, axes))


def rows_and_columns(axes: Axes) -> tuple[int, int] | None:
    """Which two axes, counted from the end, are those of a map; None if there are no such two."""
    found = [roles(axis) for axis in axes]
    rows = [number for number, each in enumerate(found, -len(axes)) if each <= {ROWS, MOVED[ROWS]}]
    columns = [number for number, each in enumerate(found, -len(axes)) if each <= {COLUMNS, MOVED[COLUMNS]}]
    return (rows[0], columns[0]) if len(rows) == len(columns) == 1 else None


@lru_cache(1024)
def are_placed(axes: Axes) -> bool:
    """Whether all positions of a map are there, in the picture's order, on whatever axes."""
    if any(grid_of(axis) for axis in axes):
        return True
    return all(
        any(part.role == role and _is_all_there(part, axes) for axis in axes for part in axis) for role in (ROWS, COLUMNS)
    )


def _is_all_there(part: Part, axes: Axes) -> bool:
    """Whether the others of the same whole are among some axes, too; twice is once, as in the products of an attention."""
    return prod(other.size for other in {each for axis in axes for each in axis if _same_whole(each, part)}) == part.length


@lru_cache(1024)
def settled(axes: Axes) -> Axes:
    """The axes after some were dropped: every second row of a map is a map, the upper half of its rows lies elsewhere."""

    def settle(part: Part) -> Part:
        if part.size == part.length or part.role in (UNITS, ANYTHING) or _is_all_there(part, axes):
            return part
        runs_through = part.role in (ROWS, COLUMNS) and part.size * part.stride == part.length
        return whole(part.role if runs_through else MOVED.get(part.role, part.role), part.size)[0]

    if all(part.size == part.length for axis in axes for part in axis):
        return axes
    return tuple(tuple(map(settle, axis)) for axis in axes)


def flattened_map(axis: Axis) -> tuple[int, int, int] | None:
    """The shape (C, H, W) of the map that an axis is the flattened values of; None if it is not."""
    if [part.role for part in axis] == [UNITS, ROWS, COLUMNS] and all(part.size == part.length for part in axis):
        units, rows, columns = (part.length for part in axis)
        return units, rows, columns
    return None


def regrouped(axes: Axes, shape: Sequence[int]) -> Axes:
    """The axes of the same values, in the same order, in another shape."""
    left = [part for axis in axes for part in axis][::-1]
    if 0 in shape or prod(shape) != prod(part.size for part in left):
        return unknown(shape)
    found = []
    for size, following in zip_longest(shape, shape[1:]):
        axis: list[Part] = [left.pop()] if size == 1 and left and left[-1].size == 1 else []
        while size > 1:
            part = left.pop()
            if size % part.size:  # it goes on, on the next axis
                if part.size % size:
                    return unknown(shape)
                rest = part.size // size
                left.append(part._replace(size=rest))
                part = part._replace(size=size, stride=part.stride * rest)
            size //= part.size
            if part.size > 1 or part.role != ANYTHING:
                axis.append(part)
        while left and left[-1].size == 1 and (following is None or (following > 1 and _are_a_map(axis, left[-1]))):
            axis.append(left.pop())
        found.append(_joined(axis) or whole(ANYTHING, 1))
    return tuple(found)


def _are_a_map(axis: Sequence[Part], part: Part) -> bool:
    return bool(axis) and (axis[-1].role, part.role) == (ROWS, COLUMNS)


def _joined(parts: Sequence[Part]) -> Axis:
    """The same, parts of one whole put together where they lie side by side."""
    found: list[Part] = []
    for part in parts:
        before = found[-1] if found else None
        if before and _same_whole(before, part) and before.stride == part.stride * part.size:
            found[-1] = part._replace(size=before.size * part.size)
        else:
            found.append(part)
    return tuple(found)


def _same_whole(one: Part, other: Part) -> bool:
    return (one.role, one.length, one.grid) == (other.role, other.length, other.grid)
