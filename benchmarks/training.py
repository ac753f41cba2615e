"""What a race costs, and watching a training, beside the same loop without; and how soon a race is on screen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import functional as F

import cnnwidgets as cw
from benchmarks.scan import processor_seconds
from benchmarks.timing import Figure, figure
from cnnwidgets.methods.tasks import loader

STEPS = {"digits": 84, "scenes": 16}
"""Four epochs of the digits, half an epoch of 2,000 scenes."""


def figures() -> Iterator[Figure]:
    torch.set_num_threads(1)
    yield from monitoring("LeNet-5 on digits", cw.samples.LeNet5, loader(cw.samples.digits("train")), STEPS["digits"], 15)
    yield from monitoring("SmallResNet on scenes", cw.samples.SmallResNet, loader(cw.samples.scenes("train", 1024)), 16, 7)
    yield from racing(15)
    torch.set_num_threads(os.cpu_count() or 1)
    yield from presets()


def racing(rounds: int) -> Iterator[Figure]:
    """Four epochs of the digits: the loop of a race, also through a varied task, beside the same in plain PyTorch."""
    digits = cw.methods.task("digits")
    spec = {"kind": "constant", "lr": 0.01}
    ways = {
        "bare": lambda: bare(digits),
        "race": lambda: cw.methods.race(digits, [spec], steps=4),
        "varied": lambda: cw.methods.race(digits, [{**spec, "data": {"size": 1297}, "freeze": ["fc3.bias"]}], steps=4),
    }
    times = processor_seconds(ways, rounds)
    for way in ("race", "varied"):
        over = 100 * (times[way] / times["bare"] - 1)
        yield figure(f"four epochs of LeNet-5, validated: {way}, over the bare loop", over, "%", most=3)


def bare(task: cw.methods.Task) -> None:
    """The same four epochs as a lecture writes them, with what a history holds: losses and accuracies."""
    torch.manual_seed(0)
    model = task.start()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    log = []
    for _ in range(4):
        model.train()
        for images, labels in task.loader:
            scores = model(images)
            loss = F.cross_entropy(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log.append((loss.item(), int((scores.argmax(1) == labels).sum()) / len(labels)))
        model.eval()
        with torch.inference_mode():
            found = [(model(images), labels) for images, labels in task.validation_loader]
        scores, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
        log.append((F.cross_entropy(scores, labels).item(), int((scores.argmax(1) == labels).sum()) / len(labels)))


def presets() -> Iterator[Figure]:
    """Wall-clock seconds of eight networks of 8 to 44 layers, and until a panel has its first points."""
    start = time.perf_counter()
    depth = cw.methods.RACES["depth"]
    cw.methods.race(cw.methods.task(depth.task), depth.specs, steps=depth.steps)
    yield figure("the depth preset, eight runs", time.perf_counter() - start, "s", most=60)
    for name in ("initialization", "depth"):
        start = time.perf_counter()
        panel = cw.TrainingRace(preset=name)
        while not panel.chart.appended:
            time.sleep(0.01)
        yield figure(f"first points of the {name} race", time.perf_counter() - start, "s", most=2)
        panel.cancel()
        panel.wait()


def monitoring(what: str, make: Any, batches: Any, steps: int, rounds: int) -> Iterator[Figure]:
    ways = {
        "bare": lambda: run(make, batches, steps, None),
        "monitored": lambda: run(make, batches, steps, {}),
        "every step": lambda: run(make, batches, steps, {"every": 1}),
    }
    times = processor_seconds(ways, rounds)
    yield figure(f"{what}, batches of 64: a bare step", 1e3 * times["bare"] / steps, "ms")
    yield figure(f"{what}: monitored, over the bare loop", 100 * (times["monitored"] / times["bare"] - 1), "%", most=10)
    yield figure(f"{what}: monitored at every step, over it", 100 * (times["every step"] / times["bare"] - 1), "%")


def run(make: Any, batches: Any, steps: int, monitored: dict[str, Any] | None) -> None:
    """So many steps as a lecture writes them; under a monitor with these options."""
    torch.manual_seed(0)
    model = make().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    done = 0
    with nullcontext() if monitored is None else cw.methods.monitor(model, batches, optimizer, **monitored):
        while done < steps:
            for images, labels in batches:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()
                loss.item()
                done += 1
                if done == steps:
                    break
