"""Exact incremental inference: of a network's maps only the windows are computed that a patch in the picture changes.

The clean picture runs once, and its maps are kept. A patch changes a window of each map, which follows from kernels, strides
and paddings; only this window is computed, for many positions of the patch at once, out of the clean map with the window
before pasted into it. From the first operation that looks at a whole map the rest is computed in full.

The idea is that of Nakandala, Nagrecha, Kumar and Papakonstantinou, "Incremental and approximate computations for
accelerating deep CNN inference" (Krypton, SIGMOD 2019), here for any PyTorch network that ``torch.fx`` can follow, without
their approximations. Relatives compute only what changed of an edited picture or of the next frame: Li et al., "Efficient
spatially sparse inference for conditional GANs and diffusion models" (SIGE, NeurIPS 2022), and Parger et al., "DeltaCNN:
end-to-end CNN inference of sparse frame differences in videos" (CVPR 2022).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from cnnwidgets.net.incremental.folding import module_of
from cnnwidgets.net.incremental.geometry import split
from cnnwidgets.net.incremental.operations import Sliding
from cnnwidgets.net.incremental.patches import Patches
from cnnwidgets.net.incremental.program import Program, Step
from cnnwidgets.net.incremental.routes import Canvas, Route, Sample, by_cell, crop

CALL = 2e7
"""Multiply-adds that take as long as what a step costs whatever the size of its batch."""

ROUTES = 128
"""Routes that are kept for the next picture."""


Found = dict[Step, Any]
"""What steps have given for a batch of N positions: windows (N, C, height, width), whole tensors, or other things."""


class Engine:
    """One picture, ready for patches.

    Attributes:
        clean: the folded network's output without a patch.
        watch: a step whose output is wanted too, or None.
        watched: that output, without a patch.
    """

    watched: Tensor | None = None

    def __init__(self, program: Program, patches: Patches, watch: Step | None = None):
        self.program, self.patches, self.watch = program, patches, watch
        wanted = {*_needed(program), *program.selections, *([watch] if watch and watch.windowed else [])}
        needed = {step.node: step for step in wanted}
        self._clean: dict[Step, Tensor] = {}
        self._cells: dict[Canvas, Tensor] = {}
        self._fill = by_cell(patches.fill)
        picture = patches.picture.contiguous(memory_format=torch.channels_last)
        for node, value in program.values(picture):
            if node.op == "output":
                self.clean = value
            elif node in needed:
                self._clean[needed[node]] = value
            if watch and node is watch.node:
                self.watched = value

    def under(self, patches: Patches) -> Engine:
        """The same picture, whose maps are shared, under another fill."""
        other = copy.copy(self)
        other.patches, other._fill = patches, by_cell(patches.fill)
        return other

    def whole(self, pictures: Tensor) -> tuple[dict[Step, Tensor], Any, Tensor | None]:
        """By the folded network, of whole pictures: the maps that something takes whole, the output, the watched output."""
        wanted = {step.node: step for step in (*self.program.frontier, self.watch) if step}
        maps: dict[Step, Tensor] = {}
        output: Any = None
        for node, value in self.program.values(pictures.contiguous(memory_format=torch.channels_last)):
            if node.op == "output":
                output = value
            elif node in wanted:
                maps[wanted[node]] = value
        return maps, output, maps.get(self.watch) if self.watch else None

    def clean_map(self, step: Step) -> Tensor:
        """What a step gave, of those whose maps are kept, without a patch."""
        return self._clean[step]

    @property
    def clean_bytes(self) -> int:
        return sum(value.nbytes for value in (*self._clean.values(), *self._cells.values()))

    def groups(self, tops: np.ndarray, lefts: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Group the rows and the columns of a grid of positions: indices of those that are best computed together."""
        work = np.array([step.work for step in self.program.windowed])
        toll = 4 * CALL * len(work)
        axes = self.program.axis(0, self.patches.size[0]), self.program.axis(1, self.patches.size[1])
        changed = [axis.changed(places) for axis, places in zip(axes, (tops, lefts), strict=True)]
        mean = [np.maximum(end - first, 0).mean(1) for first, end in changed]
        return (
            split(changed[0], mean[1] * work, toll / len(lefts), tops),
            split(changed[1], mean[0] * work, toll / len(tops), lefts),
        )

    def route(self, tops: np.ndarray, lefts: np.ndarray) -> Route:
        """What is computed for a batch of positions."""
        routes, key = self.program.routes, (self.patches.size, tops.tobytes(), lefts.tobytes())
        route = routes.pop(key, None)
        if route is None:
            rows, columns = (self.program.axis(k, self.patches.size[k]) for k in range(2))
            route = Route(self.program, rows, columns, tops, lefts)
            if len(routes) >= ROUTES:
                routes.popitem(last=False)
        routes[key] = route  # the last one that was used
        return route

    def seen(self, tops: np.ndarray, lefts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """bool (N,), (N,): whether a patch changes any of the maps that the output, and the watched one, are made of."""
        watched = {self.watch} if self.watch and self.watch.windowed else self.program.frontier
        axes = self.program.axis(0, self.patches.size[0]), self.program.axis(1, self.patches.size[1])
        rows, columns = (axis.changed(places) for axis, places in zip(axes, (tops, lefts), strict=True))
        changed = (rows[0] < rows[1]) & (columns[0] < columns[1])
        output, watch = (
            np.any(changed[[step.number for step in steps]], axis=0) for steps in (self.program.frontier, watched)
        )
        return output, watch

    def share(self, route: Route) -> float:
        """The work of a batch, in parts of that of as many forward passes."""
        steps = self.program.windowed
        total = sum(step.size[0] * step.size[1] * step.work for step in steps)
        return sum(h * w * step.work for (h, w), step in zip(route.sizes, steps, strict=True)) / total

    def windows(self, route: Route) -> Found:
        """What the steps with windows give to those that look at whole maps, as whole maps."""
        values: Found = {}
        taken: Found = {}
        for step in self.program.steps:
            if not step.windowed:
                continue
            if step.kind == "picture":
                values[step] = self._covered(step, route)
            elif step.sliding:
                values[step] = self._slide(step, step.sliding, values, route)
            else:
                values[step] = self._call(step, lambda used: self._pasted(used, step, values, route))  # noqa: B023
            if step in self.program.frontier or step is self.watch:
                taken[step] = self._pasted(step, None, values, route)
            for used in step.last:
                del values[used]
        return taken

    def outputs(self, found: Found, count: int) -> tuple[Any, Tensor | None, tuple[np.ndarray, np.ndarray]]:
        """The network's output and the watched step's, of what :meth:`windows` gave for N positions.

        And bool (N,), (N,): which of them are as without a patch, because they are made of a part of the maps that it leaves
        alone. Rounding may tell otherwise: a product of matrices rounds otherwise in a larger batch.
        """
        values, watched = dict(found), found.get(self.watch) if self.watch else None
        clean: dict[Step, np.ndarray] = {}
        for step in self.program.steps:
            match step.kind:
                case "shape":
                    (used,) = step.live
                    asked = values[used] if used in values else torch.empty(count, *used.shape[1:], device="meta")
                    values[step] = self._call(step, lambda _: asked)  # noqa: B023
                case "whole":
                    values[step] = self._call(step, values.__getitem__)
                    watched = values[step] if step is self.watch else watched
                    if step in self.program.selections:
                        clean[step] = _equal(values[step], self._clean[step])
                    elif all(used in clean for used in step.live):
                        clean[step] = np.all([clean[used] for used in step.live], axis=0)
                    for used in step.last:
                        values.pop(used, None)
        constants = self.program.constants
        output = self.program.output(lambda step: constants[step] if step in constants else values[step])
        none = np.zeros(count, bool)
        same = [clean.get(step, none) for step in self.program.outputs if step not in constants]
        of_output = np.all(same, axis=0) if same else ~none
        return output, watched, (of_output, clean.get(self.watch, none) if self.watch else of_output)

    # the steps

    def _covered(self, step: Step, route: Route) -> Tensor:
        """The picture's windows, with the patch over them."""
        y, x = route.begin(step)
        start = torch.from_numpy(y * step.size[1] + x)
        plain, fills = (
            crop(cells, step.size[1], start, route.sizes[step.number]).permute(0, 3, 1, 2)
            for cells in (self._canvas(Canvas(step)), self._fill)
        )
        return self.patches.cover(plain, fills, route.tops - y, route.lefts - x)

    def _slide(self, step: Step, slide: Sliding, values: Found, route: Route) -> Tensor:
        maps = self._pasted(step.live[0], step, values, route, slid=True)
        adding = (self._pasted(step.added, step, values, route), step.activation) if step.added else ()
        if route.is_whole(step):
            return slide.whole(maps, *adding)
        sampled = maps.shape[2:] == route.sizes[step.number]  # one cell of the input for each of the output
        output = (slide.cells if slide.cells and sampled else slide.inner)(maps, *adding)
        if slide.factor is not None:
            y, x = route.begin(step)
            start = torch.from_numpy(y * step.size[1] + x)
            output = output * crop(by_cell(slide.factor), step.size[1], start, route.sizes[step.number]).permute(0, 3, 1, 2)
        return output

    def _pasted(self, used: Step, step: Step | None, values: Found, route: Route, slid: bool = False) -> Tensor:
        """A step's windows as another takes them: larger or other ones of the clean map, with what changed pasted in."""
        windows: Tensor = values[used]
        move = route.into(used, step, slid)
        if move is None:
            return windows
        if isinstance(move, Sample):
            return move.take(windows)
        maps = windows if windows.ndim == 4 else windows.unsqueeze(1)
        maps = move.cut(maps) if move.within else move.paste(move.crop(self._canvas(move.canvas)), maps)
        return maps if windows.ndim == 4 else maps.squeeze(1)

    def _canvas(self, canvas: Canvas) -> Tensor:
        if canvas not in self._cells:
            clean = self._clean[canvas.step]
            self._cells[canvas] = canvas.cells(clean if clean.ndim == 4 else clean.unsqueeze(1))
        return self._cells[canvas]

    def _call(self, step: Step, value: Callable[[Step], Any]) -> Any:
        """Run a step's operation, with ``value(input)`` for what it takes."""
        node, constants = step.node, self.program.constants

        def argument(taken: fx.Node) -> Any:
            used = self.program.step(taken)
            return constants[used] if used in constants else value(used)

        args, kwargs = map_arg(node.args, argument), map_arg(node.kwargs, argument)
        if callable(node.target):
            return node.target(*args, **kwargs)
        module = module_of(self.program.graph, node)
        return module(*args, **kwargs) if module else getattr(args[0], node.target)(*args[1:], **kwargs)


def _equal(values: Tensor, clean: Tensor) -> np.ndarray:
    """bool (N,): of which of N positions a step's values are to the bit those (1, ...) without a patch."""
    return (values == clean).flatten(1).all(1).cpu().numpy()


def _needed(program: Program) -> set[Step]:
    """The steps whose clean maps something is pasted into, or cut out of."""
    needed = {step for step in program.windowed if step.kind == "picture"} | program.frontier
    for step in program.windowed:
        if step.kind == "sliding" or len(step.live) > 1:
            needed.update(step.live)
    return needed
