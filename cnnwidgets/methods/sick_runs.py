"""Trainings with one thing wrong in each, recorded with all that a monitor sees: to be diagnosed, repaired and raced.

``python -m cnnwidgets.samples.record`` trains and records them again.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from cnnwidgets.methods.histories import History
from cnnwidgets.methods.monitoring import monitor
from cnnwidgets.methods.parts import torch_threads
from cnnwidgets.methods.race_runs import plans_of
from cnnwidgets.methods.recorded import RECORDED, recorded
from cnnwidgets.methods.records import Record
from cnnwidgets.methods.tasks import Task, task
from cnnwidgets.methods.training_run import TrainingRun
from cnnwidgets.net.arguments import checking, one_of, said
from cnnwidgets.samples import RUNS


class SickRun(NamedTuple):
    """A training and its cure.

    Attributes:
        symptom: what :func:`cnnwidgets.methods.diagnose` calls it.
        spec: what was trained.
        healed: the same with the one thing repaired.
        task: a sample's name.
        steps: epochs.
    """

    symptom: str
    spec: dict[str, Any]
    healed: dict[str, Any]
    task: str = "digits"
    steps: int = 6


_USUAL = {"kind": "constant", "lr": 0.02}
_ADAM = {"kind": "constant", "optimizer": "Adam", "lr": 0.002}
_DEEP = {"builder": "mlp", "hidden": [64] * 8, "activation": "sigmoid"}

SICK_RUNS: dict[str, SickRun] = {
    "A": SickRun("rate too high", {**_USUAL, "lr": 0.2}, _USUAL),
    "B": SickRun("rate too low", {**_USUAL, "lr": 1e-5}, _USUAL),
    "C": SickRun(
        "over-fitting",
        {**_ADAM, "data": {"size": 600, "label_noise": 0.3, "batch": 32}},
        {**_ADAM, "data": {"size": 600, "label_noise": 0.3, "batch": 32}, "regularize": {"dropout": 0.5}},
        steps=40,
    ),
    "D": SickRun("zero initialization", {**_USUAL, "init": "zero"}, {**_USUAL, "init": "uniform"}),
    "E": SickRun("equal initialization", {**_ADAM, "init": "equal"}, {**_ADAM, "init": "uniform"}),
    "F": SickRun("inputs in [0, 255]", {**_ADAM, "data": {"pixels": "0..255"}}, _ADAM),
    "G": SickRun("other preprocessing at test time", {**_ADAM, "data": {"test_pixels": "0..255"}}, _ADAM),
    "H": SickRun("unshuffled data", {**_ADAM, "data": {"order": "by class"}}, _ADAM),
    "I": SickRun("labels shifted or permuted", {**_ADAM, "data": {"label_shift": 1}}, _ADAM),
    "J": SickRun("imbalance", {**_ADAM, "data": {"imbalance": 60.0}}, _ADAM),
    "K": SickRun(
        "augmentation on validation",
        {**_ADAM, "data": {"augment": ["rotate", "shift"], "augment_test": True, "size": 600}},
        {**_ADAM, "data": {"augment": ["rotate", "shift"], "size": 600}},
    ),
    "L": SickRun(
        "vanishing gradients",
        {**_ADAM, "model": _DEEP},
        {**_ADAM, "model": {**_DEEP, "activation": "leaky_relu"}, "init": "xavier"},
    ),
    "M": SickRun(
        "saturated units",
        {**_ADAM, "model": {**_DEEP, "hidden": [64, 64]}, "init": {"scheme": "normal", "std": 2.0}},
        {**_ADAM, "model": {**_DEEP, "hidden": [64, 64]}, "init": "xavier"},
    ),
    "N": SickRun("dead ReLUs", {**_ADAM, "lr": 0.02}, _ADAM),
    "O": SickRun("too little time", {**_USUAL, "lr": 0.005}, {**_USUAL, "lr": 0.02}, steps=5),
}
"""By a letter that does not tell."""


@checking("name")
def sick_run(name: str) -> Record:
    """A recorded training with one thing wrong.

    >>> cw.methods.diagnose(cw.methods.sick_run("A")).summary

    Raises:
        ValueError: there is none of this name.
    """
    return Record.load(RUNS / f"sick-{one_of('name', name, SICK_RUNS)}.npz")


def watched(task_name: str, spec: dict[str, Any], steps: int, every: int | None = None) -> Record:
    """Train a spec with seed 0 as a race does, and watch it.

    Parameters:
        task_name: a sample's.
        steps: epochs.
        every: see :func:`cnnwidgets.methods.monitor`.
    """
    (plan,) = plans_of(task(task_name), [spec], steps)
    run = TrainingRun(plan)
    with torch_threads(1), monitor(run.model, plan.task.loader, run.optimizer, epochs=steps, every=every) as seen:
        while not run.over:
            run.train(math.inf)
    return seen.record


def record_sick_run(name: str, folder: Path = RUNS) -> Record:
    """Train a sick run again, and write it to its file."""
    sick = SICK_RUNS[name]
    found = watched(sick.task, sick.spec, sick.steps, every=4)
    found.save(folder / f"sick-{name}.npz")
    return found


def bundled_task(name: str) -> Task | None:
    """What a bundled training trained, with its first weights under seed 0; None if none is called so."""
    known = SICK_RUNS.get(name) or RECORDED.get(name)
    return plans_of(task(known.task), [known.spec], known.steps)[0].task if known else None


def record_of(given: Any) -> Record:
    """What is known of a training, however it is given: a record, a history, a file of either, or a bundled one's name.

    Raises:
        FileNotFoundError, TypeError, ValueError: it is none of these.
    """
    if isinstance(given, str) and given in SICK_RUNS:
        return sick_run(given)
    if isinstance(given, str) and given in RECORDED:
        return Record(recorded(given))
    if isinstance(given, (str, Path)):
        try:
            return Record.load(given)
        except ValueError:
            return Record(History.load(given))
    if isinstance(given, History):
        return Record(given)
    if not isinstance(given, Record):
        raise TypeError(
            f"training is {said(given)}; expected a network, a Record, a History, a file of either, or the name of one "
            f"that is bundled: {', '.join([*SICK_RUNS, *RECORDED])}"
        )
    return given
