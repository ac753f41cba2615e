"""Ways of maximizing that papers have become known for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnwidgets.methods.regularizers import L2, Blur, ClipSmall, Jitter, Regularizer, RotateAndScale


@dataclass(frozen=True)
class Ascending:
    """How a picture is made that maximizes something.

    Attributes:
        image: what is changed of it: ``"pixels"``, ``"fourier"`` or ``"maco"``.
        start: ``"zeros"``, ``"noise"``, or a picture.
        rule: ``"gradient"``, ``"normalized gradient"`` or ``"adam"``.
        lr: the learning rate. Of pixels it is a share of the way from black to white.
        regularizers: what keeps it from being noise.
    """

    image: str
    start: Any
    rule: str
    lr: float
    regularizers: tuple[Regularizer, ...]


MAXIMIZE_PRESETS: dict[str, Ascending] = {
    "Simonyan 2013": Ascending("pixels", "zeros", "normalized gradient", 0.01, (L2(0.0001),)),
    "Yosinski 2015": Ascending("pixels", "noise", "normalized gradient", 0.02, (L2(0.0001), Blur(0.5, 4), ClipSmall(30))),
    "Olah 2017": Ascending("fourier", "noise", "adam", 0.05, (Jitter(1 / 16), RotateAndScale(10, 0.1), Jitter(1 / 32))),
}
"""By name. The papers leave out how long a step is: where it is not Adam's, it is the gradient divided by its norm."""
