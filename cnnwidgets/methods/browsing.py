"""Feature maps, layer by layer, of one picture, and of a second picture or network beside it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from cnnwidgets.methods.activations import FeatureMaps, activations, zero_shares
from cnnwidgets.net import BoundModel
from cnnwidgets.net.progress import Cancel

CACHE_BYTES = 256 * 2**20
"""Bytes of maps of recently viewed layers that are kept."""


LETTERS = 40
"""Most letters of a class name in a prediction."""


@dataclass(frozen=True, eq=False)
class Browsed:
    """The maps of one layer for a picture, and the network's answer to that picture.

    Attributes:
        inputs: the network's input, (1, C, H, W).
        maps: the layer's maps.
        beside: the maps of the second picture or network; None without one.
        other: the network's input for the second picture; None without one.
        other_name: the name of the second network, or "Beside" for a second picture.
        zeros: layer name to share of zeros; None until it is computed.
        predicted: the network's answer in words, or why there is none; None until it is computed.
        first: the first class of that answer, in words; empty if there is none.
        notes: sentences on how the network or the picture was changed.
    """

    inputs: torch.Tensor
    maps: FeatureMaps
    beside: FeatureMaps | None = None
    other: torch.Tensor | None = None
    other_name: str = "Beside"
    zeros: dict[str, float] | None = None
    predicted: str | None = None
    first: str = ""
    notes: tuple[str, ...] = ()

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that compute the maps' ``values`` from ``model`` and its input ``x`` (1, C, H, W)."""
        return self.maps.code(net)


class MapBrowser:
    """Shows one layer after another, and keeps the maps of recent ones.

    >>> browser = MapBrowser(net)
    >>> browser.look("cat.jpg", "layer1.0.relu").maps.values.shape
    (64, 56, 56)
    """

    def __init__(self, net: BoundModel):
        self.net = net
        self._maps: OrderedDict[tuple[bool, str], FeatureMaps] = OrderedDict()
        self._of: dict[bool, tuple[BoundModel, torch.Tensor]] = {}
        self._whole: tuple[torch.Tensor, dict[str, float], tuple[str, str]] | None = None

    def look(
        self,
        image: Any,
        layer: str | None = None,
        beside: Any = None,
        *,
        on_update: Callable[[Browsed], None] | None = None,
        cancel: Cancel | None = None,
    ) -> Browsed:
        """The maps of one layer for a picture.

        Parameters:
            image: one picture, in any form that ``net.prepare`` takes.
            layer: a name in ``net.layers``; by default the first layer that has units.
            beside: a second picture, or a second network. Of a network, the layer of the same name is shown, or else the
                layer at the same depth.
            on_update: called with the maps before the prediction and the shares of zeros are computed.
            cancel: an object with ``is_set()``.

        Raises:
            KeyError, ValueError, Cancelled: as :func:`activations` does.
        """
        notes: list[str] = []
        inputs = self.net.prepare(image, notes=notes)
        layer = layer or _names(self.net)[0]
        found = Browsed(inputs, self._look(False, self.net, inputs, layer, cancel), notes=(*self.net.notes, *notes))
        found = replace(found, **self._look_beside(beside, inputs, layer, cancel))
        if self._whole is None or not torch.equal(inputs, self._whole[0]):
            if on_update:
                on_update(found)
            self._whole = inputs, zero_shares(self.net, inputs, cancel=cancel), self._predict(inputs)
        _, zeros, predicted = self._whole
        return replace(found, zeros=zeros, predicted=predicted[0], first=predicted[1])

    def _look_beside(self, beside: Any, inputs: torch.Tensor, layer: str, cancel: Cancel | None) -> dict[str, Any]:
        """The attributes of :class:`Browsed` that describe the second picture or network."""
        if beside is None:
            self._forget(True)
            return {}
        if not isinstance(beside, BoundModel):
            other = self.net.prepare(beside)
            return {"beside": self._look(True, self.net, other, layer, cancel), "other": other}
        beside.learn_input_shape([inputs[0]])
        given = inputs if beside.takes_inputs_of(self.net) else self.net.intensities(inputs)
        maps = self._look(True, beside, beside.prepare(given), same_depth(self.net, beside, layer), cancel)
        return {"beside": maps, "other_name": beside.name}

    def _look(
        self, is_beside: bool, net: BoundModel, inputs: torch.Tensor, layer: str, cancel: Cancel | None
    ) -> FeatureMaps:
        """A layer's maps, from one forward pass unless they were kept."""
        before = self._of.get(is_beside)
        if before is None or before[0] is not net or not torch.equal(before[1], inputs):
            self._forget(is_beside)
            self._of[is_beside] = net, inputs
        key = is_beside, layer
        if key not in self._maps:
            self._maps[key] = activations(net, inputs, [layer], cancel=cancel)[layer]
            while sum(maps.values.nbytes for maps in self._maps.values()) > CACHE_BYTES and len(self._maps) > 1:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        return self._maps[key]

    def _forget(self, is_beside: bool) -> None:
        self._of.pop(is_beside, None)
        for key in [key for key in self._maps if key[0] == is_beside]:
            del self._maps[key]

    def _predict(self, inputs: torch.Tensor) -> tuple[str, str]:
        output = self.net.output
        try:
            if output.is_structure:
                return output.sentence, ""
            answers = [(_short(name), value) for name, value in self.net.predict(inputs, k=2)[0]]
            return output.says(answers), output.word(*answers[0])
        except (TypeError, ValueError) as error:
            return str(error), ""


def same_depth(net: BoundModel, other: BoundModel, layer: str, rows: str = "with_units") -> str:
    """The layer of the same name in another network, or else the layer at the same depth.

    Parameters:
        rows: which rows of ``net.layers`` are counted.
    """
    if layer in other.layers:
        return layer
    mine, theirs = ([row.name for row in getattr(one.layers, rows)] for one in (net, other))
    depth = mine.index(net.layers[layer].name) / max(1, len(mine) - 1)
    return theirs[round(depth * (len(theirs) - 1))]


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _names(net: BoundModel) -> list[str]:
    """The layers that can be shown: those whose output is maps, a vector, a sequence or tokens."""
    return [row.name for row in net.layers.with_units]
