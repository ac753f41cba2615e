"""The lines that give what a layer says of every picture of a data set."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from cnnwidgets.methods.code.layers import layer_lines, recording_lines
from cnnwidgets.methods.code.pictures import input_lines, moved_line
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.net import BoundModel, Layer


def feature_lines(
    net: BoundModel, dataset: Any, row: Layer | None, indices: np.ndarray, pool: str, grid: tuple[int, int] | None
) -> str:
    """The lines that put the features of some pictures into ``values``, (pictures, values).

    Parameters:
        row: of the layer; None for the preprocessed pixels.
        indices: (n,), the pictures' numbers in the data set, which the lines call ``dataset``.
        pool: what becomes of a map: "mean", "max", "grid" or "flatten".
        grid: rows and columns of the grid, where there is one.
    """
    rows = input_lines(net, int(indices[0]), dataset, "i").split("\n")
    before = [line for line in rows if line.startswith(("import ", "from ", "dataset = "))]
    look = "\n".join(line for line in rows if line not in before)
    if row is None:
        look += "\nreturn x.flatten().numpy()"
    elif pool == "flatten":
        look += (
            f"\n{moved_line(net)}{recording_lines(row)}\nreturn calls[{row.source[2] - 1}].flatten().cpu().float().numpy()"
        )
    else:
        look += f"\n{moved_line(net)}{layer_lines(row)}\nreturn {_pooled(pool, grid)}.cpu().float().numpy()"
    numbers = f"range({len(dataset)})" if len(indices) == len(dataset) else str(indices.tolist())
    parts = [
        "import numpy as np\nimport torch\nfrom PIL import Image, ImageOps",
        net.code,
        *before,
        "\ndef look(i):",
        textwrap.indent(look, "    "),
        f"\nvalues = np.stack([look(i) for i in {numbers}])  # {row.name if row else 'input'}: (pictures, values)",
    ]
    return tidy("\n".join(parts))


def _pooled(pool: str, grid: tuple[int, int] | None) -> str:
    if pool == "grid" and grid:
        return f"torch.nn.functional.adaptive_avg_pool2d(values, {grid}).flatten()"
    return "values.amax((1, 2))" if pool == "max" else "values.mean((1, 2))"
