"""Training beside a bare loop, races on the digits, and how fast a schedule is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional as F

import cnnwidgets as cw
from benchmarks.scan import processor_seconds
from benchmarks.timing import Figure, figure, in_turn
from cnnwidgets.methods import race, schedule, train
from cnnwidgets.methods.schedules import sketch

SPECS = [
    {"kind": "constant", "lr": 0.05},
    {"kind": "step", "lr": 0.05, "step_size": 10},
    {"kind": "cosine", "lr": 0.05},
    {"kind": "onecycle", "lr": 0.05},
]
EPOCHS = 30
MANY_STEPS = 100_000
PIXELS = 1_000


def figures() -> Iterator[Figure]:
    torch.set_num_threads(1)
    yield from over_a_bare_loop()
    torch.set_num_threads(2)
    yield from racing()
    yield from drawing()


def over_a_bare_loop(rounds: int = 15) -> Iterator[Figure]:
    digits = cw.methods.task("digits")
    times = processor_seconds({"bare": lambda: bare(digits), "train": lambda: ours(digits)}, rounds)
    yield figure("LeNet-5, an epoch of digits: a bare loop", 1e3 * times["bare"], "ms")
    yield figure("train, over the bare loop", 100 * (times["train"] / times["bare"] - 1), "%", most=3)


def bare(digits: cw.methods.Task) -> list[tuple[float, float]]:
    """An epoch as a lecture writes it, with a note of each loss and accuracy."""
    torch.manual_seed(0)
    model = digits.start()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    log = []
    model.train()
    for images, labels in digits.loader:
        optimizer.zero_grad()
        scores = model(images)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        log.append((loss.item(), (scores.argmax(1) == labels).double().mean().item()))
    return log


def ours(digits: cw.methods.Task) -> list:
    torch.manual_seed(0)
    model = digits.start()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return list(train(model, digits.loader, optimizer))


def racing() -> Iterator[Figure]:
    digits = cw.methods.task("digits")
    seen: list[float] = []
    start = time.perf_counter()

    def note(partial: cw.methods.Race, _: float) -> None:
        if not seen and all(len(history.loss) for history in partial.histories):
            seen.append(time.perf_counter() - start)

    found = race(digits, SPECS, steps=EPOCHS, on_update=note)
    whole = time.perf_counter() - start
    yield figure("race of four schedules on digits: first points of all of them", seen[0], "s", most=2)
    yield figure(f"race of four schedules on digits, {EPOCHS} epochs", whole, "s", most=90)
    assert found.verdict is not None
    yield figure(f"its winner, {found.verdict.winner}: accuracy", 100 * found.verdict.mean, "%")


def drawing() -> Iterator[Figure]:
    at = np.unique(np.linspace(0, MANY_STEPS - 1, PIXELS).astype(int))
    ways: dict[str, Callable[[], object]] = {
        "sketched": lambda: [sketch(spec, MANY_STEPS, at) for spec in SPECS],
        "stepped": lambda: [schedule(spec, MANY_STEPS) for spec in SPECS],
    }
    for way, seconds in in_turn(ways, rounds=5, warm_up=1).items():
        yield figure(f"four schedules of {MANY_STEPS:,} steps, {way}", 1e3 * seconds, "ms")
