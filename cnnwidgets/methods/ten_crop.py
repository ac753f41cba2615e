"""Ten-crop testing: the answer to a picture as the mean of the answers to parts of it, over a data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.arguments import real
from cnnwidgets.methods.batches import Batch, Skipped, numbers_of
from cnnwidgets.methods.reducers import answers_of
from cnnwidgets.methods.scan import Scan, scan
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checking
from cnnwidgets.net.items import fitting, names_of, read
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import percent

VIEWS = {"whole": slice(0, 1), "center": slice(5, 6), "five crops": slice(1, 6), "ten crops": slice(1, 11)}
"""Over which of the eleven views of a picture the answers are averaged: itself, five crops, and these mirrored."""

EACH = 11


@dataclass(frozen=True, repr=False, eq=False)
class TenCrop:
    """How many pictures of a data set are right by one view of each, and by the mean of several.

    Attributes:
        views: names of :data:`VIEWS`: the whole picture, its center, five crops, ten crops.
        right: bool (pictures, views): whether the most probable class is the label.
        indices: int64 (pictures,), their numbers in the data set; of those that have a label.
        scale: how much larger the picture is made before parts of the network's input size are cut out.
        skipped: (index, sentence) of the pictures that could not be used.
        total: number of pictures that were asked for.
        notes: sentences on the network.
    """

    views: tuple[str, ...]
    right: np.ndarray
    indices: np.ndarray
    scale: float
    skipped: Skipped
    total: int
    notes: tuple[str, ...] = ()

    @property
    def accuracy(self) -> np.ndarray:
        """float64 (views,), between 0 and 1; NaN where no picture has a label."""
        return self.right.mean(0) if len(self.right) else np.full(len(self.views), np.nan)

    def chance(self, one: str, other: str) -> float:
        """The probability that two views are as unlike, if only chance tells them apart: McNemar's exact test (1947)."""
        a, b = (self.right[:, self.views.index(view)] for view in (one, other))
        unlike = int((a != b).sum())
        return float(stats.binomtest(int((a & ~b).sum()), unlike).pvalue) if unlike else 1.0

    @property
    def summary(self) -> str:
        """What averaging gains or costs, one sentence."""
        count, accuracy = len(self.right), dict(zip(self.views, self.accuracy, strict=True))
        if not count:
            return "No picture has a label: nothing can be right or wrong."
        told = ", ".join(f"{view} {percent(accuracy[view])}" for view in self.views)
        sure = self.chance("whole", "ten crops") < 0.05
        judged = "Chance alone does not explain it (95%)." if sure else "The difference may be chance."
        return f"{count:,} pictures: {told}. {judged}"

    def __repr__(self) -> str:
        told = ", ".join(f"{view} {percent(value)}" for view, value in zip(self.views, self.accuracy, strict=True))
        return f"<{len(self.right):,} pictures: {told}>"


@checking("indices", "batch_size", "workers", "executor")
def ten_crop(
    net: BoundModel,
    dataset: Any,
    *,
    scale: float = 8 / 7,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    executor: Executor | None = None,
    on_update: OnUpdate[TenCrop] | None = None,
    cancel: Cancel | None = None,
) -> TenCrop:
    """Does it help to average a network's answers over crops of a picture? The accuracy by one view, and by several.

    >>> found = cw.methods.ten_crop(cw.load("scenes"), cw.samples.scenes(), indices=range(100))
    >>> found.views
    ('whole', 'center', 'five crops', 'ten crops')

    The picture is enlarged by ``scale``; from there the four corners and the center are cut out in the network's input
    size, and each is mirrored, too. The probabilities are averaged. Krizhevsky, Sutskever and Hinton (2012), whose network
    had been trained on such crops, gained 1.6 points with 224 of 256 pixels. What must not be mirrored, such as digits,
    can lose.

    Parameters:
        net: a bound network.
        dataset, indices, batch_size, workers, executor, cancel: see :func:`scan`; ``dataset`` has labels.
        scale: above 1; 8/7 makes 256 pixels of 224.
        on_update: called with the partial result and the fraction done.

    Raises:
        ValueError: the network gives no probabilities, a label is beyond its classes, or ``scale`` is not above 1; and
            whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    scale = real("scale", scale, above=1)
    numbers = numbers_of(dataset, indices)
    net.learn_input_shape(dataset, numbers[:1].tolist())
    views = _Views(net, dataset, numbers, scale)

    def found(done: Scan) -> TenCrop:
        right, rows = done.results[0]
        skipped = [(int(numbers[i // EACH]), sentence) for i, sentence in done.skipped if i % EACH == 0]
        return TenCrop(tuple(VIEWS), right, numbers[rows], scale, skipped, len(numbers), done.notes)

    told = (lambda done, fraction: on_update(found(done), fraction)) if on_update else None
    options: dict[str, Any] = {"batch_size": EACH * max(1, batch_size // EACH), "workers": workers, "executor": executor}
    try:
        return found(scan(net, views, [_Votes(numbers)], **options, on_update=told, cancel=cancel))
    except Cancelled as cancelled:
        partial = cancelled.partial and found(cancelled.partial)
        raise Cancelled("cancelled", partial=partial) from None


def crops(picture: Tensor, scale: float) -> Tensor:
    """(11, C, H, W): a picture (C, H, W); its corners, top left first, and its center, enlarged; and these mirrored."""
    from torchvision.transforms.v2 import functional as F

    size = list(picture.shape[-2:])
    larger = F.resize(picture, [math.ceil(side * scale) for side in size], antialias=True)
    return torch.stack([picture, *F.ten_crop(larger, size)])


class _Views:
    """A data set of the eleven views of each picture, one after the other."""

    def __init__(self, net: BoundModel, dataset: Any, numbers: np.ndarray, scale: float):
        self._net, self._dataset, self._numbers, self._scale = net, dataset, numbers, scale
        self.classes = names_of(dataset)
        self._last: tuple[int, Tensor, Any] | None = None  # since a picture's views are asked for in turn

    def __len__(self) -> int:
        return EACH * len(self._numbers)

    def __getitem__(self, number: int) -> tuple[Tensor, Any]:
        row, view = divmod(number, EACH)
        if self._last is None or self._last[0] != row:
            at = int(self._numbers[row])
            image, label, _ = read(self._dataset[at])
            inputs = one_picture(self._net, fitting(self._dataset, at, image, self._net.takes))
            self._last = row, crops(inputs[0], self._scale), label
        return self._last[1][view], -1 if self._last[2] is None else self._last[2]


class _Votes:
    """The reducer that tells for each picture with a label whether each mean over its views is right.

    Parameters:
        numbers: int64 (pictures,), of the pictures in the data set.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers = numbers
        self.right, self.rows = np.zeros((0, len(VIEWS)), bool), np.zeros(0, np.int64)

    def update(self, batch: Batch) -> None:
        named = replace(batch, indices=self._numbers[batch.indices // EACH])  # pictures, and not their views
        whole = [row for row in np.unique(batch.indices // EACH) if (batch.indices // EACH == row).sum() == EACH]
        inside = np.isin(batch.indices // EACH, whole)
        answers = answers_of(named)[inside].reshape(len(whole), EACH, -1)
        labels = batch.labels[inside].reshape(len(whole), EACH)[:, 0]
        voted = np.stack([answers[:, part].mean(1).argmax(1).numpy() for part in VIEWS.values()], 1)
        known = labels >= 0
        self.right = np.concatenate([self.right, (voted == labels[:, None])[known]])
        self.rows = np.concatenate([self.rows, np.array(whole, np.int64)[known]])

    def merge(self, other: _Votes) -> None:
        self.right, self.rows = np.concatenate([self.right, other.right]), np.concatenate([self.rows, other.rows])

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        return self.right.copy(), self.rows.copy()
