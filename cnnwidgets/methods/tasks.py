"""What is trained, and on which data: a small sample network, or your own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn import functional as F

from cnnwidgets import samples
from cnnwidgets.methods.copies import trainable_copy
from cnnwidgets.methods.criteria import Loss
from cnnwidgets.methods.in_memory import loader
from cnnwidgets.net.arguments import KINDS, check, checked
from cnnwidgets.net.layers import nearest
from cnnwidgets.net.randomness import Stream

SAMPLES = ("digits", "scenes")
"""The samples that are tasks. "grass" is not one: it differs from "scenes" in its data alone."""


@dataclass(frozen=True, eq=False)
class Task:
    """A network and the batches that it is trained and validated on. All of them stay as they are: copies train.

    >>> task = Task(model, loader, validation_loader)
    >>> task = Task(model, loader, validation_loader, nn.BCEWithLogitsLoss())  # several labels a picture

    Attributes:
        model: a network, of which every run trains a copy; or a function without arguments that makes one, such as its
            class: every run then starts from weights of its own seed.
        loader: gives batches of pictures (N, C, H, W) and labels to train on, one epoch each time it is iterated: pairs,
            triples or dicts, as :func:`cnnwidgets.methods.train` takes them.
        validation_loader: gives the batches that every run is judged by.
        criterion: scores and labels to their mean loss, which also says what accuracy is, see
            :func:`cnnwidgets.methods.criteria.accuracy`.
        name: what a reader calls it.
        draws: whether the network or the loaders may draw from the global random generators: dropout does, and so does a
            loader without a generator of its own. Whatever trains then has the global generators to itself meanwhile.
    """

    model: nn.Module | Callable[[], nn.Module]
    loader: Iterable[Any]
    validation_loader: Iterable[Any]
    criterion: Loss = F.cross_entropy
    name: str = "your own"
    draws: bool = True

    def __post_init__(self) -> None:
        check("model", self.model, [KINDS["nn.Module"], KINDS["Callable"]])
        check("criterion", self.criterion, [KINDS["Loss"]])
        for given, what in ((self.loader, "training"), (self.validation_loader, "validation")):
            if given is None:
                raise ValueError(f"a network of your own needs a {what} loader that gives batches of pictures and labels")
            check(f"the {what} loader", given, [KINDS["Iterable[Any]"]])
            if isinstance(given, Sized) and len(given) == 0:
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
        owners = [loader for each in (self.loader, self.validation_loader) for loader in _parts(each)]
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
        return Task, (self.model, self.loader, self.validation_loader, self.criterion, self.name, self.draws)

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


Trainable: TypeAlias = str | Task | nn.Module | Callable[[], nn.Module]
"""What the panels that train take: a sample's name, a task, or a network with its loaders."""


def task_of(given: Trainable, loader: Any = None, validation_loader: Any = None) -> Task:
    """A task, however it is given: itself, by a sample's name, or as a network and its loaders."""
    if isinstance(given, Task):
        return given
    return task(given) if isinstance(given, str) else Task(given, loader, validation_loader)


def _parts(loader: Any) -> list[Any]:
    """A loader and the samplers in it, which may draw from generators of their own."""
    inner = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
    return [loader, *(part for each in inner if each is not None for part in _parts(each))]
