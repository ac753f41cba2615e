"""One color per class, in every panel: by the class's index, never by its rank.

The ten colors are at least 12 apart (CIEDE2000), for normal sight and for readers without one kind of cone, and have a
contrast of at least 3:1 to a light and to a dark page. ``palette.js`` has the same ones for the browser.
"""

from __future__ import annotations

from collections.abc import Sequence

CLASS_COLORS = (
    "#d48205", "#7d8aff", "#267c39", "#d60c0b", "#8737f7", "#3ba591", "#626a8c", "#965967", "#959867", "#ac84b6",
)  # fmt: skip
"""The colors of the first ten classes, ordered so that neighbors differ."""

GRAY = "#9a9a9a"
"""The color of what has no class, or stands apart."""

TONES = ((0, 0.0), (0, 0.35), (255, 0.45))
"""What the next tens of classes mix with the ten colors, and how much of it: nothing, black, white."""

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""Colors of curves: Okabe and Ito's (2008) without their black, which a dark page does not show."""


def class_color(index: int) -> str:
    """The color of a class. Thirty classes have one of their own; a view gives every ten classes a shape of their own."""
    tone = TONES[index // len(CLASS_COLORS) % len(TONES)]
    return _mixed(CLASS_COLORS[index % len(CLASS_COLORS)], *tone)


def class_colors(count: int) -> list[str]:
    """The colors of the first ``count`` classes."""
    return [class_color(index) for index in range(count)]


def ink_on(color: Sequence[float]) -> str:
    """Black or white: what can be read on a color (red, green, blue, from 0 to 1), with a contrast of at least 4.5:1."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    luminance = sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
    return "white" if luminance < 0.179 else "black"


def _mixed(color: str, with_: int, share: float) -> str:
    """A color mixed with black (0) or white (255)."""
    parts = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{int(part + share * (with_ - part) + 0.5):02x}" for part in parts)
