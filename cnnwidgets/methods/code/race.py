"""The lines that train a network under several schedules."""

from __future__ import annotations

import textwrap
from typing import Any

from cnnwidgets.methods.code.schedules import making
from cnnwidgets.methods.code.tasks import task_line
from cnnwidgets.methods.first_gradients import compare_networks
from cnnwidgets.methods.schedule_parameters import VARIED, settle
from cnnwidgets.methods.schedules import title
from cnnwidgets.methods.variations import model

_RUN = """\
torch.manual_seed(0)
for generator in task.generators:
    generator.manual_seed(0)
model = task.start()
{parameters}
{making}
{results} = []
{loop}
values[{name!r}] = {results}"""

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
for images, labels in task.loader:
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step(){after}
model.eval()
with torch.no_grad():
    found = [(model(images), labels) for images, labels in task.validation_loader]
scores, labels = (torch.cat(parts) for parts in zip(*found))
accuracies.append((scores.argmax(1) == labels).double().mean().item())"""

_OWN_EPOCH = """\
for step in cw.methods.train(model, task.loader, optimizer, criterion=task.criterion):
    pass  # step.loss, step.accuracy and step.lr tell how it goes{after}
found = cw.methods.evaluate(model, task.validation_loader, criterion=task.criterion)
{results}.append(found.{result})"""

_AFTER = """
    {advance}
    done += 1
    if done == {steps}:
        break"""


def race_lines(specs: list[dict[str, Any]], steps: int, unit: str, task: Any, result: str) -> str:
    """The lines that put a result of each schedule, epoch by epoch, into a dict ``values``; seed 0.

    Those of several networks also measure their ``gradients`` before training.

    Parameters:
        task: a sample's name, of which every line is written out; or your own, whose batches may have any form.
        result: "accuracy" or "loss", of the validation.
    """
    head = (
        "import numpy as np\nimport torch\nimport torch.nn.functional as F\n\nimport cnnwidgets as cw\n\n"
        f"{task_line(task, 'loader, validation_loader')}\nvalues = {{}}"
    )
    own, specs = not isinstance(task, str), [_with_builder(spec) for spec in specs]
    runs = [_run(spec, steps, unit, own, result) for spec in specs]
    return "\n\n".join([head, *runs, *([_gradients(specs)] if compare_networks(specs) else [])])


def _with_builder(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec whose network, if it has one, is a dict: of a function, which no line can give, with its name."""
    if spec.get("model") is None:
        return spec
    return {**spec, "name": title(spec), "model": model.settle(spec["model"])}


def _gradients(specs: list[dict[str, Any]]) -> str:
    """The lines that measure the gradients in each network before training."""
    rows = "".join(f"    {spec!r},\n" for spec in specs)
    return f"specs = [\n{rows}]\ngradients = cw.methods.first_gradients(task, specs)  # gradients.norms, of each network"


def _run(spec: dict[str, Any], steps: int, unit: str, own: bool, result: str) -> str:
    """The lines of a run; where a spec varies the loss or waits with patience, they judge as a task of your own does."""
    settled, until = settle(spec, steps), spec.get("until") or {}
    patience = until.get("patience")
    own = own or bool(patience) or not {"loss", "tasks"}.isdisjoint(spec) or "label_smoothing" in spec.get("regularize", {})
    steps = min(steps, until.get("steps") or steps)
    on_plateau = settled["kind"] == "plateau"
    results = {"accuracy": "accuracies", "loss": "losses"}[result]
    lines = (_OWN_EPOCH if own else _EPOCH).replace("{results}", results).replace("{result}", result)
    advance = "scheduler.step()"
    if on_plateau:
        advance = f"scheduler.step({'found.loss' if own else 'F.cross_entropy(scores, labels).item()'})"
        if settled["warmup"]:
            advance = f"warmup.step() if len({results}) <= {settled['warmup']} else {advance}"
    if unit == "epoch":
        loop = _EPOCHS.format(steps=steps, epoch=textwrap.indent(lines.format(after=""), "    "), advance=advance)
    else:
        after = _AFTER.format(advance="pass" if on_plateau else advance, steps=steps).replace("\n    pass", "")
        epoch = lines.format(after=after) + (f"\n{advance}" if on_plateau else "")
        loop = _BATCHES.format(steps=steps, epoch=textwrap.indent(epoch, "    "))
    if patience:
        loop = f"patience = cw.methods.Patience({patience}, {until.get('min_delta', 0.0)})\n{loop}"
        judged = f"    {results}.append(found.{result})"
        loop = loop.replace(judged, f"{judged}\n    if patience.is_over(found.loss):\n        break")
    found = {"making": making(settled), "parameters": _parameters(settled), "results": results}
    lines = _RUN.format(**found, loop=loop, name=title(spec))
    varied = _varied(spec)
    return "\n".join([varied, lines.replace("task.", "varied.")]) if varied else lines


def _varied(spec: dict[str, Any]) -> str:
    """The line that varies the task; empty if the spec does not. A network of your own is to be put in."""
    what = {key: spec[key] for key in VARIED if spec.get(key) is not None and key != "until"}
    if not what:
        return ""
    builder = what.get("model", {}).get("builder")
    yours = "" if builder is None or builder in model.BUILDERS else f"cw.methods.BUILDERS[{builder!r}] = ...  # yours\n"
    return f"{yours}varied = cw.methods.vary(task, {', '.join(f'{key}={value!r}' for key, value in what.items())})"


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
