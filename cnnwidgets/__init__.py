"""See what a convolutional network does: bind any PyTorch CNN to interactive panels in a notebook.

>>> import cnnwidgets as cw
>>> net = cw.load("scenes")                       # or cw.bind(your_model), cw.load("resnet18")
>>> cw.FeatureMapBrowser(net, "picture.jpg")

The public names stand in ``__init__.pyi``. Each is imported on first use (PEP 562), so that importing the package imports
neither torch nor the widgets.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
