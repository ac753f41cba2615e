"""Computations off the cell's thread: a panel's newest request wins, and no panel waits for another's.

A panel has a :class:`Line`: its jobs run one after the other, and of those that wait only the newest runs. Each line that
has something to do has a thread of the :class:`Pool` to itself. The threads are daemons and are stopped at exit, so that no
script is kept from ending.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from cnnwidgets.base.pool import Pool, Work
from cnnwidgets.net.locks import Lock
from cnnwidgets.net.memory import give_back
from cnnwidgets.net.runner import CANCEL
from cnnwidgets.optional import MissingPackage

LOCK = Lock()
"""Guards the state of all panels, which callbacks touch from several threads. Held briefly: never while torch runs."""

POOL = Pool()

LONG = 0.2
"""Seconds of work after which what it freed goes back to the system: shorter work soon needs it again."""


class Job(Work):
    """One computation that a panel asked for.

    It is itself the ``cancel`` that methods take, and its :meth:`update` their ``on_update``.

    Parameters:
        work: called with the job, on a thread of its own.
        on_update: called with the job and what :meth:`update` is given.
        state: what it was asked with, by name.

    Attributes:
        ended: set by the panel once it has taken the outcome; later updates are too late.
    """

    ended = False

    def __init__(self, work: Callable[[Job], None], on_update: Callable[..., None] | None = None, **state: Any):
        self._work, self._on_update, self.state = work, on_update, SimpleNamespace(**state)
        self._threads = _torch_threads()  # as many as here: sums then round alike
        self._line: Line | None = None
        self._awaited: Job | None = None
        self._renew()

    def _renew(self) -> None:
        self._stop, self._first, self.done = threading.Event(), threading.Event(), threading.Event()

    def run(self) -> None:
        """Do its work, on the thread of a pool."""
        running, cancel, start = _RUNNING.set(self), CANCEL.set(self), time.monotonic()
        try:
            if self._threads and self._threads != _torch_threads():
                sys.modules["torch"].set_num_threads(self._threads)
            self._work(self)
        finally:
            _RUNNING.reset(running)
            CANCEL.reset(cancel)
            self._end()
            if time.monotonic() - start > LONG:
                give_back()

    def _end(self) -> None:
        self._first.set()
        self.done.set()

    def stop(self) -> None:
        """Cancel it, and drop what waits behind it."""
        if self._line:
            self._line.clear()
        self.cancel()

    def follow(self) -> None:
        """Run what waits behind it."""
        if self._line:
            self._line.advance()

    def lose(self) -> None:
        """In a forked child: its line begins anew."""
        self._renew()
        self.cancel()
        self._end()
        if self._line:
            self._line.running = self._line._waiting = None

    def update(self, partial: Any = None, fraction: float = 0.0) -> None:
        """Show a partial result and the fraction that is done, between 0 and 1."""
        self._tell(partial, fraction, "")
        if partial is not None:
            self._first.set()

    def say(self, words: str, fraction: float = 0.0) -> None:
        """Say what is being done."""
        self._tell(None, fraction, words)

    def _tell(self, *about: Any) -> None:
        if self._on_update:
            self._on_update(self, *about)

    def rest(self, seconds: float) -> None:
        """Wait, unless it is cancelled meanwhile."""
        self._stop.wait(seconds)

    def cancel(self) -> None:
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def is_set(self) -> bool:
        """As ``threading.Event`` says it."""
        return self.cancelled

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; False if the time is over first.

        Raises:
            RuntimeError: the caller is a job that this one waits for, or this one itself.
        """
        caller = _RUNNING.get()
        if self.done.is_set() or (self.ended and caller is self):
            return True
        if caller is None:
            return self.done.wait(timeout)
        with POOL.lock:
            if caller._is_before(self):
                raise RuntimeError("a computation cannot wait for its own result, nor for one that waits for it")
            caller._awaited = self
        try:
            return self.done.wait(timeout)
        finally:
            caller._awaited = None

    def wait_for_picture(self, timeout: float) -> bool:
        """Wait until there is something to show."""
        return self._first.wait(timeout)

    def _is_before(self, other: Job | None) -> bool:
        """Whether another job ends only after this one."""
        while other is not None and other is not self:
            before = other._line.running if other._line else None
            other = other._awaited if before in (None, other) else before
        return other is self


class Line:
    """Jobs one after the other; of those that wait only the newest is run."""

    def __init__(self) -> None:
        self.running: Job | None = None
        self._waiting: Job | None = None

    def put(self, job: Job) -> None:
        """Cancel the job that is running, and run this one as soon as that has ended."""
        with POOL.lock:
            job._line = self
            self.clear()
            self._waiting = job
            if self.running is None:
                self.advance()

    def advance(self) -> None:
        """What was running has ended: run what waits."""
        self.running, self._waiting = self._waiting, None
        if self.running and not POOL.give(self.running):
            self.running.cancel()
            self.running._end()
            self.running = None

    def clear(self) -> None:
        """Cancel what is running, and drop what waits."""
        with POOL.lock:
            stale, self._waiting = self._waiting, None
            for job in (stale, self.running):
                if job:
                    job.cancel()
            if stale:
                stale._end()


_RUNNING: ContextVar[Job | None] = ContextVar("running", default=None)
"""The job that this thread runs."""


def _torch_threads() -> int | None:
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None


def import_for_trainings() -> None:
    """Import on the caller's thread what trainings and the data of the samples would otherwise import on a worker.

    Two threads that import parts of one library at the same time can find each other's half, and fail.
    """
    import skimage.io  # noqa: F401

    with suppress(ImportError):  # where torch has it, torch.optim imports it when it is first used, in some seconds
        import torch._dynamo  # noqa: F401

    from cnnwidgets import samples

    import_for_pictures()
    samples.SmallResNet  # noqa: B018
    samples.digits()


def import_for_pictures() -> None:
    """The same for what opening a picture would import."""
    from PIL import Image

    Image.init()


def import_for_augmenting() -> None:
    """The same for what changes pictures by chance."""
    import torchvision.transforms.v2  # noqa: F401

    import_for_pictures()


def import_for_explaining() -> None:
    """The same for what attributions would import: superpixels, segmentations, linear models."""
    import skimage.metrics
    import skimage.segmentation
    import sklearn.linear_model  # noqa: F401

    skimage.segmentation.slic, skimage.segmentation.random_walker, skimage.metrics.structural_similarity  # noqa: B018


def import_for_layouts(method: str) -> None:
    """The same for what a layout would import."""
    import sklearn.decomposition
    import sklearn.metrics  # noqa: F401

    from cnnwidgets.methods import tsne_layout, umap_layout

    import_for_pictures()
    with suppress(MissingPackage):  # which is told where the layout is made
        if method == "tsne":
            tsne_layout.library()
        elif method == "umap":
            umap_layout.library()
