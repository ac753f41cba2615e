"""The lines that change a picture by chance, and watch what a network says of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnwidgets.methods.code.scores import answer_code, identifier, own_lines
from cnnwidgets.net import BoundModel

_CODE = """\
from cnnwidgets.methods.augmentation import augmentation  # of torchvision.transforms.v2
{before}
values = torch.zeros({levels}, {copies})  # {said} of each copy, by strength
for i, strength in enumerate({strengths}):
    change = augmentation({names}, strength{scale})
    for k in range({copies}):
        torch.manual_seed({seed} + k)
        batch = change(x[0].cpu())[None].to(x)
        with torch.no_grad():
            values[i, k] = {value}"""


def stability_lines(
    net: BoundModel,
    names: Sequence[str],
    strengths: np.ndarray,
    known: tuple[list[float], list[float]] | None,
    target: int | str | None,
    seed: int,
    copies: int,
) -> str:
    """The lines that put what is watched into ``values``, (strengths, copies).

    Parameters: as of a ``Stability``; ``known`` is its scale.
    """
    if isinstance(target, str):
        value, before, said = f"float({identifier(target)}(model.eval()(batch)))", "\n".join(own_lines(target)), "the score"
    else:
        value, before = f"{answer_code(net.output, 'model.eval()(batch)', target, net.output.quantity)}[0]", ""
        said = f"the {net.output.quantity}"
    scale = f", {known[0]}, {known[1]}" if known else ""
    return _CODE.format(
        before=before, levels=len(strengths), copies=copies, said=said, strengths=strengths.tolist(), names=list(names),
        scale=scale, seed=seed, value=value,
    )  # fmt: skip
