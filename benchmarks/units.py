"""Top patches beside a bare forward pass, time and memory; then maximized pictures, and ablation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torchvision

import cnnwidgets as cw
from benchmarks import ablation, maximize
from benchmarks.scan import BATCH, Random, bare, own_process, print_growth, processor_seconds
from benchmarks.timing import Figure, figure
from cnnwidgets.methods import top_patches


def figures() -> Iterator[Figure]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    scenes = cw.load("scenes")
    resnet = cw.bind(torchvision.models.resnet18().eval(), input_shape=(3, 224, 224))
    cases = {
        "scenes, layers 1 to 3, 1,024 pictures": (
            scenes, Random(1024, scenes.input_shape[1]), ["layer1", "layer2", "layer3"], 3,
        ),
        "scenes, layer3, 1,024 pictures": (
            scenes, Random(1024, scenes.input_shape[1]), "layer3", 5,
        ),
        "resnet18 layer3, 32 pictures 224x224": (resnet, Random(32, 224), "layer3", 5),
    }  # fmt: skip
    for what, (net, data, layers, rounds) in cases.items():
        ways = {
            "bare": lambda net=net, data=data: bare(net.module, data),
            "patches": lambda net=net, data=data, layers=layers: top_patches(net, data, layers, batch_size=BATCH),
        }
        times = processor_seconds(ways, rounds)
        most = None if isinstance(layers, list) else 1.1
        yield figure(f"{what}: a bare loop", len(data) / times["bare"], "pictures/s")
        yield figure(f"{what}: top patches, over the bare loop", times["patches"] / times["bare"], "times", most=most)
    for size in (2_000, 10_000):
        grown = int(own_process(f"memory_of_{size}", "benchmarks.units")) / 2**20
        yield figure(f"digits, its first map, {size:,} pictures 32x32: peak memory over the bound network", grown, "MB")
    yield from maximize.figures()
    yield from ablation.figures()


def memory_of_2000() -> None:
    _memory(2_000)


def memory_of_10000() -> None:
    _memory(10_000)


def _memory(size: int) -> None:
    net = cw.load("digits")
    layer = net.layers.maps[0].name
    print_growth(net, lambda data: top_patches(net, data, layer), size)
