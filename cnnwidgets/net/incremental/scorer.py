"""What a network says of a picture with a patch anywhere, by the fastest way that is right for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from cnnwidgets.net.batching import depends_on_others, fingerprint
from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.incremental import proof
from cnnwidgets.net.incremental.engine import Engine, Found
from cnnwidgets.net.incremental.folding import fold
from cnnwidgets.net.incremental.hooks import is_hooked
from cnnwidgets.net.incremental.patches import Patches
from cnnwidgets.net.incremental.program import Program, Step
from cnnwidgets.net.incremental.refusals import MixesPictures, NotTraceable, NoWindows, first_line
from cnnwidgets.net.incremental.scores import Positions, Scores, joined
from cnnwidgets.net.own_score import OwnScore
from cnnwidgets.net.pictures import check_finite
from cnnwidgets.net.trace import Cancelled
from cnnwidgets.net.watch import Watch, watched

BATCH = 256
"""Positions that are computed at once at most."""

NUMBERS = 2**22
"""Numbers of maps that caches hold: where windows or pictures have more in all, fewer positions are computed at once ..."""

FEWEST_WINDOWS, FEWEST_PICTURES = 64, 16
"""... but not fewer than these, if memory allows it."""


OTHER_SCORES = "its graph gives other scores than the network itself"


class Scorer:
    """A picture, ready for patches.

    Parameters:
        net: a bound network.
        patches: the picture and what covers it.
        watch: a unit whose sum over its map is wanted too; or a score that the user makes of the output.
        stride: (rows, columns) of the grid on which the patch will mostly lie, in pixels.
        max_memory: bytes, over those of the network.

    Attributes:
        clean: of the picture itself, computed as those of the patches are: where a patch is not seen, they are the same.
        how: a sentence that says how the scores are computed.
        seconds: that the network takes for one whole picture.

    Raises:
        ValueError: the network's output for the picture is not finite.
    """

    def __init__(
        self,
        net: BoundModel,
        patches: Patches,
        *,
        watch: Watch | OwnScore | None = None,
        stride: tuple[int, int] = (1, 1),
        max_memory: int = 2**29,
    ):
        self.net, self.patches, self._stride = net, patches, stride
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
            except Cancelled:
                raise
            except Exception as error:  # of any kind: a network's code is anybody's
                self._engine, reason = None, error
        if self._engine is None:
            self._go_plain(reason)

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
        left = [*batches]
        if self._engine:
            done = 0
            try:
                for part, scores in self._with_windows(self._engine, left):
                    yield part, scores
                    done += len(part.tops)
                return
            except Cancelled:
                raise
            except Exception as error:
                self._go_plain(error)
            left = [Positions(*(np.concatenate(places)[done:] for places in zip(*left, strict=True)))]
        for batch in left:
            yield from self._in_parts(batch, self._plain_fitting, self._plain_covered)

    def at(self, top: int, left: int) -> Scores:
        """The scores with the patch at one place."""
        ((_, scores),) = self.scores([Positions(np.array([top]), np.array([left]))])
        return scores

    # the fast way

    def _make_engine(self, module: nn.Module) -> Engine:
        if self.net.draws:
            raise NoWindows(self.net.why_alone())
        program = _program(self.net, module, self._watch)
        engine = Engine(program, self.patches, self._watched_step(program))
        clean = self._read_folded(engine.clean, engine.watched, 1)
        proven = self.patches.size, self._stride, self._watch or (self._own and self._own.function)
        if proven not in program.proven:
            program.proven[proven] = self._prove(engine, clean)
        self._compare(clean, self.clean, program.proven[proven], OTHER_SCORES)
        self.clean = clean
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

    def _prove(self, engine: Engine, clean: Scores) -> list[float]:
        """Windows give the maps and the scores of a whole picture in the middle, and those of the network itself at the end.

        Returns:
            What a patch changes at most, of the outputs and of the watched score.
        """
        noisy = engine.under(proof.noise(self.patches))
        positions = [Positions(*place) for place in proof.places(self.patches, self._stride)]
        middle, end = (noisy.windows(noisy.route(*place)) for place in positions)
        pictures = [noisy.patches.pictures(*place) for place in positions]
        maps, output, watched = noisy.whole(pictures[0])
        for step, windows in middle.items():
            effect = proof.largest(maps[step] - engine.clean_map(step))
            if not proof.alike(windows, maps[step], effect, self.net.dtype):
                raise NoWindows("windows of its maps are not those of whole pictures")
        side_by_side = {step: proof.beside(torch.cat([middle[step], end[step]])) for step in middle}
        scores = self._whole(noisy, side_by_side, 3).rows([0, 1])
        whole = joined([self._read_folded(output, watched, 1), self._plain(pictures[1])])
        effects = whole.off(clean)
        self._compare(scores, whole, effects, "windows of its maps do not give the scores of whole pictures")
        return effects

    def _compare(self, one: Scores, other: Scores, effects: Sequence[float], otherwise: str) -> None:
        """A NoWindows that says ``otherwise`` unless the scores are the same."""
        for a, b, effect in zip(one, other, effects, strict=True):
            if (a is None) != (b is None) or (a is not None and b is not None and not self._same(a, b, effect)):
                raise NoWindows(otherwise)

    def _same(self, one: Tensor, other: Tensor, effect: float) -> bool:
        return one.shape == other.shape and proof.alike(one, other, effect, self.net.dtype)

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
            scores.put([~seen for seen in engine.seen(*part)], self.clean)
            return scores

        yield from self._in_parts(positions, lambda _: self._fitting_whole(engine), finish)

    def _whole(self, engine: Engine, found: Found, count: int) -> Scores:
        if (self._one_by_one or engine.program.hooked) and count > 1:
            each = [{step: values[k : k + 1] for step, values in found.items()} for k in range(count)]
            return joined([self._whole(engine, one, 1) for one in each])
        output, watched, same = engine.outputs(found, count)
        scores = self._read_folded(output, watched, count)
        scores.put(same, self.clean)
        return scores

    def _read_folded(self, output: Any, watched: Tensor | None, count: int) -> Scores:
        """The scores of so many positions, of the folded network's output for them and of that of the watched layer."""
        try:
            return self._read(output, count, self._watch.read(watched) if self._watch and watched is not None else None)
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # a dict in place of a class of one's own, say
            raise NoWindows(f"its graph gives another output than the network itself ({first_line(error)})") from error

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

    def _go_plain(self, reason: Exception) -> None:
        """Take whole pictures from now on, and say why."""
        self._engine = None
        hooked = any(map(is_hooked, self.net.original.modules()))
        self._alone = (
            self._one_by_one or hooked or isinstance(reason, (MixesPictures, NotTraceable)) or not self._takes_batches()
        )
        why = first_line(reason) if isinstance(reason, NoWindows) else f"windows of its maps fail ({first_line(reason)})"
        self.how = f"{'one picture after the other' if self._alone else 'plain batches'}: {why}"

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
        except Cancelled:
            raise
        except Exception:
            return False

    def _watched_of(self, pictures: Tensor) -> Tensor:
        watched = self._plain(pictures).watched
        assert watched is not None
        return watched

    def _plain(self, pictures: Tensor) -> Scores:
        """The network itself, of whole pictures."""
        output, values = watched(self.net, pictures.float(), [self._watch] if self._watch else [])
        return self._read(output, len(pictures), values[0] if values else None)

    def _read(self, output: Any, count: int, watched: Tensor | None) -> Scores:
        """The scores of so many positions, of the network's output for them and the score of a watched unit."""
        if self._own:
            watched = self._own(output, count).detach().float().cpu()
        table = self.net.output.table(output, count)
        if table is None and watched is None:
            table = self.net.check_scores(output, count)  # raises
        return Scores(torch.zeros(count, 0) if table is None else table.detach().float().cpu().clone(), watched)


def _describe(program: Program) -> str:
    windowed = sum(step.windowed for step in program.convolutions)
    if not windowed:
        return "whole maps of the folded network: it looks at the whole picture from its first layers on"
    return f"exact windows in {windowed} of {len(program.convolutions)} convolutions"


_PROGRAMS: WeakKeyDictionary[BoundModel, tuple[object, Program | NoWindows]] = WeakKeyDictionary()


def _program(net: BoundModel, module: nn.Module, watch: Watch | None) -> Program:
    """The program of a network's double, or why there is none; that of the last time, if the weights are the same."""
    keep = frozenset([watch.layer.source[1]]) if watch else frozenset()
    key = keep, net.input_shape, module, _state(net.original)
    if net not in _PROGRAMS or _PROGRAMS[net][0] != key:
        picture = torch.zeros(1, *net.input_shape, device=net.device, dtype=net.dtype)
        picture = picture.contiguous(memory_format=torch.channels_last)
        try:
            _PROGRAMS[net] = key, Program(fold(module, keep, picture), picture)
        except NoWindows as error:
            _PROGRAMS[net] = key, type(error)(str(error))
    found = _PROGRAMS[net][1]
    if isinstance(found, NoWindows):
        raise type(found)(str(found))
    return found


def _state(module: nn.Module) -> tuple:
    """What differs once weights, parts or hooks were changed."""
    hooks = [(id(part), *part._forward_hooks, *part._forward_pre_hooks) for part in module.modules()]
    places = tuple(tensor.data_ptr() for tensor in (*module.parameters(), *module.buffers()))
    return *hooks, *places, *fingerprint(module)


def _is_out_of_memory(error: RuntimeError) -> bool:
    return (
        isinstance(error, torch.cuda.OutOfMemoryError) or "not enough memory" in str(error) or "out of memory" in str(error)
    )
