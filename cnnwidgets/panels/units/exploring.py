"""What is found about a layer's units: their maps of one picture at once, and a data set's responses, from one scan."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from cnnwidgets.methods.browsing import Browsed, MapBrowser
from cnnwidgets.methods.unit_study import UnitStudy, study_units
from cnnwidgets.net import BoundModel
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
        whole: whether the layer's scan is complete.
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

    def look(self, image: Any, layer: str, *, on_update: OnUpdate[Explored], cancel: Cancel) -> Explored:
        """A layer's maps for a picture, and what its units are over the data set.

        Parameters:
            on_update: called with the maps first, then with the scan as it goes on, and the fraction done.

        Raises:
            KeyError, ValueError, Cancelled: as :func:`cnnwidgets.methods.top_patches` does.
        """

        def tell(browsed: Browsed) -> None:
            on_update(Explored(layer, browsed, dict(self._studies), layer in self._studies), 0.0)

        browsed = self._browser.look(image, layer, on_update=tell, cancel=cancel)
        if layer not in self._studies:
            tell(browsed)

            def update(part: UnitStudy, share: float) -> None:
                on_update(Explored(layer, browsed, {**self._studies, layer: part}, False), share)

            found = study_units(self._net, self._dataset, layer, PATCHES, on_update=update, cancel=cancel, **self._how)
            _ = found.profiles[layer].auc  # which is kept, and takes a while of many units
            self._studies = dict([*self._studies.items(), (layer, found)][-LAYERS:])
        return Explored(layer, browsed, dict(self._studies), True)
