"""The line that says what is trained, on which data."""

from __future__ import annotations

from typing import Any

from torch.nn import functional as F

from cnnwidgets.methods.tasks import Task


def task_line(task: Any, loaders: str) -> str:
    """The line that makes a task: from a sample's name, or from a task or network of your own.

    Parameters:
        loaders: what your own loaders are called.
    """
    if isinstance(task, str):
        return f"task = cw.methods.task({task!r})"
    criterion = ", criterion" if isinstance(task, Task) and task.criterion is not F.cross_entropy else ""
    return f"task = cw.methods.Task(model, {loaders}{criterion})  # yours"
