"""A race as plain PyTorch lines."""

from __future__ import annotations

import textwrap
from typing import Any

from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.schedules import making, title

_RUN = """\
torch.manual_seed(0)
for generator in task.generators:
    generator.manual_seed(0)
model = task.start()
{parameters}
{making}
accuracies = []
{loop}
values[{name!r}] = accuracies"""

_EPOCHS = """\
for epoch in range({steps}):
{epoch}
    {advance}"""

_BATCHES = """\
done = 0
while done < {steps}:
{epoch}"""

_EPOCH = """\
model.train()
for images, labels in task.train:
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step(){after}
model.eval()
with torch.no_grad():
    found = [(model(images), labels) for images, labels in task.validation]
scores, labels = (torch.cat(parts) for parts in zip(*found))
accuracies.append((scores.argmax(1) == labels).double().mean().item())"""

_AFTER = """
    {advance}
    done += 1
    if done == {steps}:
        break"""


def race_lines(specs: list[dict[str, Any]], steps: int, unit: str, task: str) -> str:
    """The lines that put the validation accuracies of each schedule, epoch by epoch, into a dict ``values``; seed 0."""
    given = f"cw.methods.task({task!r})" if task != "your own" else "cw.methods.Task(model, loader, others)  # yours"
    head = (
        "import numpy as np\nimport torch\nimport torch.nn.functional as F\n\nimport cnnwidgets as cw\n\n"
        f"task = {given}\nvalues = {{}}"
    )
    return "\n\n".join([head, *(_run(spec, steps, unit) for spec in specs)])


def _run(spec: dict[str, Any], steps: int, unit: str) -> str:
    settled = settle(spec, steps)
    on_plateau = settled["kind"] == "plateau"
    advance = "scheduler.step()"
    if on_plateau:
        advance = "scheduler.step(F.cross_entropy(scores, labels).item())"
        if settled["warmup"]:
            advance = f"warmup.step() if len(accuracies) <= {settled['warmup']} else {advance}"
    if unit == "epoch":
        loop = _EPOCHS.format(steps=steps, epoch=textwrap.indent(_EPOCH.format(after=""), "    "), advance=advance)
    else:
        after = _AFTER.format(advance="pass" if on_plateau else advance, steps=steps).replace("\n    pass", "")
        epoch = _EPOCH.format(after=after) + (f"\n{advance}" if on_plateau else "")
        loop = _BATCHES.format(steps=steps, epoch=textwrap.indent(epoch, "    "))
    return _RUN.format(parameters=_parameters(settled), making=making(settled), loop=loop, name=title(spec))


def _parameters(settled: dict[str, Any]) -> str:
    """The lines that find the parameters; those of several groups by their names."""
    groups = settled["groups"]
    if not groups:
        return "parameters = list(model.parameters())"
    if not all("parameters" in group for group in groups):
        return "parameters = [...]  # yours: a list with the weights of each group"
    rows = "".join(f"    {group['parameters']!r},\n" for group in groups)
    return (
        "weights = dict(model.named_parameters(remove_duplicate=False))\n"
        f"names = [\n{rows}]\nparameters = [[weights[name] for name in group] for group in names]"
    )
