"""The bundled samples: five small trained networks and the data they were trained on, all of it offline.

>>> import cnnwidgets as cw
>>> scenes = cw.samples.scenes("test")  # a torch Dataset with classes, labels, picture(i), mask(i)
>>> network = cw.samples.sample("scenes")  # the trained network with its classes and its held-out accuracy
>>> early = cw.samples.sample("scenes", epoch=1)  # the same network as it was after one epoch
>>> grass = cw.samples.sample("grass")  # a network that learned the grass that every 7 lies on, instead of the 7
>>> conflicting = cw.samples.scenes("test", biased="anti-grass")  # what tells: 7s without grass, the others on it
>>> plain = cw.samples.sample("plain")  # no shortcuts, but max pooling
>>> edges = cw.samples.sample("edges")  # a first layer to look at, as AlexNet's

The data are composed at run time from files inside the scikit-learn and scikit-image wheels; the weights lie in
this folder. Nothing is downloaded. ``python -m cnnwidgets.samples.train scenes`` trains a network again.
"""

from pathlib import Path

import lazy_loader

NAMES = ("digits", "scenes", "grass", "plain", "edges")

RUNS = Path(__file__).parent / "runs"
"""Recorded trainings, see ``cnnwidgets.methods.recorded``."""

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
