"""What is drawn of schedules: one curve for all groups of parameters that share a rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnwidgets.methods.schedules import Course, Schedule, title


class Curve(NamedTuple):
    """A curve of a schedule.

    Attributes:
        schedule: its number.
        look: the number of its color and dash. The first curve of a schedule looks as the schedule does in a race.
        place, total: which of how many curves of its schedule it is.
        words: what it is called: its schedule's title, and its groups, if there are several.
        steps: int64 (n,).
        course: the rates and momenta.
    """

    schedule: int
    look: int
    place: int
    total: int
    words: tuple[str, ...]
    steps: np.ndarray
    course: Course


def curves_of(schedules: Sequence[Schedule]) -> list[Curve]:
    """The curves of all schedules, in their order."""
    found: list[Curve] = []
    more = len(schedules)
    for k, one in enumerate(schedules):
        courses = one.courses
        for j, course in enumerate(courses):
            words = tuple(filter(None, (title(one.spec), course.label)))
            found.append(Curve(k, more if j else k, j, len(courses), words, one.steps, course))
            more += j > 0
    return found
