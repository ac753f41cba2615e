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
from cnnwidgets.net.errors import capitalized
from cnnwidgets.net.output import Output, spoken
from cnnwidgets.net.own_score import Function, name_of
from cnnwidgets.numbers import number, percent

FAINT = 0.01
"""A change of probability that is almost none."""


class Row(NamedTuple):
    """What a row of maps explains: its name, and the class, the function of the output or the unit itself."""

    name: str
    target: int | Function | None
    unit: Unit | None


@dataclass(frozen=True, repr=False)
class Comparison:
    """Maps of one picture by several methods, one row per target.

    Attributes:
        inputs: float32 (1, C, H, W), the picture as the network takes it.
        predicted: the network's prediction, in words.
        output: what the network's output means.
        rows: what is explained: classes, functions of the output, or units.
        asked: by method, the options that it was given; in an unfinished result some of these have no maps yet.
        maps: by method, one :class:`Attribution` per row.
        refused: by method, the sentence that says why it has none; under ``"segmentation"``, why nothing was cut out.
        depth: how many of the last layers had random weights.
        seed: random seed of these weights.
        idle: of units, how many of the last layers with weights come after all of them: they change no map.
        agreements: by method and depth, how similar the first row's map is to the original network's; of every depth that
            was asked for with the same picture, targets and options.
        faithful: by method, the deletion and insertion curves of the first row's map, if they were asked for.
        segmentation: the object of the first row, cut out, if that was asked for.
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
    idle: int = 0
    agreements: dict[str, dict[int, Agreement]] = field(default_factory=dict)
    faithful: dict[str, Faithfulness] = field(default_factory=dict)
    segmentation: Segmentation | None = None
    notes: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[str, ...]:
        """The methods of an unfinished result that are still to come; the first of them is being computed."""
        return tuple(method for method in self.asked if method not in self.maps and method not in self.refused)

    def quantity(self, method: str, row: int) -> str:
        """What a row's score is: ``"score"``, before the softmax; or ``"probability"`` or ``"value"``."""
        return "score" if METHODS[method].of == "score" else self.answer(row)

    def answer(self, row: int) -> str:
        """What the network's answer to a row is: a probability, or a value."""
        return "value" if callable(self.rows[row].target) or self.rows[row].unit else self.output.quantity

    def values_of(self, method: str, row: int) -> str:
        """What the values of a map are, with their unit."""
        return METHODS[method].values.format(answer=self.answer(row))

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
        if self.quantity(method, row) == "probability" and self.scale(method) < FAINT:
            said.insert(0, "almost no effect: look at the scale")
        if mask is not None and not one.is_zero:
            hit = pointing_game(one, mask)
            said.insert(0, "✓ peak on the object" if hit else "✗ peak misses the object")
        return said

    def summary(self, mask: np.ndarray | None = None) -> str:
        """The finding in its first line; below it the rows' scores and what is special, one line each.

        Parameters:
            mask: as of :meth:`remarks`.
        """
        units = [self._score(method, 0, maps[0].score) for method, maps in self.maps.items() if self.rows[0].unit]
        finding = [*(units[:1] or [self.predicted]), *self._hits(mask)]
        if self.depth:
            layers = "last layer now has" if self.depth == 1 else f"last {self.depth} layers now have"
            lesson = "a map that does not change shows the picture, not what was learned"
            if self.depth <= self.idle:
                lesson = "no map changes: the units that are explained come earlier"
            finding = [f"the {layers} random weights", lesson]
        said = [self.predicted]
        for method, first in list(self.maps.items())[:1]:
            said += [self._score(method, k, one.score) for k, one in enumerate(first)]
            said += [note for one in first for note in one.notes if is_of_all(note) and note not in self.notes]
        said = [one for one in dict.fromkeys([*said, *self._about_cut_out(mask)]) if one not in finding]
        return "\n".join([" ".join(f"{capitalized(one)}." for one in finding), *map(_capital, said)])

    def _hits(self, mask: np.ndarray | None) -> list[str]:
        """How many of the first row's maps have their maximum on the object, if that is known."""
        maps = [maps[0] for maps in self.maps.values() if not maps[0].is_zero]
        if mask is None or len(maps) < 2:
            return []
        hits = sum(bool(pointing_game(one, mask)) for one in maps)
        where = " in the first row" if len(self.rows) > 1 else ""
        return [f"{hits} of {len(maps)} maps{where} peak on the object"]

    def _score(self, method: str, k: int, score: float) -> str:
        """A row's score in words."""
        row, quantity = self.rows[k], self.quantity(method, k)
        if row.unit:
            return f"{row.name} {'is' if len(row.unit) > 2 else 'sums to'} {number(score)}"
        if quantity == "probability":
            return f"p({spoken(row.name)}) = {percent(score)}"
        of = "" if self.called(k) == quantity else f" of {spoken(self.called(k))}"
        return f"{quantity}{of}: {number(score)}"

    def called(self, k: int) -> str:
        """What a row is called: a class by its name, "class 6" where that is no more than a number."""
        row = self.rows[k]
        return f"class {row.name}" if isinstance(row.target, int) and row.name.isdigit() else row.name

    def _about_cut_out(self, mask: np.ndarray | None) -> list[str]:
        """How large a segmentation is, and how well it fits the object if that is known; nothing where it was not asked."""
        if "segmentation" in self.refused:
            return [f"nothing could be cut out: {self.refused['segmentation']}"]
        if self.segmentation is None:
            return []
        found = self.segmentation.mask
        said = f"{percent(found.mean())} of the picture is cut out"
        if mask is not None:
            said += f" (intersection over union with the object: {intersection_over_union(found, mask):.2f})"
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


def _capital(text: str) -> str:
    return text if text.startswith("p(") else capitalized(text)
