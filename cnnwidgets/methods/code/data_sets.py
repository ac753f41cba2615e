"""The lines that look at every picture of a data set, without a scan."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from cnnwidgets.methods.code.layers import layer_lines
from cnnwidgets.methods.code.pictures import input_lines, moved_line
from cnnwidgets.net import BoundModel, Layer


def looking_lines(net: BoundModel, dataset: Any, row: Layer, numbers: Sequence[int], taken: str) -> list[str]:
    """The lines that make ``picture(i)``, the input; ``look(i)``, a layer's output as an array; and their ``numbers``.

    Parameters:
        taken: what ``look`` gives of a tensor ``values``, (units, height, width).
    """
    lines = f"{input_lines(net, numbers[0], dataset, 'i')}\n{moved_line(net)}".rstrip().split("\n")
    before = [line for line in lines if line.startswith(("import ", "from ", "dataset = "))]
    made = "\n".join(line for line in lines if line not in before)
    look = f"x = picture(i)\n{layer_lines(row)}\nreturn {taken}.cpu().float().numpy()"
    counted = f"np.arange({len(dataset)})" if len(numbers) == len(dataset) else f"np.array({list(numbers)})"
    return [
        "import numpy as np\nimport torch\nfrom PIL import Image, ImageOps",
        net.code,
        *before,
        f"\ndef picture(i):\n{textwrap.indent(made, '    ')}\n    return x",
        f"\ndef look(i):\n{textwrap.indent(look, '    ')}",
        f"\nnumbers = {counted}",
    ]
