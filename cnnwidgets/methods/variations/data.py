"""``data=``: which pictures are trained on, with which labels, in which order, and what is done to them first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler

from cnnwidgets.methods.augmentation import AUGMENTATIONS, augmentation
from cnnwidgets.methods.in_memory import Pictures, loader, pictures_of
from cnnwidgets.methods.parameters import Parameter, Text, settle_by
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.variations.tasks import TURN
from cnnwidgets.net.items import describe
from cnnwidgets.net.layers import nearest

ORDERS = ("shuffled", "given", "by class")
PREPROCESSINGS = ("standardized", "0..1", "0..255")

DATA: dict[str, Parameter] = {
    "size": Parameter(None, "Training pictures, drawn by the seed; by default all.", 1, 10**9, whole=True),
    "label_noise": Parameter(0.0, "Share of the training labels that are replaced by another class.", 0.0, 1.0),
    "label_shift": Parameter(0, "How many classes every training label is off.", 0, 10**6, whole=True),
    "imbalance": Parameter(1.0, "How many times more pictures the first class has than the last one.", 1.0, 1e6),
    "order": Parameter("shuffled", "In which order the training pictures come.", choices=ORDERS),
    "batch": Parameter(None, "Pictures in a batch; by default as the loader has it.", 1, 10**6, whole=True),
    "augment": Text([], "What is done to training pictures by chance.", many=True),
    "strength": Parameter(0.5, "How strongly they are augmented.", 0.0, 1.0),
    "augment_test": Parameter(False, "Augment the test images, too: a mistake.", choices=(False, True)),
    "pixels": Parameter(
        "standardized", "What the network gets: standardized values, or raw pixels.", choices=PREPROCESSINGS
    ),
    "test_pixels": Parameter(None, "The same for test images; by default alike.", choices=PREPROCESSINGS),
    "seed": Parameter(0, "Of the pictures and labels that are drawn.", 0, 2**32 - 1, whole=True),
}


def settle(given: Any) -> dict[str, Any]:
    if isinstance(given, dict) and isinstance(given.get("augment"), str):
        given = {**given, "augment": [given["augment"]]}
    found = settle_by(DATA, "data", given)
    for name in found.get("augment", ()):
        if name not in AUGMENTATIONS:
            offered = f"use {', '.join(AUGMENTATIONS)}.{nearest(name, [*AUGMENTATIONS])}"
            raise ValueError(f"there is no augmentation {name!r}: {offered}")
    return found


def draws(what: dict[str, Any]) -> bool:
    """Whether the loaders of data so varied draw from torch's global generator."""
    return bool(what.get("data", {}).get("augment"))


def loaders(task: Task, what: dict[str, Any]) -> tuple[Iterable[Any], Iterable[Any]]:
    """The loaders of a varied task: those of the task itself where nothing varies them.

    Raises:
        TypeError: the data are to be varied, and a loader does not say how many pictures there are.
        ValueError: what is told does not fit the data.
    """
    told, heads = what.get("data", {}), [*what.get("tasks", {}).get("heads", {})]
    if not told and TURN not in heads:
        return task.loader, task.validation_loader
    seed, pixels = told.get("seed", 0), told.get("pixels", "standardized")
    training, test = pictures_of(task.loader, "training"), pictures_of(task.validation_loader, "validation")
    names = told.get("augment", [])
    change = augmentation(names, told.get("strength", 0.5), training.mean, training.std) if names else None
    training = _chosen(training, told, seed)
    if TURN in heads:
        training, test = (_turned(each, heads, seed) for each in (training, test))
    training = _preprocessed(replace(training, change=change), pixels)
    test = replace(test, change=change if told.get("augment_test") else None)
    test = _preprocessed(test, told.get("test_pixels") or pixels)
    order = told.get("order", "shuffled" if is_shuffled(task.loader) else "given")
    return (
        loader(training, told.get("batch") or batch_of(task.loader), shuffle=order == "shuffled"),
        loader(test, batch_of(task.validation_loader), shuffle=False),
    )


def subset(labels: Tensor, size: int | None, imbalance: float, seed: int) -> Tensor:
    """Which pictures are left, as rising numbers.

    Of c classes the k-th one keeps a share of imbalance^(-k / (c - 1)): Cui, Jia, Lin, Song and Belongie, "Class-balanced
    loss based on effective number of samples" (CVPR 2019). Which ones, and which of all, is drawn by the seed.

    Raises:
        ValueError: there are not so many.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    if imbalance > 1:
        classes = labels.unique().tolist()
        kept = []
        for k, each in enumerate(classes):
            own = order[labels[order] == each]
            kept.append(own[: max(1, round(len(own) * imbalance ** (-k / max(1, len(classes) - 1))))])
        left = torch.zeros(len(labels), dtype=torch.bool)
        left[torch.cat(kept)] = True
        order = order[left[order]]
    if size is not None and size > len(order):
        raise ValueError(f"data['size'] is {size}, but there are {len(order)} training pictures")
    return order[:size].sort().values


def noisy(labels: Tensor, share: float, seed: int) -> Tensor:
    """The labels (N,), of which round(share N) are replaced by one of the other classes, drawn by the seed."""
    generator, classes = torch.Generator().manual_seed(seed), int(labels.max()) + 1
    wrong = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    shifted = labels.clone()
    shifted[wrong] = (labels[wrong] + torch.randint(1, classes, (len(wrong),), generator=generator)) % classes
    return shifted


def batch_of(loader: Any) -> int:
    """How many pictures a loader's batches have."""
    return loader.batch_size or getattr(loader.sampler, "batch_size", None) or 64


def is_shuffled(loader: Any) -> bool:
    """Whether a loader gives its pictures in another order than they lie in."""
    sampler = loader.sampler if loader.batch_sampler is None else loader.batch_sampler
    return not isinstance(getattr(sampler, "sampler", sampler), SequentialSampler)


def _chosen(data: Pictures, told: dict[str, Any], seed: int) -> Pictures:
    """Some of the pictures, with the labels and in the order that are told of."""
    of_labels = [name for name in ("label_noise", "label_shift", "imbalance") if told.get(name)]
    if of_labels and (data.labels.ndim != 1 or data.labels.is_floating_point()):
        raise ValueError(f"data[{of_labels[0]!r}] is for class numbers (N,), got labels {describe(data.labels)}")
    some = subset(data.labels, told.get("size"), told.get("imbalance", 1.0), seed)
    labels = data.labels[some]
    if noise := told.get("label_noise"):
        labels = noisy(labels, noise, seed)
    if shift := told.get("label_shift"):
        labels = (labels + shift) % (int(data.labels.max()) + 1)
    if told.get("order") == "by class":
        order = labels.argsort(stable=True)
        some, labels = some[order], labels[order]
    return replace(data, pictures=data.pictures[some], labels=labels)


def _turned(data: Pictures, heads: list[str], seed: int) -> Pictures:
    """Each picture turned by some quarter turns, which is the label of another head; pictures with both labels stay."""
    if data.labels.ndim != 1:
        return data
    if len(heads) != 2 or data.pictures.shape[-1] != data.pictures.shape[-2]:
        raise ValueError(f"{TURN!r} is the second head of square pictures with one label, got heads {', '.join(heads)}")
    turns = torch.randint(4, (len(data.labels),), generator=torch.Generator().manual_seed(seed))
    turned = torch.stack([torch.rot90(one, int(k), (-2, -1)) for one, k in zip(data.pictures, turns, strict=True)])
    columns = [turns, data.labels] if heads[0] == TURN else [data.labels, turns]
    return replace(data, pictures=turned, labels=torch.stack(columns, 1))


def _preprocessed(data: Pictures, way: str) -> Pictures:
    """Pixels in place of standardized values."""
    if way == "standardized":
        return data
    if data.mean is None:
        raise ValueError(f"pixels {way!r} can be had only where the data set says its mean and std")
    return replace(data, scale=1.0 if way == "0..1" else 255.0)
