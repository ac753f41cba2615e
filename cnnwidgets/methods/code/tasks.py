"""The line that says what is trained, on which data."""

from __future__ import annotations

from typing import Any

from torch.nn import functional as F

from cnnwidgets.methods.tasks import Task


def task_line(model: Any, loaders: str) -> str:
    """The line that makes a task, of a sample's name, or of a task or network of one's own.

    Parameters:
        loaders: what the loaders of one's own are called.
    """
    if isinstance(model, str):
        return f"task = cw.methods.task({model!r})"
    criterion = ", criterion" if isinstance(model, Task) and model.criterion is not F.cross_entropy else ""
    return f"task = cw.methods.Task(model, {loaders}{criterion})  # yours"
