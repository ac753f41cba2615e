"""TopPatches: what excites a unit most, least and in between, each patch beside what in it made the unit answer."""

from cnnwidgets.panels.top_patches.panel import TopPatches

__all__ = ["TopPatches"]
