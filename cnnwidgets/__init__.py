"""See what a convolutional network does: bind any PyTorch CNN to interactive panels in a notebook.

>>> import cnnwidgets as cw
>>> net = cw.load("scenes")                       # or cw.bind(your_model), cw.load("resnet18")
>>> cw.FeatureMapBrowser(net, "picture.jpg")

Every name is imported on first use (PEP 562), so that importing the package imports neither torch nor the widgets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "bind": "net",
    "load": "net",
    "BoundModel": "net",
    "Cancelled": "net",
    "Panel": "base",
    "link": "base",
    "BackwardRules": "panels",
    "EarlyStopping": "panels",
    "EmbeddingExplorer": "panels",
    "FeatureMapBrowser": "panels",
    "FilterGrid": "panels",
    "LRFinder": "panels",
    "OcclusionSlider": "panels",
    "SaliencyPanel": "panels",
    "SchedulePlayground": "panels",
    "TrainingRace": "panels",
    "methods": None,
    "samples": None,
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    module = importlib.import_module(f"{__name__}.{home or name}")
    globals()[name] = value = getattr(module, name) if home else module
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from cnnwidgets import methods, samples
    from cnnwidgets.base import Panel, link
    from cnnwidgets.net import BoundModel, Cancelled, bind, load
    from cnnwidgets.panels import (
        BackwardRules,
        EarlyStopping,
        EmbeddingExplorer,
        FeatureMapBrowser,
        FilterGrid,
        LRFinder,
        OcclusionSlider,
        SaliencyPanel,
        SchedulePlayground,
        TrainingRace,
    )
