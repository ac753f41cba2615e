"""Requests computations and takes their results: the newest request wins, and what is drawn comes from one result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, ClassVar

from cnnwidgets.base.jobs import LOCK, Job, Line
from cnnwidgets.net import Cancelled
from cnnwidgets.net.errors import capitalized, sentence

FIRST_PICTURE = 20.0
"""Longest time in seconds that displaying a panel waits for its first picture."""

BUSY_AFTER = 0.25
"""Seconds after which a computation shows that it is running; shorter ones do not flicker."""


class Computing:
    """A panel's computations, and what it has of them.

    Attributes:
        asked: the traits in ``asks`` as they were when the result on screen was asked for.
    """

    asks: ClassVar[Set[str] | None] = frozenset()
    """Names of the public traits that a computation depends on; None: it is made once."""

    _snapshot: Callable[[], dict[str, Any]]
    """Gives what a computation is asked with."""

    _compute: Callable[[Job], Any]
    draw: Callable[[Any], None]

    asked: SimpleNamespace = SimpleNamespace()
    status: Any
    _line: Line
    _asides: dict[str, Line]
    _slips: dict[str, str]
    """What went wrong beside the computation, by key, until the same is asked for again and works."""
    _followers: list[Callable[[], None]]
    _job: Job | None = None
    _result: Any = None
    _error: Exception | None = None

    def __new__(cls, *args: Any, **options: Any) -> Any:
        made = super().__new__(cls, *args, **options)
        made._line, made._asides, made._slips, made._followers = Line(), {}, {}, []
        return made

    # for subclasses

    def summary(self, result: Any) -> str:
        """What is found, one sentence; lines below it are facts, which the status line shows behind "Details"."""
        return ""

    def remarks(self, result: Any) -> Sequence[str]:
        """Facts about the network and the picture, after those of the summary."""
        return ()

    def progress(self, partial: Any) -> str:
        """The sentence in the status line while a partial result is shown; ``partial`` is None as long as there is none."""
        return "Computing …"

    # asking

    def ask(self, **wishes: Any) -> None:
        """Request a computation with the present state; one that is running is cancelled and its result dropped.

        Parameters:
            wishes: options of this request alone, which ``job.state`` has beside the traits in ``asks``.
        """
        with LOCK:
            self._job = Job(self._work, self._update, **self._snapshot(), **wishes)
            self._line.put(self._job)
        for action in self._followers:
            action()

    def aside(self, key: str, work: Callable[[Job], None]) -> Job:
        """Do what the user asks for beside the computation; of requests with the same key only the newest.

        An error shows in the status line until the same is asked for again and works.
        """

        def run(job: Job) -> None:
            slip = ""
            try:
                work(job)
            except Cancelled:
                return
            except Exception as error:
                slip = sentence(error)
            with LOCK:
                if not job.cancelled:
                    self._slip(key, slip)

        with LOCK:
            job = Job(run)
            self._asides.setdefault(key, Line()).put(job)
            return job

    def _slip(self, key: str, slip: str) -> None:
        """What was asked for beside the computation has failed with a sentence, or has worked."""
        before = self._slips.pop(key, "")
        if slip:
            self._slips[key] = slip
            self.status.say(slip, "error")
        elif before and self.status.message == before:
            if self._slips:
                self.status.say([*self._slips.values()][-1], "error")
            elif self._result is not None:
                self.status.say(self._said(self._result))

    def cancel(self) -> None:
        """Stop the computation, and what is done beside it; what is on screen stays."""
        with LOCK:
            if self._job:
                self._job.cancel()
            for line in self._asides.values():
                line.clear()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the result; False if ``timeout`` (in seconds) passes first.

        Raises:
            RuntimeError: it would wait forever, because the computation waits for the caller: its own computation, a draw, a
                reaction, or an observer of what they set.
        """
        if LOCK.held:
            raise RuntimeError(
                f"a draw, a reaction, or an observer of what they set cannot wait for the result of {type(self).__name__}, "
                "which waits for it to end: let it use the result that is on screen, which draw is given"
            )
        end = None if timeout is None else time.monotonic() + timeout
        while (job := self._job) is not None:
            if not job.wait(None if end is None else max(0.0, end - time.monotonic())):
                return False
            if job is self._job:
                break
        return True

    @property
    def result(self) -> Any:
        """The method's result for the present state. Waits for it; raises what the computation raised.

        After a Cancel it raises ``Cancelled``: what is on screen (see :attr:`shown`) belongs to an earlier state.
        """
        self.wait()
        if self._error:
            raise self._error
        return self._result

    @property
    def shown(self) -> Any:
        """The result on screen: for the present state, or the one before if that fails or takes long."""
        panel, result = _STILL.get()
        if panel is self:
            return result
        self.wait(FIRST_PICTURE)
        return self._result if self._result is not None else self.result

    @property
    def error(self) -> Exception | None:
        """The exception of the last computation, or None."""
        return self._error

    def react(self, action: Callable[[], None], *names: str) -> None:
        """Call an action when one of the traits changes and there is a result.

        An error shows in the status line until the action works again. It cannot wait for ``result``: the lock is held.
        """
        slip: Exception | None = None

        def react(change: Any) -> None:
            nonlocal slip
            with LOCK:
                if self._result is None:
                    return
                try:
                    action()
                    if slip is not None and self._error is slip:
                        self._error = None
                        self.status.say(self._said(self._result))
                except Exception as error:
                    slip = error
                    self._fail(error)

        self.observe(react, names)  # type: ignore[attr-defined]

    def follow(self, action: Callable[[], None]) -> None:
        """Call an action whenever a computation is asked for, whose result it can wait for."""
        self._followers.append(action)

    # the outcome

    def _work(self, job: Job) -> None:
        soon = threading.Timer(BUSY_AFTER, self._say_busy, (job,))
        soon.daemon = True
        try:
            if job.cancelled:
                raise Cancelled("cancelled before it began")
            soon.start()
            result = self._compute(job)
        except Exception as error:
            self._finish(job, error=error)
        else:
            self._finish(job, result=result)
        finally:
            soon.cancel()

    def _say_busy(self, job: Job) -> None:
        """A job takes long: say so, unless it already told how far it is."""
        with LOCK:
            if job is self._job and not (job.cancelled or job.ended or self.status.kind == "busy"):
                self.status.say("Computing …", "busy")

    def _update(self, job: Job, partial: Any, fraction: float, words: str) -> None:
        with LOCK:
            if job is not self._job or job.cancelled or job.ended:
                return
            if partial is not None:
                self._take(partial, job)
            self.status.say(words or self.progress(partial), "busy", fraction)

    def _finish(self, job: Job, result: Any = None, error: Exception | None = None) -> None:
        with LOCK:
            job.ended = True
            if job is not self._job:
                return
            if error is None:
                try:
                    self._error = None
                    self._take(result, job)
                    self.status.say(self._said(result))
                except Exception as failed:
                    error = failed
            if isinstance(error, Cancelled):
                self._error = error
                try:
                    said = self._take_partial(error.partial, job)
                except Exception as failed:
                    self._fail(failed)
                else:
                    self.status.say(f"Cancelled. {said}")
            elif error is not None:
                self._fail(error)
        self._came(job, error)

    def _take(self, result: Any, job: Job) -> None:
        """Show a result, and remember its state; if it cannot be drawn, the one before stays."""
        before = self._result, self.asked
        self._result, self.asked = result, job.state
        try:
            self.draw(result)
        except Exception:
            self._result, self.asked = before
            if self._result is not None:
                with suppress(Exception):
                    self.draw(self._result)
            raise

    def _take_partial(self, partial: Any, job: Job) -> str:
        """Show what a cancelled computation left, if it left anything; returns what to say of it."""
        if partial is None:
            return "You see the previous result."
        if partial is self._result:
            self.draw(partial)
        else:
            self._take(partial, job)
        return self._said(partial)

    def _came(self, job: Job, error: Exception | None) -> None:
        """A computation has ended, and its outcome is on screen; the lock is not held."""

    def _said(self, result: Any) -> str:
        return "\n".join(filter(None, [self.summary(result), *map(capitalized, self.remarks(result))]))

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.status.say(sentence(error), "error")

    def _stop(self) -> None:
        """Stop all computations for good."""
        self.cancel()
        for line in (self._line, *self._asides.values()):
            line.clear()


@contextmanager
def drawing_still(panel: Computing, result: Any) -> Iterator[None]:
    """Inside, ``panel.shown`` is this result, without waiting."""
    drawn = _STILL.set((panel, result))
    try:
        yield
    finally:
        _STILL.reset(drawn)


_STILL: ContextVar[tuple[Computing | None, Any]] = ContextVar("still", default=(None, None))
"""The panel of which this thread draws a still, and the result that it shows."""


def missing(panel: Any, what: str) -> NotImplementedError:
    """The error for a method that a panel's author has to write."""
    return NotImplementedError(f"{type(panel).__name__} has no {what}")
