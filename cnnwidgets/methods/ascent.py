"""Pictures on their way up: the stepwise core of :func:`cnnwidgets.methods.maximize`, which a live panel holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.ascent_rules import RULES
from cnnwidgets.methods.gray_pictures import why_gray
from cnnwidgets.methods.image_parameters import IMAGES
from cnnwidgets.methods.many_scores import ManyScores
from cnnwidgets.methods.maximize_presets import Ascending
from cnnwidgets.methods.maximized import Maximized
from cnnwidgets.methods.objective import Objective
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import one_of

UNKNOWN_RANGE = "what black and white are to the network is not known: its inputs are kept between 0 and 1"

APART = 1_000_003
"""From a seed's first step to the next seed's: each step draws its own numbers, whichever regularizers drew before."""


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
        history: by step the scores (objectives * pictures,) of what the network was shown.

    Raises: as :func:`cnnwidgets.methods.maximize`.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        net: BoundModel,
        objectives: Sequence[Objective],
        how: Ascending,
        *,
        pictures: int = 1,
        seed: int = 0,
        batch_size: int = 64,
    ):
        self.net, self.objectives, self.pictures, self.seed = net, list(objectives), pictures, seed
        self._network = ManyScores(net, self.objectives, pictures, batch_size)
        self._notes: list[str] = []
        self._black, self._span = self._range()
        kind = IMAGES[one_of("image", how.image, IMAGES)]
        first = self._first(how.start, kind.noise).repeat(len(self.objectives), 1, 1, 1)
        self.image = kind(first.to(net.device))
        self.regularizers, self.rule = how.regularizers, RULES[one_of("rule", how.rule, RULES)](how.lr)
        self.history: list[np.ndarray] = []
        self._moved = np.zeros(len(first), int)  # the last step at which a gradient reached each picture

    @property
    def steps(self) -> int:
        """How many have been made."""
        return len(self.history)

    @torch.inference_mode(False)
    def step(self) -> None:
        """One step of every picture.

        Raises:
            ValueError: a score or its gradient is not finite.
        """
        draw = torch.Generator().manual_seed(self.seed * APART + self.steps)
        with torch.enable_grad():
            x = shown = self._inputs()
            for regularizer in self.regularizers:
                shown = regularizer.shown(shown, draw)
            scores, slopes = self._network.slopes(shown.detach())
            penalties = [each for regularizer in self.regularizers if (each := regularizer.penalty(x)) is not None]
            above = [slopes, *(-torch.ones_like(each) for each in penalties)]
            (gradient,) = torch.autograd.grad([shown, *penalties], self.image.values, above)
            self.image.step(self.rule.step(gradient))
        self.history.append(scores.double().cpu().numpy())
        self._moved[slopes.flatten(1).any(1).cpu().numpy()] = self.steps
        self._edit()

    def _edit(self) -> None:
        with torch.no_grad():
            for regularizer in self.regularizers:
                x = regularizer.edited(self._inputs(), self.steps)
                if x is not None:
                    self.image.write((x - self._black) / self._span)

    @torch.inference_mode(False)
    def found(self) -> list[Maximized]:
        """The pictures as they are, objective by objective, each with the score that the network gives it."""
        with torch.no_grad():
            pictures, x = self.image.pictures().detach(), self._inputs()
        scores, history = self._network.scores(x), np.reshape(self.history, (self.steps, len(x))).T
        found = []
        for k, picture in enumerate(pictures.cpu().numpy()):
            about = str(self.objectives[k // self.pictures])
            shown = picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
            notes = (*self.net.notes, *self._notes, *self._why_gray(k, x[k : k + 1]))
            found.append(Maximized(shown.copy(), float(scores[k]), history[k], about, x[k].cpu().numpy(), notes))
        return found

    def _why_gray(self, k: int, x: Tensor) -> list[str]:
        """Why the last step had no gradient for a picture; nothing if it had one."""
        moved = int(self._moved[k])
        return [] if moved == self.steps else [why_gray(self.net, self._network.measures[k // self.pictures], x, moved)]

    def _inputs(self) -> Tensor:
        """What the network takes for the pictures: the preprocessing, within the graph."""
        return self._black + self._span * self.image.pictures()

    def _range(self) -> tuple[Tensor, Tensor]:
        """What the network takes for black, and what is added to that for white: (1, C, H, W) each, or single numbers."""
        channels, height, width = self.net.input_shape
        if channels in (1, 3):
            plain = [Image.new("L" if channels == 1 else "RGB", (width, height), color) for color in ("black", "white")]
            black, white = map(self.net.prepare, plain)
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
        if isinstance(start, str) and start == "zeros":
            x = torch.zeros(shape, device=self.net.device)
        else:
            try:
                x = one_picture(self.net, start, self._notes)
            except FileNotFoundError as error:
                raise FileNotFoundError(f"start: {error}; expected 'zeros', 'noise' or a picture") from None
        return ((x - self._black) / self._span).clamp(0, 1).repeat(self.pictures, 1, 1, 1)
