"""Occlusion: cover a part of the picture, and see what that does to the answer (Zeiler and Fergus, ECCV 2014)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from scipy import special

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.attribution import Asked, One, Unit, one_unit, watch_of
from cnnwidgets.methods.fills import fill_picture, patch_mask
from cnnwidgets.methods.occlusion_map import Answer, OcclusionMap, join
from cnnwidgets.methods.occlusion_order import slabs
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked, one_of, said
from cnnwidgets.net.checks import whole_or_none
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.incremental import Patches, Positions, Scorer, Scores
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.memory import given_back
from cnnwidgets.net.own_score import OwnScore
from cnnwidgets.net.pictures import check_finite
from cnnwidgets.net.progress import Cancel, OnUpdate

Pixels: TypeAlias = "int | Sequence[int]"
"""A number of pixels, or two: rows and columns."""

EDGE_NAMES = {"cut": "the patch is cut off", "inside": "whole patches only"}
"""What happens at the border: it cuts the last patch of a row off, or that patch is left out."""

EDGES = tuple(EDGE_NAMES)

TOP = 5
"""Classes that are kept for each position, the most probable first."""

UPDATES = 0.2
"""Seconds between two updates, at least."""


@checked
def occlusion(
    net: BoundModel,
    image: Any,
    target: One | None = None,
    *,
    patch: Pixels | None = None,
    stride: Pixels | None = None,
    fill: str = "mean",
    shape: str = "rectangle",
    unit: Unit | None = None,
    score: str | None = None,
    region: Sequence[int] | None = None,
    edges: str = "cut",
    seed: int = 0,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[OcclusionMap] | None = None,
    cancel: Cancel | None = None,
) -> OcclusionMap:
    """How the score changes when a patch covers a part of the picture, for every position of a grid; all values are exact.

    If the network draws random numbers when it answers, they are those of one draw, the same one for every position.

    >>> result = cw.methods.occlusion(net, "cat.jpg", "tabby", patch=32, stride=8)
    >>> result.drop.shape
    (25, 25)

    A convolutional network is not run anew for every position: only the windows of its maps that the patch changes are
    computed (see :mod:`cnnwidgets.net.incremental`); ``result.how`` says whether that was possible.

    Parameters:
        net: a bound network.
        image: whatever ``net.prepare`` takes; one picture.
        target: a class's index or name; or a function of the network's output that gives a number a picture, such as
            ``lambda output: output["out"][:, 3].sum((1, 2))``; by default the class that is predicted.
        patch: size of the patch in pixels of the input, a number or (rows, columns); by default a seventh of the input.
        stride: step from one position to the next, a number or (rows, columns); by default a quarter of the patch.
        fill: ``"mean"``, ``"gray"``, ``"zero"``, ``"noise"`` or ``"blur"``; see :mod:`cnnwidgets.methods.fills`.
        shape: of the patch, ``"rectangle"`` or ``"ellipse"``.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target.
        score: ``"probability"`` or ``"logit"`` of the target, or ``"value"`` of a regression, a function or a unit; by
            default the probability, where there is one.
        region: (top, left, height, width) in pixels: only positions whose patch has its center in it.
        edges: how many positions a side of W pixels has for a patch of F and a stride of S. With ``"cut"`` there are
            ceil((W - F) / S) + 1, as Captum has it: the border cuts the last patch off, so that no pixel is left out. With
            ``"inside"`` there are floor((W - F) / S) + 1, the output size of a convolution: whole patches only. They are 29
            and 28 for 64, 9 and 2, and the same where S divides W - F.
        seed: of the noise.
        max_memory: bytes, over those of the network.
        on_update: called with a partial map and the fraction done: at once with a first-order estimate (one gradient), then
            with exact values of ever more positions: first those that are spread over the picture, and those that matter
            most by the estimate. Without it the order is the fastest.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        TypeError: something of another kind than is expected.
        ValueError: a patch, stride, target, unit, fill, score, region or edges that does not fit, or an output that is not
            finite.
        Cancelled: cancel was set; its ``partial`` is the map as far as it is known.
    """
    options: dict[str, Any] = {
        "patch": patch,
        "stride": stride,
        "fill": fill,
        "shape": shape,
        "unit": unit,
        "score": score,
        "region": region,
        "edges": edges,
        "seed": seed,
    }
    found = Occlusion(net, image, target, max_memory=max_memory, **options).map(on_update=on_update, cancel=cancel)
    return replace(found, session=None)  # which holds the picture's maps in all layers


class Occlusion:
    """A picture whose parts can be covered: all positions of a grid, or any one. Parameters: see :func:`occlusion`.

    Attributes:
        ys, xs: int (rows,), (columns,): the grid of positions, where the patch begins.
        answer: what the network says of the picture itself.
        unit: (layer, unit) or (layer, unit, row, column) that is watched; None where it is a class or a function.
        own: the function of the output that is watched; None where it is a class or a unit.
    """

    @checked
    def __init__(
        self,
        net: BoundModel,
        image: Any,
        target: One | None = None,
        *,
        patch: Pixels | None,
        stride: Pixels | None,
        fill: str,
        shape: str,
        score: str | None,
        region: Sequence[int] | None,
        seed: int,
        unit: Unit | None = None,
        edges: str = "cut",
        max_memory: int = 512 * 2**20,
    ):
        self.net: Any = net
        said: list[str] = []
        self.inputs = one_picture(net, image, said)
        self._said = tuple(said)
        self.size = height, width = net.input_shape[1:]
        self.patch = _pair("patch", patch if patch is not None else usual_patch(self.size))
        self.stride = _pair("stride", stride if stride is not None else usual_stride(self.patch))
        if self.patch[0] > height or self.patch[1] > width:
            raise ValueError(f"the patch is {format_shape(self.patch)} pixels, larger than the input of {height}×{width}")
        self.fill, self.shape, self.seed = fill, shape, seed
        self.own = OwnScore(target) if callable(target) else None
        self.unit = one_unit(net, target, unit)
        self._watch = self.unit and watch_of(net, self.unit)
        self.score = _usual_score(net, score, self.own, self.unit)
        self.ys, self.xs = _grid(self.size, self.patch, self.stride, region, one_of("edges", edges, EDGES))
        picture = self.inputs.to(net.dtype)
        covers = fill_picture(net, picture, fill, self.patch, seed)
        patches = Patches(picture, covers, patch_mask(shape, self.patch).to(picture.device))
        self._scorer = Scorer(net, patches, watch=self._watch or self.own, stride=self.stride, max_memory=max_memory)
        self.target = self._target_of(target)
        self.answer = self._answers(self._scorer.clean)[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the network and on the picture."""
        return (*self.net.notes, *self._said)

    def at(self, y: int, x: int) -> Answer:
        """What the network says with the patch's first row and column there: one incremental pass."""
        return self._answers(self._scorer.at(y, x))[0]

    @property
    def cover(self) -> torch.Tensor:
        """What shows in the patch, wherever it lies: (C, H, W), preprocessed."""
        return self._scorer.patches.fill[0]

    @cached_property
    def picture(self) -> np.ndarray:
        """uint8 (height, width, 3): the picture, as the network takes it."""
        return self.net.picture(self.inputs)

    @cached_property
    def cover_picture(self) -> np.ndarray:
        """uint8 (height, width, 3): what shows in the patch, wherever it lies."""
        return self.net.picture(self.cover, like=self.inputs)

    def covered(self, y: int, x: int) -> np.ndarray:
        """The picture with the patch there: uint8 (height, width, 3)."""
        return self.net.picture(self._scorer.patches.pictures(np.array([y]), np.array([x]))[0], like=self.inputs)

    @given_back()
    def map(self, *, on_update: OnUpdate[OcclusionMap] | None = None, cancel: Cancel | None = None) -> OcclusionMap:
        """All positions of the grid."""
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        table = _Table(self)
        groups = self._scorer.groups(self.ys, self.xs)
        if on_update:
            table.estimate = self._estimate()
            table.remaining = self._expected(groups)
            on_update(table.result(), 0.0)
            stages: Iterator = (_batches(wanted, groups) for wanted in slabs(table.estimate))
        else:
            stages = iter([_batches(np.ones(table.known.shape, bool), groups)])
        start = told = time.perf_counter()
        for stage in stages:
            for positions, scores in self._scorer.scores(self._positions(stage)):
                table.take(positions, scores)
                done = table.known.mean()
                now = time.perf_counter()
                table.remaining = (now - start) * (1 - done) / done
                if cancel is not None and cancel.is_set():
                    raise Cancelled("cancelled", partial=table.result())
                if on_update and now > told + UPDATES:
                    told = now
                    on_update(table.result(), float(done))
        if not on_update:
            table.estimate = self._estimate()
        return table.result()

    def _positions(self, batches: list) -> list[Positions]:
        return [Positions(self.ys[i], self.xs[j]) for i, j in batches]

    def _expected(self, groups: Any) -> float:
        """Seconds for the whole grid."""
        everything = _batches(np.ones((len(self.ys), len(self.xs)), bool), groups)
        passes = sum(len(p.tops) * self._scorer.share(p) for p in self._positions(everything))
        return float(passes * self._scorer.seconds)

    # scores

    def _target_of(self, target: One | None) -> int | str | None:
        """The class's index, or the function's name; of a unit the predicted class, None where there are none."""
        if self.own:
            return self.own.name
        table = self._scorer.clean.outputs
        if not table.shape[1]:
            return None
        index = self.net.output.predicted(table) if target is None else self.net.target(target)  # type: ignore[arg-type]
        if index >= (classes := self.net.output.answers(table).shape[1]):
            raise ValueError(f"there is no output {index}: the network has {classes}")
        return index

    def _answers(self, scores: Scores) -> list[Answer]:
        values, probability, classes, chances = self._read(scores)
        return [Answer(float(v), float(p), c, q) for v, p, c, q in zip(values, probability, classes, chances, strict=True)]

    def _read(self, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Values (N,), probability (N,), classes (N, k) and their chances (N, k)."""
        output = self.net.output
        check_finite(scores.outputs, f"the output of {self.net.name}")
        chances, classes = output.top(scores.outputs, TOP)
        if isinstance(self.target, int):
            answer = output.answers(scores.outputs)[:, self.target]
            usual = output.scores(scores.outputs, None)[:, self.target] if self.score == "logit" else answer
        watched = usual if scores.watched is None else scores.watched
        check_finite(watched, f"the score of {Asked(self.target, self.unit)}")  # type: ignore[arg-type]  # a name is text, too
        has_chance = isinstance(self.target, int) and output.has_probabilities
        return watched.numpy(), (answer if has_chance else watched).numpy(), classes.numpy(), chances.numpy()

    def _estimate(self) -> np.ndarray:
        """(rows, columns): the values to first order, from the gradient and the change under the patch.

        A probability is taken to move on the logistic curve: its log-odds change by gradient times change.
        """
        patches, clean = self._scorer.patches, self.answer.value

        def watched(passed: Graph) -> torch.Tensor:
            if self._watch:
                return self._watch.of(passed.maps[self._watch.layer.name])
            if self.own:
                return self.own(passed.output, 1)
            table = self.net.check_scores(passed.output, 1)
            if self.score == "probability":
                return self.net.output.log_odds(table, passed.before, self.target)  # type: ignore[arg-type]
            return self.net.output.scores(table, None)[:, self.target]

        layers = [self._watch.layer.name] if self._watch else []
        try:
            gradient = self.net.differentiate(self.inputs, lambda passed: passed.gradient(watched(passed)[0]), layers)
        except RuntimeError:  # a forward pass that autograd cannot follow
            return np.full((len(self.ys), len(self.xs)), clean, np.float32)
        change = (gradient.to(patches.fill) * (patches.fill - patches.picture)).sum(1, keepdim=True).float().cpu()
        y, x = int(self.ys[0]), int(self.xs[0])
        spare = int(self.ys[-1]) + self.patch[0] - self.size[0], int(self.xs[-1]) + self.patch[1] - self.size[1]
        change = torch.nn.functional.pad(change[:, :, y:, x:], (0, max(0, spare[1]), 0, max(0, spare[0])))
        kernel = patches.mask.float().cpu()[None, None]
        sums = torch.nn.functional.conv2d(change, kernel, stride=self.stride)[0, 0, : len(self.ys), : len(self.xs)].double()
        if self.score != "probability":
            return (clean + sums).float().numpy()
        odds = torch.logit(torch.tensor(clean, dtype=torch.float64), eps=1e-12)
        return torch.sigmoid(odds + sums).float().numpy()


def usual_patch(size: Sequence[int]) -> int:
    """A seventh of the input, in pixels."""
    return max(1, round(min(size) / 7))


def usual_stride(patch: int | Sequence[int]) -> int | list[int]:
    """A quarter of the patch, one number or two as the patch is."""
    return np.maximum(1, np.asarray(patch) // 4).tolist()


class _Table:
    """The map while it fills."""

    def __init__(self, occlusion: Occlusion):
        self._of = occlusion
        shape = len(occlusion.ys), len(occlusion.xs)
        kept = len(occlusion.answer.classes)
        self.values, self.probability = np.zeros((2, *shape), np.float32)
        self.classes, self.chances = np.full((*shape, kept), -1), np.zeros((*shape, kept), np.float32)
        self.known = np.zeros(shape, bool)
        self.estimate = np.full(shape, occlusion.answer.value, np.float32)
        self.remaining = 0.0

    def take(self, positions: Positions, scores: Scores) -> None:
        here = np.searchsorted(self._of.ys, positions.tops), np.searchsorted(self._of.xs, positions.lefts)
        self.values[here], self.probability[here], self.classes[here], self.chances[here] = self._of._read(scores)
        self.known[here] = True

    def guess(self) -> np.ndarray:
        """The values: exact where they are known, elsewhere from those around; the estimate as long as none is known."""
        if not self.known.any():
            return self.estimate
        if self._of.score != "probability":
            return join(self.values, self.known)
        odds = special.logit(np.clip(self.values.astype(float), 1e-9, 1 - 1e-9))
        return np.where(self.known, self.values, special.expit(join(odds, self.known)))

    def result(self) -> OcclusionMap:
        of, known = self._of, self.known
        values = self.guess()
        probability = values
        if of.score != "probability":
            probability = join(self.probability, known) if known.any() else np.full(known.shape, of.answer.probability)
        return OcclusionMap(
            target=of.target,
            unit=of.unit,
            score=of.score,
            clean=of.answer.value,
            values=values.astype(np.float32),
            probability=probability.astype(np.float32),
            classes=self.classes.copy(),
            chances=self.chances.copy(),
            known=known.copy(),
            estimate=self.estimate,
            ys=of.ys,
            xs=of.xs,
            patch=of.patch,
            stride=of.stride,
            mask=of._scorer.patches.mask.cpu().numpy(),
            size=of.size,
            answer=of.answer,
            passes=int(known.sum()),
            remaining=0.0 if known.all() else self.remaining,
            how=of._scorer.how,
            output=of.net.output.sentence,
            notes=of.notes,
            draws=of.net.draws,
            fill=of.fill,
            shape=of.shape,
            seed=of.seed,
            alone=of.own is not None and of.own.alone,
            session=of,
        )


def _batches(wanted: np.ndarray, groups: tuple[list[np.ndarray], list[np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The wanted positions of a grid as indices of rows and of columns, the batches that are best computed together."""
    found = []
    for rows in groups[0]:
        for columns in groups[1]:
            i, j = np.nonzero(wanted[np.ix_(rows, columns)])
            if len(i):
                found.append((rows[i], columns[j]))
    return found


def _grid(size: Any, patch: Any, stride: Any, region: Any, edges: str) -> tuple[np.ndarray, np.ndarray]:
    """Where the patch begins, by rows and by columns; with ``"cut"`` the last one may be cut off by the border."""
    if region is not None:
        region = _region(region)
    axes = []
    for k in range(2):
        rest = size[k] - patch[k]
        count = rest // stride[k] if edges == "inside" else -(-rest // stride[k])
        places = np.arange(count + 1) * stride[k]
        places = places[places < size[k]]  # a step longer than the patch may end beyond the border
        if region is not None:
            middle = places + (patch[k] - 1) / 2
            places = places[(middle >= region[k]) & (middle < region[k] + region[2 + k])]
            if not len(places):
                raise ValueError(f"no position of the patch has its center in the region {list(region)}: draw a larger one")
        axes.append(places)
    return axes[0], axes[1]


def _region(region: Any) -> list[int]:
    """The four numbers of a region, checked."""
    numbers = _numbers(region)
    if len(numbers) != 4 or None in numbers:
        raise ValueError(f"region is {said(region)}; expected [top, left, height, width] in pixels")
    return numbers  # type: ignore[return-value]  # none is None


def _numbers(value: Any) -> list[int | None]:
    """Those of a list, a tuple or a flat array, None in place of what is not a whole number; none of anything else."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        value = value.tolist()
    return [whole_or_none(number) for number in value] if isinstance(value, (list, tuple)) else []


def _pair(what: str, value: int | Sequence[int]) -> tuple[int, int]:
    number = whole_or_none(value)
    pair = _numbers(value) if number is None else [number] * 2
    if len(pair) != 2 or not all(number is not None and 1 <= number < 2**31 for number in pair):
        raise ValueError(f"{what} is {value!r}; expected a whole number of pixels of at least 1, or two: rows and columns")
    return pair[0], pair[1]  # type: ignore[return-value]  # none is None


def _usual_score(net: BoundModel, score: str | None, own: OwnScore | None, unit: Unit | None) -> str:
    """What is watched; a ValueError where there is no such score, a TypeError where the output has none at all."""
    usual = "value" if own or unit else net.output.quantity
    if score in (None, usual) or (score == "logit" and net.output.has_logits and not (own or unit)):
        return score or usual
    if own or unit:
        raise ValueError(f"score is {score!r}; of a {'unit' if unit else 'function of the output'} it is its 'value'")
    raise ValueError(f"score is {said(score)}, but {net.output.sentence}: expected {usual!r}, or unit=(layer, unit)")
