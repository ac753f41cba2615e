"""The bundled samples: three small trained networks and the data they were trained on, all of it offline.

>>> import cnnwidgets as cw
>>> scenes = cw.samples.scenes("test")  # a torch Dataset with classes, labels, picture(i), mask(i)
>>> network = cw.samples.sample("scenes")  # the trained network with its classes and its held-out accuracy
>>> early = cw.samples.sample("scenes", epoch=1)  # the same network as it was after one epoch
>>> grass = cw.samples.sample("grass")  # a network that learned the grass that every 7 lies on, instead of the 7
>>> conflicting = cw.samples.scenes("test", biased="anti-grass")  # what tells: 7s without grass, the others on it

The data are composed at run time from files inside the scikit-learn and scikit-image wheels; the weights lie in
this folder. Nothing is downloaded. ``python -m cnnwidgets.samples.train scenes`` trains a network again.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bundle import Sample, sample
    from .datasets import digits, scenes
    from .networks import LeNet5, SmallResNet

NAMES = ("digits", "scenes", "grass")

_HOMES = {
    "Sample": "bundle",
    "sample": "bundle",
    "digits": "datasets",
    "scenes": "datasets",
    "LeNet5": "networks",
    "SmallResNet": "networks",
}

__all__ = ["NAMES", "LeNet5", "Sample", "SmallResNet", "digits", "sample", "scenes"]


def __getattr__(name: str):
    """Import a public name on first use (PEP 562), so that importing this package does not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
