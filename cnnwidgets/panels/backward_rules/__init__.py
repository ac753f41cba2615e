"""BackwardRules: the three ways back through a ReLU side by side, a number in every cell."""

from cnnwidgets.panels.backward_rules.panel import BackwardRules

__all__ = ["BackwardRules"]
