"""Top patches beside a bare forward pass over the same pictures; ablation beside what is behind the layer, as often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torchvision
from torch import nn

import cnnwidgets as cw
from benchmarks.scan import BATCH, Random, bare, own_process, print_growth, processor_seconds
from benchmarks.timing import Figure, figure
from cnnwidgets.methods import ablate, top_patches


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
    yield from ablation()


def ablation() -> Iterator[Figure]:
    """All units of a layer, one by one: what the intact network costs once is part of it, reading the pictures is not."""
    net, scenes = cw.load("scenes"), cw.samples.scenes(size=500)
    items = [scenes[i] for i in range(len(scenes))]
    behind = {
        "layer3.0": nn.Sequential(net.module.layer3[1], net.module.avgpool, nn.Flatten(), net.module.fc),
        "layer3": nn.Sequential(net.module.avgpool, nn.Flatten(), net.module.fc),
    }
    for layer, rest in behind.items():
        batches = net.trace(torch.stack([image for image, _ in items]), [layer])[layer].split(BATCH)
        sets = [(layer, unit) for unit in range(64)]
        ways = {
            "rest": lambda rest=rest, batches=batches: [_run(rest, batches) for _ in range(64)],
            "ablate": lambda sets=sets: ablate(net, items, sets, batch_size=BATCH),
            "bare": lambda: _run(net.module, torch.stack([image for image, _ in items]).split(BATCH)),
        }
        times = processor_seconds(ways, 5)
        what = f"scenes, {layer}, 500 pictures, 64 units ablated"
        most = (
            1.5 if layer == "layer3.0" else None
        )  # behind layer3 there is next to nothing: the passes up to it take longer
        yield figure(f"{what}: seconds", times["ablate"], "s")
        yield figure(f"{what}: over what is behind it 64 times", times["ablate"] / times["rest"], "times", most=most)
        yield figure(f"{what}: faster than 64 whole passes", 64 * times["bare"] / times["ablate"], "times")


@torch.no_grad()
def _run(module: nn.Module, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [module(batch) for batch in batches]


def memory_of_2000() -> None:
    _memory(2_000)


def memory_of_10000() -> None:
    _memory(10_000)


def _memory(size: int) -> None:
    net = cw.load("digits")
    layer = net.layers.maps[0].name
    print_growth(net, lambda data: top_patches(net, data, layer), size)
