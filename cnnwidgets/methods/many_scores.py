"""Scores of many pictures, each by its own objective, and their gradients, from as few and as short passes as will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from cnnwidgets.methods.objective import Measure, Objective, Seen
from cnnwidgets.net import BoundModel
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.pictures import check_finite

T = TypeVar("T")

Shown = list[tuple[Measure, int]]
"""Whose pictures are shown at once, and how many of each."""


class ManyScores:
    """Objectives asked of a network.

    Parameters:
        net: a bound network.
        objectives: each has its own pictures.
        pictures: how many each has.
        batch_size: pictures that are shown at once at most; an objective's own are not torn apart.

    Attributes:
        measures: one an objective.

    Raises:
        ValueError: an objective compares its pictures, and the network takes them one at a time.
    """

    def __init__(self, net: BoundModel, objectives: Sequence[Objective], pictures: int, batch_size: int):
        self.net, self.measures = net, [objective.on(net) for objective in objectives]
        alone = net.why_alone()
        if alone and pictures > 1 and any(measure.together for measure in self.measures):
            raise ValueError(f"pictures are compared only where they can be shown together, but {alone}")
        if alone:
            shown = [(measure, 1) for measure in self.measures for _ in range(pictures)]
        else:
            shown = [(measure, pictures) for measure in self.measures]
        at_once = 1 if alone else max(1, batch_size // pictures)
        self._passes: list[Shown] = [shown[first : first + at_once] for first in range(0, len(shown), at_once)]

    def scores(self, x: Tensor) -> Tensor:
        """(N,), of inputs (N, C, H, W): the pictures of all objectives in their order.

        Raises:
            ValueError: a score is not finite.
        """
        return torch.cat([
            self._differentiate(part, shown, lambda passed, scores: scores.detach()) for part, shown in self._parts(x)
        ])  # fmt: skip

    def slopes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The scores (N,), and the gradient (N, C, H, W) of each with respect to its own picture.

        Raises:
            ValueError: a score or a gradient is not finite.
        """

        def both(passed: Graph, scores: Tensor) -> tuple[Tensor, Tensor]:
            return scores.detach(), passed.gradient(scores.sum(), last=True).to(x)

        found = [self._differentiate(part, shown, both) for part, shown in self._parts(x)]
        scores, slopes = (torch.cat(parts) for parts in zip(*found, strict=True))
        check_finite(slopes, "the score's gradient")
        return scores, slopes

    def _parts(self, x: Tensor) -> Iterator[tuple[Tensor, Shown]]:
        parts = x.split([sum(count for _, count in shown) for shown in self._passes])
        return zip(parts, self._passes, strict=True)

    def _differentiate(self, x: Tensor, shown: Shown, take: Callable[[Graph, Tensor], T]) -> T:
        """What ``take`` makes of a pass and its scores; the pass ends at the deepest layer that is asked for."""
        layers = dict.fromkeys(name for measure, _ in shown for name in measure.layers)
        to_end = not layers or any(measure.classes for measure, _ in shown)

        def work(passed: Graph) -> T:
            each = zip(shown, self._seen(passed, shown), strict=True)
            scores = torch.cat([measure.of(seen).expand(count) for (measure, count), seen in each])
            check_finite(scores, "the score")
            return take(passed, scores)

        return self.net.differentiate(x, work, layers, to_end=to_end)

    def _seen(self, passed: Graph, shown: Shown) -> Iterator[Seen]:
        """What each objective sees of a pass."""
        counts = [count for _, count in shown]
        maps = {name: values.split(counts) for name, values in passed.maps.items()}
        tables: Sequence[Tensor | None] = [None] * len(counts)
        if any(measure.classes for measure, _ in shown):
            table = self.net.check_scores(passed.output, sum(counts))
            tables = self.net.output.scores(table, passed.before).split(counts)
        for k, classes in enumerate(tables):
            yield Seen({name: parts[k] for name, parts in maps.items()}, classes)
