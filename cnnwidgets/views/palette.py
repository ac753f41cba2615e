"""Colours of classes, for every view: those that the colour-blind can tell apart, then their lighter and darker tones."""

from __future__ import annotations

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""Okabe and Ito's colours (2008) without their black, which a dark page does not show."""

GREY = "#9a9a9a"
"""The colour of what stands apart: the answer without a patch, a point that has no class."""

CLASS_COLORS = (GREY, *OKABE_ITO)
"""The colours of a map of classes; the first is that of the answer without a patch."""

OTHER_CLASSES = "#333333"
"""The colour of all classes beyond these."""

TONES = ((0, 0.0), (0, 0.35), (255, 0.45))
"""What the colours are mixed with, and how much of it: themselves, darker, lighter."""


def tones() -> list[str]:
    """Colours for many classes: seven hues in three tones.

    The colour-blind tell the hues apart, and the tones by their lightness. Beyond these they repeat, so a view gives
    every seven classes a shape of their own.
    """
    return [_mixed(color, *tone) for tone in TONES for color in OKABE_ITO]


def _mixed(color: str, with_: int, share: float) -> str:
    """A colour mixed with black (0) or white (255)."""
    parts = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(part + share * (with_ - part)):02x}" for part in parts)
