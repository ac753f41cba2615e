"""UnitExplorer: one unit on one screen: what it sees, what it wants, what it is wired to, and whether it matters."""

from cnnwidgets.panels.units.panel import UnitExplorer

__all__ = ["UnitExplorer"]
