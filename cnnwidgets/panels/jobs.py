"""Computations off the cell's thread: the newest request wins, and a stale result is dropped."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

WORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cnnwidgets")
"""Where panels compute."""

LAYOUTS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cnnwidgets-layouts")
"""A worker for what takes long without torch: other panels need not wait for it."""

TRAININGS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cnnwidgets-trainings")
"""A worker for trainings, which go on while other panels answer."""

LOCK = threading.RLock()
"""Guards the state of all panels, which callbacks touch from several threads. Held briefly: never while torch runs."""


class Job:
    """One computation that a panel asked for.

    It is itself the ``cancel`` that methods take, and its :meth:`update` their ``on_update``.

    Attributes:
        ended: set by the panel once it has taken the outcome; later updates are too late.
    """

    ended = False

    def __init__(
        self,
        work: Callable[[Job], None],
        on_update: Callable[[Job, Any, float], None],
        worker: ThreadPoolExecutor = WORKER,
    ):
        self._work, self._on_update, self._worker = work, on_update, worker
        self._stop = threading.Event()
        self._first = threading.Event()
        self._done = threading.Event()

    def start(self) -> None:
        """Hand it to its worker thread, where torch computes with as many threads as here: sums then round alike."""
        threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
        self._worker.submit(self._run, threads)

    def _run(self, threads: int | None) -> None:
        try:
            if threads and threads != sys.modules["torch"].get_num_threads():
                sys.modules["torch"].set_num_threads(threads)
            self._work(self)
        finally:
            self._first.set()
            self._done.set()

    def update(self, partial: Any = None, fraction: float = 0.0) -> None:
        """Show a partial result and the fraction that is done, between 0 and 1."""
        self._on_update(self, partial, fraction)
        if partial is not None:
            self._first.set()

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
        """Wait until it has ended; False if the time is over first."""
        return self._done.wait(timeout)

    def wait_for_picture(self, timeout: float) -> bool:
        """Wait until there is something to show."""
        return self._first.wait(timeout)


def import_for_trainings() -> None:
    """Import on the caller's thread what trainings and the data of the samples would otherwise import on a worker.

    Two threads that import parts of one library at the same time can find each other's half, and fail.
    """
    import skimage.io  # noqa: F401
    import torch._dynamo  # noqa: F401  (which torch.optim imports when it is first used, in some seconds)
    from PIL import Image

    from cnnwidgets import samples

    Image.init()
    samples.SmallResNet  # noqa: B018
    samples.digits()


def import_for_explaining() -> None:
    """The same for what attributions would import: superpixels, segmentations, linear models."""
    import skimage.metrics
    import skimage.segmentation
    import sklearn.linear_model  # noqa: F401

    skimage.segmentation.slic, skimage.segmentation.random_walker, skimage.metrics.structural_similarity  # noqa: B018


def on_worker() -> bool:
    """Whether the caller runs on a worker thread, which must not wait for itself."""
    return threading.current_thread().name.startswith("cnnwidgets")
