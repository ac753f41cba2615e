"""A torch model, bound: layers, tracing, pictures in and out, loading."""

from cnnwidgets.net.bound import BoundModel, bind
from cnnwidgets.net.layers import Layer, Layers, ReceptiveField
from cnnwidgets.net.loading import load, names
from cnnwidgets.net.trace import Cancelled

__all__ = ["BoundModel", "Cancelled", "Layer", "Layers", "ReceptiveField", "bind", "load", "names"]
