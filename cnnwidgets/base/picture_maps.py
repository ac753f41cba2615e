"""The maps of one picture that a panel has found, in a form that panels of all kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.views import Cell


@dataclass(frozen=True)
class PictureMaps:
    """What a panel's maps show, apart from how it shows them.

    Attributes:
        picture: uint8 (height, width, 3), as the network sees it.
        maps: by name, each with its values (rows, columns), which lie evenly over the picture, and its scale.
        noun: what one of them is called: unit, map.
        target: the class that is explained where none was chosen: the predicted one, by its index; None for none.
    """

    picture: np.ndarray
    maps: Mapping[str, Cell]
    noun: str = "map"
    target: Any = None
