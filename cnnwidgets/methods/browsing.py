"""Feature maps, layer after layer: of a picture, and of another picture or network beside it."""

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
"""Maps of layers that were looked at are kept up to this size."""


@dataclass(frozen=True)
class Browsed:
    """A layer's maps of a picture, and what is said of the picture.

    Attributes:
        inputs: the picture as the network takes it, (1, C, H, W).
        maps: the layer's maps.
        beside: the maps of the second picture or network, if there is one.
        other: the second picture as the network takes it; None if there is none, or it is a network that is beside.
        other_name: what the second one is called.
        zeros: layer name to share of zeros; None until it is computed.
        predicted: what the network says, in words, or a sentence why it says nothing; None until it is computed.
        notes: sentences on the network and on the picture.
    """

    inputs: torch.Tensor
    maps: FeatureMaps
    beside: FeatureMaps | None = None
    other: torch.Tensor | None = None
    other_name: str = "beside"
    zeros: dict[str, float] | None = None
    predicted: str | None = None
    notes: tuple[str, ...] = ()

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that make the maps' ``values``, of ``model`` and its input ``x`` (1, C, H, W)."""
        return self.maps.code(net)


class MapBrowser:
    """Looks at one layer after the other; the maps of those looked at last are kept.

    >>> browser = MapBrowser(net)
    >>> browser.look("cat.jpg", "layer1.0.relu").maps.values.shape
    (64, 56, 56)
    """

    def __init__(self, net: BoundModel):
        self.net = net
        self._maps: OrderedDict[tuple[bool, str], FeatureMaps] = OrderedDict()
        self._of: dict[bool, tuple[BoundModel, torch.Tensor]] = {}
        self._whole: tuple[torch.Tensor, dict[str, float], str] | None = None

    def look(
        self,
        image: Any,
        layer: str | None = None,
        beside: Any = None,
        *,
        on_update: Callable[[Browsed], None] | None = None,
        cancel: Cancel | None = None,
    ) -> Browsed:
        """A layer's maps of a picture.

        Parameters:
            image: whatever ``net.prepare`` takes as one picture.
            layer: a name in ``net.layers``; by default the first that has units.
            beside: a second picture; or a second network, of which the layer of the same name is shown, or that at the same
                depth.
            on_update: is given the maps, before it is known what the network says and how many zeros there are.
            cancel: an object with ``is_set()``.

        Raises:
            KeyError, ValueError, Cancelled: as of :func:`activations`.
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
        return replace(found, zeros=zeros, predicted=predicted)

    def _look_beside(self, beside: Any, inputs: torch.Tensor, layer: str, cancel: Cancel | None) -> dict[str, Any]:
        """What :class:`Browsed` has of the second picture or network."""
        if beside is None:
            self._forget(True)
            return {}
        if not isinstance(beside, BoundModel):
            other = self.net.prepare(beside)
            return {"beside": self._look(True, self.net, other, layer, cancel), "other": other}
        beside.learn_input_shape([inputs[0]])
        given = inputs if beside.takes_inputs_of(self.net) else self.net.intensities(inputs)
        maps = self._look(True, beside, beside.prepare(given), self._same_depth(beside, layer), cancel)
        return {"beside": maps, "other_name": beside.name}

    def _same_depth(self, other: BoundModel, layer: str) -> str:
        """The layer of that name in another network, else that at the same depth."""
        if layer in other.layers:
            return layer
        mine, theirs = _names(self.net), _names(other)
        depth = mine.index(self.net.layers[layer].name) / max(1, len(mine) - 1)
        return theirs[round(depth * (len(theirs) - 1))]

    def _look(
        self, is_beside: bool, net: BoundModel, inputs: torch.Tensor, layer: str, cancel: Cancel | None
    ) -> FeatureMaps:
        """A layer's maps, of one pass where they are not kept."""
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

    def _predict(self, inputs: torch.Tensor) -> str:
        try:
            output = self.net.output
            return output.sentence if output.is_structure else output.says(self.net.predict(inputs, k=3)[0])
        except (TypeError, ValueError) as error:
            return str(error)


def _names(net: BoundModel) -> list[str]:
    """The layers that can be looked at: those that give maps, a vector or tokens."""
    return [row.name for row in net.layers.with_units]
