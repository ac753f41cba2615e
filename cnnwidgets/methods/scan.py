"""The one way over a data set: every picture through the network once, and reducers that gather what it says."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from cnnwidgets.methods.batches import Batch, Loader, Skipped, generators_kept, numbers_of
from cnnwidgets.methods.checkpoint import Checkpoint, restore
from cnnwidgets.methods.parts import Job, Part, ask, elsewhere, here
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checking, said
from cnnwidgets.net.memory import given_back
from cnnwidgets.net.progress import Cancel, OnUpdate

MOST_WORKERS = 256
"""Processes that may load pictures: more are a slip of the hand, and fill the memory."""

UPDATES = 0.5
"""Seconds between two updates at least."""

SAVES = 10.0
"""Seconds between two checkpoints at least."""


class Reducer(Protocol):
    """What gathers something on the way over a data set, given fresh.

    Every batch updates a copy of its own, and the copies are merged in the batches' order, wherever they were computed.
    An attribute ``layers``, where there is one, names the layers whose outputs ``update`` wants in ``batch.outputs``. Where
    all of them say ``runs_itself = True``, the network is not run for them, and a batch has no scores.
    A checkpoint holds its attributes (numbers, strings, arrays, tensors, lists and dicts of them), or what its
    ``state()`` gives and its ``restore(state)`` takes, where it has these.
    """

    def update(self, batch: Batch) -> None:
        """Take in a batch."""

    def merge(self, other: Any) -> None:
        """Take in what another one gathered from later batches."""

    def result(self) -> Any:
        """What was gathered; later updates do not change it."""


@dataclass(frozen=True, repr=False)
class Scan:
    """What came of a way over a data set, the whole of it or the part that is done.

    Attributes:
        results: the reducers' results, in a list or in a dict, as the reducers were given.
        seen: number of pictures that the reducers hold.
        skipped: (index, sentence) of every picture that could not be used, in order.
        total: number of pictures that were asked for.
        rate: pictures a second in this run.
        remaining: seconds left at that rate; 0 if all is done, NaN if nothing has been.
        notes: sentences on the network.
    """

    results: Any
    seen: int
    skipped: Skipped
    total: int
    rate: float
    remaining: float
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> float:
        """The fraction that is done, between 0 and 1."""
        return (self.seen + len(self.skipped)) / self.total

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped):,} skipped" if self.skipped else ""
        return f"<scan: {self.seen:,} of {self.total:,} pictures{skipped}>"


@checking("indices", "batch_size", "workers", "executor")
def scan(
    net: BoundModel,
    dataset: Any,
    reducers: Sequence[Reducer] | Mapping[str, Reducer],
    *,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[Scan] | None = None,
    cancel: Cancel | None = None,
) -> Scan:
    """Show a data set to the network, once, and let reducers gather what it says.

    >>> result = cw.methods.scan(net, cw.samples.digits(), [cw.methods.Confusion()])
    >>> result.results[0].accuracy
    0.996

    The answer is the same to the last bit on every executor, with every number of loader workers, and for a run that was
    killed and went on: batches are fixed by their position, merged in their order, and computed with the caller's
    number of torch threads. (On another processor or another version of torch sums may round differently. Loader workers
    have one thread: a preprocessing that itself sums with torch may round differently there.)

    Parameters:
        net: a bound network; it is left as it is.
        dataset: has a length and numbered items: pictures as ``net.prepare`` takes them, ``(picture, label, ...)``, or dicts
            with ``"image"`` and ``"label"`` or names like them, see :func:`cnnwidgets.net.items.read`. A list of paths
            will do, and a data set of Hugging Face.
        reducers: fresh :class:`Reducer` objects, in a list or by name; they are copied, and left as they are.
        indices: numbers of the items that are wanted, negative ones from the end; all by default.
        batch_size: pictures that the network sees at once; one where the answer to a picture depends on the others.
        workers: processes that load ahead, as in ``torch.utils.data.DataLoader``; without an executor.
        checkpoint: a file that is written every few seconds and at the end. Where it exists, the scan goes on from
            it; it is of the same network, pictures, batch size and reducers, or an error.
        executor: any ``concurrent.futures.Executor``; on a cluster ``dask.distributed.Client(...).get_executor()``.
        on_update: called with a partial :class:`Scan` and the fraction done.
        cancel: an object with ``is_set()``; asked between batches.

    Raises:
        TypeError: the data set has no numbered items, or cannot be sent to another process.
        ValueError: there is no picture, none can be used, a number does not fit, or the checkpoint belongs to another scan.
        IndexError: there is no item of such a number.
        KeyError: a reducer wants a layer that the network has not.
        BrokenExecutor: the executor's processes died.
        Cancelled: cancel was set; its ``partial`` is the :class:`Scan` as far as it came, or None.
    """
    _check(batch_size, workers, executor)
    _check_reducers(reducers)
    order = numbers_of(dataset, indices)
    ask(cancel)
    with generators_kept():
        return _scan(
            net, Loader(net, dataset, order, batch_size), reducers, workers, checkpoint, executor, on_update, cancel
        )


def _scan(
    net: BoundModel,
    loader: Loader,
    reducers: Any,
    workers: int,
    checkpoint: str | Path | None,
    executor: Executor | None,
    on_update: OnUpdate[Scan] | None,
    cancel: Cancel | None,
) -> Scan:
    _ = net.output  # is told here, and not by each worker
    fresh = copy.deepcopy(list(reducers.values() if isinstance(reducers, Mapping) else reducers))
    job = Job(
        net,
        loader,
        fresh,
        layers={name: net.layers[name].name for one in fresh for name in getattr(one, "layers", ())},
        threads=torch.get_num_threads(),
        is_run=not all(getattr(one, "runs_itself", False) for one in fresh) or not fresh,
        alone=loader.batch_size > 1 and len(loader.order) > 1 and not net.takes_batches(),
    )
    run = _Run(job, reducers, Checkpoint(checkpoint, job) if checkpoint is not None else None)
    positions = range(run.position, len(job.loader))
    parts = elsewhere(job, positions, executor, cancel) if executor is not None else here(job, positions, workers, cancel)
    with contextlib.closing(parts), given_back():
        while (part := run.next_of(parts)) is not None:
            run.take(part)
            if on_update and run.wants_to_tell():
                partial = run.partial()
                on_update(partial, partial.done)
    return run.partial()


class _Run:
    """Where a scan stands."""

    def __init__(self, job: Job, reducers: Any, checkpoint: Checkpoint | None):
        self.job, self.reducers, self.checkpoint = job, reducers, checkpoint
        self.totals = copy.deepcopy(job.reducers)
        self.position = self.seen = 0
        self.skipped: Skipped = []
        if checkpoint is not None and (found := checkpoint.read()):
            self.position, self.seen, self.skipped = found["position"], found["seen"], found["skipped"]
            job.threads = found["threads"]
            for total, state in zip(self.totals, found["reducers"], strict=True):
                restore(total, state)
        self.before = self.seen + len(self.skipped)
        self.start = self.told = self.saved = time.perf_counter()
        self.unsaved = False

    def next_of(self, parts: Iterator[Part]) -> Part | None:
        """The next part, None after the last; what ends the run early leaves a checkpoint."""
        try:
            part = next(parts, None)
        except Exception as error:
            self.save()
            if isinstance(error, Cancelled):
                raise Cancelled("cancelled", partial=self.partial() if self.seen else None) from None
            if isinstance(error, BrokenExecutor):
                go_on = "run it again to go on from the checkpoint" if self.checkpoint else "with checkpoint= it could go on"
                raise type(error)(
                    f"a process of the executor died after {self.seen:,} of {len(self.job.loader.order):,} pictures: {go_on}"
                ) from error
            raise
        if part is None:
            self.save()
            if not self.seen:
                i, sentence = self.skipped[0]
                raise ValueError(f"none of the {len(self.skipped):,} pictures can be used; the first, {i}: {sentence}")
        return part

    def take(self, part: Part) -> None:
        if part.seen:
            for total, one in zip(self.totals, part.reducers, strict=True):
                total.merge(one)
        self.position += 1
        self.seen += part.seen
        self.skipped += part.skipped
        self.unsaved = True
        if time.perf_counter() >= self.saved + SAVES:
            self.save()

    def save(self) -> None:
        if self.checkpoint is not None and self.unsaved:
            self.checkpoint.write(
                threads=self.job.threads,
                position=self.position,
                seen=self.seen,
                skipped=self.skipped,
                reducers=self.totals,
            )
            self.saved, self.unsaved = time.perf_counter(), False

    def wants_to_tell(self) -> bool:
        """Whether an update is due: from time to time, and at the end."""
        now = time.perf_counter()
        due = bool(self.seen) and (now >= self.told + UPDATES or self.position == len(self.job.loader))
        self.told = now if due else self.told
        return due

    def partial(self) -> Scan:
        results = [total.result() for total in self.totals]
        total, done = len(self.job.loader.order), self.seen + len(self.skipped)
        rate = (done - self.before) / (time.perf_counter() - self.start)
        return Scan(
            dict(zip(self.reducers, results, strict=True)) if isinstance(self.reducers, Mapping) else results,
            self.seen,
            list(self.skipped),
            total,
            rate,
            (total - done) / (rate or float("nan")) if done < total else 0.0,
            self.job.net.notes,
        )


def _check_reducers(reducers: Any) -> None:
    listed = reducers.values() if isinstance(reducers, Mapping) else reducers
    if isinstance(listed, (str, bytes, type)) or not hasattr(listed, "__iter__"):
        raise TypeError(f"reducers is {said(reducers)}; expected a list of reducers, or a dict of them")
    for one in listed:
        if isinstance(one, type) or not all(callable(getattr(one, name, None)) for name in ("update", "merge", "result")):
            hint = f": give an instance, {one.__name__}()" if isinstance(one, type) else ""
            raise TypeError(f"{said(one)} is no reducer, which has update(), merge() and result(){hint}")


def _check(batch_size: int, workers: int, executor: Executor | None) -> None:
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}; expected a whole number of at least 1")
    if not isinstance(workers, int) or workers < 0:
        raise ValueError(f"workers is {workers!r}; expected a whole number, 0 for none")
    if workers > MOST_WORKERS:
        raise ValueError(f"workers is {workers:,}; at most {MOST_WORKERS} are taken: each is a process with its own memory")
    if workers and executor is not None:
        raise ValueError("workers= load for a scan without an executor; an executor's workers load their own pictures")
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor is a {type(executor).__name__}; expected a concurrent.futures.Executor")
