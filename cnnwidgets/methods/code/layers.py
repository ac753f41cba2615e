"""The lines that record what a layer gives."""

from __future__ import annotations

import math
import textwrap

from cnnwidgets.net import Layer

_KEEP_MODULE = """\
calls = []
first = lambda output: output if isinstance(output, torch.Tensor) else output[0]
hook = model.get_submodule("{name}").register_forward_hook(lambda module, args, output: calls.append(first(output).clone()))
with torch.no_grad():
    model.eval()(x)
hook.remove()"""

_KEEP_FUNCTION = """\
calls = []

class Keep(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {{}}))
        if func.__name__ == "{name}":
            calls.append((output if isinstance(output, torch.Tensor) else output[0]).clone())
        return output

with torch.no_grad(), Keep():
    model.eval()(x)"""


def layer_lines(row: Layer) -> str:
    """The lines that put a layer's output for ``x`` into ``values``, (units, height, width)."""
    values = f"values = calls[{row.source[2] - 1}][0]{_by_unit(row)}  # {row.name}: (units, height, width)"
    return f"{recording_lines(row)}\n{values}"


def recording_lines(row: Layer) -> str:
    """The lines that put the outputs of all calls like a layer's, for ``x``, into a list ``calls``."""
    how, name, _ = row.source
    return (_KEEP_MODULE if how == "module" else _KEEP_FUNCTION).format(name=name)


def _by_unit(row: Layer) -> str:
    """What makes (units, height, width) of a layer's output for one picture."""
    if row.layout in ("sequence", "tokens"):
        units, height, width = row.map_shape
        first = row.grid[2] if row.grid else 0
        taken = f"[{first}:{first + height * width}]" if row.beside_grid else ""
        positions = f"{taken}.T" if row.layout == "tokens" else taken and f"[:, {taken[1:]}"
        return f"{positions}.reshape({units}, {height}, {width})"
    return {"map": "", "map, channels last": ".permute(2, 0, 1)", "vector": "[:, None, None]"}[row.layout]


def watched_lines(row: Layer, unit: int, *place: int) -> str:
    """The lines of a function that gives a unit's sum, or its value at a (row, column), for each picture of a batch."""
    last = ".movedim(-1, 1)" if row.layout in ("tokens", "map, channels last") else ""
    first = row.grid[2] if row.grid else 0
    taken = f", {first}:{first + math.prod(row.map_shape[1:])}" if row.beside_grid else ""
    score = f"[:, {place[0] * row.map_shape[2] + place[1]}]" if place else ".sum(1)"
    line = f"return calls[{row.source[2] - 1}]{last}[:, {unit}{taken}].reshape(len(x), -1){score}"
    return "\ndef watched(x):\n" + textwrap.indent(f"{recording_lines(row)}\n{line}", "    ") + "\n\n"
