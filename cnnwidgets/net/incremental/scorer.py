"""What a network says of a picture with a patch anywhere, by the fastest way that is right for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from cnnwidgets.net.batching import depends_on_others
from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.incremental.engine import Engine, Found
from cnnwidgets.net.incremental.folding import NotTraceable, NoWindows, first_line, fold
from cnnwidgets.net.incremental.patches import Patches
from cnnwidgets.net.incremental.program import Program, Step
from cnnwidgets.net.layers import Layer
from cnnwidgets.net.own_score import OwnScore
from cnnwidgets.net.pictures import check_finite

BATCH = 256
"""Positions that are computed at once at most."""

NUMBERS = 2**22
"""Numbers of maps that caches hold: where windows or pictures have more in all, fewer positions are computed at once ..."""

FEWEST_WINDOWS, FEWEST_PICTURES = 64, 16
"""... but not fewer than these, if memory allows it."""

TOLERANCE = 1e-4
"""Difference between two ways to the same scores that rounding explains, in parts of the largest score (in float32)."""


class Positions(NamedTuple):
    """Where a patch lies: int (N,) rows and columns of the picture."""

    tops: np.ndarray
    lefts: np.ndarray

    def part(self, start: int, count: int) -> Positions:
        return Positions(self.tops[start : start + count], self.lefts[start : start + count])


class Scores(NamedTuple):
    """Of N positions: what the network gives, (N, K), with K = 0 if that is no table; and the watched score (N,) or None."""

    outputs: Tensor
    watched: Tensor | None


class Watch(NamedTuple):
    """A unit of a layer, of which the sum over its map is wanted."""

    layer: Layer
    unit: int

    def sum(self, output: Tensor) -> Tensor:
        """The unit's sums (N,), of the layer's output for N pictures."""
        return self.layer.by_unit(output)[:, self.unit].sum((1, 2)).float().cpu()


class Scorer:
    """A picture, ready for patches.

    Parameters:
        net: a bound network.
        patches: the picture and what covers it.
        watch: a unit whose sum over its map is wanted too; or a score that the user makes of the output.
        max_memory: bytes, over those of the network.

    Attributes:
        clean: of the picture itself.
        how: a sentence that says how the scores are computed.
        seconds: that the network takes for one whole picture.

    Raises:
        ValueError: the network's output for the picture is not finite.
    """

    def __init__(self, net: BoundModel, patches: Patches, *, watch: Watch | OwnScore | None = None, max_memory: int = 2**29):
        self.net, self.patches = net, patches
        self._watch = watch if isinstance(watch, Watch) else None
        self._own = watch if isinstance(watch, OwnScore) else None
        self._most, self._memory = BATCH, max_memory
        start = time.perf_counter()
        self.clean = self._plain(patches.picture)
        self.seconds = time.perf_counter() - start
        check_finite(self.clean.outputs, f"the output of {net.name}")
        with net.running() as module, torch.no_grad():
            try:
                self._engine: Engine | None = self._make_engine(module)
                self.how = _describe(self._engine.program)
            except RuntimeError as error:
                self._engine, reason = None, error
        if self._engine is None:
            self._alone = self._one_by_one or isinstance(reason, NotTraceable) or not self._takes_batches()
            self.how = f"{'one picture after the other' if self._alone else 'plain batches'}: {first_line(reason)}"

    def groups(self, tops: np.ndarray, lefts: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Group the rows and the columns of a grid of positions: indices of those that are best computed together."""
        if self._engine:
            return self._engine.groups(tops, lefts)
        return [np.arange(len(tops))], [np.arange(len(lefts))]

    def share(self, positions: Positions) -> float:
        """The work for positions that are computed together, in parts of as many forward passes; at most 1."""
        return self._engine.share(self._engine.route(*positions)) if self._engine else 1.0

    def scores(self, batches: Iterable[Positions]) -> Iterator[tuple[Positions, Scores]]:
        """The scores of batches of positions, each with the same windows; each batch comes back, perhaps in parts.

        Between two of them the network is as it was, and nothing is locked.
        """
        if self._engine is None:
            for batch in batches:
                yield from self._in_parts(batch, self._plain_fitting, self._plain_covered)
        else:
            yield from self._with_windows(self._engine, batches)

    def at(self, top: int, left: int) -> Scores:
        """The scores with the patch at one place."""
        ((_, scores),) = self.scores([Positions(np.array([top]), np.array([left]))])
        return scores

    # the fast way

    def _make_engine(self, module: nn.Module) -> Engine:
        if reason := self.net.why_alone(self.patches.picture):
            raise NoWindows(reason)
        program = _program(self.net, module, self._watch)
        step = self._watched_step(program)
        engine = Engine(program, self.patches, step)
        try:
            clean = self._read(engine.clean, 1, self.clean.watched)
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # a dict in place of a class of one's own, say
            raise NoWindows(f"its graph gives another output than the network itself ({first_line(error)})") from error
        if not self._agree(clean, self.clean):
            raise NoWindows("its graph gives other scores than the network itself")
        if not program.proven:
            self._prove(engine)
            program.proven = True
        return engine

    def _watched_step(self, program: Program) -> Step | None:
        if self._watch is None:
            return None
        layer = self._watch.layer
        how, name, number = layer.source
        steps = [step for step in program.steps if step.node.meta.get("module") == name]
        if how != "module" or len(steps) < number:
            raise NoWindows(f"{layer.name} is no step of its graph")
        return steps[number - 1]

    def _prove(self, engine: Engine) -> None:
        """Windows side by side and whole pictures alone give the same scores, in the corners and in the middle."""
        (height, width), (tall, wide) = self.patches.picture.shape[2:], self.patches.size
        tops, lefts = (np.array([0, max(0, size - patch) // 2, size - 1]) for size, patch in ((height, tall), (width, wide)))
        windows = self._whole(engine, engine.windows(engine.route(tops, lefts)), len(tops))
        alone = [self._plain(picture) for picture in self.patches.pictures(tops, lefts).contiguous().split(1)]
        if not self._agree(windows, _joined(alone)):
            raise NoWindows("windows of its maps do not give the scores of whole pictures")

    def _with_windows(self, engine: Engine, batches: Iterable[Positions]) -> Iterator[tuple[Positions, Scores]]:
        """Windows batch by batch; what looks at whole maps, for several batches at once.

        So a fully connected layer's weights are read only once.
        """

        def fitting(batch: Positions) -> int:
            return self._allowed(
                engine.route(*batch.part(0, self._most)).numbers(engine.program), FEWEST_WINDOWS, engine.clean_bytes
            )

        def windows(part: Positions, _: int) -> Found:
            with self.net.running(), torch.no_grad():
                return engine.windows(engine.route(*part))

        held: list[tuple[Positions, Found]] = []
        for batch in batches:
            for part in self._in_parts(batch, fitting, windows):
                held.append(part)
                if sum(len(positions.tops) for positions, _ in held) >= min(FEWEST_WINDOWS, self._fitting_whole(engine)):
                    yield from self._finish(engine, held)
                    held = []
        if held:
            yield from self._finish(engine, held)

    def _finish(self, engine: Engine, held: Sequence[tuple[Positions, Found]]) -> Iterator[tuple[Positions, Scores]]:
        """The scores of what windows gave."""
        positions = Positions(*(np.concatenate(places) for places in zip(*(part for part, _ in held), strict=True)))
        found = held[0][1]
        if len(held) > 1:
            found = {step: torch.cat([windows[step] for _, windows in held]) for step in found}

        def finish(part: Positions, start: int) -> Scores:
            maps = {step: values[start : start + len(part.tops)] for step, values in found.items()}
            with self.net.running(), torch.no_grad():
                scores = self._whole(engine, maps, len(part.tops))
            unseen = torch.from_numpy(~engine.matters(*part))
            for values, clean in zip(scores, self.clean, strict=True):
                if values is not None and clean is not None:
                    values[unseen] = clean[0]  # to the last digit
            return scores

        yield from self._in_parts(positions, lambda _: self._fitting_whole(engine), finish)

    def _whole(self, engine: Engine, found: Found, count: int) -> Scores:
        if self._one_by_one and count > 1:
            each = [{step: values[k : k + 1] for step, values in found.items()} for k in range(count)]
            return _joined([self._whole(engine, one, 1) for one in each])
        output, watched = engine.outputs(found, count)
        return self._read(output, count, self._watch.sum(watched) if self._watch and watched is not None else None)

    @property
    def _one_by_one(self) -> bool:
        """Whether the user's score wants one picture at a time."""
        return self._own is not None and self._own.alone

    def _fitting_whole(self, engine: Engine) -> int:
        return self._allowed(engine.program.whole_numbers, FEWEST_PICTURES, engine.clean_bytes)

    def _in_parts(
        self, positions: Positions, fitting: Callable[[Positions], int], compute: Callable[[Positions, int], Any]
    ) -> Iterator[tuple[Positions, Any]]:
        """What ``compute(some of the positions, number of the first)`` gives, for as many at once as memory allows."""
        start = 0
        while start < len(positions.tops):
            part = positions.part(start, fitting(positions.part(start, self._most)))
            try:
                found = compute(part, start)
            except RuntimeError as error:
                if not _is_out_of_memory(error) or len(part.tops) == 1:
                    raise
                self._most = len(part.tops) // 2
                continue
            yield part, found
            start += len(part.tops)

    def _allowed(self, numbers: int, fewest: int, held: int = 0) -> int:
        """How many positions memory allows at once, of so many numbers each, beside so many bytes that are held."""
        bytes_each = self.patches.picture.element_size() * max(1, numbers)
        cached = max(fewest, NUMBERS // max(1, numbers))
        return int(np.clip(min(cached, (self._memory - held) // bytes_each), 1, self._most))

    # the plain way

    def _plain_covered(self, part: Positions, _: int) -> Scores:
        return self._plain(self.patches.pictures(*part))

    def _plain_fitting(self, positions: Positions) -> int:
        largest = max((int(np.prod(row.output_shape)) for row in self.net.layers), default=0)
        return 1 if self._alone else self._allowed(4 * largest, FEWEST_PICTURES)

    def _takes_batches(self) -> bool:
        """Whether a picture's scores are the same beside other pictures."""
        if not self.net.takes_batches(self.patches.picture):
            return False
        if self._own is None:
            return True
        try:
            return not depends_on_others(lambda pictures: [[v] for v in self._watched_of(pictures)], self.patches.picture)
        except (TypeError, ValueError, RuntimeError):
            return False

    def _watched_of(self, pictures: Tensor) -> Tensor:
        watched = self._plain(pictures).watched
        assert watched is not None
        return watched

    def _plain(self, pictures: Tensor) -> Scores:
        """The network itself, of whole pictures."""
        if self._watch is None:
            return self._read(self.net.run(pictures.float()), len(pictures), None)
        watch, sums = self._watch, []

        def look(name: str, output: Tensor) -> None:
            if name == watch.layer.name:
                sums.append(watch.sum(output))

        output = self.net.run(pictures.float(), look)
        return self._read(output, len(pictures), sums[0])

    def _read(self, output: Any, count: int, watched: Tensor | None) -> Scores:
        """The scores of so many positions, of the network's output for them and the sum of a watched unit."""
        if self._own:
            watched = self._own(output, count).detach().float().cpu()
        table = self.net.output.table(output, count)
        if table is None and watched is None:
            table = self.net.check_scores(output, count)  # raises
        return Scores(torch.zeros(count, 0) if table is None else table.detach().float().cpu().clone(), watched)

    def _agree(self, one: Scores, other: Scores) -> bool:
        return all(a is None or b is None or not a.numel() or self._same(a, b) for a, b in zip(one, other, strict=True))

    def _same(self, one: Tensor, other: Tensor) -> bool:
        tolerance = max(TOLERANCE, 64 * torch.finfo(self.net.dtype).eps)
        one, other = one.float().cpu(), other.float().cpu()
        return bool((one - other).abs().max() <= tolerance * other.abs().max().clamp(min=1e-6))


def _joined(parts: Sequence[Scores]) -> Scores:
    outputs, watched = zip(*parts, strict=True)
    return Scores(torch.cat(outputs), None if watched[0] is None else torch.cat(watched))


def _describe(program: Program) -> str:
    windowed = sum(step.windowed for step in program.convolutions)
    if not windowed:
        return "whole maps of the folded network: it looks at the whole picture from its first layers on"
    return f"exact windows in {windowed} of {len(program.convolutions)} convolutions"


_PROGRAMS: WeakKeyDictionary[BoundModel, tuple[object, Program]] = WeakKeyDictionary()


def _program(net: BoundModel, module: nn.Module, watch: Watch | None) -> Program:
    """The program of a network's double; that of the last time, if the weights are the same."""
    keep = frozenset([watch.layer.source[1]]) if watch else frozenset()
    key = keep, net.input_shape, _state(net.original)
    if net not in _PROGRAMS or _PROGRAMS[net][0] != key:
        picture = torch.zeros(1, *net.input_shape, device=net.device, dtype=net.dtype)
        _PROGRAMS[net] = key, Program(fold(module, keep), picture.contiguous(memory_format=torch.channels_last))
    return _PROGRAMS[net][1]


def _state(module: nn.Module) -> tuple:
    """What differs once weights, parts or hooks were changed; by a sum too: through ``.data`` leaves no other sign."""
    tensors = [*module.parameters(), *module.buffers()]
    hooks = [(id(part), *part._forward_hooks, *part._forward_pre_hooks) for part in module.modules()]
    return *hooks, *((id(tensor), tensor._version, tensor.data_ptr(), tensor.detach().sum().item()) for tensor in tensors)


def _is_out_of_memory(error: RuntimeError) -> bool:
    return (
        isinstance(error, torch.cuda.OutOfMemoryError) or "not enough memory" in str(error) or "out of memory" in str(error)
    )
