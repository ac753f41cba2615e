"""What several attribution methods find in one picture, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from cnnwidgets.methods.attribution import Attribution, Unit, usual_scale
from cnnwidgets.methods.code.attribution import randomized_lines
from cnnwidgets.methods.code.scores import own_lines
from cnnwidgets.methods.faithfulness import Faithfulness, pointing_game
from cnnwidgets.methods.method import METHODS
from cnnwidgets.methods.sanity import Agreement
from cnnwidgets.methods.segmentation import Segmentation, intersection_over_union
from cnnwidgets.net import BoundModel
from cnnwidgets.net.output import Output
from cnnwidgets.net.own_score import Function, name_of

FAINT = 0.01
"""A probability that hardly anybody would miss."""


class Row(NamedTuple):
    """What a row of maps explains, in words, and the class, the function of the output or the unit that it is."""

    name: str
    target: int | Function | None
    unit: Unit | None


@dataclass(frozen=True, repr=False)
class Comparison:
    """Maps of one picture by several methods, a row a target.

    Attributes:
        inputs: float32 (1, C, H, W), the picture as the network takes it.
        predicted: what the network says of it, in words.
        output: what the network gives.
        rows: what is explained: classes, functions of the output, or a unit.
        asked: by method the options that it was asked with; of a result under way some have no maps yet.
        maps: by method one :class:`Attribution` a row.
        refused: by method the sentence why it has none; and under ``"segmentation"`` why nothing is cut out.
        depth: how many of the last layers had random weights.
        seed: of these weights.
        agreements: by method and depth how much the first row's map is like that of the network itself: of every depth that
            was asked for of the same picture, targets and options.
        faithful: by method the deletion and insertion curves of the first row's map, if they were asked for.
        segmentation: the object of the first row, cut out, if it was asked for.
        notes: sentences on the network and on the picture.
    """

    inputs: torch.Tensor
    predicted: str
    output: Output
    rows: tuple[Row, ...]
    asked: dict[str, dict[str, Any]]
    maps: dict[str, tuple[Attribution, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    depth: int = 0
    seed: int = 0
    agreements: dict[str, dict[int, Agreement]] = field(default_factory=dict)
    faithful: dict[str, Faithfulness] = field(default_factory=dict)
    segmentation: Segmentation | None = None
    notes: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[str, ...]:
        """The methods that are still to come, of a result under way; the first of them is being computed."""
        return tuple(method for method in self.asked if method not in self.maps and method not in self.refused)

    def quantity(self, method: str, row: int) -> str:
        """What a row's score is: ``"score"``, before the softmax; or ``"probability"`` or ``"value"``."""
        return "score" if METHODS[method].of == "score" else self.answer(row)

    def answer(self, row: int) -> str:
        """What the network's answer to a row is: a probability, or a value."""
        return "value" if callable(self.rows[row].target) else self.output.quantity

    def scale(self, method: str) -> float:
        """The size that 99.5 % of a method's values do not exceed, in all rows; 1 where all are 0."""
        return usual_scale(np.stack([one.at_input() for one in self.maps[method]])) or 1.0

    def remarks(self, method: str, row: int, mask: np.ndarray | None = None) -> list[str]:
        """What there is to say of one map alone, the most important first.

        Parameters:
            mask: bool (height, width), where the object is; None if that is not known.
        """
        one = self.maps[method][row]
        said = [note for note in one.notes if not is_of_all(note) and note not in self.notes]
        if one.gap is not None:
            said.append(f"completeness gap {one.gap:.2g}")
        if self.quantity(method, row) == "probability" and self.scale(method) < FAINT:
            said.insert(0, "hardly any effect: see the scale")
        if mask is not None and not one.is_zero:
            said.insert(0, "✓ maximum on the object" if pointing_game(one, mask) else "✗ maximum beside the object")
        return said

    def summary(self, mask: np.ndarray | None = None) -> str:
        """What the network says, what the rows' scores are, and what is special, in a sentence.

        Parameters:
            mask: as of :meth:`remarks`.
        """
        said = [self.predicted]
        for method, first in list(self.maps.items())[:1]:
            scores = enumerate(zip(first, self.rows, strict=True))
            said += [f"{self.quantity(method, k)} {one.score:.3g} of {row.name}" for k, (one, row) in scores]
            said += [note for one in first for note in one.notes if is_of_all(note) and note not in self.notes]
        said += self._about_cut_out(mask)
        if self.depth:
            last = "the last layer is" if self.depth == 1 else f"the last {self.depth} layers are"
            said.append(f"{last} random: a map that stays shows the picture, not the network")
        text = " · ".join(dict.fromkeys(said))
        return text[:1].upper() + text[1:]

    def _about_cut_out(self, mask: np.ndarray | None) -> list[str]:
        """How large a segmentation is, and how well it fits the object if that is known; nothing where it was not asked."""
        if "segmentation" in self.refused:
            return [f"nothing is cut out: {self.refused['segmentation']}"]
        if self.segmentation is None:
            return []
        found = self.segmentation.mask
        said = f"cut out: {found.mean():.1%} of the picture"
        if mask is not None:
            said += f", intersection over union with the object {intersection_over_union(found, mask):.2f}"
        return [said]

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that put the first row's maps into ``maps``, by method, which is ``values``, too.

        Parameters:
            net: the network that was compared: in the lines ``model``, and the picture ``x`` (1, C, H, W).
        """
        aim = self.rows[0].target
        model = [randomized_lines(net, self.depth, self.seed)] if self.depth else []
        own = own_lines(name_of(aim)) if callable(aim) else []
        found = [METHODS[method].code(net, maps[0], self.asked[method]) for method, maps in self.maps.items()]
        return "\n".join([*model, *own, "values = maps = {}", *found])

    def __repr__(self) -> str:
        rows = ", ".join(row.name for row in self.rows)
        refused = f", refused by {', '.join(self.refused)}" if self.refused else ""
        random = f", last {self.depth} layers random" if self.depth else ""
        return f"<comparison of {rows}: {', '.join(self.maps)}{refused}{random}>"


def is_of_all(note: str) -> bool:
    """Whether a note is on the network, not on a map."""
    return note.startswith("the network ")
