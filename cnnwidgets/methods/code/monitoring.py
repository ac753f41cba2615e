"""The lines that give what a monitor shows: those that train a bundled run, or those for a loop of your own."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.code.race import race_lines

_OWN = """\
import torch

model, optimizer = ..., ...  # yours
values = []  # update to weight of every layer with weights, one dict per step


def step():  # in place of optimizer.step()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.ndim > 1}
    optimizer.step()
    after = dict(model.named_parameters())
    values.append({name: ((after[name] - old).norm() / old.norm()).item() for name, old in before.items()})"""


def monitoring_lines(run: Any) -> str:
    """Plain PyTorch lines.

    Parameters:
        run: a bundled run, with its spec, task and steps: the lines train it again and put its validation accuracies into a
            dict ``values``. None: the lines measure the ratio of update to weight in a loop of your own.
    """
    return _OWN if run is None else race_lines([run.spec], run.steps, "epoch", run.task, "accuracy")
