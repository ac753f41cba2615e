"""Small trainings on a few digits, sound but for what is asked for: each loop is written as its author would have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from cnnwidgets import samples
from cnnwidgets.methods import Record, monitor


@cache
def digits(split: str, size: int) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 16, 16), at half their resolution, and labels."""
    data = samples.digits(split)
    items = [data[k] for k in range(size)]
    return F.avg_pool2d(torch.stack([image for image, _ in items]), 2), torch.tensor([label for _, label in items])


class Digits(Dataset):
    """The first digits of a split; every picture and label goes through a function each time."""

    def __init__(self, split: str, size: int, image: Callable = lambda x: x, label: Callable = lambda y: y):
        self.images, self.labels = digits(split, size)
        self.image, self.label = image, label

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, k: int) -> tuple[Tensor, Any]:
        return self.image(self.images[k]), self.label(self.labels[k])


def mlp(activation: type[nn.Module] = nn.ReLU, depth: int = 2, width: int = 48, last: int = 10) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(256, width), activation()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, last))


def normed() -> nn.Sequential:
    """With a convolution, batch norm and dropout."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(294, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)),
    )


@dataclass
class Training:
    """A loop and all that goes into it."""

    model: Callable[[], nn.Module] = normed
    change: Callable[[nn.Module], Any] = lambda model: None
    optimizer: Callable[[nn.Module], Any] = lambda model: torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler: Callable[[Any], Any] | None = None
    data: Callable[[], Dataset] = lambda: Digits("train", 320)
    others: Callable[[], Dataset] = lambda: Digits("test", 200)
    shuffle: bool = True
    epochs: int = 12
    criterion: Callable = F.cross_entropy
    train: bool = True
    eval: bool = True
    step_first: bool = False
    by_batch: bool = False
    every: int = 3
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Record:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self._run()

    def _run(self) -> Record:
        model = self.model()
        self.change(model)
        optimizer = self.optimizer(model)
        scheduler = self.scheduler(optimizer) if self.scheduler else None
        loader = DataLoader(self.data(), batch_size=32, shuffle=self.shuffle)
        others = DataLoader(self.others(), batch_size=100)
        model.train()
        with monitor(model, loader, optimizer, scheduler=scheduler, epochs=self.epochs, every=self.every) as m:
            for _ in range(self.epochs):
                if self.train:
                    model.train()
                if scheduler and self.step_first:
                    scheduler.step()
                for images, labels in loader:
                    optimizer.zero_grad()
                    loss = self.criterion(model(images), labels)
                    loss.backward()
                    optimizer.step()
                    if scheduler and self.by_batch:
                        scheduler.step()
                if scheduler and not self.step_first and not self.by_batch:
                    scheduler.step()
                if self.eval:
                    model.eval()
                with torch.no_grad():
                    for images, labels in others:
                        self.criterion(model(images), labels)
        return m.record
