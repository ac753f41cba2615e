"""What an ascent gives: a picture that maximizes something."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cnnwidgets.net.layers import format_shape


@dataclass(frozen=True, eq=False, repr=False)
class Maximized:
    """A picture that maximizes an objective.

    Attributes:
        picture: float32 (height, width, C), from 0 (black) to 1 (white); (height, width) of one channel.
        score: that the network gives it.
        history: float64 (steps,), the score before each step, of what the network was shown: the picture, shaken by what
            jitters and turns it.
        objective: what is maximized, in words.
        input: float32 (C, height, width), the picture preprocessed, as the network takes it.
        notes: sentences on the network, and on why the picture does not change.
    """

    picture: np.ndarray
    score: float
    history: np.ndarray
    objective: str
    input: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape = format_shape(self.picture.shape)
        return f"<{self.objective}: {shape} picture, score {self.score:.3g} after {len(self.history):,} steps>"
