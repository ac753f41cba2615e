"""The class that a panel looks at: its trait, its control and its name."""

from __future__ import annotations

from typing import Any

import traitlets as t

from cnnwidgets.net import BoundModel
from cnnwidgets.panels.controls import Choice
from cnnwidgets.panels.picture import PicturePanel


class TargetPanel(PicturePanel):
    """A panel that asks what matters to a class of one picture; in its state the class goes by its name."""

    target = t.Union(
        [t.Int(), t.Unicode()],
        default_value=None,
        allow_none=True,
        help="class that is watched; by default the one that is predicted",
    ).tag(control=Choice(lambda panel: [("predicted class", ""), *class_options(panel.net)]))

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        traits = super().public_traits()
        return {"image": traits["image"], "target": traits["target"], **traits}

    @t.validate("target")
    def _target_by_name(self, proposal) -> int | str | None:
        return by_name(self.net, proposal.value)

    def class_name(self, index: int) -> str:
        """What an output is called, with its number where another has the same name."""
        names = self.net.classes
        if index >= len(names):
            return str(index)
        return names[index] if names.count(names[index]) == 1 else f"{names[index]} ({index})"


def class_options(net: BoundModel) -> list[tuple[str, int | str]]:
    """The classes to choose from; one whose name another has, too, by its number."""
    return [(name, name) if net.classes.count(name) == 1 else (f"{name} ({i})", i) for i, name in enumerate(net.classes)]


def by_name(net: BoundModel, target: Any) -> Any:
    """A class as :func:`class_options` has it: by its name, if no other class has the same."""
    if isinstance(target, int) and 0 <= target < len(net.classes) and net.classes.count(net.classes[target]) == 1:
        return net.classes[target]
    return target
