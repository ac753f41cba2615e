"""A panel's button that tries whether what it shows the training of learns a few pictures by heart."""

from __future__ import annotations

from cnnwidgets.base import Panel, action
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import OverFit, Task, over_fit
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import number

PICTURES = 20

REMEDY = "Look for a mistake in labels, loss or network; or the network is too small."
NEXT = "Network, loss and labels fit together: what is wrong lies in rate, time or data."


class LearnsByHeart(Panel):
    """A panel with the button, for those that say what can be tried, and when.

    Attributes:
        by_heart: what came of the last try; None before the first.
    """

    by_heart: OverFit | None = None
    _learning: Job | None = None
    _looping = False  # a loop of the user's, which must not be disturbed, until it is over

    @property
    def can_try(self) -> bool:
        """Whether there is a network, and pictures to learn."""
        raise NotImplementedError

    def tried(self) -> Task:
        """What is tried."""
        raise NotImplementedError

    @property
    def under_way(self) -> bool:
        """Whether a loop of the user's is running."""
        return self._looping

    @action(f"Learn {PICTURES} pictures by heart", absent=lambda panel: not panel.can_try)
    def learn_by_heart(self) -> None:
        """Try on a copy whether the network learns 20 pictures by heart: one that cannot do this will not learn more."""
        if not self.can_try:
            raise ValueError("there is nothing to try: expected a network, and a loader that can be read again")
        self._refuse_in_a_loop()

        def tell(partial: OverFit, fraction: float) -> None:
            with LOCK:
                if self._learning is not None and not self._learning.cancelled:
                    words = f"Learning {partial.pictures} pictures by heart: loss {number(partial.loss[-1])} …"
                    self.status.say(words, "busy", fraction)

        def learn(job: Job) -> None:
            with LOCK:
                self._refuse_in_a_loop()
                self._learning = job
            try:
                found = over_fit(self.tried(), pictures=PICTURES, on_update=tell, cancel=job)
            except Cancelled:
                found = None
            with LOCK:
                self.by_heart = found or self.by_heart
                if self._result is not None and not self.under_way:
                    self.draw(self._result)
                    self.status.say(self.summary(self._result))

        self.aside("by heart", learn)

    def _refuse_in_a_loop(self) -> None:
        if self.under_way:
            raise RuntimeError(f"the training is under way: {PICTURES} pictures can be learned by heart once it has ended")

    def _loop_begins(self) -> None:
        """A loop begins: a try that is running ends first, since it has the random generators."""
        with LOCK:
            self._looping, self.by_heart, learning = True, None, self._learning
        if learning is not None:
            learning.cancel()
            learning.wait()

    @property
    def _tried_row(self) -> dict[str, str | int] | None:
        """What came of it, as a finding."""
        if self.by_heart is None:
            return None
        good = self.by_heart.succeeded
        name = f"{'learns' if good else 'cannot learn'} {self.by_heart.pictures} pictures by heart"
        remedy, severity = (NEXT, 1) if good else (REMEDY, 3)
        return {"name": name, "where": "", "evidence": self.by_heart.summary, "remedy": remedy, "severity": severity}
