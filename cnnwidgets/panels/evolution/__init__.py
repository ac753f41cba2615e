"""FeatureEvolution: how filters, units and features develop, from checkpoint to checkpoint of a training."""

from cnnwidgets.panels.evolution.panel import FeatureEvolution

__all__ = ["FeatureEvolution"]
