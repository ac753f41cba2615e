"""What a panel's score is of, a class or a function of the network's output: its trait, its control and its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base.target import Target, by_name, class_options
from cnnwidgets.panels.controls import Choice
from cnnwidgets.panels.picture import PicturePanel

_DEFAULTS = {"values": "first value", "structure": "none"}
"""What stands for no target, where that is not the predicted class."""


class TargetPanel(PicturePanel):
    """A panel that asks what matters to a score of one picture; in its state a class goes by its name."""

    target = Target(
        default_value=None,
        allow_none=True,
        help="class that is watched, by default the one that is predicted; or a function of the network's output",
    ).tag(
        control=Choice(
            lambda panel: [(_DEFAULTS.get(panel.net.output.kind, "predicted class"), ""), *class_options(panel.net)]
        )
    )

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        traits = super().public_traits()
        return {"image": traits["image"], "target": traits["target"], **traits}

    @t.validate("target")
    def _target_by_name(self, proposal) -> int | str | None:
        return by_name(self.net, proposal.value)

    def class_name(self, index: Any) -> str:
        """What a class is called, with its number where another has the same name; the name of a function as it is."""
        if isinstance(index, (int, np.integer)):
            return self.net.class_name(int(index))
        return "" if index is None else str(index)
