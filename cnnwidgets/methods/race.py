"""A race: trainings that differ in what their specs say, with the same seeds and budget."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods import history_files
from cnnwidgets.methods.code.race import race_lines
from cnnwidgets.methods.early_stopping import Patience
from cnnwidgets.methods.first_gradients import FirstGradients, compare_networks, gradients_of
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.race_runs import apart, check_seeds, plans_of, run_all
from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.schedules import check_steps
from cnnwidgets.methods.tasks import Task, Trainable
from cnnwidgets.methods.verdict import Verdict, have_accuracy, verdict_on
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checking, said
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import percent

UNITS = ("epoch", "batch")


@dataclass(frozen=True, eq=False)
class Race:
    """The histories of a race, or as much of them as there is yet: by schedule, and for each schedule by seed.

    Attributes:
        histories: one for each schedule and seed.
        unit: what the schedules' steps are: "epoch" or "batch".
        steps: how many each schedule has: the budget.
        gradients: where several networks race, the gradients of the first step (of the first seed) in each; else None, as
            of races put beside each other.
    """

    histories: tuple[History, ...]
    unit: str
    steps: int
    gradients: FirstGradients | None = None

    @property
    def names(self) -> list[str]:
        """The names of the schedules."""
        return [*dict.fromkeys(one.name for one in self.histories)]

    def of(self, name: str) -> list[History]:
        """The histories of a schedule, by seed."""
        return [one for one in self.histories if one.name == name]

    @property
    def verdict(self) -> Verdict | None:
        """Who leads, or has won; None with fewer than two schedules, or before every run was validated."""
        return verdict_on(self.histories)

    @property
    def leader(self) -> History:
        """The run with the best last validation, by accuracy, or by loss where there is none; of two alike the first.

        Raises:
            ValueError: none has been validated.
        """
        validated = [one for one in self.histories if len(one.ends)]
        if not validated:
            raise ValueError("no run has been validated yet")
        if have_accuracy(self.histories):
            return max(validated, key=lambda one: np.nan_to_num(one.final_accuracy, nan=-1.0))
        return min(validated, key=lambda one: np.nan_to_num(one.final_loss, nan=np.inf))

    def ensemble(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """float64 (m, seeds): accuracies of the m snapshots that all runs of a schedule have; (seeds,): of their average."""
        runs = self.of(name)
        count = min(len(one.snapshot_ends) for one in runs)
        singles = np.stack([one.snapshot_accuracy[:count] for one in runs], axis=1)
        return singles, np.array([one.ensemble_accuracy[count - 1] for one in runs if count])

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """``loss``, ``accuracy``, ``validation_loss``, ``validation_accuracy``: float64 (schedules, seeds, epochs).

        They are NaN where a run has ended.
        """
        most = max(len(one.ends) for one in self.histories)

        def padded(one: History, what: str) -> np.ndarray:
            values = getattr(one, what)
            return np.pad(values, (0, most - len(values)), constant_values=np.nan)

        names = {"loss": "epoch_loss", "accuracy": "epoch_accuracy"}
        names |= {name: name for name in ("validation_loss", "validation_accuracy")}
        return {
            name: np.stack([np.stack([padded(one, what) for one in self.of(schedule)]) for schedule in self.names])
            for name, what in names.items()
        }

    @property
    def summary(self) -> str:
        """Who won; then, one a line, which runs ended early and why, and what averaging snapshots gives."""
        several = len({one.seed for one in self.histories}) > 1
        lines = [self._standing(over=True)]
        for one in self.histories:
            if one.stopped:
                lines.append(f'"{one.name}"{f" (seed {one.seed})" if several else ""} {one.stopped}.')
        for name in self.names:
            singles, average = self.ensemble(name)
            if len(singles) > 1 and have_accuracy(self.histories):
                low, high = percent(singles.mean(1).min()), percent(singles.mean(1).max())
                lines.append(f'"{name}": {len(singles)} snapshots of {low} to {high}; together {percent(average.mean())}.')
        return "\n".join(lines)

    @property
    def progress(self) -> str:
        """How far the slowest run is, and who leads."""
        running = [one for one in self.histories if not one.stopped]
        if self.unit == "batch":
            done = min((len(one.loss) for one in running), default=self.steps)
        else:
            done = min((len(one.ends) + 1 for one in running), default=self.steps)
        told = f"{self.unit.capitalize()} {min(done, self.steps)} of {self.steps}"
        return told if not all(len(one.ends) for one in self.histories) else f"{told}. {self._standing(over=False)}"

    def _standing(self, over: bool) -> str:
        if verdict := self.verdict:
            return verdict.sentence(over)
        return " ".join(one.judged for one in self.histories if len(one.ends)) or "Nothing is validated yet."

    def code(self, task: Trainable) -> str:
        """Plain PyTorch lines that put each schedule's validation accuracies, or losses, into a dict ``values``; of seed 0.

        Parameters:
            task: what was trained: a sample's name; or a task or network of your own, whose loaders the reader fills in.
        """
        specs = [{**self.of(name)[0].spec, "name": name} for name in self.names]
        result = "accuracy" if have_accuracy(self.histories) else "loss"
        return race_lines(specs, self.steps, self.unit, task, result)

    def beside(self, other: Race) -> Race:
        """Both races in one, to compare; a name that both have gets a number in the other one."""
        taken = [*self.names, *other.names]
        called = dict(zip(other.names, apart(taken)[len(self.names) :], strict=True))
        theirs = [replace(one, name=called[one.name]) for one in other.histories]
        if self.unit != other.unit:
            raise ValueError(f"this race counts by {self.unit}, the other one by {other.unit}; expected the same unit")
        return Race((*self.histories, *theirs), self.unit, max(self.steps, other.steps))

    def save(self, path: str | Path) -> None:
        """Write it to a ``.json`` or ``.npz`` file, from which :meth:`load` and ``History.load`` read."""
        more = {"gradients": self.gradients.plain()} if self.gradients else {}
        history_files.save(path, list(self.histories), unit=self.unit, steps=self.steps, **more)

    @classmethod
    def load(cls, path: str | Path) -> Race:
        """Read it from a file; a ValueError if that holds no race."""
        found, about = history_files.load(path)
        gradients = about.pop("gradients", None)
        if about.keys() != {"unit", "steps"}:
            raise ValueError(f"{Path(path).name} holds no race; History.load reads the history of one training")
        return cls(tuple(found), **about, gradients=FirstGradients.of_plain(gradients) if gradients else None)


@checking("seeds", "steps", "patience", "min_delta", "checkpoint")
def race(
    task: Task,
    specs: Sequence[dict[str, Any]],
    *,
    steps: int,
    unit: str = "epoch",
    seeds: Sequence[int] = (0,),
    patience: int | None = None,
    min_delta: float = 0.0,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[Race] | None = None,
    cancel: Cancel | None = None,
) -> Race:
    """Train the same network under several schedules, or several networks, or on several data, side by side.

    >>> race = cw.methods.race(cw.methods.task("digits"), [{"kind": "constant", "lr": 0.1}, {"kind": "cosine"}], steps=20)
    >>> race.verdict
    >>> specs = [{"lr": 0.05, "init": scheme} for scheme in ("zero", "xavier", "kaiming")]
    >>> net = cw.bind(cw.methods.race(cw.methods.task("digits"), specs, steps=5).of("init kaiming")[0].module())

    A run is what :func:`train`, torch's scheduler and the seed give, to the last bit on one machine, whatever runs beside
    it and on whatever executor. The network is validated after every epoch; ReduceLROnPlateau sees that loss. A run ends
    early when its loss is not finite. Cosine with restarts leaves a snapshot before each restart. Where the specs have
    several networks, their :func:`first_gradients` are measured once the first run has begun.

    Parameters:
        task: the network and its data; both stay as they are.
        specs: dicts. Each is a schedule, see :func:`cnnwidgets.methods.schedule`, and may say what else is varied, see
            :func:`cnnwidgets.methods.vary`: ``model``, ``init``, ``data``, ``freeze``, ``loss``, ``tasks``, ``regularize``;
            and ``until``: fewer ``steps``, a budget of ``seconds``, a ``patience`` of its own. With any of these a spec
            needs no kind of schedule, and its rate is constant.
        steps: how many each schedule has: the budget.
        unit: what a step is: "epoch" or "batch".
        seeds: each schedule runs once with each; a seed decides the initial weights, the order of the batches and
            everything else that is random.
        patience, min_delta: early stopping, see :class:`Patience`; None never stops early.
        checkpoint: a folder, for one file per run, written after an epoch. The same call goes on from there after it was
            killed, as if it had not been; with an executor each worker must see the folder. The loaders' own state is
            kept as far as it is that of random generators.
        executor: any ``concurrent.futures.Executor``, which gets one call per run; without it the runs take turns here.
        on_update: called with a partial :class:`Race` and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: what is wrong with a schedule, a seed or the data, in a sentence.
        Cancelled: cancel was set; its ``partial`` is the race as far as it came.
    """
    if not isinstance(specs, (list, tuple)):
        raise TypeError(f"specs is {said(specs)}; expected a list of schedules, see cw.methods.schedule")
    if not specs:
        raise ValueError("there is no schedule to train with")
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}; expected 'epoch' or 'batch'")
    check_seeds(seeds)
    steps = check_steps(steps)
    for spec in specs:
        settle(spec, steps)
    usual = {}
    if patience is not None:
        Patience(patience, min_delta)
        usual = {"patience": patience, "min_delta": min_delta}
    plans = plans_of(task, specs, steps, unit, seeds, usual, checkpoint)
    gradients: FirstGradients | None = None
    now: Race | None = None
    try:
        for found, fraction in run_all(plans, executor, cancel):
            now = Race(found, unit, steps, gradients)
            if on_update:
                on_update(now, fraction)
            if gradients is None and compare_networks(specs):  # once there is something to see
                gradients = gradients_of(plans[:: len(seeds)], cancel)
                now = replace(now, gradients=gradients)
    except Cancelled:
        raise Cancelled("cancelled", partial=now) from None
    assert now is not None
    return now
