"""The lines that measure how far a signal gets in a network, before it is trained or after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnnwidgets.methods.code.tasks import task_line
from cnnwidgets.methods.code.text import tidy

_HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
import cnnwidgets as cw

{task}
torch.manual_seed({seed})
for generator in task.generators:
    generator.manual_seed({seed})
{model}
"""

_MODULES = {
    "identity": "nn.Identity()",
    "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()",
    "relu": "nn.ReLU()",
    "leaky_relu": "nn.LeakyReLU(0.1)",
    "elu": "nn.ELU()",
}

_RESIDUAL = """\
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)

"""

_STACK = """\
layers = [nn.Sequential(nn.Linear({size}, {width}), {rest})]
layers += [{kind}(nn.Linear({width}, {width}), {rest}) for _ in range({more})]
model = nn.Sequential(nn.Flatten(), *layers, nn.Linear({width}, {classes}))
"""

_LOOK = """
images, labels = next(iter(task.loader))

def deviations():
    found = []
{looking}
    return found

values = deviations()"""

_BY_HOOKS = """\
    note = lambda layer, args, output: found.append(output.std(correction=0).item())
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        model.train()(images)
    for hook in hooks:
        hook.remove()"""

_BY_FUNCTIONS = """\
    class Look(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            output = func(*args, **(kwargs or {{}}))
            if func.__name__.strip("_") in {functions}:
                found.append(output.std(correction=0).item())
            return output

    with torch.no_grad(), torch.random.fork_rng(devices=[]), Look():
        torch.manual_seed({seed})
        model.train()(images)"""

_TRAIN = """

import itertools
optimizer = torch.optim.SGD(model.parameters(), lr={lr}, momentum={momentum})
{loop}
values = deviations()  # after training"""

_LOOP = """\
epochs = itertools.chain.from_iterable(itertools.repeat(task.loader))
for batch, classes in itertools.islice(epochs, {steps}):
    loss = F.cross_entropy(model(batch), classes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()"""

_OWN_LOOP = """\
epochs = (cw.methods.train(model, task.loader, optimizer, criterion=task.criterion) for _ in itertools.count())
for step in itertools.islice(itertools.chain.from_iterable(epochs), {steps}):
    pass  # step.loss and step.accuracy tell how it goes"""


def signal_lines(task: Any, initialization: str, functions: Iterable[str], settings: dict[str, Any]) -> str:
    """The lines that put the deviation of the activations in each layer into ``values``.

    Parameters:
        task: a sample's name; None for a stack on digits; or a task or network of your own.
        initialization: the lines that set the weights of ``model``.
        functions: what gives the values that are looked at, in a network that is no stack.
        settings: seed, steps, lr, momentum, and of a stack its ``stack``.
    """
    stack = settings["stack"] if task is None else None
    made = _stack(**stack) if stack else "model = task.start()\n"
    if settings["stack"] and not stack:
        made += f'layers = [model.get_submodule(f"layer{{k + 1}}") for k in range({settings["stack"]["depth"]})]\n'
    line = task_line("digits" if stack else task, "loader, loader")
    lines = _HEAD.format(task=line, model=made, seed=settings["seed"]) + initialization
    looking = _BY_HOOKS if settings["stack"] else _BY_FUNCTIONS.format(functions=sorted(functions), seed=settings["seed"])
    lines += "\n" + _LOOK.format(looking=looking)
    if settings["steps"]:
        loop = _LOOP if stack or isinstance(task, str) else _OWN_LOOP
        lines += _TRAIN.format(loop=loop.format(**settings), **settings)
    return tidy(lines)


def _stack(
    size: int, classes: int, activation: str, depth: int, width: int, batch_norm: bool, residual: bool
) -> str:  # fmt: skip
    rest = ", ".join([f"nn.BatchNorm1d({width})"] * batch_norm + [_MODULES[activation]])
    kind = "Residual" if residual else "nn.Sequential"
    first = kind if residual and size == width else "nn.Sequential"
    lines = _STACK.format(size=size, width=width, rest=rest, kind=kind, more=depth - 1, classes=classes)
    lines = lines.replace("[nn.Sequential(", f"[{first}(", 1)
    if depth == 1:
        lines = "\n".join(line for line in lines.split("\n") if not line.startswith("layers +="))
    return (_RESIDUAL if "Residual(" in lines else "") + lines
