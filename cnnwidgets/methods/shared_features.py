"""What several hold of the same pictures is in memory once, as long as one of them holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, ClassVar
from weakref import WeakSet

import numpy as np

from cnnwidgets.methods.features import INPUT, Features
from cnnwidgets.net import BoundModel
from cnnwidgets.net.batching import fingerprint

Look = Callable[[Sequence[str]], dict[str, Features]]
"""Shows the pictures to the network, and gives the features of these layers."""


class SharedFeatures:
    """The features of a data set's pictures, layer by layer.

    Those that another one has are taken over, if the pixels, the labels and the network's answers are the same to the last
    bit: a data set or a network that has changed meanwhile has features of its own. Nobody can write to them.

    Parameters:
        net: a bound network, with the weights that it has at the first look.
        dataset: the very object.
    """

    _all: ClassVar[WeakSet[SharedFeatures]] = WeakSet()
    _lock = threading.Lock()

    def __init__(self, net: BoundModel, dataset: Any):
        self._net, self._dataset = net, dataset
        self._weights: tuple = ()
        self._known: dict[str, Features] = {}
        with self._lock:
            self._all.add(self)

    def __contains__(self, layer: str) -> bool:
        return layer in self._known

    def __getitem__(self, layer: str) -> Features:
        return self._known[layer]

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, layers: Sequence[str], look: Look) -> None:
        """Have the features of these layers, the pixels among them: taken over, or from a look at the pictures."""
        if self._known:
            self._take({}, layers)
        else:
            self._weights = fingerprint(self._net.original)
            if self._others(layers):
                self._take(look([INPUT]), layers)
        if missing := [layer for layer in layers if layer not in self._known]:
            self._take(look(missing), layers)

    def _take(self, found: dict[str, Features], layers: Sequence[str]) -> None:
        """Know what was found, or in its place the same that another one knows; and what else that one knows."""
        for one in found.values():
            for array in vars(one).values():
                if isinstance(array, np.ndarray):
                    array.flags.writeable = False
        with self._lock:  # of two that have looked at the same time, one takes over
            mine = self._known | found
            twins = (known for known in self._others([INPUT]) if INPUT in mine and _alike(known[INPUT], mine[INPUT]))
            twin = next(twins, {})
            self._known = mine | {layer: twin[layer] for layer in layers if layer in twin}

    def _others(self, layers: Sequence[str]) -> list[dict[str, Features]]:
        """What others know of the network and the data set, if these layers are among it."""
        same = (one for one in self._all if one._net is self._net and one._dataset is self._dataset and one is not self)
        return [one._known for one in same if one._weights == self._weights and one._known.keys() >= set(layers)]


def _alike(one: Features, other: Features) -> bool:
    """Whether two looks at the pictures found the same."""
    names = [field.name for field in fields(Features) if field.name not in ("rate", "remaining")]
    return all(
        np.array_equal(mine, theirs) if isinstance(mine := getattr(one, name), np.ndarray) else mine == theirs
        for name in names
        for theirs in [getattr(other, name)]
    )
