"""What a panel's public traits look like to a hand: each is tagged ``control=`` with one of these, or None."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as w

if TYPE_CHECKING:
    from cnnwidgets.panels.panel import Panel

MOST_SHOWN = 4
"""Controls beyond so many go under "More"."""


@dataclass(frozen=True)
class Choice:
    """A drop-down, or with several rows a list in which the arrow keys move.

    ``options(panel)`` gives pairs (text, value). A value that is not among them shows as no choice.
    """

    options: Callable[[Panel], Sequence[tuple[str, Any]]]
    rows: int = 1

    def build(self, panel: Panel, name: str) -> w.Widget:
        make = w.Dropdown if self.rows == 1 else w.Select
        sized = {} if self.rows == 1 else {"rows": self.rows}
        label = "" if sized else _label(name)
        control = make(options=self.options(panel), value=None, description=label, **sized)

        def show(_=None) -> None:
            values = [value for _, value in control.options]
            control.value = getattr(panel, name) if getattr(panel, name) in values else None

        def choose(change) -> None:
            if change.new is not None:
                setattr(panel, name, change.new)

        show()
        panel.observe(show, name)
        control.observe(choose, "value")
        if sized:
            control.add_class("cw-list")
            control.layout.width = "auto"
        else:
            control.layout.width = "min(460px, 100%)"
        return control


@dataclass(frozen=True)
class Slider:
    """A slider over whole numbers; ``bounds(panel)`` gives the lowest and the highest."""

    bounds: Callable[[Panel], tuple[int, int]]

    def build(self, panel: Panel, name: str) -> w.Widget:
        low, high = self.bounds(panel)
        slider = w.IntSlider(min=low, max=max(low, high), description=_label(name), continuous_update=True)

        def show(_=None) -> None:
            if isinstance(getattr(panel, name), int):
                slider.value = getattr(panel, name)

        show()
        panel.observe(show, name)
        slider.observe(lambda change: setattr(panel, name, change.new), "value")
        return slider


def toolbox(panel: Panel) -> list[w.Widget]:
    """The controls of a panel's traits in their order, the first few in a row, the others under "More"."""
    controls = []
    for name, trait in panel.public_traits().items():
        control = trait.metadata["control"]
        if control is None or name in panel.hidden:
            continue
        widget = control.build(panel, name)
        widget.tooltip = trait.help
        widget.disabled = name in panel.locked
        panel.controls[name] = widget
        controls.append(widget)
    in_row = [control for control in controls if not isinstance(control, w.Select)]  # a list is placed by its panel
    box = w.Box(in_row[:MOST_SHOWN], layout=w.Layout(flex_flow="row wrap"))
    more = w.Accordion([w.Box(in_row[MOST_SHOWN:], layout=w.Layout(flex_flow="row wrap"))], titles=["More"])
    return [box, *([more] if in_row[MOST_SHOWN:] else [])]


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    space = "\u00a0"  # a list of options swallows ordinary spaces
    return [
        (space * 2).join(
            [row[0].ljust(widths[0], space), *(c.rjust(n, space) for c, n in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _label(name: str) -> str:
    return name.replace("_", " ")
