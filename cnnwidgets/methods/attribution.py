"""What every attribution method gives: a map of how much each part of a picture matters to a score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload

import numpy as np
import torch
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import said
from cnnwidgets.net.batching import depends_on_others
from cnnwidgets.net.checks import whole_or_none
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.output import Output
from cnnwidgets.net.own_score import Function, OwnScore
from cnnwidgets.net.pictures import check_finite
from cnnwidgets.net.watch import Watch, watched

One: TypeAlias = "int | str | Function"
"""What a score may be of: a class, by its index or name; or a function of the network's output that returns one number per
picture: (N,) for N pictures, or a single number; then it is given the outputs one picture at a time."""

Target: TypeAlias = "One | list[One] | tuple[One, ...] | None"
Unit: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"

P = ParamSpec("P")
R = TypeVar("R")


class OneOrMany(Protocol[P, R]):
    """A method's type: a result for one target or unit, a list of results for a list; with its own options."""

    @overload
    def __call__(
        self, net: BoundModel, image: Any, target: list[Any] | tuple[Any, ...], *args: P.args, **options: P.kwargs
    ) -> list[R]: ...

    @overload
    def __call__(self, net: BoundModel, image: Any, *, unit: Sequence[Unit], **options: Any) -> list[R]: ...

    @overload
    def __call__(self, net: BoundModel, image: Any, target: One | None = None, *args: P.args, **options: P.kwargs) -> R: ...


def one_or_many(method: Callable[Concatenate[BoundModel, Any, Target, P], R | list[R]]) -> OneOrMany[P, R]:
    """Tell editors and type checkers that a method returns a list only for a list; it stays the same function."""
    return cast("OneOrMany[P, R]", method)


UNIT = "(layer, unit) or (layer, unit, row, column)"

DISPLAYED = 0.995
"""Share of the values that a display shows without clipping them."""


@dataclass(frozen=True, repr=False)
class Attribution:
    """How much each part of a picture matters to a score, by one method; raw values.

    Attributes:
        values: float32 (height, width), per pixel of the input, or per position of the layer for a class activation map that
            was not enlarged; or (C, height, width). In units of the score; gradients are per pixel value.
        method: its name, such as ``"grad_cam"``.
        target: the class that is explained, or the name of the function; None for a unit.
        unit: (layer, unit) or (layer, unit, row, column) that is explained; None for a class.
        score: the score of the picture: of a class before the softmax or sigmoid, if that can be had, which the notes say
            (for occlusion, RISE and LIME its probability); of a unit the sum over its map, or one of its values.
        size: (height, width) of the input.
        signed: whether values below 0 are evidence against the score; otherwise values are sizes.
        layer: the layer whose maps were weighted, for a class activation map.
        gap: for integrated gradients, the sum of the values minus the score's change from the baseline; 0 would be exact.
        notes: sentences on what was chosen and what to be careful about.
    """

    values: np.ndarray
    method: str
    target: int | str | None
    unit: Unit | None
    score: float
    size: tuple[int, int]
    signed: bool
    layer: str | None = None
    gap: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_zero(self) -> bool:
        """Whether every value is exactly 0."""
        return not self.values.any()

    @property
    def positive(self) -> np.ndarray:
        """Evidence for the score: the values, 0 where they are negative."""
        return np.maximum(self.values, 0)

    @property
    def negative(self) -> np.ndarray:
        """Evidence against the score: the sizes of the negative values, 0 elsewhere."""
        return np.maximum(-self.values, 0)

    def at_input(self) -> np.ndarray:
        """The values per pixel of the input, (height, width) or (C, height, width); a smaller map is enlarged bilinearly."""
        if self.values.shape[-2:] == self.size:
            return self.values.copy()
        return enlarge(torch.from_numpy(self.values), self.size).numpy()

    def display(self, scale: float | None = None) -> np.ndarray:
        """The values per pixel of the input divided by a scale, and clipped to -1 and 1.

        Parameters:
            scale: by default the size that 99.5% of the values do not exceed.
        """
        values = self.at_input()
        if scale is None:
            scale = usual_scale(values)
        return np.clip(values / scale, -1, 1) if scale else values

    def __repr__(self) -> str:
        found = "all zero" if self.is_zero else f"{self.values.min():.3g} to {self.values.max():.3g}"
        of = f"{self.method} of {subject(self.target, self.unit)}"
        return f"<{of}: {format_shape(self.values.shape)} values, {found}, score {self.score:.3g}>"


class Asked(NamedTuple):
    """A class, a unit or a function of the output that is to be explained."""

    target: int | None
    unit: Unit | None
    own: OwnScore | None = None

    @property
    def name(self) -> int | str | None:
        """The class's index or the function's name."""
        return self.own.name if self.own else self.target

    @property
    def aim(self) -> int | Function | None:
        """The class's index or the function: what a method takes as its target."""
        return self.own.function if self.own else self.target

    def quantity(self, output: Output) -> str:
        """What its answer is: ``"probability"`` of a class, or ``"value"``."""
        return "value" if self.own or self.unit else output.quantity

    def __str__(self) -> str:
        return subject(self.name, self.unit)


def subject(target: int | str | None, unit: Unit | None = None) -> str:
    """What a result explains, in words: a class by its index, a function by its name, or a unit by its layer and place."""
    if unit is None:
        return target if isinstance(target, str) else f"class {target}"
    layer, index, *place = unit
    return f"unit {index} of {layer}" + (f" at row {place[0]}, column {place[1]}" if place else "")


def value_of(unit: Unit) -> str:
    """What a unit's score is, in words: the sum of its map, or one of its values."""
    return subject(None, unit) if len(unit) > 2 else f"sum of {subject(None, unit)}"


PREDICTED = Asked(None, None)


class Question:
    """A picture and the score to explain, or several scores that share the forward passes.

    Parameters: as of :func:`~cnnwidgets.methods.saliency`.

    Attributes:
        inputs: (1, C, H, W), the picture.
        asked: one entry a score.
        layers: those that have to be kept to tell them.
    """

    def __init__(self, net: BoundModel, image: Any, target: Target, unit: Unit | Sequence[Unit] | None):
        said: list[str] = []
        self.net, self.inputs, self._about_score = net, one_picture(net, image, said), ""
        self._said = tuple(said)
        _check_units(unit)
        check_one(target, unit)
        self.many = isinstance(target, (list, tuple)) or are_units(unit)
        if unit is not None:
            self.asked = [Asked(None, check_unit(net, one)) for one in (unit if self.many else [unit])]  # type: ignore
        else:
            self.asked = [_asked_of(net, one) for one in (target if self.many else [target])]  # type: ignore
        if not self.asked:
            raise ValueError("the list of targets or units is empty")
        self._watches = {asked.unit: watch_of(net, asked.unit) for asked in self.asked if asked.unit}
        self.layers = list(dict.fromkeys(unit[0] for unit in self._watches))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the network and on the picture."""
        return (*self.net.notes, *self._said)

    @property
    def alone(self) -> bool:
        """Whether a function that is asked takes one picture at a time; known after the first one."""
        return any(asked.own.alone for asked in self.asked if asked.own)

    def at_once(self, max_memory: float) -> int:
        """How many pictures may go through the network at once: one where the answer depends on the others."""
        most = at_once(self.net, max_memory)
        if most == 1:
            return 1
        if self.alone or not self.net.takes_batches(self.inputs) or any(map(self._mixes, self.asked)):
            return 1
        return most

    def _mixes(self, asked: Asked) -> bool:
        """Whether a function that is asked makes a picture's score of the other pictures' outputs too."""
        own = asked.own
        if own is None:
            return False

        def rows(pictures: Tensor) -> list[list[Tensor]]:
            return [[value] for value in own(self.net.run(pictures), len(pictures)).detach()]

        try:
            return depends_on_others(rows, self.inputs)
        except (TypeError, ValueError, RuntimeError):  # of several pictures
            return True

    def scores(self, passed: Graph) -> list[Tensor]:
        """For each score that is asked its values (N,) in a pass. The predicted class is that of the first pass.

        They are what is to be differentiated: of a class the score before the last softmax or sigmoid, where it can be had.

        Raises:
            TypeError: the score is of a class, and the network's output is not a tensor (N, classes).
            ValueError: there is no such output, or the score is not finite.
        """

        def of_classes(table: Tensor) -> Tensor:
            self._about_score = self.net.output.about_score(passed.before is not None)
            return self.net.output.scores(table, passed.before)

        units = {unit: watch.of(passed.maps[unit[0]]) for unit, watch in self._watches.items()}
        return self._read(passed.output, len(passed.inputs), of_classes, units)

    def answers(self, pictures: Tensor) -> Tensor:
        """float32 (N, asked): of each class its probability, of a regression, a function or a unit its value.

        Raises:
            TypeError, ValueError: as of :meth:`scores`.
        """
        if self.alone and len(pictures) > 1:
            return torch.cat([self.answers(one) for one in pictures.split(1)])
        output, values = watched(self.net, pictures, [*self._watches.values()])
        return self.told(output, len(pictures), dict(zip(self._watches, values, strict=True)))

    def told(self, output: Any, count: int, units: Mapping[Unit, Tensor] | None = None) -> Tensor:
        """The same of what the network gave for so many pictures, and of the values of the units that are asked."""

        def of_classes(table: Tensor) -> Tensor:
            self._about_score = f"{self.net.output.sentence}; the score is the {self.net.output.quantity}"
            return self.net.output.answers(table)

        values = self._read(output, count, of_classes, units or {})
        return torch.stack([one.detach().float().cpu() for one in values], 1)

    def _read(
        self, output: Any, count: int, of_classes: Callable[[Tensor], Tensor], units: Mapping[Unit, Tensor]
    ) -> list[Tensor]:
        """For each score that is asked its values (N,), of the output for so many pictures and the units' values."""
        if any(asked.unit is None and asked.own is None for asked in self.asked):
            table = self.net.check_scores(output, count)
            classes = of_classes(table)
            if PREDICTED in self.asked:
                predicted = Asked(self.net.output.predicted(table.detach()), None)
                self.asked = [predicted if asked == PREDICTED else asked for asked in self.asked]
        found = []
        for asked in self.asked:
            if asked.own:
                self._about_score = self._about_score or self.net.output.sentence
                values = asked.own(output, count)
            elif asked.unit:
                values = units[asked.unit]
            elif asked.target < classes.shape[1]:  # type: ignore[operator]  # it is a class's
                values = classes[:, asked.target]
            else:
                raise ValueError(f"there is no output {asked.target}: the network has {classes.shape[1]}")
            check_finite(values, f"the score of {asked}")
            found.append(values)
        return found

    def answer(self, found: Sequence[tuple[Tensor, float]], notes: Sequence[str] = (), **about: Any) -> Any:
        """An :class:`Attribution` of (values, score), or a list of them if several were asked for.

        Raises:
            ValueError: a value is not finite, such as the gradient of a root at 0.
        """
        made = []
        for asked, (values, score) in zip(self.asked, found, strict=True):
            check_finite(values, f"the map of {asked}")
            said = [*self._notes(values), *notes]
            array = values.detach().float().cpu().contiguous().numpy().copy()
            size = (self.inputs.shape[2], self.inputs.shape[3])
            made.append(
                Attribution(array, target=asked.name, unit=asked.unit, score=score, size=size, notes=tuple(said), **about)
            )
        return made if self.many else made[0]

    def _notes(self, values: Tensor) -> Iterator[str]:
        yield from self.notes
        if not bool(values.any()):
            yield "every value is exactly 0: no gradient gets through, or nothing positive is left"
        if self._about_score:
            yield self._about_score


def usual_scale(values: np.ndarray) -> float:
    """The size that 99.5% of the values do not exceed; the largest if that is 0."""
    sizes = np.abs(values)
    return float(np.quantile(sizes, DISPLAYED)) or float(sizes.max())


def enlarge(values: Tensor, size: Sequence[int], mode: str = "bilinear") -> Tensor:
    """Values (..., rows, columns) enlarged to the pixels of a picture, (..., height, width)."""
    flat = values.reshape(1, -1, *values.shape[-2:])
    align = {"align_corners": False} if mode != "nearest" else {}
    return torch.nn.functional.interpolate(flat, tuple(size), mode=mode, **align).reshape(*values.shape[:-2], *size)


def at_once(net: BoundModel, max_memory: float) -> int:
    """How many pictures may go through a network at once while the graph is kept."""
    numbers = sum(int(np.prod(row.output_shape)) for row in net.layers)
    size = torch.finfo(net.dtype).bits // 8
    return int(max(1, min(64, max_memory // max(1, 2 * numbers * size))))


def are_units(unit: Any) -> bool:
    """Whether these are several units: a list that does not begin with the name of a layer."""
    return isinstance(unit, (list, tuple)) and not (unit and isinstance(unit[0], str))


def _asked_of(net: BoundModel, target: One | None) -> Asked:
    if callable(target):
        return Asked(None, None, OwnScore(target))
    return PREDICTED if target is None else Asked(net.target(target), None)


def _check_units(unit: Any) -> None:
    if unit is not None and not isinstance(unit, (list, tuple)):
        raise ValueError(f"unit is {said(unit)}; expected {UNIT}, or a list of them")


def check_one(target: Target, unit: Any) -> None:
    """A ValueError where both a target and a unit are given."""
    if unit is not None and target is not None:
        raise ValueError("the score is of a class or of a unit: give target or unit, not both")


def one_unit(net: BoundModel, target: Target, unit: Unit | None) -> Unit | None:
    """A unit that is asked alone and instead of a target, checked; None where the target is asked."""
    check_one(target, unit)
    return None if unit is None else check_unit(net, unit)


def watch_of(net: BoundModel, unit: Unit) -> Watch:
    """What watches a unit that was checked."""
    layer, index, *place = unit
    return Watch(net.layers[layer], index, tuple(place))


def check_unit(net: BoundModel, unit: Unit) -> Unit:
    """A unit, or one of its values, as whole numbers; otherwise a KeyError or ValueError says what there is."""
    pair = isinstance(unit, (tuple, list)) and len(unit) in (2, 4)
    numbers = [whole_or_none(number) for number in unit[1:]] if pair else []
    if not pair or None in numbers or not isinstance(unit[0], str):
        raise ValueError(f"unit is {said(unit)}; expected {UNIT}")
    row = net.layers[unit[0]]
    for what, number, count in zip(("unit", "row", "column"), numbers, row.map_shape, strict=False):
        if not 0 <= number < count:  # type: ignore[operator]  # none is None
            raise ValueError(f"there is no {what} {number}: {row.name} has {count}, numbered from 0")
    return (unit[0], *numbers)  # type: ignore[return-value]
