"""A data set's batches, by position: loaded, prepared, without the bad pictures; the same wherever they are loaded."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.net import BoundModel, bind
from cnnwidgets.net.items import class_of, fitting, names_of, read, size_of
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.no_trace import put_back_by
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
        labels: int64 (n,), the class of each, see :func:`cnnwidgets.net.items.class_of`; -1 where an item says none.
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
        first = learn_input_shape(net, dataset, order)
        self._names = names_of(dataset) or (_names_of_answers(net) if isinstance(first, str) else ())
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
                image, label, _ = read(self.dataset[i])
                good.append((i, image, class_of(label, self._names)))
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

    def _one_by_one(self, items: list, skipped: Skipped) -> tuple[list, torch.Tensor | None]:
        good, inputs = [], []
        for item in items:
            try:
                image = fitting(self.dataset, item[0], item[1], self._intake.takes)
                inputs.append(one_picture(self._intake, image))
                good.append(item)
            except MemoryError:
                raise
            except Exception as error:
                skipped.append((item[0], _sentence(error)))
        return good, torch.cat(inputs) if inputs else None


def numbers_of(dataset: Any, indices: Sequence[int] | None) -> np.ndarray:
    """The numbers of the wanted items, int64 (n,), none negative.

    Raises:
        TypeError: the data set has no length or no numbering, or the indices are not whole numbers.
        ValueError: there are no items.
        IndexError: there is no such item.
    """
    size = size_of(dataset)
    numbers = np.arange(size) if indices is None else np.asarray(indices)
    if numbers.ndim != 1:
        raise TypeError(f"indices are {format_shape(numbers.shape) or 'a single number'}: expected a list of whole numbers")
    if not len(numbers):
        why = "the data set" if indices is None else "indices"
        raise ValueError(f"expected pictures to scan, got none: {why} is empty")
    if not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"indices are {numbers.dtype}: expected whole numbers, such as np.flatnonzero(mask) gives")
    for wrong in numbers[(numbers < -size) | (numbers >= size)][:1]:
        raise IndexError(f"there is no item {wrong}: the data set has {size:,}, numbered from 0")
    return np.where(numbers < 0, numbers + size, numbers).astype(np.int64)


def learn_input_shape(net: BoundModel, dataset: Any, order: np.ndarray) -> Any:
    """Let a data set settle an input shape that is not known yet.

    Returns:
        The label of the first picture that can be used, as it lies there; None if there is none.
    """
    net.learn_input_shape(dataset, order[:FIRST].tolist())
    for i in order[:FIRST].tolist():
        try:
            image, label, _ = read(dataset[i])
            one_picture(net, image)
            return label
        except Exception:  # a bad picture: it is told of when its batch is loaded
            continue
    return None


def _names_of_answers(net: BoundModel) -> tuple[str, ...]:
    """The names of a network's classes; none where it gives no class scores."""
    try:
        return net.classes
    except TypeError:
        return ()


@contextmanager
def generators_kept(home: bool = True) -> Iterator[None]:
    """Inside, the global random generators may be seeded; afterwards they are as they were.

    At home, which is the process of the caller, nothing is done on threads beside the main one: others may draw there.
    """
    if home and not on_main_thread():
        yield
        return
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()

    def put_back() -> None:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])

    with put_back_by(put_back):
        yield


def on_main_thread() -> bool:
    """Whether nobody else draws random numbers meanwhile."""
    return threading.current_thread() is threading.main_thread()


def _seed(number: int) -> None:
    torch.default_generator.manual_seed(number)
    np.random.seed(number)
    random.seed(number)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
