"""The trials of a search, and what they say: the best one, how many were stopped, what is left of the space in a box."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods import search_files
from cnnwidgets.methods.code.race import race_lines
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.spaces import Axis, axis_of
from cnnwidgets.methods.study import study_trials
from cnnwidgets.methods.tasks import Trainable
from cnnwidgets.net.arguments import one_of
from cnnwidgets.numbers import number, percent

WORDS = {"lr": "rate"}
"""What values are called in a sentence; others are called as they are."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One point of the space, trained.

    Attributes:
        values: by name.
        spec: with these values in it.
        value: the median over the seeds of the last validation's accuracy or loss, where a run that was stopped early is
            worse than those that were not, and one that diverged is the worst; NaN before the first validation.
        state: that of its median run, or of the worse one of the two in the middle: "complete"; "stopped", early as
            hopeless; "diverged"; or "running".
        histories: one for each seed; of the best trial alone they have weights.
        stopped: how many of its runs were stopped early as hopeless.
        skipped: how many seeds were left out, because the runs before them had decided the median.
    """

    values: dict[str, Any]
    spec: dict[str, Any]
    value: float
    state: str
    histories: tuple[History, ...] = ()
    stopped: int = 0
    skipped: int = 0


@dataclass(frozen=True, eq=False)
class Search:
    """The trials of a search, or as many as there are yet.

    Attributes:
        axes: of the space, by name.
        trials: in the order in which they were drawn.
        by: "random", "grid", "evolution", or what a study of another library was made by.
        runs: how many trials there will be.
        result: what the value of a trial is: "accuracy", "loss", or "value".
        higher: whether a higher one is better.
        steps: epochs of each run.
    """

    axes: dict[str, Axis]
    trials: tuple[Trial, ...]
    by: str
    runs: int
    result: str
    higher: bool
    steps: int

    @property
    def values(self) -> np.ndarray:
        """float64 (trials,), the value of each trial."""
        return np.array([one.value for one in self.trials], float)

    @property
    def places(self) -> dict[str, np.ndarray]:
        """float64 (trials,) by axis: the values, or the numbers of the choices."""
        return {name: np.array([axis.place(one.values[name]) for one in self.trials]) for name, axis in self.axes.items()}

    @property
    def best_so_far(self) -> np.ndarray:
        """float64 (trials,), the best value after one, two, ... trials; those that are not complete do not count."""
        worst = -math.inf if self.higher else math.inf
        counted = [one.value if one.state == "complete" and np.isfinite(one.value) else worst for one in self.trials]
        found = (np.maximum if self.higher else np.minimum).accumulate(np.array(counted, float))
        return np.where(np.isfinite(found), found, np.nan)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best value, the first of several; None before there is one."""
        done = [one for one in self.trials if one.state == "complete" and np.isfinite(one.value)]
        return (max if self.higher else min)(done, key=lambda one: one.value, default=None)

    @property
    def stopped(self) -> int:
        """How many runs were stopped early as hopeless."""
        return sum(one.stopped for one in self.trials)

    @property
    def summary(self) -> str:
        """The best trial, and how many runs were stopped early; then, one a line, how each of these ended."""
        best = self.best
        lines = [f"Best: {self.told(best.value)} at {self.point(best)}." if best else "No trial is complete."]
        lines[0] += told_of_stops(self.trials)
        diverged = sum(one.state == "diverged" for one in self.trials)
        if diverged:
            lines[0] += f" {diverged} diverged."
        for one in self.trials:
            lines += [f"The run at {self.point(one)} {run.stopped}." for run in one.histories if run.stopped]
        return "\n".join(lines)

    @property
    def progress(self) -> str:
        """How many trials are over, and the best one of them."""
        done = sum(one.state != "running" for one in self.trials)
        best = self.best
        found = f". Best so far: {self.told(best.value)} at {self.point(best)}" if best else ""
        return f"{done} of {self.runs} trials{found} …"

    def told(self, value: float) -> str:
        """A value of a trial in words."""
        if self.result == "accuracy":
            return percent(value)
        return number(value) if self.result == "value" else f"validation loss {number(value)}"

    def point(self, trial: Trial) -> str:
        """The values of a trial in words."""
        told = [f"{words_of(name)} {_said(value)}" for name, value in trial.values.items()]
        return " and ".join(told) if len(told) < 3 else f"{', '.join(told[:-1])} and {told[-1]}"

    def narrowed(self, box: Mapping[str, Sequence[float]]) -> dict[str, Any]:
        """The part of the space in a box: from coarse to fine, the next search's space.

        >>> again = cw.methods.search(task, found.narrowed({"lr": (0.01, 0.1)}), runs=20, steps=5)

        Parameters:
            box: two places on any of the axes, see :attr:`places`; what goes beyond an axis is cut off.

        Raises:
            ValueError: there is no such axis.
        """
        for name in box:
            one_of("the axis", name, self.axes)
        return {name: (axis.narrowed(*box[name]) if name in box else axis).range for name, axis in self.axes.items()}

    def code(self, task: Trainable, trial: Trial | None = None) -> str:
        """Plain PyTorch lines that put the validation accuracies, or losses, of a trial into a dict ``values``; seed 0.

        Parameters:
            task: what was trained: a sample's name; or a task or network of your own, whose loaders the reader fills in.
            trial: by default the best one.
        """
        trial = trial or self.best or next(iter(self.trials), None)
        if trial is None or self.result == "value":
            raise ValueError("there is no code: expected a search whose trials were trained here")
        return race_lines([{**trial.spec, "name": self.point(trial)}], self.steps, "epoch", task, self.result)

    def save(self, path: str | Path) -> None:
        """Write it to a ``.json`` or ``.npz`` file, without the weights of its runs.

        >>> found.save("search.json")
        >>> cw.HyperparameterSearch(replay="search.json")

        Raises:
            ValueError: the name has another ending.
        """
        search_files.save(path, [self])

    @classmethod
    def load(cls, path: str | Path) -> Search:
        """Read the first one in a file that :meth:`save`, or that of :class:`Searches`, has written; to the last bit.

        Raises:
            ValueError: the file holds no search.
        """
        return search_files.load(path)[0]

    @classmethod
    def from_optuna(cls, study: Any) -> Search:
        """A study of Optuna's, with one objective, as it is now; by its attributes alone, so Optuna need not be there.

        >>> cw.HyperparameterSearch(replay=cw.methods.Search.from_optuna(study))

        A trial that was pruned has its last intermediate value. The ranges are those of the study's distributions; where
        there are none, what the trials span.

        Raises:
            TypeError: it has no trials with params, value and state.
            ValueError: no trial has parameters.
        """
        found, ranges = study_trials(study)
        axes = {name: axis_of(name, given) for name, given in ranges.items()}
        trials = [Trial(values, values, value, state, stopped=int(state == "stopped")) for values, value, state in found]
        higher = str(getattr(study.direction, "name", study.direction)).lower().endswith("maximize")
        sampler = type(getattr(study, "sampler", study)).__name__
        return cls(axes, tuple(trials), sampler, len(trials), "value", higher, 0)


def told_of_stops(trials: Sequence[Trial]) -> str:
    """How many runs of trials were stopped early, and how many were left out, in a sentence; empty if none was."""
    stopped, skipped = sum(one.stopped for one in trials), sum(one.skipped for one in trials)
    runs = sum(max(1, len(one.histories)) + one.skipped for one in trials)
    told = f" {stopped} of {runs} runs {'was' if stopped == 1 else 'were'} stopped early" if stopped else ""
    if not skipped:
        return told and f"{told}."
    left_out = f"{skipped} {'was' if skipped == 1 else 'were'} left out, as the other seeds had decided the median."
    return f"{told}, and {left_out}" if told else f" {left_out}"


def words_of(name: str) -> str:
    """What an axis is called."""
    return WORDS.get(name, name.split(".")[-1].replace("_", " "))


def _said(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return getattr(value, "__name__", str(value))
