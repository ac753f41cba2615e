"""The parts of a scan, a batch each: computed here or on an executor's workers, and given back in order."""

from __future__ import annotations

import copy
import hashlib
import itertools
import multiprocessing
import os
import pickle
import tempfile
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from cnnwidgets.methods.batches import Batch, Loaded, Loader, Skipped, generators_kept
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.locks import Lock
from cnnwidgets.net.progress import Cancel
from cnnwidgets.net.trace import Calls

AHEAD = 2
"""Parts a worker that are handed out before the oldest of them is back: what bounds the memory."""

PATIENCE = 0.1
"""Seconds after which a scan that waits for a part looks whether it was cancelled."""


@dataclass
class Job:
    """All that the computation of any part needs.

    Attributes:
        reducers: fresh ones: every part gets copies of its own.
        layers: for every layer that a reducer asks for the name of its row.
        threads: of torch, in whatever process: with other numbers of threads sums round differently.
        is_run: whether the network is run: some reducer does not do that itself.
        alone: whether the network is shown one picture at a time: its answer depends on the others in a batch.
        lent, stopped: between threads of this process: one has the network in its hands; nobody waits for it any more.
    """

    net: BoundModel
    loader: Loader
    reducers: Sequence[Any]
    layers: dict[str, str]
    threads: int
    is_run: bool = True
    alone: bool = False
    lent: bool = False
    stopped: bool = False


@dataclass(frozen=True)
class Part:
    """What came of a batch: the reducers that it alone has updated, how many pictures it had, and the bad ones."""

    reducers: Sequence[Any]
    seen: int
    skipped: Skipped


def here(job: Job, positions: Sequence[int], workers: int, cancel: Cancel | None) -> Generator[Part, None, None]:
    """The parts one after the other on this thread; ``workers`` processes load ahead."""
    batches: Iterator[Loaded] = (job.loader[k] for k in positions)
    if workers:
        source = torch.Generator()  # of its own: the loader would draw from the global one
        batches = iter(
            DataLoader(job.loader, batch_size=None, sampler=positions, num_workers=workers, generator=source)  # type: ignore
        )
    for _ in positions:
        ask(cancel)
        yield compute(job, next(batches))


def elsewhere(job: Job, positions: Sequence[int], executor: Executor, cancel: Cancel | None) -> Generator[Part, None, None]:
    """The parts in order, computed by an executor; only so many are under way that its workers stay busy."""
    waiting: deque[Future] = deque()
    rest = iter(positions)
    with _sent(job, executor) as (parcel, workers):
        try:
            while True:
                more = itertools.islice(rest, AHEAD * workers - len(waiting))
                waiting.extend(executor.submit(_run, parcel, k) for k in more)
                if not waiting:
                    return
                ask(cancel)
                if wait([waiting[0]], PATIENCE).done:
                    yield waiting.popleft().result()
        finally:
            job.stopped = True
            running = [future for future in waiting if not future.cancel()]
            if job.lent:
                wait(running)


def compute(job: Job, loaded: Loaded) -> Part:
    """Run the network on a batch, and fresh reducers on what it says."""
    reducers = copy.deepcopy(job.reducers)
    if loaded.inputs is not None:
        with torch_threads(job.threads):
            scores, outputs = _outputs(job, loaded.inputs) if job.is_run else (None, {})
            batch = Batch(loaded.indices, loaded.labels, loaded.inputs, scores, outputs, job.net.output)
            for reducer in reducers:
                reducer.update(batch)
    return Part(reducers, len(loaded.indices), loaded.skipped)


def ask(cancel: Cancel | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("cancelled")


_COUNTING, _OPENING = Lock(), Lock()


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Inside, torch computes with so many threads; in parts that holds for the process, so one at a time changes it."""
    with _COUNTING:
        before = torch.get_num_threads()
        if before == number:
            yield
            return
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _outputs(job: Job, inputs: torch.Tensor) -> tuple[Any, dict[str, torch.Tensor]]:
    """The scores (N, K), None if there are none, and copies of some layers' outputs."""
    if not job.alone:
        return run_network(job.net, inputs, job.layers)
    each = [run_network(job.net, one, job.layers) for one in inputs.split(1)]
    scores, outputs = zip(*each, strict=True)
    together = {name: torch.cat([some[name] for some in outputs]) for name in job.layers}
    return None if scores[0] is None else torch.cat(scores), together


def run_network(net: BoundModel, inputs: torch.Tensor, layers: Mapping[str, str]) -> tuple[Any, dict[str, torch.Tensor]]:
    """The scores (N, K), None if there are none, and copies of some layers' outputs, from one pass.

    Parameters:
        layers: rows of ``net.layers`` by the names that their outputs get.
    """
    found: dict[str, torch.Tensor] = {}
    rows = set(layers.values())

    def keep(name: str, output: torch.Tensor) -> None:
        if name in rows:
            found[name] = _copy(output)

    with net.running() as module, torch.no_grad(), Calls(module, keep).watching() if rows else nullcontext():
        output = module(inputs.to(net.device, net.dtype, copy=True))
    for row in rows - found.keys():
        raise RuntimeError(f"these pictures take a different path through {net.name}: {row} was not run")
    scores = net.output.table(output, len(inputs))
    return None if scores is None else _copy(scores), {name: found[row] for name, row in layers.items()}


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True)


# on the way to a worker


class Parcel:
    """A job on its way to other processes: pickled once, and unpickled once in each. Threads get the job itself."""

    def __init__(self, job: Job):
        self._job: Job | None = job
        self._address: tuple[str, bytes | Path] | None = None

    def leave_at(self, path: Path) -> None:
        """Let the processes of this machine fetch the job from a file, instead of sending it with each part."""
        key, data = self._pack()
        path.write_bytes(data)
        self._address = key, path

    def open(self) -> Job:
        if self._job is not None:
            return self._job
        assert self._address is not None
        key, where = self._address
        with _OPENING:
            if key not in _OPENED:
                _OPENED.clear()
                _OPENED[key] = pickle.loads(where.read_bytes() if isinstance(where, Path) else where)
            return _OPENED[key]

    def _pack(self) -> tuple[str, bytes]:
        try:
            data = pickle.dumps(self._job, protocol=5)
        except Exception as error:
            raise TypeError(
                f"the network, the data set or a reducer cannot be sent to another process ({error}): "
                "lambdas and what is defined inside a function cannot; define it in a file, or use threads"
            ) from error
        return hashlib.sha256(data).hexdigest(), data

    def __getstate__(self) -> dict[str, Any]:
        if self._address is None:
            self._address = self._pack()
        return {"_job": None, "_address": self._address}


_OPENED: dict[str, Job] = {}
"""The job that this process has unpickled last, by the check sum of its pickle."""


@contextmanager
def _sent(job: Job, executor: Executor) -> Iterator[tuple[Any, int]]:
    """What to submit in place of the job, and the number of workers."""
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "scatter"):  # dask.distributed: every worker keeps a copy
        yield client.scatter(job, broadcast=True, hash=False), sum(client.nthreads().values()) or 1
        return
    parcel, workers = Parcel(job), getattr(executor, "_max_workers", None) or os.cpu_count() or 1
    if not isinstance(executor, ProcessPoolExecutor):
        yield parcel, workers
        return
    check_forks(executor, job.threads)
    with tempfile.TemporaryDirectory(prefix="cnnwidgets-") as folder:
        parcel.leave_at(Path(folder, "job"))
        yield parcel, workers


def check_forks(executor: Executor, threads: int) -> None:
    """A ValueError for an executor whose processes would hang."""
    context = getattr(executor, "_mp_context", multiprocessing)  # by default that of all
    if threads > 1 and isinstance(executor, ProcessPoolExecutor) and context.get_start_method() == "fork":
        raise ValueError(
            "the executor forks this process, and forks hang once torch has computed with several threads here: give "
            "ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn')), or call torch.set_num_threads(1) first"
        )


def _run(parcel: Parcel | Job, k: int) -> Part:
    """A part, on a worker."""
    job = parcel.open() if isinstance(parcel, Parcel) else parcel
    job.lent = True  # this first: whoever stops us looks at it last
    if job.stopped:
        raise Cancelled("cancelled")
    if job.loader.is_home:
        return compute(job, job.loader[k])
    with torch_threads(job.threads), generators_kept(home=False):  # loading too: a preprocessing may sum with torch
        return compute(job, job.loader[k])
