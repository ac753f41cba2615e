"""Feature maps from the kernel to the screen: what an update costs, and how soon another layer is drawn."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from torch import nn

import cnnwidgets as cw
from benchmarks.page import page
from benchmarks.timing import Figure, figure, in_turn
from cnnwidgets.views import ImageGrid

COUNT, SIDE = 2048, 28

DRAWING = f"""
import io, time
import numpy as np
import matplotlib.pyplot as plt
from cnnwidgets.views import ImageGrid

maps = np.random.default_rng(0).normal(size=({2 * COUNT}, {SIDE}, {SIDE})).astype("float32")
grid = ImageGrid()
grid.show(maps[:512])

def subplots():
    start = time.perf_counter()
    figure, axes = plt.subplots(16, 32, figsize=(16, 8))
    for axis, values in zip(axes.flat, maps):
        axis.imshow(values)
        axis.axis("off")
    figure.savefig(io.BytesIO(), format="png")
    plt.close(figure)
    return time.perf_counter() - start

grid
"""

CHOOSING = """
import time
from pathlib import Path
import skimage, torch
import cnnwidgets as cw

torch.set_num_threads(2)
torch.manual_seed(0)
net = cw.load("resnet50", weights=None)
passes = []
net.module.register_forward_hook(lambda module, args, output: passes.append(1))
pictures = Path(skimage.__file__).parent / "data"
panel = cw.FeatureMapBrowser(net, pictures / "astronaut.png")
inputs = net.prepare(panel.image)
panel.wait()

def bare():
    start = time.perf_counter()
    with torch.no_grad():
        net.module(inputs)
    return time.perf_counter() - start

panel
"""


def figures() -> Iterator[Figure]:
    yield from update()
    yield from drawing()
    yield from choosing()


def update() -> Iterator[Figure]:
    """The kernel's part of showing 2048 maps that are already computed, and what is sent."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    net = cw.bind(nn.Conv2d(1, COUNT, 3, padding=1), input_shape=(1, SIDE, SIDE))
    panel = cw.FeatureMapBrowser(net, torch.rand(1, SIDE, SIDE))
    depth = {f"layer {number}": 0.5 for number in range(175)}  # the chart beside the maps is as long as resnet50's
    first = replace(panel.result, zeros=depth)
    (maps,) = cw.methods.activations(net, torch.rand(1, SIDE, SIDE)).values()
    second = replace(first, maps=maps)
    turns = [second, first]

    def turn():
        turns.reverse()
        return turns[0]

    def grid() -> None:
        maps = turn().maps
        panel.grid.show(maps.values, orders={by: maps.order(by) for by in ("index", "maximum", "mean")})

    def draw(**changed) -> None:
        result = replace(turn(), **changed)
        panel.draw(result)
        panel.summary(result)

    def picture() -> None:
        draw(zeros=dict(depth))

    of_one_picture = in_turn({"orders and ImageGrid.show": grid, "the panel, another layer": draw}, rounds=31)
    for way, times in (of_one_picture | in_turn({"the panel, another picture": picture}, rounds=31)).items():
        yield figure(f"{COUNT} maps of {SIDE}x{SIDE}: {way}, kernel", 1000 * times, "ms", most=10)
    with sent() as sizes:
        picture()
    yield figure("sent for the panel, another picture", sum(sizes) / (COUNT * SIDE * SIDE), "bytes/pixel", most=1.1)


@contextmanager
def sent() -> Iterator[list[int]]:
    """The bytes, JSON and buffers, of every widget message that is sent in the block."""
    sizes: list[int] = []

    def count(comm, kind, data=None, metadata=None, buffers=None, **keys) -> None:
        sizes.append(len(json.dumps(data)) + sum(memoryview(buffer).nbytes for buffer in buffers or ()))

    with mock.patch.object(type(ImageGrid().comm), "publish_msg", count):
        yield sizes


def drawing() -> Iterator[Figure]:
    """512 maps on the screen, beside a grid of matplotlib subplots."""

    def show(count: int) -> tuple[float, float]:
        run = next(runs)
        return lab.draw(f"grid.show(maps[{run}:{run + count}], title='run {run}.')", f"run {run}.")

    runs = itertools.count(1)
    with page(DRAWING) as lab:
        ours, peers = [], []
        for _ in range(5):
            ours.append(np.median([show(512) for _ in range(7)], axis=0))
            peers.append(lab.number("print(subplots())"))
        many = [show(COUNT) for _ in range(10)]
    kernel, screen = np.array(ours).T
    yield figure("512 maps: ImageGrid.show, kernel", 1000 * kernel, "ms")
    yield figure("512 maps: ImageGrid.show, until on the screen", 1000 * screen, "ms")
    yield figure("512 maps: matplotlib subplots, saved as PNG", peers, "s")
    yield figure("512 maps: how much faster they are on the screen", peers / screen, "x", least=100)
    kernel, screen = np.array(many).T
    yield figure(f"{COUNT} maps: ImageGrid.show, kernel", 1000 * kernel, "ms")
    yield figure(f"{COUNT} maps: ImageGrid.show, until on the screen", 1000 * screen, "ms")


def choosing() -> Iterator[Figure]:
    """Other layers of resnet50 at 224x224, chosen for the first and for the second time."""

    def choose(layer: str) -> float:
        return lab.draw(f"panel.layer = {layer!r}", f"{layer} · ")[1]

    bare, new, seen, passes = [], [], [], []
    with page(CHOOSING) as lab:
        *layers, last = lab.notebook.python("print(*[row.name for row in net.layers if row.has_units][::9])").split()
        for picture in ("coffee", "astronaut"):
            choose(last)
            lab.notebook.python(f"panel.image = pictures / '{picture}.png'; panel.wait()")
            for layer in layers:
                bare.append(lab.number("print(bare())"))
                new.append(choose(layer))
            before = lab.number("print(len(passes))")
            seen += map(choose, layers)
            passes.append(lab.number("print(len(passes))") - before)
    limit = 1.3 * np.median(bare) + 0.15
    yield figure("a bare forward pass of resnet50 in the kernel", 1000 * np.array(bare), "ms")
    yield figure("another layer, until on the screen", 1000 * np.array(new), "ms", most=1000 * limit)
    yield figure("a layer seen before, until on the screen", 1000 * np.array(seen), "ms", most=150)
    yield figure("forward passes for layers seen before", sum(passes), "passes", most=0)
