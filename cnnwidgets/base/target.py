"""What a panel explains, a class or a function of the network's output: its trait, its control and its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import controls
from cnnwidgets.base.image import ImagePanel
from cnnwidgets.base.traits import public
from cnnwidgets.net import BoundModel
from cnnwidgets.net.own_score import name_of

_DEFAULTS = {"values": "first value", "structure": "none"}
"""What the control says for no target, where that is not the predicted class."""

_FUNCTIONS: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""Functions in saved states, by their id: as long as they live, a state can restore them."""


class Target(t.Union):
    """A class, by its index or name, or a function of the network's output. In a state a function is its name."""

    def __init__(self, **options: Any) -> None:
        super().__init__([t.Int(), t.Unicode(), t.Callable()], **options)

    def encode(self, value: Any) -> Any:
        if not callable(value):
            return value
        _FUNCTIONS[id(value)] = value
        return {"function": name_of(value), "id": id(value)}

    def decode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = _FUNCTIONS.get(value.get("id", 0))
        if found is None or name_of(found) != value.get("function"):
            raise ValueError(
                f"a state holds only the name of the function {value.get('function')}: set target to the function"
            )
        return found


class Targets(t.List):
    """A list of them."""

    def __init__(self, **options: Any) -> None:
        self._one = Target()
        super().__init__(self._one, **options)

    def encode(self, value: list) -> list:
        return [self._one.encode(one) for one in value]

    def decode(self, value: list) -> list:
        return [self._one.decode(one) for one in value] if isinstance(value, list) else value


class TargetPanel(ImagePanel):
    """A panel about one score of one picture; in its state a class goes by its name.

    Parameters:
        target: a class's index or name, or a function of the network's output; by default the predicted class.
    """

    target = public(
        Target(
            default_value=None,
            allow_none=True,
            help="The class; by default the predicted one. Code may also set a function of the network's output",
        ),
        controls.Choice(
            options=lambda panel: [
                (_DEFAULTS.get(panel.net.output.kind, "predicted class"), None),
                *class_options(panel.net),
            ],
            absent=lambda panel: not panel.explains_target,
        ),
    )

    @property
    def explains_target(self) -> bool:
        """Whether it is about a target; False while it is about a unit."""
        return True

    def __init__(self, net: BoundModel | nn.Module, image: Any = 0, target: Any = None, **options: Any) -> None:
        super().__init__(net, image, target=target, **options)

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        traits = super().public_traits()
        return {"image": traits["image"], "target": traits["target"], **traits}

    @t.validate("target")
    def _target_by_name(self, proposal: Any) -> int | str | None:
        return by_name(self.net, proposal.value)

    def class_name(self, index: Any) -> str:
        """The name of a class, with its number where another has the same name; the name of a function as it is."""
        if isinstance(index, (int, np.integer)):
            return self.net.class_name(int(index))
        return "" if index is None else str(index)

    def class_names(self, indices: Iterable[int]) -> dict[str, str]:
        """The names of classes by their indices, which are text as in JSON."""
        return {str(index): self.class_name(index) for index in indices}


def class_options(net: BoundModel) -> list[tuple[str, int | str]]:
    """The classes to choose from; one that has no name of its own goes by its number."""
    counts = Counter(net.classes)
    own = [name.strip() and counts[name] == 1 for name in net.classes]
    return [(name, name) if own[i] else (net.class_name(i), i) for i, name in enumerate(net.classes)]


def by_name(net: BoundModel, target: Any) -> Any:
    """A class as :func:`class_options` has it: by its name, if that is its own."""
    if isinstance(target, int) and 0 <= target < len(net.classes):
        name = net.classes[target]
        return name if name.strip() and net.classes.count(name) == 1 else target
    return target
