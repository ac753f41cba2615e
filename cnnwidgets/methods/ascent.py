"""Pictures on their way up: the stepwise core of :func:`cnnwidgets.methods.maximize`, which a live panel holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.ascent_rules import RULES
from cnnwidgets.methods.gray_pictures import why_gray
from cnnwidgets.methods.image_parameters import IMAGES
from cnnwidgets.methods.maximize_presets import Ascending
from cnnwidgets.methods.maximized import Maximized
from cnnwidgets.methods.objectives import Objective, Seen
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import one_of, said
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.pictures import check_finite

UNKNOWN_RANGE = "what black and white are to the network is not known: its inputs are kept between 0 and 1"
SEEDS = 1_000_003
"""Steps of one seed before those of the next: each step draws numbers of its own, whatever was drawn before."""


class Ascent:
    """Pictures that maximize objectives, a step at a time.

    Every picture begins, is shaken and goes up as if it were alone.

    Parameters:
        net: a bound network.
        objectives: what is maximized; each has pictures of its own.
        how: see :data:`cnnwidgets.methods.MAXIMIZE_PRESETS`.
        pictures: of each objective.
        seed: of the noise to begin with, and of what is drawn at each step.
        batch_size: pictures that are shown at once at most.

    Attributes:
        regularizers: may be changed between steps.
        rule: has the learning rate ``lr``, which may be changed too.
        history: by step the scores (objectives * pictures,) that the network gave what it was shown.

    Raises: as :func:`cnnwidgets.methods.maximize`.
    """

    def __init__(
        self, net: BoundModel, objectives: Sequence[Objective], how: Ascending, pictures: int, seed: int, batch_size: int
    ):
        self.net, self.objectives, self.seed, self.pictures = net, list(objectives), seed, pictures
        self._measures = [objective.on(net) for objective in self.objectives]
        alone = net.why_alone()
        if alone and pictures > 1 and any(measure.together for measure in self._measures):
            raise ValueError(f"pictures are compared with each other only where they can be shown together, but {alone}")
        self._apart = [1] * pictures if alone else [pictures]  # how an objective's pictures are shown
        self._groups = 1 if alone else max(1, batch_size // pictures)  # objectives at once
        self.regularizers, self.rule = how.regularizers, RULES[one_of("rule", how.rule, RULES)](how.lr)
        self._notes: list[str] = []
        self._black, self._span = self._range()
        kind = IMAGES[one_of("image", how.image, IMAGES)]
        first = self._first(how.start, kind.noise).repeat(len(self.objectives), 1, 1, 1)
        with torch.inference_mode(False):
            self.image = kind(first.to(net.device))
        self.history: list[np.ndarray] = []
        self._moved = np.zeros(len(first), int)  # the last step at which a gradient reached each picture

    @property
    def steps(self) -> int:
        """How many have been made."""
        return len(self.history)

    def step(self) -> None:
        """One step of every picture.

        Raises:
            ValueError: a score or its gradient is not finite.
        """
        draw = torch.Generator().manual_seed(self.seed * SEEDS + self.steps)
        with torch.inference_mode(False), torch.enable_grad():
            x = self._inputs()
            shown = x
            for regularizer in self.regularizers:
                shown = regularizer.shown(shown, draw)
            scores, slope = self._ask(shown.detach(), differentiate=True)
            penalties = [each for regularizer in self.regularizers if (each := regularizer.penalty(x)) is not None]
            outputs, above = [shown, *penalties], [slope, *(-torch.ones_like(each) for each in penalties)]
            (gradient,) = torch.autograd.grad(outputs, self.image.values, above)
        self.history.append(scores.double().cpu().numpy())
        self._moved[slope.flatten(1).any(1).cpu().numpy()] = self.steps
        with torch.no_grad():
            self.image.values += self.rule.step(gradient)
        self.image.confine()
        self._edit()

    def found(self) -> list[Maximized]:
        """The pictures as they are, objective by objective, each with the score that the network gives it."""
        with torch.inference_mode(False), torch.no_grad():
            pixels, x = self.image.pictures().detach(), self._inputs()
            scores, _ = self._ask(x, differentiate=False)
        history = np.stack(self.history, 1) if self.history else np.zeros((len(x), 0))
        found = []
        for k, picture in enumerate(pixels.float().cpu().numpy()):
            objective, measure = (each[k // self.pictures] for each in (self.objectives, self._measures))
            stuck = self._moved[k] < self.steps  # at the last step
            gray = [why_gray(self.net, measure, x[k : k + 1], int(self._moved[k]))] if stuck else []
            shown = picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
            notes = (*self.net.notes, *self._notes, *gray)
            found.append(Maximized(shown, float(scores[k]), history[k], str(objective), x[k].float().cpu().numpy(), notes))
        return found

    def _inputs(self) -> Tensor:
        """What the network takes for the pictures: the preprocessing, within the graph."""
        return self._black + self._span * self.image.pictures()

    def _edit(self) -> None:
        with torch.inference_mode(False), torch.no_grad():
            for regularizer in self.regularizers:
                x = regularizer.edited(self._inputs(), self.steps)
                if x is not None:
                    self.image.write((x - self._black) / self._span)

    def _ask(self, x: Tensor, *, differentiate: bool) -> tuple[Tensor, Tensor]:
        """The scores (N,) of inputs, and their gradients (N, C, H, W), if these are wanted."""
        scores, slopes = [], []
        for start, counts in self._batches():
            part = x[start : start + sum(counts)]
            measures = [self._measures[(start + sum(counts[:k])) // self.pictures] for k in range(len(counts))]
            layers = dict.fromkeys(name for measure in measures for name in measure.layers)
            to_end = any(measure.classes for measure in measures) or not layers

            def work(passed: Graph, counts: list[int] = counts, measures: list[Any] = measures) -> tuple[Tensor, Tensor]:
                found = torch.cat([
                    measure.of(seen).expand(count)
                    for measure, seen, count in zip(measures, self._seen(passed, counts, measures), counts, strict=True)
                ])  # fmt: skip
                check_finite(found, "the score")
                slope = passed.gradient(found.sum(), last=True) if differentiate else torch.zeros(())
                return found.detach(), slope

            found, slope = self.net.differentiate(part, work, layers, to_end=to_end)
            check_finite(slope, "the score's gradient")
            scores.append(found)
            slopes.append(slope.to(x))
        return torch.cat(scores), torch.cat(slopes) if differentiate else torch.zeros(())

    def _batches(self) -> Iterator[tuple[int, list[int]]]:
        """Which pictures are shown at once: the first, and how many of each objective."""
        counts = [count for _ in self.objectives for count in self._apart]
        for first in range(0, len(counts), self._groups):
            yield sum(counts[:first]), counts[first : first + self._groups]

    def _seen(self, passed: Graph, counts: list[int], measures: list[Any]) -> Iterator[Seen]:
        """What each objective sees of a pass."""
        maps = {name: values.split(counts) for name, values in passed.maps.items()}
        tables: Sequence[Tensor | None] = [None] * len(counts)
        if any(measure.classes for measure in measures):
            table = self.net.check_scores(passed.output, sum(counts))
            tables = self.net.output.scores(table, passed.before).split(counts)
        for k, table in enumerate(tables):
            yield Seen({name: parts[k] for name, parts in maps.items()}, table)

    def _range(self) -> tuple[Tensor, Tensor]:
        """What the network takes for black, and what is added to that for white: (1, C, H, W) each, or single numbers."""
        channels, height, width = self.net.input_shape
        if channels in (1, 3):
            mode = "L" if channels == 1 else "RGB"
            black, white = (
                self.net.prepare(Image.new(mode, (width, height), color)) for color in ("black", "white")
            )  # fmt: skip
            if bool((black != white).all()):
                return black, white - black
        self._notes.append(UNKNOWN_RANGE)
        return torch.zeros((), device=self.net.device), torch.ones((), device=self.net.device)

    def _first(self, start: Any, noise: Callable[..., Tensor]) -> Tensor:
        """The pictures (pictures, C, H, W) that an objective's begin with."""
        shape = 1, *self.net.input_shape
        if isinstance(start, str) and start == "noise":
            draw = torch.Generator().manual_seed(self.seed)
            return torch.cat([noise(shape, draw) for _ in range(self.pictures)])
        zeros = isinstance(start, str) and start == "zeros"
        x = torch.zeros(shape, device=self.net.device) if zeros else one_picture(self.net, start, self._notes)
        return ((x - self._black) / self._span).clamp(0, 1).repeat(self.pictures, 1, 1, 1)


def check_objectives(objective: Any) -> list[Objective]:
    """One objective or several, as a list.

    Raises:
        TypeError: it is something else.
        ValueError: there is none.
    """
    several = list(objective) if isinstance(objective, (list, tuple)) else [objective]
    if not several:
        raise ValueError("the list of objectives is empty")
    for one in several:
        if not isinstance(one, Objective):
            raise TypeError(f"objective is {said(one)}; expected unit('layer3', 17), target('7') or what these add up to")
    return several
