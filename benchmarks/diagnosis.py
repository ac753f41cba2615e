"""False alarms: how often a symptom is named in 33 sound trainings, of several networks, optimizers, rates and seeds."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR

import cnnwidgets as cw
from benchmarks.timing import Figure, figure
from cnnwidgets import samples
from cnnwidgets.methods import Record, diagnose, monitor
from cnnwidgets.methods.tasks import loader

SEEDS = range(3)
LEAST = 0.8
"""The accuracy on test images from which on a training counts as sound; 0.1 is chance."""


def mlp(activation: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(1024, 300), activation(), nn.Linear(300, 100), activation(), nn.Linear(100, 10)),
    )


def normed() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(1024, 10)),
    )


def tuned() -> nn.Module:
    """The bundled network, with its weights: it trains on."""
    return copy.deepcopy(cw.load("scenes").module)


Make = Callable[[], nn.Module]
Optimize = Callable[[nn.Module], torch.optim.Optimizer]

SOUND: dict[str, tuple[str, Make, Optimize, int]] = {
    "LeNet-5, SGD 0.02, momentum": ("digits", samples.LeNet5, lambda m: SGD(m.parameters(), 0.02, momentum=0.9), 15),
    "LeNet-5, SGD 0.1": ("digits", samples.LeNet5, lambda m: SGD(m.parameters(), 0.1), 15),
    "LeNet-5, Adam 0.001": ("digits", samples.LeNet5, lambda m: Adam(m.parameters(), 0.001), 15),
    "LeNet-5, RMSprop 0.001": ("digits", samples.LeNet5, lambda m: RMSprop(m.parameters(), 0.001), 15),
    "MLP tanh, SGD 0.02, momentum": ("digits", lambda: mlp(nn.Tanh), lambda m: SGD(m.parameters(), 0.02, momentum=0.9), 15),
    "MLP ReLU, Adam 0.001": ("digits", lambda: mlp(nn.ReLU), lambda m: Adam(m.parameters(), 0.001), 15),
    "MLP GELU, AdamW 0.0005": (
        "digits",
        lambda: mlp(nn.GELU),
        lambda m: AdamW(m.parameters(), 0.0005, weight_decay=0.0),
        15,
    ),
    "batch norm, SGD 0.05, momentum": ("digits", normed, lambda m: SGD(m.parameters(), 0.05, momentum=0.9), 15),
    "batch norm, Adam 0.003": ("digits", normed, lambda m: Adam(m.parameters(), 0.003), 15),
    "SmallResNet, Adam 0.002": ("colored", samples.SmallResNet, lambda m: Adam(m.parameters(), 0.002), 8),
    "SmallResNet, fine-tuned, Adam 0.0001": ("scenes", tuned, lambda m: Adam(m.parameters(), 0.0001), 6),
}


def figures() -> Iterator[Figure]:
    torch.set_num_threads(1)
    alarms, hints = Counter[str](), Counter[str]()
    runs = unsound = 0
    for (name, (data, make, optimize, epochs)), seed in itertools.product(SOUND.items(), SEEDS):
        record = watched(data, make, optimize, epochs, seed)
        found = diagnose(record)
        runs += 1
        reached = record.history.final_accuracy
        if reached < LEAST:
            unsound += 1
            print(f"{name}, seed {seed}: {reached:.1%}, not sound")
            continue
        for one in found.findings:
            (hints if one.severity == 1 else alarms)[one.name] += 1
            print(f"{name}, seed {seed} ({reached:.1%}): {one.sentence}")
    yield figure("trainings", runs, "")
    yield figure("of these not sound", unsound, "", most=0)
    yield figure("false alarms in all of them", alarms.total(), "", most=1)
    for name, count in alarms.most_common():
        yield figure(f"false alarm: {name}", count, "")
    for name, count in hints.most_common():
        yield figure(f"hint: {name}", count, "")


def watched(data: str, make: Make, optimize: Optimize, epochs: int, seed: int) -> Record:
    """A training as a lecture writes it, with a cosine schedule for every other seed."""
    torch.manual_seed(seed)
    train, test = batches(data)
    train.generator.manual_seed(seed)
    model = make()
    optimizer = optimize(model)
    scheduler = CosineAnnealingLR(optimizer, epochs) if seed % 2 else None
    with monitor(model, train, optimizer, scheduler=scheduler, epochs=epochs) as m:
        for _ in range(epochs):
            model.train()
            for images, labels in train:
                optimizer.zero_grad()
                F.cross_entropy(model(images), labels).backward()
                optimizer.step()
            if scheduler:
                scheduler.step()
            model.eval()
            with torch.no_grad():
                for images, labels in test:
                    F.cross_entropy(model(images), labels)
    return m.record


def batches(data: str) -> tuple[Any, Any]:
    if data == "scenes":
        return loader(samples.scenes("train", 512)), loader(samples.scenes("test", 200), shuffle=False)
    train, test = samples.digits("train"), samples.digits()
    if data == "digits":
        return loader(train), loader(test, shuffle=False)
    return tuple(loader(colored(each), shuffle=each is train) for each in (train, test))


def colored(dataset: Any) -> Any:
    """The same pictures with three channels."""
    return [(image.expand(3, -1, -1), label) for image, label in (dataset[k] for k in range(len(dataset)))]
