"""What is trained, on which data: the small networks of the samples, or one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler, TensorDataset

from cnnwidgets import samples
from cnnwidgets.methods.copies import trainable_copy
from cnnwidgets.methods.criteria import Loss
from cnnwidgets.net.arguments import KINDS, check, checked
from cnnwidgets.net.items import read
from cnnwidgets.net.layers import nearest
from cnnwidgets.net.randomness import Stream

SAMPLES = ("digits", "scenes")
"""The samples that are tasks. "grass" is none: its network differs from that of "scenes" in its data alone."""


@dataclass(frozen=True, eq=False)
class Task:
    """A model, and the batches that it is trained and validated on. All of them are left as they are: copies train.

    >>> task = Task(model, loader, others)
    >>> task = Task(model, loader, others, nn.BCEWithLogitsLoss())  # several labels a picture

    Attributes:
        model: a network, which every run begins with a copy of; or a function without arguments that makes one, such as
            its class: every run then begins with weights of its own seed.
        train: gives batches of pictures (N, C, H, W) and labels, an epoch each time it is iterated: pairs, triples or
            dicts, as :func:`cnnwidgets.methods.train` takes them.
        validation: likewise; what a run is judged by.
        criterion: scores and labels to their mean loss, which also says what accuracy is, see
            :func:`cnnwidgets.methods.criteria.accuracy`.
        name: for the reader.
        draws: whether the network or the loaders may draw from the global random generators: dropout does, and a loader
            without a generator of its own. They are then lent to whatever trains, while it does.
    """

    model: nn.Module | Callable[[], nn.Module]
    train: Iterable[Any]
    validation: Iterable[Any]
    criterion: Loss = F.cross_entropy
    name: str = "your own"
    draws: bool = True

    def __post_init__(self) -> None:
        check("model", self.model, [KINDS["nn.Module"], KINDS["Callable"]])
        check("criterion", self.criterion, [KINDS["Loss"]])
        for loader, what in ((self.train, "training"), (self.validation, "validation")):
            if loader is None:
                raise ValueError(f"a network of your own needs a {what} loader, which gives batches of pictures and labels")
            check(f"the {what} loader", loader, [KINDS["Iterable[Any]"]])
            if isinstance(loader, Sized) and len(loader) == 0:
                raise ValueError(f"the {what} loader is empty: it gives no batch")

    def start(self) -> nn.Module:
        """The network before its first step, free to be trained."""
        model = trainable_copy(self.model) if isinstance(self.model, nn.Module) else self.model()
        check("what model() makes", model, [KINDS["nn.Module"]])
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ValueError("there is nothing to train: no parameter of the network requires a gradient")
        return model

    @property
    def generators(self) -> list[torch.Generator]:
        """The random generators that the loaders own."""
        owners = [loader for each in (self.train, self.validation) for loader in _parts(each)]
        found = [getattr(owner, "generator", None) for owner in owners]
        return [*{id(each): each for each in found if isinstance(each, torch.Generator)}.values()]

    def stream(self, seed: int) -> tuple[nn.Module, Stream]:
        """The network at its start, and the random numbers of its training."""
        stream = Stream(seed, self.generators)
        with stream.flowing():
            model = self.start()
        return model, stream if self.draws else Stream(seed, self.generators, alone=True)

    def __reduce__(self) -> tuple:
        if self.name in SAMPLES and self is task(self.name):
            return task, (self.name,)  # another process composes the pictures itself
        return Task, (self.model, self.train, self.validation, self.criterion, self.name, self.draws)

    def __repr__(self) -> str:
        return f"Task({self.name})"


@checked
@cache
def task(name: str) -> Task:
    """A sample network, to be trained on its data: "digits" (LeNet-5, 1,297 pictures) or "scenes" (2,000 of them).

    Raises:
        ValueError: there is no such sample.
    """
    if name not in SAMPLES:
        raise ValueError(f"there is no sample {name!r} to train: use {', '.join(SAMPLES)}.{nearest(name, [*SAMPLES])}")
    network = {"digits": samples.LeNet5, "scenes": samples.SmallResNet}[name]
    made = getattr(samples, name)
    train, validation = (made("train"), made()) if name == "digits" else (made("train", 2000), made("test", 500))
    return Task(network, loader(train), loader(validation, shuffle=False), name=name, draws=False)


def task_of(model: str | Task | nn.Module | Callable[[], nn.Module], train: Any = None, validation: Any = None) -> Task:
    """A task, however it is given: itself, by a sample's name, or as a network and its loaders."""
    if isinstance(model, Task):
        return model
    return task(model) if isinstance(model, str) else Task(model, train, validation)


def loader(dataset: Dataset, batch: int = 64, *, shuffle: bool = True) -> DataLoader:
    """A data set of (picture, label) in memory, in batches, which are cut out at once and not put together one by one.

    It shuffles with a generator of its own, and so draws nothing from the global one.
    """
    items = [read(dataset[i]) for i in range(len(dataset))]  # type: ignore[arg-type]
    pictures, labels = [item.image for item in items], [item.label for item in items]
    held, own = TensorDataset(torch.stack(pictures), torch.tensor(labels)), torch.Generator()
    order = RandomSampler(held, generator=own) if shuffle else SequentialSampler(held)
    return DataLoader(held, sampler=BatchSampler(order, batch, drop_last=False), batch_size=None, generator=own)


def _parts(loader: Any) -> list[Any]:
    """A loader and the samplers in it, which may draw from generators of their own."""
    inner = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
    return [loader, *(part for each in inner if each is not None for part in _parts(each))]
