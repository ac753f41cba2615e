"""What a scene is drawn from: crops of photographs, smooth strokes, and colours that can be read on them."""

from functools import cache
from importlib.resources import files

import numpy as np
from PIL import Image

# Only photographs that every scikit-image >= 0.22 and scikit-learn carries in its wheel: nothing may be downloaded.
PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
TRAIN_WIDTH = 0.7  # the left part of each photograph is for training, the rest for testing
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: how bright red, green and blue look


@cache
def photograph(name: str) -> Image.Image:
    package, path = PHOTOGRAPHS[name]
    with files(package).joinpath(path).open("rb") as file:
        return Image.open(file).convert("RGB")


def crop(split: str, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of 64 to 128 px from the split's part of some photograph, and bring it to uint8 ``(64, 64, 3)``."""
    picture = photograph(list(PHOTOGRAPHS)[rng.integers(len(PHOTOGRAPHS))])
    border = round(TRAIN_WIDTH * picture.width)
    left, right = (0, border) if split == "train" else (border, picture.width)
    side = int(rng.integers(64, 129))
    x = int(rng.integers(left, right - side + 1))
    y = int(rng.integers(0, picture.height - side + 1))
    return np.array(picture.crop((x, y, x + side, y + side)).resize((64, 64), Image.Resampling.BILINEAR))


def strokes(digit: np.ndarray, side: int) -> np.ndarray:
    """Enlarge an 8x8 digit (values 0..16) to smooth strokes: opacity in [0, 1] ``(side, side)``."""
    small = Image.fromarray(np.pad(digit, 1).astype(np.float32) / 16)  # the margin rounds off strokes at the border
    ink = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), float)
    return np.clip((ink - 0.3) / 0.4, 0, 1)


def legible_colour(background: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Draw a random colour ``(3,)`` that stands out from the background ``(H, W, 3)``; None if 64 draws give none.

    Its luma (0..255) is further from the background's mean than 64 and than twice the background's standard deviation.
    """
    luma = background @ LUMA
    colours = rng.integers(0, 256, (64, 3))
    contrast = np.abs(colours @ LUMA - luma.mean())
    legible = np.flatnonzero(contrast > max(64, 2 * luma.std()))
    return colours[legible[0]] if len(legible) else None
