"""Feature maps, layer by layer, of one picture, and of a second one beside it."""

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
        beside: the maps of the second picture; None without one.
        other: the network's input for the second picture; None without one.
        zeros: layer name to share of zeros; None until it is computed.
        predicted: the network's answer in words, or why there is none; None until it is computed.
        first: the first class of that answer, in words; empty if there is none.
        notes: sentences on how the network or the picture was changed.
    """

    inputs: torch.Tensor
    maps: FeatureMaps
    beside: FeatureMaps | None = None
    other: torch.Tensor | None = None
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
        self._of: dict[bool, torch.Tensor] = {}
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
            beside: a second picture.
            on_update: called with the maps before the prediction and the shares of zeros are computed.
            cancel: an object with ``is_set()``.

        Raises:
            KeyError, ValueError, Cancelled: as :func:`activations` does.
        """
        notes: list[str] = []
        inputs = self.net.prepare(image, notes=notes)
        layer = layer or _names(self.net)[0]
        found = Browsed(inputs, self._look(False, inputs, layer, cancel), notes=(*self.net.notes, *notes))
        if beside is not None:
            other = self.net.prepare(beside)
            found = replace(found, beside=self._look(True, other, layer, cancel), other=other)
        if self._whole is None or not torch.equal(inputs, self._whole[0]):
            if on_update:
                on_update(found)
            self._whole = inputs, zero_shares(self.net, inputs, cancel=cancel), self._predict(inputs)
        _, zeros, predicted = self._whole
        return replace(found, zeros=zeros, predicted=predicted[0], first=predicted[1])

    def _look(self, is_beside: bool, inputs: torch.Tensor, layer: str, cancel: Cancel | None) -> FeatureMaps:
        """A layer's maps, from one forward pass unless they were kept; those of an earlier picture are let go."""
        if is_beside not in self._of or not torch.equal(self._of[is_beside], inputs):
            self._of[is_beside] = inputs
            self._maps = OrderedDict((key, maps) for key, maps in self._maps.items() if key[0] != is_beside)
        key = is_beside, layer
        if key not in self._maps:
            self._maps[key] = activations(self.net, inputs, [layer], cancel=cancel)[layer]
            while sum(maps.values.nbytes for maps in self._maps.values()) > CACHE_BYTES and len(self._maps) > 1:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        return self._maps[key]

    def _predict(self, inputs: torch.Tensor) -> tuple[str, str]:
        output = self.net.output
        try:
            if output.is_structure:
                return output.sentence, ""
            answers = [(_short(name), value) for name, value in self.net.predict(inputs, k=2)[0]]
            return output.says(answers), output.word(*answers[0])
        except (TypeError, ValueError) as error:
            return str(error), ""


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _names(net: BoundModel) -> list[str]:
    """The layers that can be shown: those whose output is maps, a vector, a sequence or tokens."""
    return [row.name for row in net.layers.with_units]
