"""What a user holds: each panel is a method, its views and its controls. The only floor that knows both."""

from cnnwidgets.panels.activations import FeatureMapBrowser
from cnnwidgets.panels.embedding import EmbeddingExplorer
from cnnwidgets.panels.filters import FilterGrid
from cnnwidgets.panels.linking import Link, link
from cnnwidgets.panels.occlusion import OcclusionSlider
from cnnwidgets.panels.panel import Panel

__all__ = ["EmbeddingExplorer", "FeatureMapBrowser", "FilterGrid", "Link", "OcclusionSlider", "Panel", "link"]
