"""What a user holds: each panel is a method, its views and its controls. The only floor that knows both."""

from cnnwidgets.panels.activations import FeatureMapBrowser
from cnnwidgets.panels.backward_rules import BackwardRules
from cnnwidgets.panels.early_stopping import EarlyStopping
from cnnwidgets.panels.embedding import EmbeddingExplorer
from cnnwidgets.panels.filters import FilterGrid
from cnnwidgets.panels.lr_finder import LRFinder
from cnnwidgets.panels.occlusion import OcclusionSlider
from cnnwidgets.panels.saliency import SaliencyPanel
from cnnwidgets.panels.training import SchedulePlayground, TrainingRace

__all__ = [
    "BackwardRules",
    "EarlyStopping",
    "EmbeddingExplorer",
    "FeatureMapBrowser",
    "FilterGrid",
    "LRFinder",
    "OcclusionSlider",
    "SaliencyPanel",
    "SchedulePlayground",
    "TrainingRace",
]
