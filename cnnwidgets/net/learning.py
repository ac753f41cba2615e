"""What a data set tells of the network that is shown it: its pictures' size, its classes' names, and its preprocessing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Subset

from cnnwidgets.net.items import read, size_of
from cnnwidgets.net.pictures import Opened, open_picture
from cnnwidgets.net.preprocess import Preprocess
from cnnwidgets.net.randomness import OwnNumbers, lent_others, torchs_kept

FIRST = 10
"""Items that are looked at, for a picture that can be used."""

ENOUGH = 4
"""Opened pictures that are looked at to see whether all have the same size."""


def first_pictures(dataset: Any, numbers: Iterable[int] | None = None) -> Iterator[Any]:
    """A data set's first pictures: float tensors as they lie there, others opened; those that cannot be read are left out.

    Parameters:
        numbers: of the items that are looked at; by default from the first on.

    Raises:
        TypeError: it has no length or no numbered items.
    """
    first = range(size_of(dataset)) if numbers is None else numbers
    for number in islice(first, FIRST):
        try:
            with _own_random_numbers():
                image = read(dataset[number]).image
            yield image if is_input(image) else open_picture(image)
        except Exception:  # it is told of where it is shown
            continue


def common_size(pictures: Iterable[Opened]) -> tuple[int, int] | None:
    """(H, W) of opened pictures that all have it; None if they differ."""
    sizes = set(map(size_of_picture, pictures))
    return sizes.pop() if len(sizes) == 1 else None


def size_of_picture(picture: Opened) -> tuple[int, int]:
    """(H, W) of an opened picture."""
    return (picture.height, picture.width) if isinstance(picture, Image.Image) else picture.shape[:2]


def preprocessing_of(dataset: Any, item: torch.Tensor) -> tuple[Callable | None, str]:
    """What makes such an input of a picture, by a data set's ``transform``; or None, and why it cannot be taken.

    Parameters:
        item: the picture of one of its items.
    """
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    if all(hasattr(dataset, name) for name in ("mean", "std", "input_shape")):  # those of cnnwidgets.samples
        return Preprocess(tuple(dataset.input_shape), tuple(dataset.mean), tuple(dataset.std)), ""
    transform = getattr(dataset, "transform", None)
    if not callable(transform):
        return None, ""
    mode = "L" if item.shape[0] == 1 else "RGB"
    pixels = np.random.default_rng(0).integers(0, 256, (*item.shape[1:], 3), np.uint8)
    with _own_random_numbers() as drew:
        try:
            made = transform(Image.fromarray(pixels).convert(mode))
        except Exception:  # it is for something else than pictures
            return None, ""
        draws = drew()
    if not isinstance(made, torch.Tensor) or not made.is_floating_point() or made.shape != item.shape:
        return None, ""
    if draws:
        return None, "the data set's transform draws random numbers, as for training"
    return transform, ""


def is_input(image: Any) -> bool:
    """Whether something is taken as a preprocessed picture."""
    return isinstance(image, torch.Tensor) and image.is_floating_point()


@contextmanager
def _own_random_numbers() -> Iterator[Callable[[], bool]]:
    """Inside, a data set draws numbers of its own, and those of others stay as they were; what is yielded tells if it did.

    On a thread beside the main one NumPy's and Python's are left alone: somebody's training may be drawing from them.
    """
    numbers, alone = OwnNumbers(0), threading.current_thread() is threading.main_thread()
    with lent_others(0) if alone else nullcontext(lambda: False) as moved, torchs_kept(), numbers:
        yield lambda: numbers.drew or moved()
