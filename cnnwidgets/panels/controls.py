"""What a panel's public traits look like to a hand: each is tagged ``control=`` with one of these, or None."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

if TYPE_CHECKING:
    from cnnwidgets.panels.panel import Panel

MOST_SHOWN = 4
"""Controls beyond so many go under "More"."""


@dataclass(frozen=True)
class Choice:
    """A drop-down; ``options(panel)`` gives pairs (text, value). A value that is not among them is added.

    The value "" stands for None.
    """

    options: Callable[[Panel], Sequence[tuple[str, Any]]]

    def build(self, panel: Panel, name: str) -> w.Widget:
        options = list(self.options(panel))
        has_none = "" in [value for _, value in options]
        control = w.Dropdown(options=options, value=None, description=_label(name))
        longest = max((len(text) for text, _ in options), default=0)
        control.layout.width = f"min({longest + 22}ch, 460px, 100%)"  # of which the name takes 14

        def show(_=None) -> None:
            chosen = "" if getattr(panel, name) is None and has_none else getattr(panel, name)
            if chosen is not None and chosen not in [value for _, value in control.options]:
                control.options = [*options, (str(chosen), chosen)]
            control.value = chosen

        def choose(change) -> None:
            if change.new is not None:
                setattr(panel, name, None if change.new == "" and has_none else change.new)

        show()
        panel.observe(show, name)
        control.observe(choose, "value")
        return control


@dataclass(frozen=True)
class Slider:
    """A slider over whole numbers; ``bounds(panel)`` gives the lowest and the highest. Of a pair it shows the mean."""

    bounds: Callable[[Panel], tuple[int, int]]

    def build(self, panel: Panel, name: str) -> w.Widget:
        low, high = self.bounds(panel)
        slider = w.IntSlider(min=low, max=max(low, high), description=_label(name), continuous_update=True)

        showing = False

        def show(_=None) -> None:
            nonlocal showing
            value = getattr(panel, name)
            if isinstance(value, (int, float, list)):
                showing = True
                slider.value = round(np.mean(value))  # which the slider moves to its nearest end if it is beyond
                showing = False

        def take(change) -> None:
            if not showing:
                setattr(panel, name, change.new)

        show()
        panel.observe(show, name)
        slider.observe(take, "value")
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
    box = w.Box(controls[:MOST_SHOWN], layout=w.Layout(flex_flow="row wrap"))
    more = w.Accordion([w.Box(controls[MOST_SHOWN:], layout=w.Layout(flex_flow="row wrap"))], titles=["More"])
    return [box, *([more] if controls[MOST_SHOWN:] else [])]


def _label(name: str) -> str:
    return name.replace("_", " ")
