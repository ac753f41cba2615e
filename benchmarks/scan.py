"""A scan beside a bare loop over the same loader: time, memory, and what threads, processes and dask make of it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader, Dataset

import cnnwidgets as cw
from benchmarks.timing import Figure, figure, in_turn
from cnnwidgets.methods import Confusion, features, scan

BATCH = 64


class Random(Dataset):
    """Random pictures, each drawn when it is asked for."""

    def __init__(self, size: int, side: int, channels: int = 3):
        self.size, self.shape = size, (channels, side, side)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: int):
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(i)), i % 10


def figures() -> Iterator[Figure]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    resnet = cw.bind(torchvision.models.resnet18().eval(), input_shape=(3, 64, 64))
    cases = {
        "resnet18 on 256 pictures 64x64": (resnet, Random(256, 64), 15),
        "digits on its 1,297 pictures 32x32": (cw.load("digits"), cw.samples.digits("train"), 31),
    }
    for what, (net, data, rounds) in cases.items():
        ways: dict[str, Callable[[], object]] = {
            "bare": lambda net=net, data=data: bare(net.module, data),
            "scan": lambda net=net, data=data: scan(net, data, [Confusion()], batch_size=BATCH),
            "features": lambda net=net, data=data: features(net, data, batch_size=BATCH),
        }
        times = processor_seconds(ways, rounds)
        yield figure(f"{what}: a bare loop", len(data) / times["bare"], "pictures/s")
        yield figure(f"{what}: scan, over the bare loop", 100 * (times["scan"] / times["bare"] - 1), "%", most=5)
        yield figure(f"{what}: features of a layer, over the bare loop", 100 * (times["features"] / times["bare"] - 1), "%")

    for what in ("scan", "features"):
        used = [int(own_process(f"{what}_memory")) / 2**20 for _ in range(3)]
        yield figure(f"{what}, 10,000 pictures 32x32: peak memory over the bound network", used, "MB", most=200)

    data = Random(1024, 64)
    yield from elsewhere(resnet, data)


def processor_seconds(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """As :func:`in_turn`, in seconds of the processor: on one thread the same, and others' load does not spoil them."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            start = time.process_time()
            run()
            times[way].append(time.process_time() - start)
    return {way: np.array(seconds[1:]) for way, seconds in times.items()}


def bare(module: nn.Module, data: Dataset) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([module(inputs) for inputs, _ in DataLoader(data, batch_size=BATCH)])


def elsewhere(net: cw.BoundModel, data: Dataset) -> Iterator[Figure]:
    from dask.distributed import Client, LocalCluster

    spawn = multiprocessing.get_context("spawn")
    with (
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(2, mp_context=spawn) as processes,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        ways: dict[str, dict] = {
            "one thread": {},
            "one thread, 1 loader worker": {"workers": 1},
            "2 threads": {"executor": threads},
            "2 processes": {"executor": processes},
            "dask, 2 workers": {"executor": client.get_executor()},
        }
        found = {way: features(net, data, batch_size=BATCH, **options).values for way, options in ways.items()}
        times = in_turn({way: lambda o=o: features(net, data, batch_size=BATCH, **o) for way, o in ways.items()}, rounds=3)
    same = sum(np.array_equal(values, found["one thread"]) for values in found.values())
    for way, seconds in times.items():
        yield figure(f"resnet18 on 1,024 pictures 64x64, {way}", len(data) / seconds, "pictures/s")
    yield Figure("features equal to the last bit", "all", f"{same} of {len(found)}", same == len(found))


def scan_memory() -> None:
    net = cw.load("digits")
    print_growth(net, lambda data: scan(net, data, [Confusion()]))


def features_memory() -> None:
    net = cw.load("digits")
    print_growth(net, lambda data: features(net, data))


def print_growth(net: cw.BoundModel, run: Callable[[Dataset], object], size: int = 10_000) -> None:
    """Print by how many bytes the most memory ever held grows, once the network has run on a picture."""
    torch.set_num_threads(2)
    net.scores(torch.zeros(1, *net.input_shape))
    before = _peak()
    run(Random(size, 32, channels=1))
    print(_peak() - before)


def _peak() -> int:
    """Bytes, as Linux says them; ``getrusage`` would tell of the process that started this one."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def own_process(function: str, module: str = "benchmarks.scan") -> str:
    code = f"from {module} import {function}; {function}()"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=dict(os.environ))
    return done.stdout
