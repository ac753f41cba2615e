"""Daemon threads that run what they are given, as many as there is to run; none keeps a script from ending."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
import time
from queue import Empty, SimpleQueue

from cnnwidgets.net.locks import Lock

LINGER = 2.0
"""Seconds that a thread without work waits for more before it ends."""

TO_CANCEL, TO_STOP = 1.0, 4.0
"""Seconds that the end of the interpreter waits for work that was cancelled, then for what had to be interrupted."""


class Work:
    """Something to run, once.

    Attributes:
        done: set when it has ended.
    """

    done: threading.Event

    def run(self) -> None:
        """Do it, and set ``done``."""
        raise NotImplementedError

    def stop(self) -> None:
        """Cancel it, and drop what was to come after it."""
        raise NotImplementedError

    def follow(self) -> None:
        """Its thread is free: see to what comes after it. The pool's lock is held."""

    def lose(self) -> None:
        """This is a forked child, in which no thread runs it: it has ended."""


class Pool:
    """Daemon threads, as many as there is work to run; one that has nothing to do ends after a while.

    Attributes:
        lock: guards the threads, and what is to come after what.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self._idle: list[SimpleQueue[Work]] = []
        self._live: dict[Work, threading.Thread | None] = {}
        self._closed = False
        getattr(threading, "_register_atexit", atexit.register)(self.close)  # the first is before executors are waited for
        os.register_at_fork(after_in_child=self._forget)

    def give(self, work: Work) -> bool:
        """Run something; False at the end of the interpreter."""
        if self._closed:
            return False
        self._live[work] = None
        (self._idle.pop() if self._idle else self._start_thread()).put(work)
        return True

    def close(self) -> None:
        """Cancel all work and see the threads end: one that torch runs in could not be ended by the interpreter."""
        with self.lock:
            self._closed = True
            for work in self._live:
                work.stop()
        if not self._ended(TO_CANCEL):
            for thread in self._threads():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
            self._ended(TO_STOP)

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._live)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing runs; False if the time is over first."""
        end = time.monotonic() + timeout
        while live := self._running():
            if not live[0].done.wait(max(0.0, end - time.monotonic())):
                return False
            time.sleep(0)  # its thread is about to say so
        return True

    def _running(self) -> list[Work]:
        with self.lock:
            return list(self._live)

    def _threads(self) -> list[threading.Thread]:
        with self.lock:
            return [thread for thread in self._live.values() if thread]

    def _ended(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        for thread in self._threads():
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads())

    def _start_thread(self) -> SimpleQueue[Work]:
        inbox: SimpleQueue[Work] = SimpleQueue()
        threading.Thread(target=self._serve, args=(inbox,), name="cnnwidgets", daemon=True).start()
        return inbox

    def _serve(self, inbox: SimpleQueue[Work]) -> None:
        """One after the other, each of which may come after another one."""
        while work := self._next(inbox):
            self._live[work] = threading.current_thread()
            try:
                work.run()
                with self.lock:
                    if not self._closed:
                        self._idle.append(inbox)  # for what comes after it
            finally:
                with self.lock:
                    self._live.pop(work, None)
                    work.follow()
            del work  # with all that it holds, before the wait for the next one

    def _next(self, inbox: SimpleQueue[Work]) -> Work | None:
        if self._closed:
            return None
        try:
            return inbox.get(timeout=LINGER)
        except Empty:
            with self.lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return None
            return inbox.get()  # given at the last moment

    def _forget(self) -> None:
        """In a forked child there are no threads: all begins anew."""
        live, self._live, self._idle = self._live, {}, []
        for work in live:
            work.lose()
