"""Playing through the checkpoints, one after the other."""

from __future__ import annotations

from typing import Any

from cnnwidgets.base import ImagePanel, action
from cnnwidgets.base.jobs import LOCK, Job

FRAME = 0.8
"""Seconds that each checkpoint is shown while playing."""


class Played(ImagePanel):
    """A panel whose ``checkpoint`` a button moves on, until the last one or a hand."""

    checkpoint: Any
    checkpoints: Any

    _playing: Job | None = None

    @property
    def at(self) -> int:
        """The number of the checkpoint on screen."""
        return min(self.checkpoint, len(self.checkpoints.names) - 1)

    @action(
        lambda panel: "Pause" if panel.playing else "Play", primary=True, locked_by="checkpoint",
        absent=lambda panel: panel._result is None,
    )  # fmt: skip
    def play(self) -> None:
        """Play through the checkpoints, from the first one if the last one is on screen."""
        if self.playing:
            self._pause()
        else:
            self._playing = self.aside("play", self._play)
            self._show_controls()

    @property
    def playing(self) -> bool:
        """Whether the checkpoints are playing."""
        return self._playing is not None and not (self._playing.cancelled or self._playing.done.is_set())

    def _pause(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._show_controls()

    def _play(self, job: Job) -> None:
        last = len(self.checkpoints.names) - 1
        first = 0 if self.at == last else self.at + 1
        for checkpoint in range(first, last + 1):
            with LOCK:
                if job.cancelled:
                    return
                self.checkpoint = checkpoint
            if checkpoint < last:
                job.rest(FRAME)
        with LOCK:
            self._pause()  # it has come to its end
