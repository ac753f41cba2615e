"""SaliencyPanel: gradient maps, class activation maps and others side by side, and whether they can be trusted."""

from cnnwidgets.panels.saliency.panel import SaliencyPanel

__all__ = ["SaliencyPanel"]
