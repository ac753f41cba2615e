"""A panel beside one that runs RISE: how much longer it takes to answer than alone.

On two cores RISE takes processor time wherever it runs; in a process of its own it takes nothing else. What locks cost is
the difference between the two, which a busy machine tells, too.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

import cnnwidgets as cw
from benchmarks.timing import Figure, figure

ROUNDS, TURNS = 6, 10
"""How often RISE is begun, and how often a panel is asked alone and beside it each time."""

ELSEWHERE = """
import cnnwidgets as cw
net, picture = cw.load("scenes"), cw.samples.scenes().picture(0)
print("ready", flush=True)
while True:
    cw.methods.rise(net, picture)
"""

MOST = 1.5
"""How many times as long as alone an answer may take."""


def figures() -> Iterator[Figure]:
    net, pictures = cw.load("scenes"), cw.samples.scenes()
    long = cw.SaliencyPanel(net, pictures, methods=["rise"])
    for what, answer in (
        ("FilterGrid: another layer", filters(net)),
        ("FeatureMapBrowser: another layer", maps(net, pictures)),
        ("FeatureMapBrowser: another picture", browsed(net, pictures)),
        ("OcclusionSlider: the patch elsewhere", probe(net, pictures)),
    ):
        alone, apart, beside = measure(long, answer)
        yield figure(f"{what}, alone", 1000 * alone.ravel(), "ms")
        yield figure(f"{what}, beside RISE", 1000 * beside.ravel(), "ms")
        yield figure(f"{what}, times as long as alone", np.median(beside, 1) / np.median(alone, 1), "x", most=MOST)
        ratio = np.median(beside, 1) / np.median(apart, 1)
        yield figure(f"{what}, times as long as beside RISE in another process", ratio, "x", most=MOST)


def measure(long: cw.SaliencyPanel, answer: Callable[[], object]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of each answer, (rounds, turns): alone, while RISE runs in another process, and in this one."""
    alone, apart, beside = [], [], []
    long.cancel()
    long.wait()
    with elsewhere() as process:
        for _ in range(ROUNDS):
            alone.append([_seconds(answer) for _ in range(TURNS)])
            process.send_signal(signal.SIGCONT)
            apart.append([_seconds(answer) for _ in range(TURNS)])
            process.send_signal(signal.SIGSTOP)
            with running(long):
                beside.append([_seconds(answer) for _ in range(TURNS)])
    return np.array(alone), np.array(apart), np.array(beside)


@contextmanager
def elsewhere() -> Iterator[subprocess.Popen]:
    """A process that runs RISE whenever it is not stopped."""
    process = subprocess.Popen([sys.executable, "-c", ELSEWHERE], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def running(long: cw.SaliencyPanel) -> Iterator[None]:
    """Inside, RISE runs from its first to its last mask at most."""
    long.seed += 1
    time.sleep(0.1)
    yield
    assert not long._job.ended, "RISE was over before the panel had answered: take more masks"
    long.cancel()
    long.wait()


def filters(net) -> Callable[[], object]:
    panel = cw.FilterGrid(net)
    layers = itertools.cycle(row.name for row in [*net.layers.weighted[1:], net.layers.weighted[0]])

    def answer() -> None:
        panel.layer = next(layers)
        panel.wait()

    return answer


def maps(net, pictures) -> Callable[[], object]:
    panel = cw.FeatureMapBrowser(net, pictures)
    panel.wait()
    layers = itertools.cycle([*panel.layer_names[1:], panel.layer_names[0]])

    def answer() -> None:
        panel._cache.clear()
        panel.layer = next(layers)
        panel.wait()

    return answer


def browsed(net, pictures) -> Callable[[], object]:
    panel = cw.FeatureMapBrowser(net, pictures)
    numbers = itertools.cycle([*range(1, 40), 0])

    def answer() -> None:
        panel.image = next(numbers)
        panel.wait()

    return answer


def probe(net, pictures) -> Callable[[], object]:
    panel = cw.OcclusionSlider(net, pictures, patch=16, stride=16)
    panel.wait()
    session = panel.session
    places = itertools.cycle((y, x) for y in range(1, 40, 3) for x in range(1, 40, 3))
    return lambda: session.at(*next(places))


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
