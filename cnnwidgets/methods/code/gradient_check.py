"""The lines of a gradient check."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.code.tasks import task_line

_LOSSES = {
    "cross_entropy": "F.cross_entropy(model(x), labels)",
    "true_score": "model(x).gather(1, labels[:, None]).mean()",
}

_CODE = """\
import numpy as np
import torch
import torch.nn.functional as F
import cnnwidgets as cw

{task}
torch.manual_seed({seed})
for generator in task.generators:
    generator.manual_seed({seed})
model = task.start()
images, labels = next(iter(task.loader))
model, x = model.double().eval(), images[:{pictures}].double().requires_grad_()
labels = labels[:{pictures}]

def f():
    return {loss}

value = {value}
(gradient,) = torch.autograd.grad(f(), value)
entries = {entries}
values = []
for h in {steps}:
    quotients = []
    with torch.no_grad():
        flat = value.view(-1)
        for entry in entries:
            before = flat[entry].item()
            flat[entry] = before + h
            above = f()
            flat[entry] = before - h
            below = f()
            flat[entry] = before
            quotients.append(((above - below) / (2 * h)).item())
    one, other = np.array(quotients), gradient.flatten()[entries].numpy()
    longer = max(np.linalg.norm(one), np.linalg.norm(other))
    values.append(np.linalg.norm(one - other) / longer if longer else 0.0)"""


def check_lines(task: Any, of: str, entries: list[int], settings: dict[str, Any]) -> str:
    """The lines that put the relative error in float64 at each h into ``values``.

    Parameters:
        task: a sample's name; or a task or network of your own.
        of: the parameter's name, or "input".
        settings: steps, pictures, seed, criterion.
    """
    loss = _LOSSES.get(getattr(settings["criterion"], "__name__", ""), "task.criterion(model(x), labels)")
    value = "x" if of == "input" else f"dict(model.named_parameters())[{of!r}]"
    return _CODE.format(task=task_line(task, "loader, loader"), value=value, entries=entries, loss=loss, **settings)
