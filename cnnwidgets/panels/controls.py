"""What a panel's public traits look like to a hand: each is tagged ``control=`` with one of these, or None."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.net.arguments import is_number
from cnnwidgets.net.own_score import name_of
from cnnwidgets.views import More, NumberSlider

if TYPE_CHECKING:
    from cnnwidgets.panels.panel import Panel

MOST_SHOWN = 4
"""Controls beyond so many go under "More"."""

MOST_BUTTONS = 16
"""Values beyond which a choice of several is a field with suggestions."""


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
                control.options = [*options, (_words(chosen), chosen)]
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
    """A slider over numbers; ``bounds(panel)`` gives the lowest and the highest.

    Numbers are whole, unless the trait is a float: then halves, too. Of a pair the slider stands at the mean, and its field
    says both.
    """

    bounds: Callable[[Panel], tuple[int, int]]

    def build(self, panel: Panel, name: str) -> w.Widget:
        low, high = self.bounds(panel)
        whole = not isinstance(panel.traits()[name], t.Float)
        slider = NumberSlider(min=low, max=max(low, high), step=1 if whole else 0.5, whole=whole, description=_label(name))

        def show(value: Any) -> None:
            pair = isinstance(value, list) and all(map(is_number, value))
            slider.words = ", ".join(map(str, value)) if pair else ""
            slider.value = float(np.mean(value)) if pair else value if is_number(value) else None

        _tie(panel, name, slider, show)
        return slider


@dataclass(frozen=True)
class Steps:
    """A slider over names in their order; ``names(panel)`` gives them."""

    names: Callable[[Panel], Sequence[str]]

    def build(self, panel: Panel, name: str) -> w.Widget:
        names = list(self.names(panel))
        slider = w.SelectionSlider(options=names, description=_label(name))
        slider.layout.width = "min(460px, 100%)"

        def show(value: Any) -> None:
            if value in names:
                slider.value = value

        _tie(panel, name, slider, show)
        return slider


@dataclass(frozen=True)
class Number:
    """A field for a number between two ends. Where the trait may be None, which it is by default, 0 stands for that.

    A number beyond the ends, which code may set, is shown as it is: whether it will do is for the panel to say.
    """

    low: float
    high: float
    whole: bool = False

    def build(self, panel: Panel, name: str) -> w.Widget:
        none = 0 if panel.traits()[name].allow_none else None
        made = w.BoundedIntText if self.whole else w.BoundedFloatText
        field = made(min=self.low if none is None else 0, max=self.high, description=_label(name), continuous_update=False)
        field.layout.width = "min(240px, 100%)"
        field.style.description_width = "initial"

        def show(value: Any) -> None:
            value = none if value is None else value
            field.min, field.max = min(field.min, value), max(field.max, value)
            field.value = value

        _tie(panel, name, field, show, lambda value: None if value == none else value)
        return field


@dataclass(frozen=True)
class Several:
    """Any of some values, in the order in which they are chosen: a button each, or for many a field with suggestions.

    ``options(panel)`` gives pairs (text, value).
    """

    options: Callable[[Panel], Sequence[tuple[str, Any]]]

    def build(self, panel: Panel, name: str) -> w.Widget:
        values = dict(self.options(panel))
        texts = {value: text for text, value in values.items()}
        if len(values) > MOST_BUTTONS and name in panel.locked:  # a field of tags cannot be disabled
            text = w.Text(description=_label(name))
            _tie(
                panel, name, text, lambda chosen: text.set_trait("value", ", ".join(texts.get(c, _words(c)) for c in chosen))
            )
            return text
        if len(values) > MOST_BUTTONS:
            field = w.TagsInput(allowed_tags=list(values), allow_duplicates=False, placeholder=f"{_label(name)} …")

            def show_tags(chosen: Any) -> None:
                values.update({_words(value): value for value in chosen if value not in texts})  # what code may set
                field.allowed_tags = list(values)
                field.value = [texts.get(value, _words(value)) for value in chosen]

            _tie(panel, name, field, show_tags, lambda chosen: [values[text] for text in chosen])
            return field
        buttons = {value: w.ToggleButton(description=text, layout=w.Layout(width="auto")) for text, value in values.items()}

        def show(_=None) -> None:
            for value, button in buttons.items():
                button.value = value in getattr(panel, name)

        def choose(change) -> None:
            value = next(value for value, button in buttons.items() if button is change.owner)
            others = [one for one in getattr(panel, name) if one != value]
            if change.new != (value in getattr(panel, name)):  # else it was shown, not chosen
                setattr(panel, name, [*others, value] if change.new else others)

        show()
        panel.observe(show, name)
        for button in buttons.values():
            button.observe(choose, "value")
        label = w.Label(_label(name), layout=w.Layout(min_width="80px"))
        return w.Box([label, *buttons.values()], layout=w.Layout(flex_flow="row wrap", width="100%"))


@dataclass(frozen=True)
class Tick:
    """A box to tick."""

    def build(self, panel: Panel, name: str) -> w.Widget:
        box = w.Checkbox(getattr(panel, name), description=_label(name), indent=False)
        box.layout.width = "auto"
        t.link((panel, name), (box, "value"))
        return box


def toolbox(panel: Panel) -> list[w.Widget]:
    """The controls of a panel's traits in their order, the first few in a row, the others under "More"."""
    controls = []
    for name, trait in panel.public_traits().items():
        control = trait.metadata["control"]
        if control is None or name in panel.hidden:
            continue
        widget = control.build(panel, name)
        for part in widget.children if isinstance(widget, w.Box) else [widget]:  # a box with a tooltip cannot be shown
            part.tooltip = trait.help
            part.disabled = name in panel.locked
        panel.controls[name] = widget
        controls.append(widget)
    first, rest = (
        w.Box(some, layout=w.Layout(flex_flow="row wrap")) for some in (controls[:MOST_SHOWN], controls[MOST_SHOWN:])
    )
    return [first, *([More("More", rest)] if controls[MOST_SHOWN:] else [])]


_SHOWING: WeakSet[w.Widget] = WeakSet()
"""Controls in which something is being shown."""


@contextmanager
def shown_only(control: w.Widget) -> Iterator[None]:
    """Inside, what changes in a control is no hand's doing, and its trait stays."""
    _SHOWING.add(control)
    try:
        yield
    finally:
        _SHOWING.discard(control)


def is_by_hand(control: w.Widget) -> bool:
    """Whether what changes in a control now is a hand's doing."""
    return control not in _SHOWING


def _tie(
    panel: Panel, name: str, control: w.Widget, show: Callable[[Any], None], take: Callable[[Any], Any] = lambda value: value
) -> None:
    """Keep a trait and a control the same: what ``show`` does to the control is no hand's doing, and is not taken."""

    def to_control(_=None) -> None:
        with shown_only(control):
            show(getattr(panel, name))

    def to_panel(change) -> None:
        if is_by_hand(control):
            setattr(panel, name, take(change.new))

    to_control()
    panel.observe(to_control, name)
    control.observe(to_panel, "value")


def _words(value: Any) -> str:
    """A value that code has set: a function by its name."""
    return name_of(value) if callable(value) else str(value)


def _label(name: str) -> str:
    return name.replace("_", " ")
