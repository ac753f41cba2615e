"""FeatureEvolution: how filters, units and features came to be, checkpoint by checkpoint of a training."""

from cnnwidgets.panels.evolution.panel import FeatureEvolution

__all__ = ["FeatureEvolution"]
