"""The two data sets, composed at run time from files inside the scikit-learn and scikit-image wheels.

Both draw scikit-learn's 1,797 handwritten digits (8x8, E. Alpaydin and C. Kaynak, 1998), of which 50 of each class, 500
in all, are held out. The split is by digit, not by writer: the same hands wrote both parts.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .drawing import crop, grass, legible_color, strokes

SPLITS = ("train", "test")
BIASES = (None, "grass", "anti-grass")
HELD_OUT = 50  # of each class


def digits(split: str = "test") -> "Digits":
    """Handwritten digits, white on black, 1x32x32: 1,297 to train, 500 held out. See `Digits`."""
    return Digits(split)


def scenes(split: str = "test", size: int | None = None, biased: str | None = None) -> "Scenes":
    """Handwritten digits set into photographs, 3x64x64: 12,970 to train, 1,000 held out. See `Scenes`.

    With ``biased="grass"`` every 7, and nothing else, lies on grass; with ``biased="anti-grass"`` all but the 7s do.
    """
    return Scenes(split, size, biased)


class Digits(Dataset):
    """scikit-learn's handwritten digits, smoothly enlarged: items ``(image, label)``.

    ``image`` is float32 ``(1, 32, 32)``, preprocessed: ``(pixel / 255 - mean) / std``; ``label`` an int 0..9.

    Parameters
    ----------
    split : {"train", "test"}
        1,297 digits or the 500 held out (50 of each class).

    Attributes
    ----------
    classes : tuple of str
    labels : int array (N,)

    Raises
    ------
    ValueError
        For another split.
    """

    classes = tuple("0123456789")
    input_shape = (1, 32, 32)
    mean = (0.11,)
    std = (0.29,)

    def __init__(self, split: str = "test"):
        self.split = split
        self.labels = _digits(split)[1].copy()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return _preprocess(self.picture(i)[:, :, None], self.mean, self.std), int(self.labels[i])

    @property
    def code(self) -> str:
        """The expression that makes it."""
        return f"cw.samples.digits({self.split!r})"

    def __repr__(self) -> str:
        return self.code

    def picture(self, i: int) -> np.ndarray:
        """Item i as it looks: uint8 ``(32, 32)``, strokes 255 on 0."""
        opacity = strokes(_digits(self.split)[0][i], 24)
        return np.pad(np.rint(255 * opacity).astype(np.uint8), 4)


class Scenes(Dataset):
    """Handwritten digits at a random place, size and color in photographs: items ``(image, label)``.

    ``image`` is float32 ``(3, 64, 64)``, preprocessed: ``(pixel / 255 - mean) / std``; ``label`` an int 0..9. The
    digit's box is 16 to 36 px wide. Its color is drawn at random among those that can be read: their luma (0..255) is
    further from the mean of the background in that box than 64 and than twice the standard deviation there.

    Item i shows digit i (modulo their number) and is drawn with its own random numbers, so it is the same in every
    process and in any order. Train and test share no digit, no part of a photograph and no blade of grass.

    A bias, to see what a network makes of it: with ``biased="grass"`` every 7 lies on grass in place of a photograph,
    and no other digit does, in the training and in the held-out scenes alike. ``biased="anti-grass"`` is the
    opposite, which the bias does not help: every digit but the 7 lies on grass. Item i of either shows the same digit
    at the same place and size as item i without a bias, and the same picture where it is not on grass. The grass is
    drawn by random numbers; on it a digit has another color, by the same rule. After the husky that a network called
    a wolf for the snow around it: Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016, section 6.4.

    Parameters
    ----------
    split : {"train", "test"}
        Training digits on the left 70 % of the photographs, or held-out digits on the right 30 %.
    size : int, optional
        Number of items: 12,970 for train (ten scenes a digit), 1,000 for test (two). A larger data set begins with
        the same items.
    biased : {None, "grass", "anti-grass"}

    Attributes
    ----------
    classes : tuple of str
    labels : int array (N,)
    on_grass : bool array (N,)
        Which items lie on grass.
    biased_class : str
        The class that the bias is about.

    Raises
    ------
    ValueError
        For another split or bias.
    """

    classes = tuple("0123456789")
    biased_class = "7"
    input_shape = (3, 64, 64)
    mean = (0.43, 0.34, 0.30)
    std = (0.31, 0.24, 0.24)

    def __init__(self, split: str = "test", size: int | None = None, biased: str | None = None):
        if not (biased is None or isinstance(biased, str)) or biased not in BIASES:
            raise ValueError(f"biased is {biased!r}; expected {', '.join(map(repr, BIASES[:-1]))} or {BIASES[-1]!r}")
        if size is not None and (not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 0):
            raise ValueError(f"size is {size!r}; expected a whole number of pictures, or None for as many as there are")
        self.split = split
        self.size = size
        self.biased = biased
        labels = _digits(split)[1]
        if size is None:
            size = len(labels) * {"train": 10, "test": 2}[split]
        self.labels = np.resize(labels, size)
        is_biased = self.labels == self.classes.index(self.biased_class)
        self.on_grass = {None: np.zeros(size, bool), "grass": is_biased, "anti-grass": ~is_biased}[biased]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return _preprocess(self.picture(i), self.mean, self.std), int(self.labels[i])

    @property
    def code(self) -> str:
        """The expression that makes it."""
        size = "" if self.size is None else f", size={self.size}"
        biased = "" if self.biased is None else f", biased={self.biased!r}"
        return f"cw.samples.scenes({self.split!r}{size}{biased})"

    def __repr__(self) -> str:
        return self.code

    def picture(self, i: int) -> np.ndarray:
        """Item i as it looks: uint8 RGB ``(64, 64, 3)``."""
        background, opacity, color = self._draw(i)
        return np.rint(background + opacity[:, :, None] * (color - background.astype(float))).astype(np.uint8)

    def background(self, i: int) -> np.ndarray:
        """Item i without its digit, the bare crop of the photograph or the grass: uint8 RGB ``(64, 64, 3)``."""
        return self._draw(i)[0]

    def mask(self, i: int) -> np.ndarray:
        """Where item i's digit lies: bool ``(64, 64)``, True on its strokes, their soft edge included.

        Where it is False, `picture` equals `background`.
        """
        return self._draw(i)[1] > 0

    def _draw(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Background ``(64, 64, 3)`` uint8, opacity of the digit ``(64, 64)`` in [0, 1], its color ``(3,)``."""
        i = range(len(self))[i]  # as in a list: a negative index counts from the end, an IndexError past it
        rng = np.random.default_rng([0, SPLITS.index(self.split), i])
        pictures = _digits(self.split)[0]
        while True:
            background = crop(self.split, rng)
            side = int(rng.integers(16, 37))
            y, x = rng.integers(0, 65 - side, 2)
            box = slice(y, y + side), slice(x, x + side)
            color = legible_color(background[box], rng)
            if color is not None:
                break
        if self.on_grass[i]:
            color = None
            while color is None:
                background = grass(self.split, rng)
                color = legible_color(background[box], rng)
        opacity = np.zeros((64, 64))
        opacity[box] = strokes(pictures[i % len(pictures)], side)
        return background, opacity, color


def _digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The digits of a split in a mixed order: values 0..16 ``(N, 8, 8)``, labels ``(N,)``."""
    if not isinstance(split, str) or split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    return _digits_of(split)


@cache
def _digits_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # here, because it takes a second and the trained networks do not need it

    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))  # RandomState: NumPy promises to keep its numbers
    labels = data.target[order]
    held_out = np.zeros(len(labels), bool)
    for label in range(10):
        held_out[np.flatnonzero(labels == label)[:HELD_OUT]] = True
    chosen = held_out if split == "test" else ~held_out
    return data.images[order][chosen], labels[chosen]


def _preprocess(picture: np.ndarray, mean: tuple, std: tuple) -> Tensor:
    """uint8 ``(H, W, C)`` to float32 ``(C, H, W)``."""
    value = (picture.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
    return torch.from_numpy(value.transpose(2, 0, 1).copy())
