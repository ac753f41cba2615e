"""The maps of a SaliencyPanel: each computed once, also those of a network that has forgotten its last layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from cnnwidgets.base.errors import sentence
from cnnwidgets.methods import METHODS, Attribution
from cnnwidgets.methods.attribution import Unit, usual_scale
from cnnwidgets.methods.faithfulness import Faithfulness, faithfulness
from cnnwidgets.methods.sanity import Agreement, agreement, randomised
from cnnwidgets.methods.segmentation import Segmentation, segment
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.output import Output
from cnnwidgets.net.own_score import Function

CANCELLABLE = frozenset(("smoothgrad", "integrated_gradients", "score_cam", "occlusion", "rise", "lime"))
"""Methods that take long, and can be cancelled while they run."""

OF_CLASSES = frozenset(("occlusion", "rise", "lime"))
"""Methods that explain a class's probability (or a value), and no unit."""


class Row(NamedTuple):
    """What a row of maps explains, in words, and the class, the function of the output or the unit that it is."""

    name: str
    target: int | Function | None
    unit: Unit | None


@dataclass(frozen=True)
class Explained:
    """Maps of one picture.

    Attributes:
        inputs: (1, C, H, W), the picture.
        predicted: what the network says, in words.
        output: what it gives.
        rows: what is explained.
        maps: by method a map a row; or the sentence why there is none.
        depth: how many of the last layers had random weights.
        agreements: by method and depth how much the first row's map is like that of the network itself.
        faithful: by method the deletion and insertion curves of the first row's map, if they were asked for.
        segmentation: the object of the first row, cut out, if it was asked for; or the sentence why there is none.
        notes: sentences on the network and on the picture.
        asked: all methods that were asked for, of which some may have no maps yet.
    """

    inputs: torch.Tensor
    predicted: str
    output: Output
    rows: list[Row]
    maps: dict[str, list[Attribution] | str]
    depth: int
    agreements: dict[str, dict[int, Agreement]] = field(default_factory=dict)
    faithful: dict[str, Faithfulness] = field(default_factory=dict)
    segmentation: Segmentation | str | None = None
    notes: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def found(self) -> dict[str, list[Attribution]]:
        """The maps, without those that there are none of."""
        return {method: maps for method, maps in self.maps.items() if not isinstance(maps, str)}

    def quantity(self, row: int) -> str:
        """What a row's score is for methods that explain a class's probability: that, or a value."""
        return "value" if callable(self.rows[row].target) else self.output.quantity

    def scale(self, method: str) -> float:
        """The size that 99.5 % of a method's values do not exceed: that of the last colour, in all rows."""
        return usual_scale(np.stack([one.at_input() for one in self.found[method]])) or 1.0


class Explainer:
    """Attributions of one picture at a time by several methods, kept as long as picture and weights are the same."""

    def __init__(self, net: BoundModel):
        self.net = net
        self._kept: dict[tuple, Any] = {}
        self._inputs: torch.Tensor | None = None
        self._weights: list[tuple[int, int]] = []
        self._rows: list[Row] = []
        self._forgetful: tuple[tuple[int, int], BoundModel] | None = None  # one alone: each is as large as the network

    def explain(
        self,
        inputs: torch.Tensor,
        rows: list[Row],
        methods: dict[str, dict[str, Any]],
        depth: int,
        seed: int,
        *,
        faithful: bool = False,
        cut_out: bool = False,
        notes: tuple[str, ...] = (),
        on_update: Callable[[Explained, str, float], None],
        cancel,
    ) -> Explained:
        """All methods' maps of a network whose last layers have random weights.

        Parameters:
            methods: by name the options of each.
            faithful: whether deletion and insertion curves are wanted.
            cut_out: whether a segmentation is wanted.
            notes: sentences on the network and on the picture.
            on_update: called before each method with what there is, the method's name and the fraction done.

        Raises:
            Cancelled: cancel was set; its ``partial`` is what there is.
        """
        weights = _versions(self.net.module)
        if self._inputs is None or not torch.equal(inputs, self._inputs) or weights != self._weights:
            self._kept.clear()
            self._inputs, self._weights, self._forgetful = inputs, weights, None
        if self._rows != rows:
            if self._rows and self._rows[0].unit:  # a cursor that moves asks for one unit after the other
                left = repr(self._rows)
                self._kept = {key: value for key, value in self._kept.items() if left not in key}
            self._rows = rows
        output, predicted = self.net.output, self._once("predicted", lambda: _said(self.net, inputs))
        explained = Explained(inputs, predicted, output, rows, {}, depth, notes=notes, asked=tuple(methods))
        network = self._network(depth, seed)
        if cut_out and rows[0].unit is None:
            found = self._once(
                ("segmentation", depth, seed, rows[0]), partial(_tried, segment, network, inputs, rows[0].target)
            )
            explained = replace(explained, segmentation=found)
        try:
            for k, (method, options) in enumerate(methods.items()):
                if cancel.is_set():
                    raise Cancelled("cancelled")
                on_update(explained, method, k / len(methods))
                explained = self._with_method(explained, method, options, seed, faithful, cancel)
        except Cancelled as stopped:  # by a method: its partial is no more than a part of a map
            raise Cancelled("cancelled", partial=explained if explained.maps else None) from stopped
        return explained

    def _with_method(self, explained: Explained, method: str, options, seed: int, faithful: bool, cancel) -> Explained:
        """One method's maps added, what they agree with, and their curves if they are wanted."""
        inputs, rows, depth = explained.inputs, explained.rows, explained.depth
        what = method, seed, repr(rows), repr(options)
        maps = self._maps(what, inputs, rows, depth, options, cancel)
        explained = replace(explained, maps={**explained.maps, method: maps})
        if isinstance(maps, str):
            return explained
        seen = self._once(("agreements", *what), lambda: {0: Agreement(1.0, 1.0)})
        if depth not in seen:
            original = self._maps(what, inputs, rows, 0, options, cancel)
            seen[depth] = agreement(original[0], maps[0])  # type: ignore[arg-type]  # it has maps if these have
        explained = replace(explained, agreements={**explained.agreements, method: dict(sorted(seen.items()))})
        if faithful and rows[0].unit is None:
            steps = min(32, inputs.shape[2] * inputs.shape[3])
            network = self._network(depth, seed)
            ask = partial(faithfulness, network, inputs, maps[0], rows[0].target, steps=steps, cancel=cancel)
            curves = self._once(("faithful", depth, *what), ask)
            explained = replace(explained, faithful={**explained.faithful, method: curves})
        return explained

    def _maps(self, what: tuple, inputs, rows: Sequence[Row], depth: int, options, cancel) -> list[Attribution] | str:
        """A method's maps, or the sentence why there are none."""
        method = what[0]
        units = [row.unit for row in rows if row.unit]
        if units and method in OF_CLASSES:
            return "explains a class, not a unit"
        asked: dict[str, Any] = {"unit": units} if units else {"target": [row.target for row in rows]}
        if method in CANCELLABLE:
            asked["cancel"] = cancel
        ask = partial(_tried, METHODS[method], self._network(depth, what[1]), inputs, **asked, **options)
        return self._once(("maps", depth, *what), ask)

    def _network(self, depth: int, seed: int) -> BoundModel:
        if not depth:
            return self.net
        if self._forgetful is None or self._forgetful[0] != (depth, seed):
            self._forgetful = (depth, seed), randomised(self.net, depth, seed=seed)
        return self._forgetful[1]

    def _once(self, key, compute: Callable[[], Any]) -> Any:
        if key in self._kept:
            return self._kept[key]
        found = compute()
        if not isinstance(found, str):  # what was refused for want of memory, say, may do the next time
            self._kept[key] = found
        return found


def _said(net: BoundModel, inputs: torch.Tensor) -> str:
    """What a network says of a picture; what it gives, where that is no table of numbers."""
    return net.output.sentence if net.output.is_structure else net.output.says(net.predict(inputs, k=3)[0])


def _versions(module: nn.Module) -> list[tuple[int, int]]:
    """What is another after a step of training: each weight's identity and how often it was changed in place."""
    held = [*module.parameters(), *module.buffers()]
    return [(id(tensor), 0 if tensor.is_inference() else tensor._version) for tensor in held]


def _tried(method: Callable, *args, **options) -> Any:
    """What a method gives, or the sentence why it refuses."""
    try:
        return method(*args, **options)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        return sentence(error)
