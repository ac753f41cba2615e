"""What every panel stands on: its state, its computations, its controls, how it is laid out and shown."""

from cnnwidgets.base.coloring import ColoredPanel, Order
from cnnwidgets.base.controls import action
from cnnwidgets.base.drawing import draws
from cnnwidgets.base.image import ImagePanel
from cnnwidgets.base.layout import column, row
from cnnwidgets.base.linking import Link, link
from cnnwidgets.base.panel import Panel
from cnnwidgets.base.target import TargetPanel
from cnnwidgets.base.traits import Choice, Cursor, Flag, Layer, Number, Seed, Slide, Unit, public

__all__ = [
    "Choice",
    "ColoredPanel",
    "Cursor",
    "Flag",
    "ImagePanel",
    "Layer",
    "Link",
    "Number",
    "Order",
    "Panel",
    "Seed",
    "Slide",
    "TargetPanel",
    "Unit",
    "action",
    "column",
    "draws",
    "link",
    "public",
    "row",
]
