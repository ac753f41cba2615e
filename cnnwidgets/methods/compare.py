"""Several attribution methods on one picture, with the network itself or with a copy whose last layers are random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.methods.attribution import Asked, Attribution, Question, Target, Unit
from cnnwidgets.methods.comparison import Comparison, Row
from cnnwidgets.methods.faithfulness import faithfulness
from cnnwidgets.methods.method import METHODS
from cnnwidgets.methods.sanity import Agreement, agreement, idle, randomized
from cnnwidgets.methods.segmentation import segment
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked, is_whole, one_of
from cnnwidgets.net.errors import sentence
from cnnwidgets.net.progress import Cancel, OnUpdate

REFUSALS = (KeyError, RuntimeError, TypeError, ValueError)
"""What a method may raise where it has no map; the other methods go on."""


@checked
def compare(
    net: BoundModel,
    image: Any,
    methods: Sequence[str],
    targets: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    reduce: str = "max",
    layer: str | None = None,
    randomized: int | Sequence[int] = 0,
    seed: int = 0,
    faithful: bool = False,
    segmentation: bool = False,
    on_update: OnUpdate[Comparison] | None = None,
    cancel: Cancel | None = None,
) -> Comparison:
    """What matters to a score, by several methods side by side; where one refuses, the others go on.

    >>> found = cw.methods.compare(net, "both.jpg", ["saliency", "grad_cam"], ["tabby", "beagle"], randomized=2)
    >>> found.maps["grad_cam"][1].values.shape           # of the beagle
    (7, 7)
    >>> found.agreements["saliency"][2].correlation      # with the original network's map

    To ask more about the same picture use a :class:`Comparer`, which computes each map once.

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        methods: names in :data:`~cnnwidgets.methods.METHODS`.
        targets: a class's index or name, a function of the network's output, or a list of them, one row each; by default
            the class that the network itself predicts.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of
            targets; or a list of them.
        reduce: how the channels of a gradient are combined, ``"max"`` or ``"sum"``, in the methods that take it.
        layer: layer of the class activation maps, a name in ``net.layers``; by default each method chooses its own.
        randomized: how many of the last layers have random weights (Adebayo et al. 2018, see
            :func:`~cnnwidgets.methods.sanity_check`). Several numbers are computed one after the other: the result has the
            maps of the last one and the agreements of all.
        seed: random seed of the weights.
        faithful: whether to compute the deletion and insertion curves of the first target or unit; see
            :func:`~cnnwidgets.methods.faithfulness`.
        segmentation: whether to cut out the first target or unit; see :func:`~cnnwidgets.methods.segment`.
        on_update: called before each method, and after each of several depths but the last, with what there is at this
            depth (its ``pending`` says which method comes next) and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError, TypeError, ValueError: there is no such method, class, unit or depth, or the picture does not fit. What
            only one method refuses is in ``refused``.
        Cancelled: cancel was set; its ``partial`` is what there is (of several depths, the last complete one), or None.
    """
    return Comparer(net).compare(
        image,
        methods,
        targets,
        unit=unit,
        reduce=reduce,
        layer=layer,
        randomized=randomized,
        seed=seed,
        faithful=faithful,
        segmentation=segmentation,
        on_update=on_update,
        cancel=cancel,
    )


class Comparer:
    """Compares methods on one picture at a time, and keeps the maps as long as picture and weights stay the same.

    >>> comparer = cw.methods.Comparer(net)
    >>> comparer.compare("cat.jpg", ["saliency", "rise"])
    >>> comparer.compare("cat.jpg", ["saliency", "rise", "grad_cam"])  # computes Grad-CAM alone
    """

    def __init__(self, net: BoundModel):
        self.net = net
        self._kept: dict[tuple, Any] = {}
        self._inputs: torch.Tensor | None = None
        self._weights: list[tuple[int, int]] = []
        self._rows: tuple[Row, ...] = ()
        self._forgetful: tuple[tuple[int, int], BoundModel] | None = None  # one alone: each is as large as the network

    @checked
    def compare(
        self,
        image: Any,
        methods: Sequence[str],
        targets: Target = None,
        *,
        unit: Unit | Sequence[Unit] | None = None,
        reduce: str = "max",
        layer: str | None = None,
        randomized: int | Sequence[int] = 0,
        seed: int = 0,
        faithful: bool = False,
        segmentation: bool = False,
        on_update: OnUpdate[Comparison] | None = None,
        cancel: Cancel | None = None,
    ) -> Comparison:
        """As :func:`compare`, but computes only what is new."""
        question = Question(self.net, image, targets, unit)
        self._renew(question.inputs)
        rows = tuple(dict.fromkeys(map(self._row, question.asked)))
        self._leave(rows)
        asked = _options(methods, reduce=reduce, **({} if layer is None else {"layer": layer}))
        depths: list[int] = [randomized] if is_whole(randomized) else list(randomized)  # type: ignore[arg-type, list-item]
        if not depths:
            raise ValueError("randomized is []; expected at least one number of layers")
        predicted = self._once(("predicted",), lambda: _said(self.net, question.inputs))
        after = min((idle(self.net, row.unit) if row.unit else 0 for row in rows), default=0)
        nothing = Comparison(
            question.inputs, predicted, self.net.output, rows, asked, seed=seed, idle=after, notes=question.notes
        )
        found = nothing
        for k, depth in enumerate(depths):

            def tell(partial: Comparison, fraction: float, k: int = k) -> None:
                if on_update is not None:
                    on_update(partial, (k + fraction) / len(depths))

            curves = faithful and depth == depths[-1]
            try:
                found = self._at_depth(replace(nothing, depth=depth), curves, segmentation, tell, cancel)
            except Cancelled as stopped:
                complete = found if k else None
                raise Cancelled("cancelled", partial=complete if len(depths) > 1 else stopped.partial) from stopped
            if k + 1 < len(depths):
                tell(found, 1.0)
        return found

    # a question

    def _renew(self, inputs: torch.Tensor) -> None:
        """Forget what belongs to another picture or to other weights."""
        weights = _versions(self.net.module)
        if self._inputs is None or not torch.equal(inputs, self._inputs) or weights != self._weights:
            self._kept.clear()
            self._inputs, self._weights, self._forgetful = inputs, weights, None

    def _leave(self, rows: tuple[Row, ...]) -> None:
        """Forget the maps of a unit that was left: a moving cursor asks for one after the other."""
        left = self._rows
        if left != rows and left and left[0].unit:
            self._kept = {key: value for key, value in self._kept.items() if left not in key}
        self._rows = rows

    def _row(self, asked: Asked) -> Row:
        """What is explained, in words."""
        if asked.unit:
            return Row(str(asked), None, asked.unit)
        if asked.own:
            return Row(asked.own.name, asked.own.function, None)
        target = self._predicted() if asked.target is None else asked.target
        return Row(self.net.class_name(target), target, None)

    def _predicted(self) -> int:
        """The most probable class."""
        scores = self._once(("scores",), lambda: self.net.scores(self._inputs))
        return self.net.output.predicted(scores)

    def _at_depth(
        self, found: Comparison, faithful: bool, cut_out: bool, tell: OnUpdate[Comparison], cancel: Cancel | None
    ) -> Comparison:
        """The maps of all methods at one depth of random layers."""
        network = self._network(found.depth, found.seed)
        if cut_out:
            found = self._with_segmentation(found, network)
        try:
            for k, method in enumerate(found.asked):
                if cancel is not None and cancel.is_set():
                    raise Cancelled("cancelled")
                tell(found, k / len(found.asked))
                found = self._with_method(found, method, network, cancel)
                if faithful and method in found.maps:
                    found = self._with_curves(found, method, network, cancel)
        except Cancelled as stopped:  # by a method: its partial is no more than a part of a map
            raise Cancelled("cancelled", partial=found if found.maps or found.refused else None) from stopped
        return found

    def _with_method(self, found: Comparison, method: str, network: BoundModel, cancel: Cancel | None) -> Comparison:
        """Add one method's maps and their agreement with the original's; or the sentence why there are none."""
        if found.rows[0].unit and not METHODS[method].units:
            return replace(found, refused={**found.refused, method: "explains a class, not a unit"})
        try:
            maps = self._maps(found, method, network, cancel)
            seen = self._once(("agreements", *_what(found, method)), lambda: {0: Agreement(1.0, 1.0)})
            if found.depth not in seen:
                original = self._maps(replace(found, depth=0), method, self.net, cancel)
                seen[found.depth] = agreement(original[0], maps[0])
        except REFUSALS as error:
            return replace(found, refused={**found.refused, method: sentence(error)})
        agreements = {**found.agreements, method: dict(sorted(seen.items()))}
        return replace(found, maps={**found.maps, method: maps}, agreements=agreements)

    def _maps(self, found: Comparison, method: str, network: BoundModel, cancel: Cancel | None) -> tuple[Attribution, ...]:
        """A method's maps, one per row."""
        entry = METHODS[method]
        units = [row.unit for row in found.rows if row.unit]
        asked: dict[str, Any] = {"unit": units} if units else {"target": [row.target for row in found.rows]}
        if entry.long:
            asked["cancel"] = cancel
        key = ("maps", found.depth, *_what(found, method))
        return self._once(key, lambda: tuple(entry.function(network, found.inputs, **asked, **found.asked[method])))

    def _with_curves(self, found: Comparison, method: str, network: BoundModel, cancel: Cancel | None) -> Comparison:
        """Add the deletion and insertion curves of a method's first map."""
        inputs, row = found.inputs, found.rows[0]
        steps = min(32, inputs.shape[2] * inputs.shape[3])

        def ask() -> Any:
            return faithfulness(
                network, inputs, found.maps[method][0], row.target, unit=row.unit, steps=steps, cancel=cancel
            )

        curves = self._once(("faithful", found.depth, *_what(found, method)), ask)
        return replace(found, faithful={**found.faithful, method: curves})

    def _with_segmentation(self, found: Comparison, network: BoundModel) -> Comparison:
        """Add the first target or unit, cut out, or the sentence why nothing was."""
        row = found.rows[0]
        key = ("segmentation", found.depth, found.seed, row)
        try:
            return replace(
                found, segmentation=self._once(key, lambda: segment(network, found.inputs, row.target, unit=row.unit))
            )
        except REFUSALS as error:
            return replace(found, refused={"segmentation": sentence(error)})

    def _network(self, depth: int, seed: int) -> BoundModel:
        if not depth:
            return self.net
        if self._forgetful is None or self._forgetful[0] != (depth, seed):
            self._forgetful = None  # before another one is made
            self._forgetful = (depth, seed), randomized(self.net, depth, seed=seed)
        return self._forgetful[1]

    def _once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


def _options(methods: Sequence[str], **given: str) -> dict[str, dict[str, Any]]:
    """By method, the options that it takes."""
    entries = [METHODS[one_of("methods", name, METHODS)] for name in methods]
    return {entry.name: {key: given[key] for key in entry.options if key in given} for entry in entries}


def _what(found: Comparison, method: str) -> tuple:
    """What tells two questions to a method apart; the entry is part of it, as a user may write a method anew."""
    return METHODS[method], found.seed, found.rows, tuple(found.asked[method].items())


def _said(net: BoundModel, inputs: torch.Tensor) -> str:
    """The network's prediction; what its output is, where that is no table of scores."""
    return net.output.sentence if net.output.is_structure else net.output.says(net.predict(inputs, k=3)[0])


def _versions(module: nn.Module) -> list[tuple[int, int]]:
    """What a training step changes: each weight's identity and how often it was changed in place."""
    held = [*module.parameters(), *module.buffers()]
    return [(id(tensor), 0 if tensor.is_inference() else tensor._version) for tensor in held]
