"""The colors of classes as four kinds of eyes see them: ``python -m docs.palette`` measures them, and draws palette.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from cnnwidgets.views.palette import CLASS_COLORS

EYES = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""What linear RGB becomes without the cones for long, middle or short waves (Machado et al. 2009, severity 1)."""

NAMES = {"normal": "all cones", "protan": "protanopia", "deutan": "deuteranopia", "tritan": "tritanopia"}

PAGES = {"light": "#ffffff", "dark": "#212121"}
"""JupyterLab's grounds; a darker one makes the contrast of every color larger."""


def rgb(color: str, eye: str = "normal") -> np.ndarray:
    """A color as an eye sees it: (3,), from 0 to 1."""
    seen = np.asarray(EYES[eye]) @ _linear(color)
    seen = np.clip(seen, 0, 1)
    return np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


def distances(colors: Sequence[str], eye: str = "normal") -> np.ndarray:
    """CIEDE2000 of every pair."""
    lab = rgb2lab(np.array([rgb(color, eye) for color in colors]))
    first, second = np.triu_indices(len(colors), 1)
    return deltaE_ciede2000(lab[first], lab[second])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG, from 1 to 21."""
    light, dark = sorted((_linear(color) @ (0.2126, 0.7152, 0.0722) + 0.05 for color in (one, other)), reverse=True)
    return light / dark


def _linear(color: str) -> np.ndarray:
    parts = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def draw(path: Path) -> None:
    """One row per kind of eye, on a light and on a dark page."""
    from matplotlib.figure import Figure

    figure = Figure((9, 2.6), layout="constrained", facecolor="white")
    for axes, (page, ground) in zip(figure.subplots(1, 2), PAGES.items(), strict=True):
        for row, eye in enumerate(EYES):
            for k, color in enumerate(CLASS_COLORS):
                axes.add_patch(_disk(k, row, rgb(color, eye)))
        axes.set(xlim=(-0.6, 9.6), ylim=(3.6, -0.6), xticks=range(10), aspect="equal", facecolor=ground)
        axes.set_yticks(range(4), [NAMES[eye] for eye in EYES] if page == "light" else [])
        axes.tick_params(length=0)
        axes.set_title(f"{page} page", fontsize=10)
    figure.savefig(path, dpi=144)


def _disk(x: float, y: float, color: np.ndarray):
    from matplotlib.patches import Circle

    return Circle((x, y), 0.38, color=color)


def main() -> None:
    for eye, name in NAMES.items():
        print(f"{name}: the closest two are {distances(CLASS_COLORS, eye).min():.1f} apart (CIEDE2000)")
    for page, ground in PAGES.items():
        print(f"{page} page: contrast at least {min(contrast(color, ground) for color in CLASS_COLORS):.2f}:1")
    draw(Path(__file__).parent / "images" / "palette.png")


if __name__ == "__main__":
    main()
