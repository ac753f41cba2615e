"""All units of a layer switched off one by one, beside what lies behind the layer, as often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

import cnnwidgets as cw
from benchmarks.scan import BATCH, processor_seconds
from benchmarks.timing import Figure, figure
from cnnwidgets.methods import ablate

MOST = {"layer3.0": 1.5, "layer3": None}
"""How much longer it may take; behind layer3 there is next to nothing, and the passes up to it take longer."""


def figures() -> Iterator[Figure]:
    """What the intact network costs once is part of it, reading the pictures is not."""
    torch.set_num_threads(1)
    net, scenes = cw.load("scenes"), cw.samples.scenes(size=500)
    items = [scenes[i] for i in range(len(scenes))]
    ends = [net.module.avgpool, nn.Flatten(), net.module.fc]
    behind = {"layer3.0": nn.Sequential(net.module.layer3[1], *ends), "layer3": nn.Sequential(*ends)}
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
        yield figure(f"{what}: seconds", times["ablate"], "s")
        yield figure(f"{what}: over what is behind it 64 times", times["ablate"] / times["rest"], "times", most=MOST[layer])
        yield figure(f"{what}: faster than 64 whole passes", 64 * times["bare"] / times["ablate"], "times")


@torch.no_grad()
def _run(module: nn.Module, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [module(batch) for batch in batches]
