"""What watching a training costs, beside the same loop without it."""

from __future__ import annotations

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
