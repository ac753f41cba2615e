"""An ascent that is watched: it stops, goes on, and takes other settings on its way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods import Ascending, Maximized
from cnnwidgets.methods.ascent import Ascent
from cnnwidgets.methods.ascent_rules import RULES
from cnnwidgets.methods.gray_pictures import UNREACHED
from cnnwidgets.methods.objective import Objective
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.progress import Cancel, OnUpdate

FRAME = 0.08
"""Least seconds from one picture on screen to the next."""

REST = 4
"""How many times as long as a picture on screen took the ascent goes on without showing another."""


@dataclass(frozen=True)
class Climb:
    """Pictures on their way up, at one step.

    Attributes:
        found: the pictures, as :func:`cnnwidgets.methods.maximize` gives them.
        steps: how many are to be made.
        film: by step the first picture as it was then, as ``Maximized.picture``: before the first step, and after steps 1,
            2, 4, 8 and so on.
        hows: (step, how) for each way in which they went up: the first from step 0.
        said: what the network says of each picture, (name, probability) of the most probable classes; empty without classes.
        run: a number that another ascent does not have.
    """

    found: tuple[Maximized, ...]
    steps: int
    film: dict[int, np.ndarray]
    hows: tuple[tuple[int, Ascending], ...]
    said: tuple[list[tuple[str, float]], ...]
    run: int

    @property
    def made(self) -> int:
        """How many steps have been made."""
        return len(self.found[0].history)

    @property
    def finished(self) -> bool:
        return self.made >= self.steps

    @property
    def switched(self) -> list[int]:
        """The steps after which something was switched."""
        return [step for step, _ in self.hows[1:]]

    @property
    def gray(self) -> list[str]:
        """Why pictures do not change."""
        return list(dict.fromkeys(note for one in self.found for note in one.notes if note.startswith(UNREACHED)))


class Climber:
    """Takes pictures up, and holds the one ascent that goes on."""

    _ascent: Ascent
    _hows: list[tuple[int, Ascending]]
    _film: dict[int, np.ndarray]

    def __init__(self, net: BoundModel):
        self._net, self._of, self._runs = net, None, 0  # type: BoundModel, Sequence[Any] | None, int

    def run(
        self, objective: Objective, how: Ascending, of: Sequence[Any], asked: Any, picture: Any, *,
        on_update: OnUpdate[Climb], cancel: Cancel,
    ) -> Climb:  # fmt: skip
        """Go on to the last step, or stay where it is if it is not ``playing``.

        Parameters:
            how: what of it has changed holds from the next step on.
            of: what an ascent is of. Another one begins where that has changed, where fewer steps are wanted than were made,
                and where a finished one is to be made in another way.
            asked: has ``steps``, ``pictures``, ``seed``, ``playing``, and what happens once: ``restart``, and
                ``singles``, how many steps to make though it is not playing.
            picture: what the start "picture" is.
            on_update: called with what is there and the fraction done, not more often than one can see.
            cancel: an object with ``is_set()``.

        Raises:
            Cancelled: cancel was set; its ``partial`` is what is there.
        """
        self._turn_to(objective, how, of, asked, picture)
        ascent, due = self._ascent, 0.0
        while ascent.steps < asked.steps and (asked.playing or asked.singles):
            if (now := time.monotonic()) > due:
                on_update(self._now(asked.steps), ascent.steps / asked.steps)
                due = time.monotonic() + max(FRAME, REST * (time.monotonic() - now))
            if cancel.is_set():
                raise Cancelled("cancelled", partial=self._now(asked.steps))
            self._switch_to(how)
            ascent.step()
            asked.singles = max(0, asked.singles - 1)
            if ascent.steps & (ascent.steps - 1) == 0:  # a power of two
                self._film[ascent.steps] = _first(ascent)
        return self._now(asked.steps)

    def _turn_to(self, objective: Objective, how: Ascending, of: Sequence[Any], asked: Any, picture: Any) -> None:
        """Begin an ascent, or let the one that there is go on as is asked."""
        made = self._ascent.steps if self._of is not None and _same(of, self._of) else -1
        done = made >= asked.steps
        if made < 0 or asked.restart or made > asked.steps or (done and how != self._hows[-1][1]):
            asked.restart = False
            self._of = None  # for it may fail
            begun = replace(how, start=picture) if how.start == "picture" else how
            self._ascent = Ascent(self._net, [objective], begun, pictures=asked.pictures, seed=asked.seed)
            self._of, self._runs = of, self._runs + 1
            self._hows, self._film = [(0, how)], {0: _first(self._ascent)}

    def _switch_to(self, how: Ascending) -> None:
        """Let the next step be made in this way."""
        before = self._hows[-1][1]
        if how == before:
            return
        if how.rule != before.rule:
            self._ascent.rule = RULES[how.rule](how.lr)
        self._ascent.rule.lr, self._ascent.regularizers = how.lr, how.regularizers
        self._hows = [*(self._hows if self._ascent.steps else []), (self._ascent.steps, how)]

    def _now(self, steps: int) -> Climb:
        found = tuple(self._ascent.found())
        return Climb(found, steps, dict(self._film), tuple(self._hows), _said(self._net, found), self._runs)


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether all parts are; pictures, which have no == that says yes or no, are where they are the same object."""
    return all(a is b or (isinstance(a, (str, int, float)) and a == b) for a, b in zip(one, other, strict=True))


def _said(net: BoundModel, found: tuple[Maximized, ...]) -> tuple[list[tuple[str, float]], ...]:
    if not net.output.has_probabilities:
        return ()
    return tuple(net.predict(torch.from_numpy(np.stack([one.input for one in found])), k=3))


def _first(ascent: Ascent) -> np.ndarray:
    """The first picture as it is, without asking the network."""
    picture = ascent.image.pictures()[0].detach().cpu().numpy()
    return picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
