"""PCA, t-SNE and UMAP of features: the first picture, frames a second, and the whole beside scikit-learn's t-SNE."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from benchmarks.timing import Figure, figure
from cnnwidgets.methods.embedding import embed
from cnnwidgets.methods.neighbors import trust
from cnnwidgets.net import Cancelled

ITERATIONS, PERPLEXITY = 1000, 30
"""Of both t-SNEs: scikit-learn's usual numbers."""

ROUNDS = 3


def figures() -> Iterator[Figure]:
    from sklearn.datasets import load_digits  # here: a first picture waits for what it imports itself

    yield from first_pictures()
    with threadpool_limits(1):  # threads that wait for each other take CPU time too: scikit-learn would look far slower
        yield from beside_scikit_learn("digits", load_digits().data, rounds=ROUNDS, least=1.7)
        yield from beside_scikit_learn("10,000 x 512", classes(10_000, 512), rounds=1, least=2.0)
    for method, n, d, most in (("tsne", 10_000, 512, 300), ("umap", 50_000, 128, None)):
        found = in_child("whole", method, n, d)
        yield figure(f"{n:,} x {d} {method}: peak memory over the features", found["MiB"], "MiB", most=most)
        if method == "umap":
            yield figure(f"{n:,} x {d} umap: completes in", found["seconds"], "s")
            yield figure(f"{n:,} x {d} umap: longest wait for another thread", 1000 * found["pause"], "ms")
            yield figure(f"{n:,} x {d} umap: trustworthiness (5,000 points)", found["trustworthiness"], "", least=0.5)


def classes(n: int, d: int) -> np.ndarray:
    """Features of 20 classes, most of whose variance lies in few directions: float32 (n, d)."""
    rng = np.random.default_rng(0)
    middles = 0.35 * rng.normal(size=(20, d))
    return (middles[np.arange(n) % 20] + rng.normal(size=(n, d)) * np.linspace(1, 0.1, d)).astype(np.float32)


def first_pictures() -> Iterator[Figure]:
    """What someone waits for who has the features and has asked for nothing yet, imports and all."""
    first = [in_child("first", "pca", 1797, 64)["seconds"] for _ in range(ROUNDS)]
    yield figure("digits: first picture (PCA), in a new process", first, "s", most=1)
    first = [in_child("first", "tsne", 10_000, 512)["seconds"] for _ in range(ROUNDS)]
    yield figure("10,000 x 512: first t-SNE frame, in a new process", first, "s", most=6)
    found = in_child("first", "umap", 1797, 64)
    yield figure("digits: first UMAP frame, in a new process (compiles)", found["seconds"], "s")
    yield figure("  longest wait for another thread meanwhile", 1000 * found["pause"], "ms")


def beside_scikit_learn(what: str, features: np.ndarray, rounds: int, least: float) -> Iterator[Figure]:
    from sklearn.manifold import TSNE

    embed(features[:200], n_iter=2)  # imports
    ratios, walls, ours, theirs, frames = [], [], [], [], []
    pauses = Pauses()
    for _ in range(rounds):
        told: list[float] = []
        with pauses:
            cpu, wall, layout = timed(lambda told=told: embed(
                features, perplexity=PERPLEXITY, n_iter=ITERATIONS, on_update=lambda *_: told.append(time.perf_counter())
            ))  # fmt: skip
        peer = TSNE(perplexity=PERPLEXITY, max_iter=ITERATIONS, init="pca", random_state=0)
        peer_cpu, _, points = timed(lambda peer=peer: peer.fit_transform(features))
        ratios.append(peer_cpu / cpu)
        walls.append(wall)
        frames.append((len(told) - 2) / (told[-1] - told[1]))
        ours.append(cpu)
        theirs.append(peer_cpu)
    label = f"{what}, perplexity {PERPLEXITY}, {ITERATIONS} iterations"
    yield figure(f"{label}: times scikit-learn's t-SNE (CPU time)", ratios, "x", least=least)
    yield figure("  our CPU time, a frame drawn 20 times a second", ours, "s")
    yield figure("  scikit-learn's CPU time", theirs, "s")
    yield figure("  our seconds on the clock", walls, "s")
    yield figure("  frames a second", frames, "", least=10)
    yield figure("  longest wait for another thread", 1000 * pauses.longest, "ms")
    mine, peers = (trust(features, found).mean for found in (layout.points, points))
    close = bool(mine >= peers - 0.005)
    yield Figure("  trustworthiness, ours beside scikit-learn's", "within 0.005", f"{mine:.4f} and {peers:.4f}", close)
    yield Figure("  divergence, ours beside scikit-learn's", "", f"{layout.loss:.3f} and {peer.kl_divergence_:.3f}", None)


def timed(function) -> tuple[float, float, object]:
    """CPU seconds, seconds, and what it returns."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = function()
    return time.process_time() - cpu, time.perf_counter() - wall, found


class Pauses:
    """How long a thread that wakes every 2 ms was kept from it: what a kernel's other callbacks wait for. And the memory."""

    longest, memory = 0.0, 0

    def __enter__(self) -> None:
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def __exit__(self, *_) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        process, last = psutil.Process(), time.perf_counter()
        while not self._done.wait(0.002):
            now = time.perf_counter()
            self.longest, last = max(self.longest, now - last - 0.002), now
            self.memory = max(self.memory, process.memory_info().rss)


def in_child(job: str, method: str, n: int, d: int) -> dict[str, float]:
    """What a new process measures: its ``first`` frame, or the ``whole``."""
    command = [sys.executable, "-m", "benchmarks.embedding", job, method, str(n), str(d)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def child(job: str, method: str, n: int, d: int) -> dict[str, float]:
    features = classes(n, d)
    if job == "whole":
        embed(features[:50], method, **({"n_iter": 1} if method == "tsne" else {"n_epochs": 1}))  # libraries are no layout
    before, stop = psutil.Process().memory_info().rss, threading.Event()
    pauses = Pauses()
    start = time.perf_counter()
    with pauses:
        try:
            layout = embed(
                features, method, cancel=stop, on_update=lambda now, _: job == "first" and now.iteration and stop.set()
            )
        except Cancelled as cancelled:
            layout = cancelled.partial
    return {
        "seconds": time.perf_counter() - start,
        "MiB": (pauses.memory - before) / 2**20,
        "pause": pauses.longest,
        "trustworthiness": layout.trustworthiness if job == "whole" else 0.0,
    }


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:3], *map(int, sys.argv[3:]))))
