"""What is found about a layer's units: their maps of one picture at once, and a data set's responses, from one scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from cnnwidgets.methods.browsing import Browsed, MapBrowser
from cnnwidgets.methods.unit_study import UnitStudy, study_units
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.progress import Cancel, OnUpdate

PATCHES = 9

LAYERS = 8
"""Layers whose scans are kept, so that one can go back."""


@dataclass(frozen=True, eq=False)
class Explored:
    """A layer's maps for a picture, and what is known of its units from the data set.

    Attributes:
        layer: its name, as it was asked for.
        browsed: the maps.
        studies: by layer what was found over the data set, of the layers that were looked at last.
        whole: whether the scans of all layers that are told of are complete.
    """

    layer: str
    browsed: Browsed
    studies: dict[str, UnitStudy]
    whole: bool

    @property
    def notes(self) -> tuple[str, ...]:
        return self.browsed.notes

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that compute the layer's maps, ``values``, from ``model`` and its input ``x`` (1, C, H, W)."""
        return self.browsed.code(net)


class Exploring:
    """Looks at one layer after the other, and keeps what was found.

    Parameters:
        net, dataset: whose units, over which pictures.
        workers, executor: see :func:`cnnwidgets.methods.scan`.
    """

    def __init__(self, net: BoundModel, dataset: Any, workers: int, executor: Executor | None) -> None:
        self._net, self._dataset = net, dataset
        self._how: dict[str, Any] = {"workers": workers, "executor": executor}
        self._browser = MapBrowser(net)
        self._studies: dict[str, UnitStudy] = {}

    def look(
        self, image: Any, layer: str, held: str | None = None, *, on_update: OnUpdate[Explored], cancel: Cancel
    ) -> Explored:
        """A layer's maps for a picture, and what its units are over the data set.

        Parameters:
            held: a second layer whose units are told of.
            on_update: called with the maps first, then with the scan as it goes on, and the fraction done.

        Raises:
            KeyError, ValueError, Cancelled: as :func:`cnnwidgets.methods.top_patches` does; a cancelled scan leaves the
                maps and what it has found.
        """
        wanted = [name for name in dict.fromkeys([held, layer]) if name is not None]

        def so_far(browsed: Browsed, parts: Mapping[str, UnitStudy] = MappingProxyType({})) -> Explored:
            known = {**self._studies, **parts}
            return Explored(layer, browsed, known, all(name in self._studies for name in wanted))

        browsed = self._browser.look(image, layer, on_update=lambda part: on_update(so_far(part), 0.0), cancel=cancel)
        for name in wanted:
            found = self._studies.get(name) or self._study(name, partial(so_far, browsed), on_update, cancel)
            others = {other: study for other, study in self._studies.items() if other != name}
            self._studies = dict([*others.items(), (name, found)][-LAYERS:])
        return so_far(browsed)

    def _study(
        self, layer: str, so_far: Callable[..., Explored], on_update: OnUpdate[Explored], cancel: Cancel
    ) -> UnitStudy:
        """What a layer's units are over the data set."""

        def update(part: UnitStudy, share: float) -> None:
            on_update(so_far({layer: part}), share)

        on_update(so_far(), 0.0)
        try:
            found = study_units(self._net, self._dataset, layer, PATCHES, on_update=update, cancel=cancel, **self._how)
        except Cancelled as stop:
            parts = {} if stop.partial is None else {layer: stop.partial}
            raise Cancelled("cancelled", partial=so_far(parts)) from None
        _ = found.profiles[layer].auc  # which is kept, and takes a while of many units
        return found
