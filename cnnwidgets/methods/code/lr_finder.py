"""The lines of a learning-rate range test."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.code.tasks import task_line

_CODE = """\
import itertools
import torch
import torch.nn.functional as F
import cnnwidgets as cw

{task}
torch.manual_seed({seed})
for generator in task.generators:
    generator.manual_seed({seed})
model = task.start().train()
optimizer = torch.optim.SGD(model.parameters(), lr={low}, momentum={momentum}, weight_decay={weight_decay})
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, ({high} / {low}) ** (1 / ({steps} - 1)))
rates, values = [], []
"""

_STEPS = """\
epochs = itertools.chain.from_iterable(itertools.repeat(task.loader))
for images, labels in itertools.islice(epochs, {made}):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rates.append(optimizer.param_groups[0]["lr"])
    values.append(loss.item())
    scheduler.step()"""

_OWN_STEPS = """\
epochs = (cw.methods.train(model, task.loader, optimizer, scheduler, criterion=task.criterion) for _ in itertools.count())
for step in itertools.islice(itertools.chain.from_iterable(epochs), {made}):
    rates.append(step.lr)
    values.append(step.loss)"""


def range_test_lines(task: Any, made: int, settings: dict[str, Any]) -> str:
    """The lines that put the loss of each step into ``values``, and its rate into ``rates``.

    Parameters:
        task: a sample's name, of which every line is written out; or a task or network of your own.
        made: number of the steps that were made.
        settings: low, high, steps, momentum, weight_decay, seed.
    """
    lines = _CODE.format(task=task_line(task, "loader, loader"), **settings)
    return lines + (_STEPS if isinstance(task, str) else _OWN_STEPS).format(made=made)
