"""What is computed of every map for a batch of positions of the patch, and how one map's windows get into the next's."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
        y, x = self.begin(used)
        start = torch.from_numpy(top * canvas.size[1] + left)
        begin = y + canvas.before[0] - top, x + canvas.before[1] - left
        return Move(canvas, start, size, begin, self.sizes[used.number])

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


class Move:
    """Windows on their way into crops of the clean map around them.

    Attributes:
        canvas: the clean map.
        start: (N,), the cell of the canvas at which each crop begins.
        size: (height, width) of the crops.
    """

    def __init__(
        self,
        canvas: Canvas,
        start: Tensor,
        size: tuple[int, int],
        begin: tuple[np.ndarray, np.ndarray],
        window: tuple[int, int],
    ):
        """Windows of a size that begin at (N,) rows and columns of their crops, perhaps outside of them."""
        self.canvas, self.start, self.size = canvas, start, size
        (y, x), (height, width) = begin, size
        rows, columns = y[:, None] + np.arange(window[0]), x[:, None] + np.arange(window[1])
        seen_rows, seen_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
        self._slices = self._columns = None
        if (seen_columns == seen_columns[:1]).all():
            self._columns = _ends(seen_columns[0])
            if (y == y[0]).all() and (x == x[0]).all():
                top, bottom = _ends(seen_rows[0])
                left, right = self._columns
                self._slices = slice(y[0] + top, y[0] + bottom), slice(x[0] + left, x[0] + right), slice(top, bottom)
        first = columns[:, :1] + (self._columns or (0, 0))[0]
        cells = (np.arange(len(y))[:, None] * height + rows) * width + first
        self._cells = torch.from_numpy(cells[seen_rows])
        self._seen_rows = None if seen_rows.all() else torch.from_numpy(seen_rows)
        self._seen_columns = torch.from_numpy(seen_columns)

    def crop(self, cells: Tensor) -> Tensor:
        """The crops (N, height, width, C) of the clean canvas, given as its cells."""
        return crop(cells, self.canvas.size[1], self.start, self.size)

    def paste(self, crops: Tensor, windows: Tensor) -> Tensor:
        """The crops, with windows (N, C, height, width) put into them as far as they overlap: (N, C, height, width)."""
        windows = windows.permute(0, 2, 3, 1)
        cells = self._cells.to(crops.device)
        if self._slices:
            down, across, rows = self._slices
            crops[:, down, across] = windows[:, rows, slice(*self._columns)]
        elif self._columns:  # row by row
            rows = windows[:, :, slice(*self._columns)]
            rows = (rows.flatten(0, 1) if self._seen_rows is None else rows[self._seen_rows]).flatten(1)
            _every(crops, rows.shape[1]).index_copy_(0, cells, rows)
        else:  # cell by cell
            seen = self._seen_columns[:, None].expand(windows.shape[:3])
            seen = (seen if self._seen_rows is None else seen & self._seen_rows[:, :, None]).to(crops.device)
            rows = cells[:, None] + torch.arange(windows.shape[2], device=cells.device)
            rows = rows[seen.flatten(0, 1) if self._seen_rows is None else seen[self._seen_rows]]
            _every(crops, crops.shape[3]).index_copy_(0, rows, windows[seen])
        return crops.permute(0, 3, 1, 2)


def _ends(seen: np.ndarray) -> tuple[int, int]:
    """First and end (exclusive) of what is True, which is in one piece."""
    places = np.flatnonzero(seen)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def _every(crops: Tensor, length: int) -> Tensor:
    """Every run of so many numbers that begins at a cell of the crops (N, height, width, C)."""
    *cells, channels = crops.shape
    return crops.as_strided((math.prod(cells) - length // channels + 1, length), (channels, 1))


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
