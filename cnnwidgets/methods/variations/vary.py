"""A task, varied: what a spec says of model, weights, data and loss, put into a task that any training loop takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from cnnwidgets.methods.schedule_parameters import VARIED
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.variations import data, freeze, init, loss, model, regularize, tasks, until
from cnnwidgets.net.arguments import checked

SETTLE: dict[str, Callable[[Any], Any]] = {
    "model": model.settle,
    "init": init.settle,
    "data": data.settle,
    "freeze": freeze.settle,
    "loss": loss.settle,
    "tasks": tasks.settle,
    "regularize": regularize.settle,
    "until": until.settle,
}
"""By key of a spec: what checks a value, and gives it back as JSON can carry it."""


@dataclass(frozen=True, eq=False, repr=False)
class Varied(Task):
    """A task that :func:`vary` has made.

    Attributes:
        of: the task that was varied.
        what: what is varied, by key.
    """

    of: Task = field(kw_only=True)
    what: dict[str, Any] = field(kw_only=True)

    def __reduce__(self) -> tuple:
        return _again, (self.of, self.what)  # another process varies its own


@dataclass(frozen=True)
class Start:
    """Makes the network that a run begins with."""

    of: Task
    what: dict[str, Any]

    def __call__(self) -> nn.Module:
        what = self.what
        made = model.build(what["model"]) if "model" in what else self.of.start()
        if (outputs := tasks.outputs(what) or loss.outputs(what)) is not None:
            model.replace_head(made, outputs)
        regularize.alter(made, what.get("regularize", {}))
        if "init" in what:
            init.apply(made, what["init"])
        if "freeze" in what:
            freeze.apply(made, what["freeze"])
        return made


@checked
def vary(
    task: Task,
    *,
    model: str | dict | Callable | None = None,
    init: str | dict | None = None,
    data: dict | None = None,
    freeze: str | list | None = None,
    loss: str | dict | None = None,
    tasks: dict | None = None,
    regularize: dict | None = None,
    until: dict | None = None,
) -> Task:
    """The same task with another model, other first weights, other data or another loss.

    >>> task = cw.methods.vary(cw.methods.task("digits"), init="zero", data={"size": 600, "label_noise": 0.3})

    What is not varied stays as it is, to the last bit of every training. ``cw.methods.VARIATIONS`` lists what each may say.

    Parameters:
        task: the network and its data; both stay as they are.
        model: the name of one of ``cw.methods.BUILDERS``; a dict with that as ``builder`` and its arguments; or a function
            without arguments that makes a network.
        init: the name of an initialization, or a dict, see :func:`cnnwidgets.methods.initialize`.
        data: which pictures are trained on, with which labels, in which order, and what is done to them first.
        freeze: names of layers, or of their beginnings, whose weights stay as they are. The running statistics of a batch
            norm in them still follow the data, as in torch.
        loss: a name, or a dict with a ``name`` and what it takes.
        tasks: several heads that share all other layers, and how their gradients are joined.
        regularize: dropout, label smoothing, batch norm. (Weight decay is the optimizer's.)
        until: when to end; a race reads it, and a task does not change by it.

    Raises:
        TypeError, ValueError: what does not exist or does not fit; the nearest name is offered.
    """
    given = {name: value for name, value in locals().items() if name in VARIED and value is not None}
    what = settled(given)
    if not what.keys() - {"until"}:
        return task
    own = model if callable(model) else None
    return _again(task, {**what, "model": own} if own is not None else what)


def settled(spec: dict[str, Any]) -> dict[str, Any]:
    """What a spec varies, checked, as JSON can carry it."""
    return {key: SETTLE[key](spec[key]) for key in VARIED if spec.get(key) is not None}


def _again(task: Task, what: dict[str, Any]) -> Varied:
    train, validation = data.loaders(task, what)
    return Varied(
        Start(task, what),
        train,
        validation,
        loss.criterion(task.criterion, what),
        task.name,
        task.draws or regularize.draws(what) or data.draws(what) or tasks.draws(what),
        of=task,
        what=what,
    )
