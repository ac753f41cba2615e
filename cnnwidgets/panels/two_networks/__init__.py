"""Two networks under one cursor."""

from cnnwidgets.panels.two_networks.panel import TwoNetworks

__all__ = ["TwoNetworks"]
