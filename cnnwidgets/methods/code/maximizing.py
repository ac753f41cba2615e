"""The lines that make a picture which maximizes something, as it was made: in one go, or switched on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnwidgets.methods import objectives
from cnnwidgets.methods.code.scores import bind_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.maximize_presets import Ascending
from cnnwidgets.net import BoundModel


def maximizing_lines(
    net: BoundModel,
    objective: str,
    hows: Sequence[tuple[int, Ascending]],
    made: int,
    *,
    start: str,
    pictures: int,
    seed: int,
) -> str:
    """The lines that put the pictures into ``values``, (pictures, height, width) or (pictures, height, width, 3).

    Parameters:
        objective: the expression that makes it.
        hows: by step, how the pictures went up from there on.
        made: steps in all.
        start: the expression of what they began with.
    """
    (_, first), *later = hows
    bound = bind_lines(net, f", input_shape={tuple(net.input_shape)}")
    options = f"pictures={pictures}, seed={seed}"
    lines = ["import numpy as np", "import cnnwidgets as cw", *_imports(objective, hows), f"net = {bound}"]
    if later:
        lines += [
            "from cnnwidgets.methods.ascent import Ascent",
            f"how = cw.methods.Ascending({first.image!r}, {start}, {first.rule!r}, {first.lr!r}, {first.regularizers!r})",
            f"ascent = Ascent(net, [{objective}], how, {options})",
            *_switches(hows, made),
            "found = ascent.found()",
        ]
    else:
        lines += [
            "found = cw.methods.maximize(",
            f"    net, [{objective}], steps={made}, image={first.image!r}, start={start}, rule={first.rule!r},",
            f"    lr={first.lr!r}, regularizers={first.regularizers!r}, {options},",
            ")",
        ]
    return tidy("\n".join([*lines, "values = np.stack([one.picture for one in found])"]))


def _switches(hows: Sequence[tuple[int, Ascending]], made: int) -> list[str]:
    """The lines that go up, and switch at the steps where a hand did."""
    lines: list[str] = []
    ends = [*(step for step, _ in hows[1:]), made]
    for k, ((begin, how), end) in enumerate(zip(hows, ends, strict=True)):
        if k:
            lines.append(f"ascent.regularizers, ascent.rule.lr = {how.regularizers!r}, {how.lr!r}  # after step {begin}")
            if how.rule != hows[k - 1][1].rule:
                lines += [
                    "from cnnwidgets.methods.ascent_rules import RULES",
                    f"ascent.rule = RULES[{how.rule!r}]({how.lr!r})",
                ]
        if end > begin:
            lines.append(f"for _ in range({end - begin}):\n    ascent.step()")
    return lines


def _imports(objective: str, hows: Sequence[tuple[int, Ascending]]) -> list[str]:
    """What the expressions need."""
    asked = [name for name in objectives.__all__ if f"{name}(" in objective]
    used: set[str] = {type(part).__name__ for _, how in hows for part in how.regularizers}
    of: Any = {"objectives": asked, "regularizers": sorted(used)}
    return [f"from cnnwidgets.methods.{module} import {', '.join(names)}" for module, names in of.items() if names]
