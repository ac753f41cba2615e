"""How much units influence a unit in a picture, and it later units and the score: gradient times activation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from cnnwidgets.methods.attribution import One, Question
from cnnwidgets.methods.connections import connections
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.address import UnitAddress, parted
from cnnwidgets.net.arguments import checking
from cnnwidgets.net.changed import Changed
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.trace import Calls
from cnnwidgets.numbers import number


class Influencing(NamedTuple):
    """A unit before or after the asked one, and how much it influences that one or is influenced by it.

    Attributes:
        layer: a name in ``net.layers``; None for a channel of the picture.
        unit: its number, from 0.
        value: gradient times activation, summed over positions.
    """

    layer: str | None
    unit: int
    value: float

    @property
    def called(self) -> str:
        """What it is called in a sentence."""
        return f"unit {self.unit} of {self.layer}" if self.layer else f"channel {self.unit} of the picture"


@dataclass(frozen=True, repr=False, eq=False)
class Influence:
    """How much units influence each other in one picture: each is the sum over positions of gradient times activation.

    Attributes:
        unit: that was asked for.
        value: the sum of its map, in this picture.
        before: by layer (None: the picture) float64 (units,): the influence of each unit on the sum of the asked unit's map.
        after: by layer float64 (units,): the influence of the asked unit on the sum of each unit's map.
        on_target: float64 (units,): the influence of each unit of the asked unit's layer on the target's score; None where
            the network has no classes and no target was given.
        target: the class (its index) or the name of the function that ``on_target`` is about; None without one.
        score: of the target, before the last softmax or sigmoid if possible; NaN without one.
        notes: sentences on the network and on what was chosen.
    """

    unit: UnitAddress
    value: float
    before: dict[str | None, np.ndarray]
    after: dict[str, np.ndarray]
    on_target: np.ndarray | None
    target: int | str | None
    score: float
    notes: tuple[str, ...] = ()

    @property
    def of_unit(self) -> float:
        """The influence of the asked unit on the target's score; NaN without a target."""
        return float("nan") if self.on_target is None else float(self.on_target[self.unit.unit])

    def strongest_before(self, k: int = 8) -> list[Influencing]:
        """The units before with the largest influence, by size."""
        return _strongest(self.before, k)

    def strongest_after(self, k: int = 8) -> list[Influencing]:
        """The units after that are influenced most, by size."""
        return _strongest(self.after, k)

    @property
    def sentences(self) -> list[str]:
        """What was found, in words."""
        whose = f"unit {self.unit.unit} of {self.unit.layer}"
        if not self.value:
            return [f"In this picture the values of {whose} sum to 0."]
        found = [f"In this picture the values of {whose} sum to {number(self.value)}."]
        for most in self.strongest_before(1):
            found.append(f"The strongest influence on it is that of {most.called}: {number(most.value)}.")
        if self.on_target is not None:
            about = f"class {self.target}" if isinstance(self.target, int) else str(self.target)
            found.append(f"It contributes {number(self.of_unit)} to the score of {about}, which is {number(self.score)}.")
        return found

    def __repr__(self) -> str:
        return f"<influence: {' '.join(self.sentences)}>"


@checking("target")
def influence(
    net: BoundModel, layer: str | UnitAddress, unit: int | None = None, image: Any = None, target: One | None = None
) -> Influence:
    """How much each unit before a unit influences it in a picture, and how much it influences later units and a score.

    Gradient times activation, summed over positions (Olah et al., The Building Blocks of Interpretability, Distill 2018):
    what would be lost if the unit were 0, to first order; exact where the network between the two is linear. All paths
    between two units count. The layers are those that :func:`connections` finds; where it finds none, the next in
    ``net.layers``.

    >>> cw.methods.influence(net, net["layer3"][17], image=picture).strongest_before(3)

    Parameters:
        net: a bound network.
        layer, unit: a name in ``net.layers`` and the number of a unit; or an address, ``net["layer3"][17]``, alone.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name, or a function of the output; by default the predicted class.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        IndexError: the layer has no such unit.
        TypeError, ValueError: as in :func:`saliency`.
    """
    asked = parted(layer, unit)
    address, row = net[asked.layer][asked.unit], net.layers[asked.layer]
    question = Question(net, image, target, None)
    before, after, said = _neighbors(net, row, address)
    has_target = target is not None or bool(net.classes)

    def work(passed: Graph) -> tuple[dict[str | None, Tensor], Tensor, Tensor | None, Tensor | None]:
        maps = passed.maps[row.name]
        value = maps[0, asked.unit].sum()
        given = {layer: passed.inputs if layer is None else passed.maps[layer] for layer in before}
        parts = {layer: _summed(passed.gradient(value, layer) * of) for layer, of in given.items()}
        score = question.scores(passed)[0][0] if has_target else None
        on_target = None if score is None else _summed(passed.gradient(score, row.name) * maps)
        return parts, value.detach(), on_target, None if score is None else score.detach()

    kept = [row.name, *(layer for layer in before if layer)]
    parts, value, on_target, score = net.differentiate(question.inputs, work, kept, to_end=has_target)
    onward, sentence = _onward(net, question.inputs, row, asked.unit, after)
    beside = [one.name for one in map(net.layers.__getitem__, kept) if one.beside_grid]
    notes = [*question.notes, *said, sentence, f"tokens beside the grid of {beside[0]} do not count" if beside else ""]
    return Influence(
        address,
        float(value),
        {layer: part.numpy() for layer, part in parts.items()},
        {layer: part.numpy() for layer, part in onward.items()},
        None if on_target is None else on_target.numpy(),
        question.asked[0].name if has_target else None,
        float("nan") if score is None else float(score),
        tuple(filter(None, notes)),
    )


def _neighbors(net: BoundModel, row: Layer, address: UnitAddress) -> tuple[list[str | None], list[str], list[str]]:
    """The layers before and after a unit's, and sentences on them."""
    names = [one.name for one in net.layers.with_units]
    place = names.index(row.name)
    try:
        found = connections(net, address, k=1)
    except ValueError as error:  # a unit whose wire is not followed
        return [*names[max(0, place - 1) : place]], names[place + 1 : place + 2], [str(error)]
    before, after = [*found.layers_before], [name for name in found.layers_after if name]
    ends = {name for name in found.ends if name in names}
    after += [name for name in names[place + 1 :] if name in ends]
    before += [name for name in found.ends.get(row.name, ()) if name is None or name in names]
    return before, after, [note for note in found.notes if note.startswith("connections end")]


def _onward(net: BoundModel, inputs: Tensor, row: Layer, unit: int, after: Sequence[str]) -> tuple[dict[str, Tensor], str]:
    """By layer float64 (units,), what a unit does to the sum of each unit's map; and why not, where that is not known.

    One pass in forward mode gives the derivatives of all of them along the unit's own map.
    """
    found: dict[str, Tensor] = {}

    def moving(output: Tensor) -> Tensor:
        numbers = row.by_unit(torch.arange(output.numel()).reshape(output.shape))[:, unit].flatten().to(output.device)
        along = torch.zeros_like(output).flatten()
        along[numbers] = output.flatten()[numbers]
        return forward_ad.make_dual(output.clone(), along.reshape(output.shape))

    def look(name: str, output: Tensor) -> None:
        if name in after:
            along = forward_ad.unpack_dual(output).tangent
            found[name] = _summed(net.layers[name].by_unit(torch.zeros_like(output) if along is None else along))

    with _quietly(), torch.inference_mode(False), torch.no_grad(), net.running() as module, forward_ad.dual_level():
        try:
            with Calls(module, look).watching(), Changed(module, row, moving).watching():
                module(inputs.to(net.dtype))
        except (NotImplementedError, ValueError) as error:  # no derivative forwards, several tensors
            return {}, f"its influence on the units after it is not known: {str(error).splitlines()[0]}"
    return found, ""


@contextmanager
def _quietly() -> Iterator[None]:
    """Inside, torch does not warn that its own forward mode uses what it has deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        yield


def _summed(maps: Tensor) -> Tensor:
    """float64 (units,) of one picture's maps (1, units, height, width)."""
    return maps[0].detach().double().sum((1, 2)).cpu()


def _strongest(by_layer: Mapping[Any, np.ndarray], k: int) -> list[Influencing]:
    each = [
        Influencing(layer, unit, float(value)) for layer, values in by_layer.items() for unit, value in enumerate(values)
    ]
    return sorted(each, key=lambda one: -abs(one.value))[:k]
