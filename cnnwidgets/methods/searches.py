"""The same space searched in several ways, to compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods import search_files
from cnnwidgets.methods.search import search
from cnnwidgets.methods.spaces import WAYS, Space, Way
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.trials import Search, Trial, told_of_stops
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.progress import Cancel, OnUpdate


@dataclass(frozen=True, eq=False)
class Searches:
    """One search, or several of the same space.

    Attributes:
        each: the searches; while one is under way those that are over, and it.
    """

    each: tuple[Search, ...]

    @property
    def trials(self) -> list[tuple[Search, Trial]]:
        """All trials, each with its search."""
        return [(one, trial) for one in self.each for trial in one.trials]

    @property
    def first(self) -> Search:
        """The search with the best trial."""
        ranked = [one for one in self.each if one.best]
        key = lambda one: one.best.value * (1 if one.higher else -1)  # noqa: E731
        return max(ranked, key=key, default=self.each[0])

    @property
    def summary(self) -> str:
        """What is best; of several searches which one found it, and what the others found."""
        if len(self.each) == 1:
            return self.each[0].summary
        first = self.first
        if not first.best:
            return "No trial is complete."
        rest = [f"{one.by} {one.told(one.best.value) if one.best else 'none'}" for one in self.each if one is not first]
        told = f"Best: {first.told(first.best.value)} by {first.by}, at {first.point(first.best)}; {', '.join(rest)}."
        told += told_of_stops([trial for _, trial in self.trials])
        chance = "One seed of the search proves nothing: try another one."
        return "\n".join([told, chance, *(f"{one.by.capitalize()}. {one.summary}" for one in self.each)])

    @property
    def progress(self) -> str:
        """How far it is, and the best so far."""
        last = self.each[-1]
        return f"{last.by.capitalize()}: {last.progress}"

    @property
    def table(self) -> dict[str, np.ndarray]:
        """A value for each trial: of each axis, ``value``, ``best_so_far``, ``stopped``, and ``by``: the search's number."""
        found: dict[str, np.ndarray] = {
            name: np.concatenate([one.places[name] for one in self.each]) for name in self.each[0].axes
        }
        return found | {
            "value": np.concatenate([one.values for one in self.each]),
            "best_so_far": np.concatenate([one.best_so_far for one in self.each]),
            "stopped": np.array([trial.state == "stopped" for _, trial in self.trials]),
            "by": np.repeat(np.arange(len(self.each)), [len(one.trials) for one in self.each]),
        }

    def save(self, path: str | Path) -> None:
        """Write them to a ``.json`` or ``.npz`` file, see :meth:`Search.save`."""
        search_files.save(path, self.each)

    @classmethod
    def load(cls, path: str | Path) -> Searches:
        """Read what :meth:`save`, or that of one search, has written; a ValueError if the file holds no search."""
        return cls(tuple(search_files.load(path)))


@checked
def searches(
    task: Task,
    space: Space,
    ways: Sequence[Way] = WAYS,
    *,
    on_update: OnUpdate[Searches] | None = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> Searches:
    """Search a space in several ways, one after the other, each with as many runs and the same seed.

    Parameters:
        ways: of "random", "grid" and "evolution".
        options: those of :func:`cnnwidgets.methods.search`.

    Raises:
        TypeError, ValueError: see there.
        Cancelled: cancel was set; its ``partial`` has what was found.
    """
    done: list[Search] = []
    for k, way in enumerate(ways):

        def tell(partial: Search, fraction: float, k: int = k) -> None:
            if on_update:
                on_update(Searches((*done, partial)), (k + fraction) / len(ways))

        try:
            done.append(search(task, space, by=way, on_update=tell, cancel=cancel, **options))
        except Cancelled as stopped:
            found = (*done, *([stopped.partial] if stopped.partial else []))
            raise Cancelled("cancelled", partial=Searches(found) if found else None) from None
    return Searches(tuple(done))
