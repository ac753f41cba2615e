"""Colors of classes, for every view: those that the color-blind can tell apart, then their lighter and darker tones."""

from __future__ import annotations

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""Okabe and Ito's colors (2008) without their black, which a dark page does not show."""

GRAY = "#9a9a9a"
"""The color of what stands apart: the answer without a patch, a point that has no class."""

CLASS_COLORS = (GRAY, *OKABE_ITO)
"""The colors of a map of classes; the first is that of the answer without a patch."""

OTHER_CLASSES = "#333333"
"""The color of all classes beyond these."""

TONES = ((0, 0.0), (0, 0.35), (255, 0.45))
"""What the colors are mixed with, and how much of it: themselves, darker, lighter."""


def tones() -> list[str]:
    """Colors for many classes: seven hues in three tones.

    The color-blind tell the hues apart, and the tones by their lightness. Beyond these they repeat, so a view gives
    every seven classes a shape of their own.
    """
    return [_mixed(color, *tone) for tone in TONES for color in OKABE_ITO]


def _mixed(color: str, with_: int, share: float) -> str:
    """A color mixed with black (0) or white (255)."""
    parts = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(part + share * (with_ - part)):02x}" for part in parts)
