"""A data set's batches, by position: loaded, prepared, without the bad pictures; the same wherever they are loaded."""

from __future__ import annotations

import operator
import os
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.net import BoundModel, bind
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.output import Output

FIRST = 10
"""Pictures that are tried, one after the other, to learn the input's shape of a network that was bound without it."""

LOGITS = Output("logits", 0, "by default")
"""What a batch's scores are, if nothing else is said of them."""

Skipped = list[tuple[int, str]]


@dataclass(frozen=True)
class Batch:
    """Some pictures and what the network says of them: what a reducer's ``update`` is given.

    Attributes:
        indices: int64 (n,), in the data set's own numbering.
        labels: int64 (n,), -1 where an item has none.
        inputs: float32 (n, C, H, W), preprocessed, on the CPU.
        scores: float32 (n, K), what the network gives, as it is; None if that is no such tensor.
        outputs: float32 (n, ...) on the CPU, for every layer that a reducer's ``layers`` names.
        output: what the scores mean.
    """

    indices: np.ndarray
    labels: np.ndarray
    inputs: torch.Tensor
    scores: torch.Tensor | None
    outputs: dict[str, torch.Tensor] = field(default_factory=dict)
    output: Output = LOGITS


@dataclass(frozen=True)
class Loaded:
    """A batch before the network has seen it; ``skipped`` are the bad pictures, each with a sentence."""

    indices: np.ndarray
    labels: np.ndarray
    inputs: torch.Tensor | None
    skipped: Skipped


class Loader:
    """The batches of a data set: batch k has the k-th ``batch_size`` of the pictures in ``order``, whoever loads it.

    Before it is loaded, the random generators are seeded with k, so that a data set that draws from them (augmentation)
    gives the same at every scan; whoever scans puts them back. On a thread beside the main one of the caller's process they
    are left alone: somebody's training may be drawing from them.
    """

    def __init__(self, net: BoundModel, dataset: Any, order: np.ndarray, batch_size: int):
        self.dataset, self.order, self.batch_size = dataset, order, batch_size
        self._home = os.getpid()
        learn_input_shape(net, dataset, order)
        # what prepares pictures, without the weights: it travels to the loader's workers
        self._intake = bind(nn.Identity(), preprocess=net.preprocess, input_shape=net.input_shape)

    @property
    def is_home(self) -> bool:
        """Whether this is the process of the caller."""
        return os.getpid() == self._home

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, k: int) -> Loaded:
        indices = self.order[k * self.batch_size : (k + 1) * self.batch_size].tolist()
        good, skipped = [], []
        if not self.is_home or on_main_thread():
            _seed(k)
        for i in indices:
            try:
                good.append((i, *picture_and_label(self.dataset[i])))
            except MemoryError:
                raise
            except Exception as error:
                skipped.append((i, _sentence(error)))
        inputs = self._together([image for _, image, _ in good])
        if inputs is None:
            good, inputs = self._one_by_one(good, skipped)
        return Loaded(
            np.array([i for i, _, _ in good], np.int64),
            np.array([label for _, _, label in good], np.int64),
            inputs,
            sorted(skipped, key=lambda one: indices.index(one[0])),
        )

    def _together(self, images: list) -> torch.Tensor | None:
        """The inputs, if all are preprocessed pictures and none is bad: what one by one gives too, in less time."""
        if not images or not all(isinstance(image, torch.Tensor) and image.is_floating_point() for image in images):
            return None
        try:
            inputs = torch.stack(images).detach().to("cpu", torch.float32)
        except RuntimeError:  # of several sizes
            return None
        fine = tuple(inputs.shape[1:]) == self._intake.input_shape and np.isfinite(inputs.numpy()).all()
        return inputs if fine else None

    def _fitting(self, i: int, image: Any) -> Any:
        """An item's picture; where that is a tensor for another input and the data set has the ``picture``, that."""
        if isinstance(image, torch.Tensor) and not self._intake.takes(image) and hasattr(self.dataset, "picture"):
            return self.dataset.picture(i)
        return image

    def _one_by_one(self, items: list, skipped: Skipped) -> tuple[list, torch.Tensor | None]:
        good, inputs = [], []
        for item in items:
            try:
                inputs.append(one_picture(self._intake, self._fitting(item[0], item[1])))
                good.append(item)
            except MemoryError:
                raise
            except Exception as error:
                skipped.append((item[0], _sentence(error)))
        return good, torch.cat(inputs) if inputs else None


def numbers_of(dataset: Any, indices: Sequence[int] | None) -> np.ndarray:
    """The numbers of the wanted items, int64 (n,), none negative.

    Raises:
        TypeError: the data set has no length or no numbering, or the indices are no whole numbers.
        ValueError: there are no items.
        IndexError: there is no such item.
    """
    kind = type(dataset).__name__
    if isinstance(dataset, torch.utils.data.DataLoader):
        raise TypeError(
            "a DataLoader was given: give its data set (loader.dataset); batch_size= and workers= are scan's own"
        )
    unnumbered = isinstance(dataset, (torch.utils.data.IterableDataset, Mapping)) or not hasattr(dataset, "__getitem__")
    if unnumbered or not hasattr(dataset, "__len__"):
        raise TypeError(f"{kind} has no length and no numbered items: wanted is a data set with both, or a list of pictures")
    try:
        size = len(dataset)
    except TypeError as error:
        raise TypeError(f"{kind} has no length: wanted is a data set with numbered items, or a list of pictures") from error
    numbers = np.arange(size) if indices is None else np.asarray(indices)
    if numbers.ndim != 1:
        raise TypeError(f"indices are {format_shape(numbers.shape) or 'a single number'}: wanted is a row of whole numbers")
    if not len(numbers):
        raise ValueError("there is no picture: " + ("the data set is empty" if indices is None else "indices is empty"))
    if not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"indices are {numbers.dtype}: wanted are whole numbers, such as np.flatnonzero gives of a mask")
    for wrong in numbers[(numbers < -size) | (numbers >= size)][:1]:
        raise IndexError(f"there is no item {wrong}: the data set has {size:,}, numbered from 0")
    return np.where(numbers < 0, numbers + size, numbers).astype(np.int64)


def picture_and_label(item: Any) -> tuple[Any, int]:
    """The picture and the label of an item: a picture, ``(picture, label, ...)`` or a dict; -1 for no label."""
    image, label = item, -1
    if isinstance(item, (tuple, list)):
        image, label = item[0], item[1] if len(item) > 1 else -1
    elif isinstance(item, Mapping):
        names = [name for name in ("image", "img", "pixel_values") if name in item]
        if not names:
            raise ValueError(f"the item has {', '.join(map(repr, item)) or 'nothing'}: wanted is 'image'")
        image, label = item[names[0]], item.get("label", item.get("labels", item.get("target")))
    try:
        return image, max(-1, operator.index(label))
    except TypeError:
        return image, -1


def learn_input_shape(net: BoundModel, dataset: Any, order: np.ndarray) -> None:
    """Show a network some picture: the first preprocessed one settles an input shape that is not known yet."""
    for i in order[:FIRST].tolist():
        try:
            one_picture(net, picture_and_label(dataset[i])[0])
            return
        except Exception:  # a bad picture: it is told of when its batch is loaded
            continue


@contextmanager
def generators_kept(home: bool = True) -> Iterator[None]:
    """Inside, the global random generators may be seeded; afterwards they are as they were.

    At home, which is the process of the caller, nothing is done on threads beside the main one: others may draw there.
    """
    if home and not on_main_thread():
        yield
        return
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def on_main_thread() -> bool:
    """Whether nobody else draws random numbers meanwhile."""
    return threading.current_thread() is threading.main_thread()


def _seed(number: int) -> None:
    torch.default_generator.manual_seed(number)
    np.random.seed(number)
    random.seed(number)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
