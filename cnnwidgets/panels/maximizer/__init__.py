"""ActivationMaximizer: what a class, a unit or a layer wants, drawn live."""

from cnnwidgets.panels.maximizer.panel import ActivationMaximizer

__all__ = ["ActivationMaximizer"]
