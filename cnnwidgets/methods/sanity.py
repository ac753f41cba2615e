"""Does a map depend on what the network has learned? Give it random weights, and see whether the map changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.nn.utils import parametrize, remove_weight_norm

from cnnwidgets.methods.arguments import whole
from cnnwidgets.methods.attribution import Attribution, One, Question, Unit, one_unit, subject
from cnnwidgets.methods.method import attribute
from cnnwidgets.net import BoundModel, Cancelled, Layer
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.locks import ITSELF
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.net.replica import duplicate
from cnnwidgets.net.survey import weight_of


@dataclass(frozen=True, repr=False)
class Sanity:
    """Maps of networks whose last layers have random weights, beside those of the network itself.

    Attributes:
        target: the class that is explained, the same for all networks; or the name of the function; None for a unit.
        unit: (layer, unit) or (layer, unit, row, column) that is explained; None for a class or a function.
        methods: names of the methods.
        depths: how many layers were randomized, counted from the last.
        layers: for each depth, the layer that was randomized last; ``""`` for depth 0.
        probability: float32 (depths,), of the target in the randomized network; the value of a regression, a function or a
            unit.
        original: float32 (methods, height, width), the maps of the network itself, per pixel of the input.
        maps: float32 (methods, depths, height, width), those of the randomized networks.
        correlation: float64 (methods, depths), Spearman's rank correlation between the sizes of the values and the
            original's: 1 for the same order; NaN where a map is constant.
        similarity: float64 (methods, depths), structural similarity (SSIM) between the displayed map and the original's: 1
            for the same picture; NaN where that has fewer than three rows or columns.
        notes: sentences on the network and on the picture.
    """

    target: int | str | None
    unit: Unit | None
    methods: tuple[str, ...]
    depths: tuple[int, ...]
    layers: tuple[str, ...]
    probability: np.ndarray
    original: np.ndarray
    maps: np.ndarray
    correlation: np.ndarray
    similarity: np.ndarray
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {value:.2f}" for name, value in zip(self.methods, self.correlation[:, -1], strict=True))
        return f"<sanity of {subject(self.target, self.unit)}: rank correlation at depth {self.depths[-1]}: {last}>"


@checked
def sanity_check(
    net: BoundModel,
    image: Any,
    target: One | None = None,
    *,
    unit: Unit | None = None,
    methods: Sequence[str] = ("saliency", "guided_backprop", "grad_cam"),
    depths: Sequence[int] | None = None,
    seed: int = 0,
    on_update: OnUpdate[Sanity] | None = None,
    cancel: Cancel | None = None,
) -> Sanity:
    """Cascading randomization: how the maps change as one layer after the other gets random weights, from the last down.

    A map that does not change although the network has forgotten everything shows the picture (its edges, for example),
    not what the network has learned.

    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, Sanity Checks for Saliency Maps (NeurIPS 2018).

    Parameters:
        net: a bound network; its own weights do not change.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name, or a function of the output; by default the class that the original network
            predicts.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target.
        methods: names in :data:`~cnnwidgets.methods.METHODS`.
        depths: numbers of layers to randomize; by default 0, 1, 2, … to all that have weights. Of a unit, those that come
            after its layer are randomized together with the first one that it depends on.
        seed: random seed of the weights.
        on_update: called with the depths so far, and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        ValueError: there is no such method, class, unit or depth; also whatever the methods raise.
        Cancelled: cancel was set; its ``partial`` has the depths so far, None if there are none.
    """
    question = Question(net, image, target, one_unit(net, target, unit))
    inputs = question.inputs
    question.answers(inputs)  # tells which class is predicted
    asked = question.asked[0]
    layers = ["", *(row.name for row in cascade(net))]
    if len(layers) == 1:
        raise ValueError(
            f"{net.name} shows no layer with weights, so nothing can be randomized; bind a model that is not scripted"
        )
    seed = whole("seed", seed, 0)
    if depths is not None and (isinstance(depths, (str, bytes)) or not isinstance(depths, Iterable)):
        raise ValueError(f"depths: expected a list of whole numbers, got {depths!r}")
    after = idle(net, asked.unit) if asked.unit else 0
    depths = [0, *range(after + 1, len(layers))] if depths is None else [whole("depths", depth) for depth in depths]
    if isinstance(methods, str) or not isinstance(methods, Iterable):
        raise ValueError(f"methods: expected a list of names, got {methods!r}")
    if not methods or not len(depths) or not all(0 <= depth < len(layers) for depth in depths):
        raise ValueError(
            f"methods are {methods}, depths {depths}; expected at least one of each, and depths of 0 to {len(layers) - 1}"
        )

    def explain(of: BoundModel) -> list[Any]:
        return [attribute(of, inputs, asked.aim, unit=asked.unit, method=method) for method in methods]

    originals = explain(net)
    maps: list[list[np.ndarray]] = []
    agreements: list[list[Agreement]] = []
    probability: list[float] = []
    notes = question.notes
    if asked.unit and any(0 < depth <= after for depth in depths):
        late = "the last layer with weights comes" if after == 1 else f"the last {after} layers with weights come"
        notes = (*notes, f"{late} after {asked.unit[0]}: random weights there change nothing of its units")

    def result() -> Sanity:
        correlation, similarity = np.array(agreements).transpose(2, 1, 0)
        done = tuple(depths[: len(maps)])
        return Sanity(
            asked.name,
            asked.unit,
            tuple(methods),
            done,
            tuple(layers[depth] for depth in done),
            np.array(probability, np.float32),
            np.stack([one.at_input() for one in originals]),
            np.array(maps).swapaxes(0, 1),
            correlation,
            similarity,
            notes,
        )

    for depth in depths:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=result() if maps else None)
        forgetful = randomized(net, depth, seed=seed)
        found = explain(forgetful)
        maps.append([one.at_input() for one in found])
        agreements.append([agreement(*pair) for pair in zip(originals, found, strict=True)])
        probability.append(Question(forgetful, inputs, asked.aim, asked.unit).answers(inputs).item())
        if on_update is not None:
            on_update(result(), len(maps) / len(depths))
    return result()


@checked
def randomized(net: BoundModel, depth: int, *, seed: int = 0) -> BoundModel:
    """A copy of a network whose last layers have random weights; biases and normalizations stay.

    Each weight is replaced by normal random numbers with its own mean and standard deviation. They are drawn from the last
    layer down: with the same seed, depth 3 has the numbers of depth 2 and those of one more layer.

    >>> cw.methods.randomized(net, 2)
    <scenes, last 2 layers random: 3×64×64, 175,258 parameters, 10 logits>

    Parameters:
        net: a bound network; it does not change.
        depth: how many of the layers with weights; 0 for none. A weight that is used twice counts once, where it is used
            last.
        seed: random seed of the weights.

    Raises:
        ValueError: there are fewer layers with weights, or a weight is not a parameter that can be replaced.
    """
    rows, depth, seed = cascade(net), whole("depth", depth), whole("seed", seed, 0)
    if not 0 <= depth <= len(rows):
        raise ValueError(f"depth is {depth}; {net.name} has {len(rows)} layers with weights")
    with ITSELF:
        module = duplicate(net.original)
    generator = torch.Generator().manual_seed(seed)
    for row in rows[:depth]:
        _forget(module, row, generator)
    named = f"{net.name}, last {depth} layer{'s' * (depth != 1)} random"
    return net.alike(module, named)


def cascade(net: BoundModel) -> list[Layer]:
    """The layers with weights, the last one first, each weight once."""
    return list(_by_weight(net, reversed(net.layers.weighted)).values())


def idle(net: BoundModel, unit: Unit) -> int:
    """How many of the last layers with weights come after a unit's layer: it depends on none of them."""
    table = net.layers
    rows = list(table)
    used = _by_weight(net, [row for row in rows[: rows.index(table[unit[0]]) + 1] if row.weight])
    weights = list(_by_weight(net, reversed(table.weighted)))
    return next((k for k, weight in enumerate(weights) if weight in used), len(weights))


def _by_weight(net: BoundModel, rows: Iterable[Layer]) -> dict[Any, Layer]:
    """The first of the layers that use a weight, by the weight."""
    parameters = dict(net.original.named_parameters(remove_duplicate=False))
    found: dict[Any, Layer] = {}
    for row in rows:
        found.setdefault(id(parameters[row.weight]) if row.weight in parameters else row.weight, row)
    return found


class Agreement(NamedTuple):
    """How similar two maps are: Spearman's rank correlation of the sizes of their values, SSIM of the displayed maps."""

    correlation: float
    similarity: float


def agreement(one: Attribution, other: Attribution) -> Agreement:
    """How similar two maps (height, width) of the same picture are; see :class:`Sanity`."""
    from skimage.metrics import structural_similarity  # takes a second

    ranks = [stats.rankdata(np.abs(each.at_input())) for each in (one, other)]
    varied = all(np.ptp(each) > 0 for each in ranks)
    correlation = float(np.corrcoef(*ranks)[0, 1]) if varied else float("nan")
    window = min(7, (min(one.size) - 1) // 2 * 2 + 1)
    if window < 3:
        return Agreement(correlation, float("nan"))
    similarity = structural_similarity(
        one.display(), other.display(), data_range=2.0 if one.signed else 1.0, win_size=window
    )
    return Agreement(correlation, float(similarity))


def _forget(module: nn.Module, row: Layer, generator: torch.Generator) -> None:
    """Replace one weight by random numbers; a parametrized one through what computes it (weight normalization, e.g.)."""
    owner, _, name = str(row.weight).rpartition(".")
    part = module.get_submodule(owner)
    weight = weight_of(part, name)
    if weight is None:
        raise ValueError(f"the weight of {row.name} cannot be replaced, so it cannot be randomized")
    values = weight.detach().float()
    drawn = torch.randn(values.shape, generator=generator).to(values) * values.std(correction=0) + values.mean()
    with torch.no_grad():
        if name in dict(part.named_parameters(recurse=False)):
            weight.copy_(drawn)
        elif parametrize.is_parametrized(part, name):
            setattr(part, name, drawn.to(weight))
        elif f"{name}_mask" in part._buffers:  # pruned: what was cut off stays cut off
            getattr(part, f"{name}_orig").copy_(drawn)
        elif f"{name}_g" in part._parameters:
            remove_weight_norm(part, name)
            getattr(part, name).copy_(drawn)
        else:
            raise ValueError(
                f"the weight of {row.name} is no parameter, but quantized or computed from others: it cannot be randomized"
            )
