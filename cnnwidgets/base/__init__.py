"""What every panel stands on: its state, its computations, its controls, how it is laid out and shown."""

from cnnwidgets.base.controls import action
from cnnwidgets.base.drawing import draws
from cnnwidgets.base.layout import column, row
from cnnwidgets.base.linking import Link, link
from cnnwidgets.base.panel import Panel

__all__ = ["Link", "Panel", "action", "column", "draws", "link", "row"]
