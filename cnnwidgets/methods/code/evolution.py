"""The lines that compare layers of a training's checkpoints with their end."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from cnnwidgets.methods.code.layers import recording_lines
from cnnwidgets.methods.code.pictures import input_lines, moved_line
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.net import BoundModel, Layer

_CKA = """\

def kernel(values):  # which pictures a layer finds similar
    values = values.flatten(1).double()
    values = values - values.mean(0)
    return (values @ values.T).fill_diagonal_(0)

def hsic(k, m):  # the unbiased estimate (Song et al. 2012)
    n = len(k)
    sums = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * k.sum(1) @ m.sum(1)
    return n * sums / (n * (n - 3))

between, own = np.zeros((2, len(layers), len(models)))
for numbers in batches:
    x = torch.cat([picture(i) for i in numbers])
    for l, layer in enumerate(layers):
        kernels = [kernel(layer(model, x)) for model in models]
        between[l] += [hsic(one, kernels[-1]).item() for one in kernels]
        own[l] += [hsic(one, one).item() for one in kernels]
values = between / np.sqrt(own * own[:, -1:])  # CKA with the end: (layers, checkpoints)"""


def evolution_lines(
    net: BoundModel, dataset: Any, epochs: Sequence[int], rows: Sequence[Layer], batches: Sequence[Sequence[int]]
) -> str:
    """The lines that put CKA to the last checkpoint into ``values``, (layers, checkpoints).

    Parameters:
        epochs: of a bundled network's checkpoints; empty for others.
        rows: of the layers.
        batches: the pictures' numbers in the data set, which the lines call ``dataset``.
    """
    lines = f"{input_lines(net, batches[0][0], dataset, 'i')}\n{moved_line(net)}".rstrip().split("\n")
    before = [line for line in lines if line.startswith(("import ", "from ", "dataset = "))]
    taken = "\n".join(line for line in lines if line not in before)
    functions = [
        f"\ndef layer_{number}(model, x):  # {row.name}\n"
        + textwrap.indent(f"{recording_lines(row)}\nreturn calls[{row.source[2] - 1}]", "    ")
        for number, row in enumerate(rows)
    ]
    made = (
        f"models = [cw.load({net.sample!r}, epoch).module for epoch in {tuple(epochs)}]"
        if epochs
        else "models = ...  # your network at each checkpoint, a list"
    )
    parts = [
        "import numpy as np\nimport torch\nfrom PIL import Image, ImageOps",
        net.code,
        *before,
        made,
        f"\ndef picture(i):\n{textwrap.indent(taken, '    ')}\n    return x",
        *functions,
        f"\nlayers = [{', '.join(f'layer_{number}' for number in range(len(rows)))}]",
        f"batches = [{', '.join(map(_written, batches))}]",
        _CKA,
    ]
    return tidy("\n".join(parts))


def _written(numbers: Sequence[int]) -> str:
    """Numbers of pictures; a range where they are one."""
    first, last = numbers[0], numbers[-1]
    return f"range({first}, {last + 1})" if [*numbers] == [*range(first, last + 1)] else str([*numbers])
