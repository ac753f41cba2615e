"""HyperparameterSearch, and what it draws."""

from cnnwidgets.panels.search.panel import HyperparameterSearch

__all__ = ["HyperparameterSearch"]
