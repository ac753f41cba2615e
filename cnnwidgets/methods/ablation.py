"""Does a unit matter? The accuracy of a network over a data set, with the outputs of some units replaced."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods.batches import Skipped, generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.outcomes import Outcomes, Units
from cnnwidgets.methods.reducers import ActivationStatistics
from cnnwidgets.methods.scan import Scan, scan
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checking, is_whole, one_of, said
from cnnwidgets.net.incremental.reruns import Reruns
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number, percent

TO = ("zero", "mean")
"""What the outputs of ablated units are set to."""


@dataclass(frozen=True, repr=False, eq=False)
class Ablation:
    """What becomes of a network's accuracy without some units, for one set of units or several.

    Attributes:
        sets: (layer, units) of each.
        of: number of units of each set's layer.
        to: what the units' outputs are set to: ``"zero"``, or their ``"mean"`` over pictures and positions.
        counts: int64 (classes,), how many pictures have each label; pictures without a label do not count.
        right: int64 (1 + sets, classes), how many of these are named rightly: by the intact network, and without each set.
        chances: float64 (1 + sets, classes), the sums of the probabilities of the label.
        skipped: (index, sentence) of every picture that could not be used.
        notes: sentences on the network, and on how it was run.
    """

    sets: tuple[Units, ...]
    of: tuple[int, ...]
    to: str
    counts: np.ndarray
    right: np.ndarray
    chances: np.ndarray
    skipped: Skipped
    notes: tuple[str, ...] = ()

    @property
    def pictures(self) -> int:
        """Number of pictures that have a label."""
        return int(self.counts.sum())

    @property
    def intact(self) -> float:
        """The accuracy of the network as it is, between 0 and 1."""
        return float(self.right[0].sum() / self.pictures)

    @property
    def intact_probability(self) -> float:
        """The mean probability of the label, of the network as it is."""
        return float(self.chances[0].sum() / self.pictures)

    @property
    def accuracy(self) -> np.ndarray:
        """float64 (sets,): the accuracy without each set, between 0 and 1."""
        return self.right[1:].sum(1) / self.pictures

    @property
    def probability(self) -> np.ndarray:
        """float64 (sets,): the mean probability of the label without each set."""
        return self.chances[1:].sum(1) / self.pictures

    @property
    def change(self) -> np.ndarray:
        """float64 (sets,): by how much the accuracy differs from the intact network's; negative where it falls."""
        return (self.right[1:].sum(1) - self.right[0].sum()) / self.pictures

    @property
    def by_class(self) -> np.ndarray:
        """float64 (1 + sets, classes): the accuracy by label, first of the intact network; NaN of labels that none has."""
        return np.divide(self.right, self.counts, out=np.full(self.right.shape, np.nan), where=self.counts > 0)

    @property
    def worst(self) -> int:
        """Number of the set without which fewest pictures are right; of equal ones, that with the smallest probability."""
        return int(np.lexsort((self.probability, self.right[1:].sum(1)))[0])

    def sentence(self, k: int = 0) -> str:
        """What happens without set k."""
        return (
            f"Without {_named(self.sets[k], self.of[k])} the network names {percent(self.accuracy[k])} of "
            f"{self.pictures:,} pictures rightly, instead of {percent(self.intact)}{self._points(k)}."
        )

    @property
    def sentences(self) -> list[str]:
        """What came out, in words."""
        if len(self.sets) == 1:
            return [self.sentence()]
        k = self.worst
        if self.change[k] >= 0:
            return [
                f"None of the {len(self.sets):,} sets costs accuracy: {percent(self.intact)} of {self.pictures:,} pictures."
            ]
        return [
            f"Of {len(self.sets):,} sets, {_named(self.sets[k], self.of[k])} cost{'s' * (len(self.sets[k][1]) == 1)} most.",
            self.sentence(k),
            f"The median change is {number(100 * float(np.median(self.change)))} points.",
        ]

    def _points(self, k: int) -> str:
        return f" ({100 * self.change[k]:+.1f} points)".replace("-", "−") if self.change[k] else ""

    def __repr__(self) -> str:
        return f"<ablation: {' '.join(self.sentences)}>"


@checking("units", "indices", "batch_size", "workers", "executor")
def ablate(
    net: BoundModel,
    dataset: Any,
    units: Any,
    *,
    to: str = "zero",
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    checkpoint: str | Path | None = None,
    executor: Executor | None = None,
    on_update: OnUpdate[Ablation] | None = None,
    cancel: Cancel | None = None,
) -> Ablation:
    """The accuracy of a network with some units' outputs replaced, for one set of units or many, from one :func:`scan`.

    For each batch the network runs once up to the layer, and for each set only what is behind it; where the forward pass
    cannot be followed, whole passes are made, which gives the same, and ``notes`` say so. That single units of a trained
    network hardly matter was found by Morcos, Barrett, Rabinowitz and Botvinick, On the importance of single directions for
    generalization (ICLR 2018); see also Zhou, Sun, Bau and Torralba, Revisiting the importance of individual units in CNNs
    via ablation (2018).

    >>> found = cw.methods.ablate(net, cw.samples.scenes(size=500), [("layer3", k) for k in range(64)])
    >>> found.sets[found.worst], found.change.min()

    Parameters:
        net, dataset, indices, batch_size, workers, checkpoint, executor, cancel: see :func:`scan`. Cancel is asked before
            each set, too.
        units: ``net["layer3"][17]``, ``("layer3", 17)``, or ``("layer3", [3, 5])``, which are ablated together; or a list
            of such sets, each of which is ablated alone: ``[*net["layer3"]]`` is all units of a layer, one by one.
            :func:`random_sets` and :func:`all_but` give sets to compare with.
        to: what the outputs are set to, at all positions: ``"zero"``, or the unit's ``"mean"`` over pictures and positions,
            which takes one more scan.
        on_update: called with the partial result and the fraction done.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        IndexError: the layer has no such unit.
        ValueError: no units are given, a layer has none or gives several tensors, the network gives no probabilities, no
            picture has a label, and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    one_of("to", to, TO)
    with generators_kept():
        learn_input_shape(net, dataset, numbers_of(dataset, indices))
    sets = _sets(net, units)
    rows = {name: net.layers[name] for name, _ in sets}
    options: dict[str, Any] = {"indices": indices, "batch_size": batch_size, "workers": workers, "executor": executor}
    fills = {name: np.zeros(row.map_shape[0]) for name, row in rows.items()}
    if to == "mean":
        told = scan(net, dataset, {name: ActivationStatistics(row) for name, row in rows.items()}, cancel=cancel, **options)
        fills = {name: one.mean for name, one in told.results.items()}
    reruns = {name: Reruns(net, row, cancel) for name, row in rows.items()}
    outcomes = Outcomes(reruns, sets, fills, together=net.takes_batches())

    def found(done: Scan) -> Ablation:
        one: Outcomes = done.results[0]
        whole = [f"whole passes are made for {name}: {why}" for name, why in one.why_whole.items()]
        of = tuple(len(fills[name]) for name, _ in sets)
        return Ablation(sets, of, to, one.counts, one.right, one.chances, done.skipped, (*done.notes, *whole))

    def tell(done: Scan, share: float) -> None:
        if on_update and done.results[0].counts.any():
            on_update(found(done), share)

    try:
        done = scan(net, dataset, [outcomes], checkpoint=checkpoint, on_update=tell, cancel=cancel, **options)
    except Cancelled as stop:
        raise Cancelled("cancelled", partial=found(stop.partial) if stop.partial else None) from None
    if not done.results[0].counts.any():
        raise ValueError(f"none of the {done.seen:,} pictures has a label; expected labels, to count what is named rightly")
    return found(done)


def _sets(net: BoundModel, units: Any) -> tuple[Units, ...]:
    several = isinstance(units, (list, tuple)) and not (units and isinstance(units[0], str))
    if several and not units:
        raise ValueError("units is empty; expected (layer, unit), (layer, units), or a list of them")
    return tuple(units_of(net, one) for one in (units if several else [units]))


def units_of(net: BoundModel, one: Any) -> Units:
    """Units of a layer that are ablated together, checked: of ``net["layer3"][17]`` or ``("layer3", [3, 5])``.

    Raises:
        KeyError, IndexError, ValueError: as of :func:`ablate`.
    """
    if not isinstance(one, (list, tuple)) or len(one) != 2 or not isinstance(one[0], str):
        raise ValueError(f"units is {said(one)}; expected (layer, unit), (layer, units), or a list of them")
    name, numbers = one
    layer = net.layers[name]
    count = layer.map_shape[0]
    numbers = [numbers] if is_whole(numbers) else list(np.ravel(np.asarray(numbers, object)))
    if not numbers or not all(map(is_whole, numbers)):
        raise ValueError(f"the units of {name} are {said(one[1])}; expected a whole number, or a list of them")
    for unit in numbers:
        if not 0 <= unit < count:
            raise IndexError(f"there is no unit {unit}: {name} has {count}, numbered from 0")
    return name, tuple(sorted({int(unit) for unit in numbers}))


def _named(units: Units, of: int) -> str:
    """A set in a sentence."""
    layer, numbers = units
    if len(numbers) == 1:
        return f"unit {numbers[0]} of {layer}"
    if len(numbers) <= 5:
        return f"units {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} of {layer}"
    return f"{len(numbers):,} of the {of:,} units of {layer}"
