"""A torch model, bound: layers, tracing, pictures in and out, loading."""

from cnnwidgets.net.address import LayerAddress, UnitAddress
from cnnwidgets.net.bound import BoundModel, bind
from cnnwidgets.net.layers import Layer, Layers, ReceptiveField
from cnnwidgets.net.loading import load, names
from cnnwidgets.net.trace import Cancelled

__all__ = [
    "BoundModel",
    "Cancelled",
    "Layer",
    "LayerAddress",
    "Layers",
    "ReceptiveField",
    "UnitAddress",
    "bind",
    "load",
    "names",
]
