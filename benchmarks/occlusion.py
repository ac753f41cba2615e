"""Whole occlusion maps, beside Captum at its best batch size and a plain loop; and what a hand on the patch waits for."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import torch
import torchvision
from captum.attr import Occlusion as CaptumOcclusion
from scipy import ndimage

import cnnwidgets as cw
from benchmarks.timing import Figure, figure, in_turn
from cnnwidgets.methods.occlusion import Occlusion
from cnnwidgets.net.incremental import scorer

ROWS = (  # network, patch, stride, times Captum at least, Captum's batch sizes to try
    ("scenes", 9, 1, 3.0, (32, 64, 128)),
    ("resnet18", 32, 8, 2.7, (8, 16, 32)),
    ("mobilenet_v3_small", 32, 8, 2.0, (8, 16, 32)),
    ("resnet50", 32, 8, 3.0, (8, 16)),
    ("vgg16", 32, 8, 7.0, (8, 16)),
)
ROUNDS = int(os.environ.get("CNNW_ROUNDS", 5))
ONLY = os.environ.get("CNNW_NETWORKS", "").split(",")


def figures() -> Iterator[Figure]:
    torch.set_num_threads(2)
    for name, patch, stride, least, sizes in ROWS:
        if ONLY == [""] or name in ONLY:
            yield from whole_maps(name, patch, stride, least, sizes)
    if ONLY == [""]:
        yield from hottest_tenth()
        yield from pointing()
        yield from by_hand()
        yield from memory()


def network(name: str) -> tuple[cw.BoundModel, torch.Tensor]:
    """A bound network and a preprocessed picture for it."""
    if name == "scenes":
        return cw.load("scenes"), cw.samples.scenes()[3][0]
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None).eval()
    return cw.bind(model, input_shape=(3, 224, 224)), torch.randn(3, 224, 224)


def whole_maps(name: str, patch: int, stride: int, least: float, sizes: tuple[int, ...]) -> Iterator[Figure]:
    net, picture = network(name)
    options = {"patch": patch, "stride": stride}
    target = int(net.scores(picture).argmax())

    def ours() -> cw.methods.OcclusionMap:
        return cw.methods.occlusion(net, picture, target, **options)

    def cold() -> None:
        scorer._PROGRAMS.clear()
        ours()

    trial = {size: _seconds(lambda size=size: captum(net, picture, target, patch, stride, size)) for size in sizes}
    best = min(trial, key=lambda size: trial[size])
    ways: dict[str, Callable[[], object]] = {
        "captum": lambda: captum(net, picture, target, patch, stride, best),
        "loop": lambda: loop(net, picture, target, patch, stride, best),
        "ours": ours,
        "cold": cold,
    }
    times = in_turn(ways, rounds=ROUNDS, warm_up=0 if name == "vgg16" else 1)
    what = f"{name}, patch {patch}, stride {stride}"
    yield figure(f"{what}: times Captum's best (batches of {best})", times["captum"] / times["ours"], "x", least=least)
    yield figure(f"{what}: times the plain loop", times["loop"] / times["ours"], "x")
    cold_least = 2.0 if name in ("resnet18", "resnet50", "vgg16") else None
    yield figure(f"{what}: cold, times Captum's best", times["captum"] / times["cold"], "x", least=cold_least)
    yield figure(f"{what}: our seconds", times["ours"], "s")
    result = ours()
    yield Figure(f"{what}: computed as", "", result.how, None)
    yield dense_difference(net, picture, result)
    theirs = captum(net, picture, target, patch, stride, best)
    off = float(np.abs(theirs - result.per_pixel()).max())
    yield Figure(f"{what}: largest difference to Captum's map", "", f"{off:.1e}", None)


def captum(net: cw.BoundModel, picture: torch.Tensor, target: int, patch: int, stride: int, batch: int) -> np.ndarray:
    inputs, channels = picture[None], len(picture)
    baseline = inputs.mean((2, 3), keepdim=True).expand_as(inputs)
    with torch.no_grad():
        found = CaptumOcclusion(lambda x: net.module.eval()(x).softmax(1)).attribute(
            inputs, (channels, patch, patch), strides=(channels, stride, stride), baselines=baseline, target=target,
            perturbations_per_eval=batch,
        )  # fmt: skip
    return found[0, 0].numpy()


def loop(net: cw.BoundModel, picture: torch.Tensor, target: int, patch: int, stride: int, batch: int) -> torch.Tensor:
    places = torch.arange(-(-(picture.shape[1] - patch) // stride) + 1) * stride
    positions = torch.cartesian_prod(places, places).tolist()
    mean = picture.mean((1, 2), keepdim=True)
    found = []
    with torch.no_grad():
        for start in range(0, len(positions), batch):
            part = positions[start : start + batch]
            pictures = picture.repeat(len(part), 1, 1, 1)
            for covered, (y, x) in zip(pictures, part, strict=True):
                covered[:, y : y + patch, x : x + patch] = mean
            found.append(net.module.eval()(pictures).softmax(1)[:, target])
    return torch.cat(found)


def dense_difference(net: cw.BoundModel, picture: torch.Tensor, result: cw.methods.OcclusionMap) -> Figure:
    """Logits of windows beside those of the folded network on whole pictures, in parts of the largest logit."""
    logits = cw.methods.occlusion(net, picture, result.target, patch=result.patch, stride=result.stride, score="logit")
    graph = scorer._PROGRAMS[net][1].graph
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, len(result.ys), 16), rng.integers(0, len(result.xs), 16)
    pictures = picture.repeat(16, 1, 1, 1)
    for covered, i, j in zip(pictures, rows, columns, strict=True):
        y, x = result.ys[i], result.xs[j]
        covered[:, y : y + result.patch[0], x : x + result.patch[1]] = picture.mean((1, 2), keepdim=True)
    with torch.no_grad():
        dense = graph(pictures.contiguous(memory_format=torch.channels_last))
    off = float(np.abs(dense[:, result.target].numpy() - logits.values[rows, columns]).max() / dense.abs().max())
    return Figure(
        "  difference to the folded dense network, of the logits' scale", "at most 1e-05", f"{off:.1e}", off <= 1e-5
    )


def hottest_tenth(pictures: int = 20) -> Iterator[Figure]:
    """How much of the hottest tenth is right after 15 % of the passes, on the scenes sample."""
    net, scenes = cw.load("scenes"), cw.samples.scenes()
    sys.modules[Occlusion.__module__].UPDATES = 0  # every batch is told
    shares = []
    for i in range(pictures):
        told: list[cw.methods.OcclusionMap] = []
        full = cw.methods.occlusion(
            net, scenes[i][0], patch=9, stride=1, on_update=lambda partial, _, told=told: told.append(partial)
        )
        early = [partial for partial in told if partial.passes <= 0.15 * full.values.size][-1]
        tenth = full.values.size // 10
        hot, guess = (set(np.argsort(m.values, axis=None, kind="stable")[:tenth].tolist()) for m in (full, early))
        shares.append(100 * len(hot & guess) / tenth)
    yield figure("scenes: of the hottest tenth right after 15 % of the passes", shares, "%", least=90)


def pointing(pictures: int = 200) -> Iterator[Figure]:
    """How often the center of mass of the drops lies on the strokes of the digit, of those that the network gets right."""
    net, scenes = cw.load("scenes"), cw.samples.scenes()
    right = [i for i in range(pictures + 50) if int(net.scores(scenes[i][0]).argmax()) == scenes.labels[i]][:pictures]
    hits = []
    for i in right:
        drops = np.maximum(cw.methods.occlusion(net, scenes[i][0], int(scenes.labels[i]), patch=5, stride=2).per_pixel(), 0)
        center = np.round(ndimage.center_of_mass(drops)).astype(int)
        hits.append(scenes.mask(i)[tuple(center)])
    yield figure(f"scenes: center of mass on the strokes, {len(hits)} pictures", 100 * np.mean(hits), "%", least=90)


def by_hand() -> Iterator[Figure]:
    """What a hand on the patch waits for, on resnet18."""
    net, picture = network("resnet18")
    options = {
        "patch": 32,
        "stride": 8,
        "fill": "mean",
        "shape": "rectangle",
        "score": "probability",
        "region": None,
        "seed": 0,
    }
    session = Occlusion(net, picture, None, **options)
    places = iter(np.random.default_rng(0).integers(0, 193, (10_000, 2)).tolist())

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return net.module(picture[None])

    times = in_turn(
        {"forward": forward, "drag": lambda: session.at(*next(places)), "estimate": session._estimate}, rounds=31
    )
    yield figure("resnet18: the patch at a new place, in forward passes", times["drag"] / times["forward"], "x", most=0.6)
    yield figure("resnet18: the first-order picture, in forward passes", times["estimate"] / times["forward"], "x", most=3)


def memory() -> Iterator[Figure]:
    """The peak of resident memory during a whole map, over the loaded and bound network."""
    net, picture = network("resnet18")
    net.scores(picture)
    gc.collect()
    process = psutil.Process()
    before, peak, done = process.memory_info().rss, 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    scorer._PROGRAMS.clear()
    cw.methods.occlusion(net, picture, patch=32, stride=8)
    done.set()
    watcher.join()
    yield figure("resnet18: peak memory of a whole map over the loaded network", (peak - before) / 2**20, "MiB", most=600)


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
