"""What is computed of every map for a batch of positions of the patch, and how one map's windows get into the next's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnwidgets.net.incremental.geometry import Intervals
from cnnwidgets.net.incremental.operations import Sliding
from cnnwidgets.net.incremental.program import Axis, Program, Step

MOST = 0.8
"""Share of a map beyond which it is computed whole."""


class Route:
    """The windows of a batch: of every map, windows of one size, or the whole.

    Attributes:
        tops, lefts: int (N,), where the patches begin.
        sizes: (height, width) by the number of a step with windows.
    """

    def __init__(self, program: Program, rows: Axis, columns: Axis, tops: np.ndarray, lefts: np.ndarray):
        self.tops, self.lefts = tops, lefts
        self._grid = _grid(tops, lefts)
        self._rows, self._columns = rows.changed(tops), columns.changed(lefts)
        heights, widths = (np.maximum(end - first, 1).max(1).tolist() for first, end in (self._rows, self._columns))
        self.sizes: list[tuple[int, int]] = []
        for step, height, width in zip(program.windowed, heights, widths, strict=True):
            most = MOST * step.size[0] * step.size[1]
            whole = height * width > most or any(self.sizes[used.number] == used.size for used in step.live)
            self.sizes.append(step.size if whole else (height, width))
        self._y = [np.clip(first, 0, step.size[0] - h) for step, first, (h, _) in self._each(program, self._rows)]
        self._x = [np.clip(first, 0, step.size[1] - w) for step, first, (_, w) in self._each(program, self._columns)]
        self._moves: dict[tuple[Step, Step | None], Move | None] = {}

    def __len__(self) -> int:
        return len(self.tops)

    def begin(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the map where each position's window begins."""
        return self._y[step.number], self._x[step.number]

    def is_whole(self, step: Step) -> bool:
        return self.sizes[step.number] == step.size

    def into(self, used: Step, step: Step | None) -> Move | None:
        """How the windows of a step's input get into what it takes; None if they are that already.

        The step None takes whole maps.
        """
        key = used, step
        if key not in self._moves:
            self._moves[key] = self._find_move(used, step)
        return self._moves[key]

    def _find_move(self, used: Step, step: Step | None) -> Move | None:
        y, x = self.begin(used)
        if step is None or (step.sliding and self.is_whole(step)):
            top = left = np.zeros(len(self), int)
            return None if self.is_whole(used) else self._move(used, top, left, used.size)
        (top, left), size = self.begin(step), self.sizes[step.number]
        if step.sliding:
            rows, columns = step.sliding.rows, step.sliding.columns
            size = rows.seen(size[0]), columns.seen(size[1])
            return self._move(used, top * rows.stride, left * columns.stride, size, step.sliding)
        same = self.sizes[used.number] == size and np.array_equal(y, top) and np.array_equal(x, left)
        return None if same else self._move(used, top, left, size)

    def _move(
        self, used: Step, top: np.ndarray, left: np.ndarray, size: tuple[int, int], slide: Sliding | None = None
    ) -> Move:
        canvas = Canvas.of(used, slide)
        (y, x), k = self.begin(used), used.number
        height, width = self.sizes[k]
        down = Overlap.of(y, height, self._rows[0][k], self._rows[1][k], top - canvas.before[0], size[0])
        across = Overlap.of(x, width, self._columns[0][k], self._columns[1][k], left - canvas.before[1], size[1])
        start = torch.from_numpy(top * canvas.size[1] + left)
        return Move(canvas, start, size, down, across, self._grid)

    def _each(self, program: Program, intervals: Intervals):
        return zip(program.windowed, intervals[0], self.sizes, strict=True)

    def numbers(self, program: Program) -> int:
        """How many numbers the windows of one position are at once at most, with the whole maps that come of them."""
        held: dict[Step, int] = {}
        whole = most = 0
        for step in program.windowed:
            height, width = self.sizes[step.number]
            held[step] = step.channels * height * width
            whole += step.numbers if step in program.frontier else 0
            most = max(most, whole + sum(held.values()) + 2 * max((held[used] for used in step.live), default=0))
            for used in step.last:
                held.pop(used, None)
        return most


@dataclass(frozen=True)
class Canvas:
    """The clean map of a step, as a sliding operation takes it: padded.

    Attributes:
        before: rows and columns of padding above and left of it.
        after: below and right of it.
        size: (height, width) with its padding.
        fill: the value of the padding.
    """

    step: Step
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    fill: float = 0.0

    @classmethod
    def of(cls, step: Step, slide: Sliding | None) -> Canvas:
        if slide is None:
            return cls(step)
        before = slide.rows.padding, slide.columns.padding
        after = max(0, slide.rows.after), max(0, slide.columns.after)
        return cls(step, before, after, slide.fill) if any(before + after) else cls(step)

    @property
    def size(self) -> tuple[int, int]:
        (height, width), (top, left), (bottom, right) = self.step.size, self.before, self.after
        return top + height + bottom, left + width + right

    def cells(self, clean: Tensor) -> Tensor:
        """The map (1, C, H, W) padded, as its cells (height * width, C)."""
        (top, left), (bottom, right) = self.before, self.after
        return by_cell(F.pad(clean, (left, right, top, bottom), value=self.fill))


class Overlap(NamedTuple):
    """Along one axis of N crops: at which row of the crop a window begins, and which rows of the crop change in it."""

    begin: np.ndarray
    first: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, begin, count: int, first, end, crop, size: int) -> Overlap:
        """Of windows of ``count`` rows from ``begin`` on, which change from ``first`` to ``end``, in crops of ``size``."""
        first = np.maximum.reduce([first, begin, crop]) - crop
        end = np.minimum.reduce([end, begin + count, crop + size]) - crop
        return cls(begin - crop, np.where(first < end, first, 0), np.where(first < end, end, 0))

    def runs(self, step: int, count: int) -> list[tuple[slice, slice, slice]]:
        """Positions side by side (every ``step``-th of ``count``) that are alike; their rows of the crop and the window."""
        alike = np.stack(self, 1)[:count:step]
        cuts = [0, *(1 + np.flatnonzero((alike[1:] != alike[:-1]).any(1))).tolist(), len(alike)]
        found = []
        for start, stop in pairwise(cuts):
            begin, first, end = map(int, alike[start])
            found.append((slice(start, stop), slice(first, end), slice(first - begin, end - begin)))
        return found

    def places(self, count: int) -> tuple[Tensor, Tensor]:
        """(N, count): the row of the crop of each row of a window, and whether it changes."""
        begin, first, end = (torch.from_numpy(values)[:, None] for values in self)
        place = begin + torch.arange(count)
        return place, (place >= first) & (place < end)


class Move:
    """Windows on their way into crops of the clean map around them.

    Attributes:
        canvas: the clean map.
        start: (N,), the cell of the canvas at which each crop begins.
        size: (height, width) of the crops.
    """

    def __init__(self, canvas: Canvas, start: Tensor, size: tuple[int, int], down: Overlap, across: Overlap, grid):
        self.canvas, self.start, self.size = canvas, start, size
        self._down, self._across, self._grid = down, across, grid
        self._blocks = []
        if grid:
            count, columns = len(start), grid[1]
            rows, columns = down.runs(columns, count), across.runs(1, columns)
            if len(rows) * len(columns) <= 2 + count // 4:
                self._blocks = [(r, c) for r in rows for c in columns]

    def crop(self, cells: Tensor) -> Tensor:
        """The crops (N, height, width, C) of the clean canvas, given as its cells."""
        return crop(cells, self.canvas.size[1], self.start, self.size)

    def paste(self, crops: Tensor, windows: Tensor) -> Tensor:
        """The crops, with what changed in windows (N, C, height, width) put into them: (N, C, height, width)."""
        windows = windows.permute(0, 2, 3, 1)
        if self._blocks:
            onto, source = crops.unflatten(0, self._grid), windows.unflatten(0, self._grid)
            for (rows, down, from_down), (columns, across, from_across) in self._blocks:
                onto[rows, columns, down, across] = source[rows, columns, from_down, from_across]
        else:
            self._paste_cells(crops, windows)
        return crops.permute(0, 3, 1, 2)

    def _paste_cells(self, crops: Tensor, windows: Tensor) -> None:
        """Cell by cell, for positions of which few are alike."""
        count, height, width, channels = crops.shape
        y, changes_y = self._down.places(windows.shape[1])
        x, changes_x = self._across.places(windows.shape[2])
        number = ((torch.arange(count)[:, None, None] * height + y[:, :, None]) * width + x[:, None, :]).reshape(-1)
        changes = (changes_y[:, :, None] & changes_x[:, None, :]).reshape(-1)
        number, changes = number[changes].to(crops.device), changes.to(crops.device)
        crops.view(-1, channels).index_copy_(0, number, windows.reshape(-1, channels)[changes])


def by_cell(maps: Tensor) -> Tensor:
    """A map (1, C, H, W) as its cells (H * W, C)."""
    return maps[0].permute(1, 2, 0).reshape(-1, maps.shape[1]).contiguous()


def crop(cells: Tensor, across: int, start: Tensor, size: tuple[int, int]) -> Tensor:
    """Crops (N, height, width, C) that begin at some cells of a map with so many cells across.

    One number a crop is all that is looked up: indices of single values would take more memory than the values.
    """
    (height, width), (count, channels) = size, cells.shape
    places = count - (height - 1) * across - width + 1
    views = cells.as_strided((places, height, width * channels), (channels, across * channels, 1))
    return views.index_select(0, start.to(cells.device)).unflatten(2, (width, channels))


def _grid(tops: np.ndarray, lefts: np.ndarray) -> tuple[int, int] | None:
    """(rows, columns) if the positions are a grid, row by row."""
    columns = int((tops == tops[0]).argmin()) or len(tops)
    if len(tops) % columns:
        return None
    y, x = tops.reshape(-1, columns), lefts.reshape(-1, columns)
    return y.shape if (y == y[:, :1]).all() and (x == x[:1]).all() else None
