"""Pictures and labels in memory, and loaders that cut their batches out at once instead of putting item to item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler

from cnnwidgets.net.arguments import said
from cnnwidgets.net.items import read_batch
from cnnwidgets.net.randomness import OwnNumbers, lent_others


@dataclass(frozen=True, eq=False)
class Pictures(Dataset):
    """A data set in memory; an index, or a list of them, gives pictures and labels.

    Attributes:
        pictures: float32 (N, C, H, W), preprocessed.
        labels: (N, ...).
        mean, std: of the preprocessing ``(pixel - mean) / std`` of pixels from 0 to 1; None if it is not known.
        classes: their names, where they are known.
        change: what is done to a picture (C, H, W) each time that it is taken, by chance.
        scale: gives pixels from 0 to this in place of preprocessed values.
    """

    pictures: Tensor
    labels: Tensor
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    classes: Sequence[str] | None = None
    change: Callable[[Tensor], Tensor] | None = None
    scale: float | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        pictures, labels = self.pictures[index], self.labels[index]
        if self.change is not None:
            pictures = torch.stack([*map(self.change, pictures)]) if pictures.ndim > 3 else self.change(pictures)
        if self.scale is not None:
            mean, std = (torch.tensor(each).reshape(-1, 1, 1) for each in (self.mean, self.std))
            pictures = (pictures * std + mean) * self.scale
        return pictures, labels


def pictures_of(loader: Any, what: str) -> Pictures:
    """The data set of a loader, in memory.

    Parameters:
        what: what a sentence calls the loader.

    Raises:
        TypeError: the loader does not say how many pictures there are.
        ValueError: the data set changes its pictures by chance, which would be done once for all.
    """
    dataset = getattr(loader, "dataset", None)
    if not isinstance(loader, DataLoader) or isinstance(dataset, IterableDataset):
        raise TypeError(
            f"the {what} loader is {said(loader)}; expected a DataLoader over a data set with a length, so that its data "
            f"can be varied"
        )
    return dataset if isinstance(dataset, Pictures) else held(dataset, what)


def held(dataset: Any, what: str = "training") -> Pictures:
    """A data set of pictures and labels, in memory; its ``mean`` and ``std`` are kept, if it has them."""
    numbers = OwnNumbers(0)
    with numbers, lent_others(0) as others_drew:
        pictures, labels = read_batch([dataset[i] for i in range(len(dataset))])
        drew = numbers.drew or others_drew()
    if drew:
        raise ValueError(
            f"the {what} data set changes its pictures by chance, and they would be changed once for all: expected one "
            f"that does not; data={{'augment': [...]}} does"
        )
    about = {name: getattr(dataset, name, None) for name in ("mean", "std", "classes")}
    return Pictures(pictures, labels, **about)


def loader(dataset: Any, batch: int = 64, *, shuffle: bool = True) -> DataLoader:
    """A data set of (picture, label) in memory, in batches that are cut out at once instead of collated item by item.

    It shuffles with a generator of its own, and so draws nothing from the global one.
    """
    data, own = dataset if isinstance(dataset, Pictures) else held(dataset), torch.Generator()
    order = RandomSampler(data, generator=own) if shuffle else SequentialSampler(data)
    return DataLoader(data, sampler=BatchSampler(order, batch, drop_last=False), batch_size=None, generator=own)
