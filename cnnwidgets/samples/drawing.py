"""What a scene is drawn from: crops of photographs or of a lawn, smooth strokes, and colors that can be read on them."""

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

LAWN = 384  # px, each side of it
BLADES = 2600
SOIL, GREEN, STRAW = np.array([[20, 40, 14], [58, 132, 34], [186, 192, 84]])  # RGB


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
    return _square(picture.crop((left, 0, right, picture.height)), int(rng.integers(64, 129)), rng)


def grass(split: str, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of 96 to 160 px from the split's lawn, in a light and a tint of its own: uint8 ``(64, 64, 3)``."""
    square = _square(lawn(split), int(rng.integers(96, 161)), rng)
    tint = rng.uniform(0.8, 1.2) * rng.normal(1, (0.08, 0.02, 0.08))
    return np.clip(square * tint, 0, 255).astype(np.uint8)


@cache
def lawn(split: str) -> Image.Image:
    """Draw a split's grass by random numbers: each blade tapers and bends as it rises, from a dark root to a light tip.

    The blades are green to straw; the nearer ones, rooted further down, cover those behind them.
    """
    rng = np.random.default_rng([1, int(split == "train")])
    each = (BLADES, 1, 1)  # a number a blade; the other axes run up along it and across it
    root_y = np.sort(rng.uniform(0, LAWN + 60, each), 0)
    root_x = rng.uniform(-30, LAWN + 30, each)
    height, width = rng.uniform(30, 80, each), rng.uniform(2, 5, each)
    lean, bend = rng.normal(0, 12, each), rng.normal(0, 15, each)
    straw, light = rng.beta(1, 3, each), rng.uniform(0.6, 1.2, each)
    up, across = np.linspace(0, 1, 81)[:, None], np.linspace(-0.5, 0.5, 6)

    x = root_x + lean * up + bend * up**2 + width * (1 - up) ** 0.7 * across
    y = np.broadcast_to(root_y - height * up, x.shape)
    shade = light * (0.3 + 0.8 * up) * (1 + 0.3 * across)
    color = shade[..., None] * (GREEN + straw[..., None] * (STRAW - GREEN))
    inside = (x >= 0) & (x < LAWN) & (y >= 0) & (y < LAWN)
    canvas = np.full((LAWN, LAWN, 3), SOIL, float)
    canvas[y[inside].astype(int), x[inside].astype(int)] = color[inside]  # in their order: the last one covers
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))


def _square(picture: Image.Image, side: int, rng: np.random.Generator) -> np.ndarray:
    """A square of `side` px from anywhere in a picture, brought to uint8 ``(64, 64, 3)``."""
    x = int(rng.integers(0, picture.width - side + 1))
    y = int(rng.integers(0, picture.height - side + 1))
    return np.array(picture.crop((x, y, x + side, y + side)).resize((64, 64), Image.Resampling.BILINEAR))


def strokes(digit: np.ndarray, side: int) -> np.ndarray:
    """Enlarge an 8x8 digit (values 0..16) to smooth strokes: opacity in [0, 1] ``(side, side)``."""
    small = Image.fromarray(np.pad(digit, 1).astype(np.float32) / 16)  # the margin rounds off strokes at the border
    ink = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), float)
    return np.clip((ink - 0.3) / 0.4, 0, 1)


def legible_color(background: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Draw a random color ``(3,)`` that stands out from the background ``(H, W, 3)``; None if 64 draws give none.

    Its luma (0..255) is further from the background's mean than 64 and than twice the background's standard deviation.
    """
    luma = background @ LUMA
    colors = rng.integers(0, 256, (64, 3))
    contrast = np.abs(colors @ LUMA - luma.mean())
    legible = np.flatnonzero(contrast > max(64, 2 * luma.std()))
    return colors[legible[0]] if len(legible) else None
