"""All panels that there are, each with an example: the first line of its docstring that can be typed."""

from __future__ import annotations

import inspect
import re

from cnnwidgets.base.panel import Panel

_TYPED = re.compile(r"^>>> (.+)$", re.MULTILINE)


def panels() -> dict[str, type[Panel]]:
    """The panels of ``cnnwidgets``, by their names."""
    import cnnwidgets

    named = {name: getattr(cnnwidgets, name) for name in dir(cnnwidgets)}
    return {
        name: one for name, one in named.items() if isinstance(one, type) and issubclass(one, Panel) and one is not Panel
    }


def example_line(panel: type[Panel]) -> str:
    """The line that makes an example of a panel.

    Raises:
        ValueError: its docstring has none.
    """
    typed = _TYPED.findall(inspect.getdoc(panel) or "")
    if not typed:
        raise ValueError(f'{panel.__name__} has no example: expected a line ">>> cw.{panel.__name__}(...)" in its docstring')
    return typed[0].split("  #")[0].rstrip()


def example(panel: type[Panel]) -> Panel:
    """The panel that its docstring makes."""
    import cnnwidgets

    return eval(example_line(panel), {"cw": cnnwidgets})
