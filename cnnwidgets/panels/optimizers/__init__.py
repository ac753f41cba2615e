"""OptimizerRace, and what it draws."""

from cnnwidgets.panels.optimizers.panel import OptimizerRace

__all__ = ["OptimizerRace"]
