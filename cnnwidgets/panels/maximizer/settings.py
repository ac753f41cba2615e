"""How a picture is made that maximizes something, as switches, strengths and presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

import traitlets as t

from cnnwidgets.base import ImagePanel
from cnnwidgets.base import controls as c
from cnnwidgets.base.image import Image
from cnnwidgets.base.traits import Choice, Number, Seed, public
from cnnwidgets.methods import MAXIMIZE_PRESETS, Ascending
from cnnwidgets.methods.ascent_rules import RULES
from cnnwidgets.methods.image_parameters import IMAGES
from cnnwidgets.methods.regularizers import L2, Blur, ClipSmall, Jitter, Regularizer, RotateAndScale, TotalVariation
from cnnwidgets.net.arguments import one_of

SWITCHES: Mapping[str, tuple[Callable[..., Regularizer], tuple[str, ...]]] = {
    "L2": (L2, ("l2",)),
    "total variation": (TotalVariation, ("variation",)),
    "jitter": (Jitter, ("jitter",)),
    "rotate, scale": (RotateAndScale, ("degrees", "scale")),
    "blur": (Blur, ("sigma", "every")),
    "clip small": (ClipSmall, ("percent",)),
}
"""By the words of its switch a regularizer, and the traits that it is made of, in the order in which they are applied."""

STARTS = ("zeros", "noise", "picture")

ASCENT = "ascent"
"""The row of the controls that say how a picture goes up."""

OWN = "your own"
"""The preset where the settings are none's."""


def ascending(state: Any) -> Ascending:
    """How a state's picture goes up."""
    made = {
        switch: kind(*(getattr(state, name) for name in names))
        for switch, (kind, names) in SWITCHES.items()
        if switch in state.regularizers
    }
    parts = [*made.values()]
    if "jitter" in made and "rotate, scale" in made:  # as Olah et al. have it: around the turn
        parts.insert(parts.index(made["rotate, scale"]) + 1, Jitter(state.jitter / 2))
    return Ascending(state.image_as, state.start, state.rule, state.lr, tuple(parts))


def traits_of(how: Ascending) -> dict[str, Any]:
    """The traits by which :func:`ascending` gives a preset."""
    found: dict[str, Any] = {"image_as": how.image, "start": how.start, "rule": how.rule, "lr": how.lr, "regularizers": []}
    for switch, (kind, names) in SWITCHES.items():
        one: Any = next((part for part in how.regularizers if type(part) is kind), None)
        if one:
            found["regularizers"].append(switch)
            found |= zip(names, astuple(one), strict=True)
    return found


def _strength(switch: str, default: float, low: float, high: float, *, help: str, **options: Any) -> Any:
    """A number of a regularizer, shown where that is switched on."""
    return Number(default, low, high, more=True, absent=lambda panel: switch not in panel.regularizers, help=help, **options)


class AscentSettings(ImagePanel):
    """A panel with a picture that goes up: how it does.

    Parameters:
        preset: a name in ``cw.methods.MAXIMIZE_PRESETS``, which says what is not given.
    """

    steps = Number(128, 0, 2048, free="above", group=ASCENT, help="Steps of gradient ascent")
    lr = public(
        t.Float(0.05, min=1e-9, help="learning rate; of pixels a share of the way from black to white"),
        c.Slider(bounds=lambda panel: (1e-3, 10.0), log=True, label="learning rate", more=True),
    )
    regularizers = public(
        t.List(t.Enum([*SWITCHES]), help="What keeps the picture from being noise. Switch them while it runs"),
        c.Several(label="against noise", group=ASCENT, options=lambda panel: [(name, name) for name in SWITCHES]),
    )
    image_as = Choice([*IMAGES], texts=("pixels", "Fourier", "MACO"), label="change", more=True,
                      help="what is changed: pixels, Fourier coefficients, or the phases of these alone (MACO)")  # fmt: skip
    start = Choice(STARTS, label="start from", more=True,
                   help="gray (zeros of the preprocessed input), noise, or a picture to dream on")  # fmt: skip
    image = public(
        Image(None, help="the picture to start from: what net.prepare takes, or its number in the data set"),
        c.Picture(among=lambda panel: panel.images, when={"start": ["picture"]}),
    )
    rule = Choice([*RULES], more=True, help="how far a step goes along the gradient")
    l2 = _strength("L2", 0.0001, 0.0, 1.0, free="above", label="L2 strength",
                   help="strength of L2: how much the squares of the input cost")  # fmt: skip
    variation = _strength("total variation", 0.001, 0.0, 1.0, free="above", label="variation strength",
                          help="strength of total variation: how much neighbors that differ cost")  # fmt: skip
    jitter = _strength("jitter", 1 / 16, 0.0, 0.5, help="share of the side by which the picture shown is moved at most; "
                       "half as far again after a rotation")  # fmt: skip
    degrees = _strength("rotate, scale", 10.0, 0.0, 180.0, help="the picture shown is turned by at most so much")
    scale = _strength("rotate, scale", 0.1, 0.0, 0.9, help="the picture shown is larger or smaller by at most this share")
    sigma = _strength("blur", 0.5, 0.1, 10.0, label="blur's sigma", help="standard deviation of the blur, in pixels")
    every = _strength("blur", 4, 1, 1000, label="blur every", help="steps from one blur to the next")
    percent = _strength("clip small", 30.0, 0.0, 99.0, label="clip, %",
                        help="how many of the pixels, the smallest, are set to zero after each step")  # fmt: skip

    seed = Seed(help="Random seed of the noise, and of what is drawn at each step")
    playing = public(t.Bool(True, help="Whether the ascent goes on"), None)

    def __init__(self, *arguments: Any, preset: str = "Olah 2017", **options: Any) -> None:
        chosen = MAXIMIZE_PRESETS[one_of("preset", preset, MAXIMIZE_PRESETS)]
        super().__init__(*arguments, **{**traits_of(chosen), **options})

    @property
    def preset(self) -> str:
        """The preset that the settings are, or ``"your own"``."""
        how = ascending(self)
        return next((name for name, preset in MAXIMIZE_PRESETS.items() if preset == how), OWN)

    def more_controls(self) -> dict[str, c.Value]:
        names = [*MAXIMIZE_PRESETS, *([OWN] if self.preset == OWN else [])]
        parts = {"kind": "choice", "options": [[name, name] for name in names]}
        fixed = any(name in self.locked for name in traits_of(MAXIMIZE_PRESETS["Olah 2017"]))
        said = "The settings of a paper"
        preset = c.Value(label="as in", value=self.preset, parts=parts, help=said, group=ASCENT, locked=fixed)
        return {"preset": preset}

    def take_value(self, name: str, value: Any) -> None:
        if value in MAXIMIZE_PRESETS:
            self.put(**traits_of(MAXIMIZE_PRESETS[value]))
