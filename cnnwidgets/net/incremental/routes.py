"""What is computed of every map for a batch of positions of the patch, and how one map's windows get into the next's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

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
        self._moves: dict[tuple[Step, Step | None, bool], Move | Sample | None] = {}

    def __len__(self) -> int:
        return len(self.tops)

    def begin(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the map where each position's window begins."""
        return self._y[step.number], self._x[step.number]

    def is_whole(self, step: Step) -> bool:
        return self.sizes[step.number] == step.size

    def into(self, used: Step, step: Step | None, slid: bool = False) -> Move | Sample | None:
        """How the windows of a step's input get into what it takes; None if they are that already.

        The step None takes whole maps. A sliding step slides over its first input only.
        """
        key = used, step, slid
        if key not in self._moves:
            self._moves[key] = self._find_move(used, step, slid)
        return self._moves[key]

    def _find_move(self, used: Step, step: Step | None, slid: bool) -> Move | Sample | None:
        y, x = self.begin(used)
        if step is None or (slid and self.is_whole(step)):
            top = left = np.zeros(len(self), int)
            return None if self.is_whole(used) else self._move(used, top, left, used.size, to_the_letter=step is None)
        (top, left), size, slide = self.begin(step), self.sizes[step.number], step.sliding if slid else None
        if slide:
            top, left = top * slide.rows.stride, left * slide.columns.stride
            if slide.cells and (sample := self._sample(used, top, left, size, slide)):
                return sample
            size = slide.rows.seen(size[0]), slide.columns.seen(size[1])
        padded = slide is not None and Canvas.of(used, slide) != Canvas(used)
        same = not padded and self.sizes[used.number] == size and np.array_equal(y, top) and np.array_equal(x, left)
        return None if same else self._move(used, top, left, size, slide)

    def _sample(self, used: Step, top: Any, left: Any, size: tuple[int, int], slide: Sliding) -> Sample | None:
        """The single cells that a sliding operation sees from top and left on; None if windows do not hold all of them."""
        (y, x), (height, width) = self.begin(used), self.sizes[used.number]
        rows = (top - y)[:, None] + slide.rows.stride * np.arange(size[0])
        columns = (left - x)[:, None] + slide.columns.stride * np.arange(size[1])
        if rows.min() < 0 or rows.max() >= height or columns.min() < 0 or columns.max() >= width:
            return None
        rows += height * np.arange(len(self))[:, None]
        return Sample(torch.from_numpy(rows[:, :, None] * width + columns[:, None, :]))

    def _move(
        self, used: Step, top: Any, left: Any, size: Any, slide: Sliding | None = None, to_the_letter: bool = False
    ) -> Move:
        """Windows of a step into crops that begin at top and left of its map, padded for a sliding operation.

        To the letter: only the cells that do change, so that the others keep the very bits of the clean map.
        """
        canvas = Canvas.of(used, slide)
        axes = []
        for k, crop_begin in enumerate((top, left)):
            begin = self.begin(used)[k]
            first, end = begin, begin + self.sizes[used.number][k]
            if to_the_letter:
                first, end = (part[used.number] for part in (self._rows, self._columns)[k])
            axes.append(
                Overlap.of(
                    begin - crop_begin + canvas.before[k], self.sizes[used.number][k], first - begin, end - begin, size[k]
                )
            )
        return Move(canvas, torch.from_numpy(top * canvas.size[1] + left), size, *axes)

    def _each(self, program: Program, intervals: Intervals) -> Iterator[tuple[Step, Any, Any]]:
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
    """Along one axis of N crops: the row of the crop of each row of a window, and whether it is put there, (N, rows)."""

    place: np.ndarray
    seen: np.ndarray

    @classmethod
    def of(cls, begin: np.ndarray, count: int, first: np.ndarray, end: np.ndarray, size: int) -> Overlap:
        """Of windows of ``count`` rows at ``begin`` of crops of ``size``, as far as they are from ``first`` to ``end``."""
        rows = np.arange(count)
        place = begin[:, None] + rows
        return cls(place, (place >= 0) & (place < size) & (rows >= first[:, None]) & (rows < end[:, None]))

    @property
    def ends(self) -> tuple[int, int] | None:
        """First and end (exclusive) of the rows that are seen, if they are the same for all windows."""
        if not (self.seen == self.seen[:1]).all():
            return None
        rows = np.flatnonzero(self.seen[0])
        return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)

    @property
    def slices(self) -> tuple[slice, slice] | None:
        """The rows of the crop and of the window, if they are the same for all windows."""
        ends = self.ends
        if ends is None or (self.place[:, 0] != self.place[0, 0]).any():
            return None
        begin = int(self.place[0, 0])
        return slice(begin + ends[0], begin + ends[1]), slice(*ends)


class Move:
    """Windows on their way into crops of the clean map around them.

    Attributes:
        canvas: the clean map.
        start: (N,), the cell of the canvas at which each crop begins.
        size: (height, width) of the crops.
        within: whether nothing of the clean map is seen, as the windows reach beyond the crops.
    """

    def __init__(self, canvas: Canvas, start: Tensor, size: tuple[int, int], down: Overlap, across: Overlap):
        self.canvas, self.start, self.size = canvas, start, size
        rows, columns = down.slices, across.slices
        self._slices = (*rows, *columns) if rows and columns else None
        self.within = self._slices is not None and self._slices[::2] == (slice(0, size[0]), slice(0, size[1]))
        if not self._slices:
            self._find_cells(down, across)

    def _find_cells(self, down: Overlap, across: Overlap) -> None:
        """Where each row of each window goes, counted in the cells of all crops."""
        self._ends = across.ends
        first = across.place[:, :1] + (self._ends or (0, 0))[0]
        cells = (np.arange(len(self.start))[:, None] * self.size[0] + down.place) * self.size[1] + first
        self._cells = torch.from_numpy(cells[down.seen])
        self._seen_rows = None if down.seen.all() else torch.from_numpy(np.flatnonzero(down.seen))
        self._seen_columns = torch.from_numpy(across.seen)

    def crop(self, cells: Tensor) -> Tensor:
        """The crops (N, height, width, C) of the clean canvas, given as its cells."""
        return crop(cells, self.canvas.size[1], self.start, self.size)

    def cut(self, windows: Tensor) -> Tensor:
        """The crops (N, C, height, width), if they lie within the windows."""
        assert self._slices
        _, rows, _, columns = self._slices
        return windows[:, :, rows, columns]

    def paste(self, crops: Tensor, windows: Tensor) -> Tensor:
        """The crops, with windows (N, C, height, width) put into them as far as they overlap: (N, C, height, width)."""
        windows = windows.permute(0, 2, 3, 1)
        if self._slices:
            down, from_down, across, from_across = self._slices
            crops[:, down, across] = windows[:, from_down, from_across]
            return crops.permute(0, 3, 1, 2)
        rows = windows[:, :, slice(*self._ends)] if self._ends else windows
        rows = self._rows_seen(rows)
        cells = self._cells.to(crops.device)
        if self._ends == (0, 0):
            pass  # no window reaches its crop
        elif self._ends:
            _every(crops, rows.shape[1] * rows.shape[2]).index_copy_(0, cells, rows.flatten(1))
        else:
            seen = self._rows_seen(self._seen_columns.to(crops.device)[:, None].expand(windows.shape[:3]))
            cells = cells[:, None] + torch.arange(rows.shape[1], device=cells.device)
            _every(crops, crops.shape[3]).index_copy_(0, cells[seen], rows[seen])
        return crops.permute(0, 3, 1, 2)

    def _rows_seen(self, windows: Tensor) -> Tensor:
        """Those rows of windows (N, height, ...) that are put into the crops, one after the other."""
        rows = windows.flatten(0, 1)
        return rows if self._seen_rows is None else rows.index_select(0, self._seen_rows.to(rows.device))


class Sample(NamedTuple):
    """Single cells of windows on their way into an operation that sees no others.

    Attributes:
        cells: (N, rows, columns), counted in the cells of all windows.
    """

    cells: Tensor

    def take(self, windows: Tensor) -> Tensor:
        """The cells (N, C, rows, columns) of windows (N, C, height, width)."""
        cells = windows.permute(0, 2, 3, 1).flatten(0, 2).index_select(0, self.cells.to(windows.device).flatten())
        return cells.unflatten(0, self.cells.shape).permute(0, 3, 1, 2)


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
