"""The panel: a picture on its way up, and what one switches meanwhile."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.base import action, column, draws, row
from cnnwidgets.base.jobs import LOCK, Job, import_for_pictures
from cnnwidgets.base.layout import Part
from cnnwidgets.methods import Maximized
from cnnwidgets.methods.code.maximizing import maximizing_lines
from cnnwidgets.methods.code.pictures import picture_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.net.errors import capitalized
from cnnwidgets.numbers import number
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.maximizer import charts
from cnnwidgets.panels.maximizer.climb import Climb, Climber
from cnnwidgets.panels.maximizer.settings import ascending
from cnnwidgets.panels.maximizer.wanted import Wanted
from cnnwidgets.views import ChartView, ImageGrid, ImageView
from cnnwidgets.views.curves import blank

PICTURE = 380
"""Width of the picture in CSS pixels."""


class ActivationMaximizer(Wanted):
    """What does it want to see? A picture that a class, a unit or a layer answers to most, made by gradient ascent, live.

    >>> cw.ActivationMaximizer(cw.load("scenes"), target="7")
    >>> cw.ActivationMaximizer(net, "layer3", 17)       # a unit; without its number the whole layer
    >>> cw.ActivationMaximizer(net, "layer3", image="cat.jpg")          # a dream that begins with a picture
    >>> cw.link(browser, panel)                         # any unit that is clicked in a FeatureMapBrowser

    Pause it, make single steps, and switch what keeps the picture from being noise while it runs: that holds from the next
    step on. ``panel.result`` is what :func:`cnnwidgets.methods.maximize` gives.

    Parameters:
        net: a bound network, or a module.
        layer, unit: the layer, and the number of its unit.
        target: a class's index or name.
        objective: whatever else is to be maximized, of :mod:`cnnwidgets.methods.objectives`.
        image: the picture to start from; or its number in images.
        images: a list or data set of pictures to start from.
        preset: a name in ``cw.methods.MAXIMIZE_PRESETS``, which says what is not given.
    """

    @property
    def climb(self) -> Climb:
        """What is found, and how it came to be. Waits for it."""
        return super().result

    @property
    def result(self) -> Maximized | list[Maximized]:
        """What :func:`cnnwidgets.methods.maximize` gives: one, or a list of several pictures. Waits for it."""
        found = self.climb.found
        return found[0] if len(found) == 1 else [*found]

    # hands

    @action(
        lambda panel: "Pause" if panel.moving else "Play", primary=True, absent=lambda panel: panel.finished,
        locked_by="playing",
    )  # fmt: skip
    def play(self) -> None:
        """Let the ascent go on, or stay where it is."""
        self.playing = not self.moving
        if self.playing:
            self.ask()

    @action("Step", absent=lambda panel: panel.finished, locked_by="playing")
    def step(self) -> None:
        """Make one step."""
        self.playing = False
        self.ask(singles=self._wishes["singles"] + 1)

    @action("Restart", icon="reset", locked_by="playing")
    def restart(self) -> None:
        """Begin again."""
        self.playing = True
        self.ask(restart=True)

    @property
    def moving(self) -> bool:
        """Whether the picture on screen changes."""
        return self.playing and not (self.finished or (self._job and self._job.cancelled))

    @property
    def finished(self) -> bool:
        """Whether all steps are made of what is on screen."""
        return bool(self._result and self._result.finished)

    def ask(self, **wishes: Any) -> None:
        """Ask for an ascent; what a hand has wished is wished on until it is done."""
        with LOCK:
            super().ask(**{**self._wishes, **wishes})

    @property
    def _wishes(self) -> dict[str, Any]:
        before = vars(self._job.state) if self._job and not self._job.ended else {}
        return {"restart": before.get("restart", False), "singles": before.get("singles", 0)}

    # Panel's parts

    def _learn(self) -> None:
        import_for_pictures()
        if self.start == "picture":
            super()._learn()
        self._climber = Climber(self.net)

    def build(self) -> Part | tuple[Part, ...]:
        self.picture = ImageView(width=PICTURE)
        shades = {"scale": "fixed", "limits": [0, 1], "colors": "gray"}
        look: dict[str, Any] = {"noun": "picture", "tools": False, "hide": ["line"], **shades}
        self.several, self.film = ImageGrid(height=PICTURE, **look), ImageGrid(height=150, tile=60, **look)
        self.chart = ChartView(height=220, readout=True)
        with suppress(MissingPackage):
            self.chart.show(blank("step", "score"), "the score by step")
        self._curves = charts.Growing(self.chart)
        self.observe(lambda change: self.set_trait("of", "unit" if change.new >= 0 else self.of), "unit")
        body = row(self.picture, self.several, column(self.chart, self.film), grow=[1, 1, 9], basis=[PICTURE, PICTURE, 380])
        body.hidden = [self.several]
        return body

    def _settled(self, state: SimpleNamespace) -> SimpleNamespace:
        return super()._settled(state) if state.start == "picture" else state

    def compute(self, state: SimpleNamespace, job: Job) -> Climb:
        objective, written = self.wanted(state)
        begun = job.state.image if state.start == "picture" else None
        of = (written, self.objective, state.image_as, state.start, begun, state.pictures, state.seed)
        how = ascending(state)
        return self._climber.run(objective, how, of, job.state, state.image, on_update=job.update, cancel=job)

    @draws()
    def draw_pictures(self, climb: Climb) -> None:
        pictures, title = [_seen(one.picture) for one in climb.found], capitalized(climb.found[0].objective)
        alone = self.reveal(self.picture, len(pictures) == 1)
        self.reveal(self.several, not alone)
        if alone:
            said = capitalized(self.net.output.says(climb.said[0])) if climb.said else ""
            self.picture.show(_colored(pictures[0]), title=title, caption=said)
        else:
            self.several.show(np.stack(pictures), labels=self._labels(climb), title=title)

    @draws(of=lambda panel, climb: (climb.run, len(climb.film)))
    def draw_film(self, climb: Climb) -> None:
        labels = [f"step {step}" for step in climb.film]
        self.film.show(np.stack([_seen(picture) for picture in climb.film.values()]), labels=labels, title="On its way")

    @draws()
    def draw_curve(self, climb: Climb) -> None:
        self._curves.show(climb)

    def _labels(self, climb: Climb) -> list[str]:
        """What the network says of each picture, or how it scores."""
        if not climb.said:
            return [number(one.score) for one in climb.found]
        return [self.net.output.word(*answers[0]) for answers in climb.said]

    def summary(self, climb: Climb) -> str:
        scores = ", ".join(number(one.score) for one in climb.found)
        noun = "score" if len(climb.found) == 1 else "scores"
        there = f"after {climb.made:,} steps" if climb.finished else f"at step {climb.made:,} of {climb.steps:,}"
        switched = [f"switched on the way, after step {', '.join(map(str, climb.switched))}"] if climb.switched else []
        first = f"{capitalized(climb.found[0].objective)}: {noun} {scores} {there}"
        return "\n".join([*map(capitalized, climb.gray), first, *switched])

    def progress(self, partial: Climb | None) -> str:
        if partial is None:
            return "Beginning …"
        return f"Step {partial.made:,} of {partial.steps:,} · score {number(partial.found[0].score)}"

    def data(self) -> dict[str, np.ndarray]:
        """``values`` (pictures, height, width) or in color (..., 3), their ``input``, ``score`` (pictures,) and ``history``
        (pictures, steps); ``film`` and ``film_steps``, the first picture at earlier steps."""
        climb = self.climb
        arrays = {name: np.stack([getattr(one, name) for one in climb.found]) for name in ("input", "score", "history")}
        shown = {"values": np.stack([one.picture for one in climb.found]), **arrays}
        return {**shown, "film": np.stack([*climb.film.values()]), "film_steps": np.array([*climb.film])}

    def code(self) -> str:
        climb, asked = self.climb, self.asked
        drawn = asked.start == "picture"
        made = picture_lines(self.net, asked.image, self.images) if drawn else f"import torch\n{self.net.code}"
        if asked.of == "objective":
            made += f"\nobjective = ...  # yours: {self.objective}"
        lines = maximizing_lines(
            self.net, self.wanted(asked)[1], climb.hows, climb.made, start="x" if drawn else repr(asked.start),
            pictures=asked.pictures, seed=asked.seed,
        )  # fmt: skip
        return tidy(f"{made}\n{lines}")


def _seen(picture: np.ndarray) -> np.ndarray:
    """A picture as it can be seen: of other channels than red, green and blue it is the mean."""
    return picture if picture.ndim == 2 or picture.shape[2] == 3 else picture.mean(2)


def _colored(picture: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3), of a picture (height, width) or (height, width, 3) from 0 to 1."""
    bytes_ = np.round(255 * picture).astype(np.uint8)
    return np.repeat(bytes_[..., None], 3, -1) if picture.ndim == 2 else bytes_
