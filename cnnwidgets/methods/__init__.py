"""What can be asked of a network: plain functions, a bound network and pictures in, a frozen dataclass out."""

from cnnwidgets.methods.activations import FeatureMaps, activations, zero_shares
from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.features import Features, features
from cnnwidgets.methods.filters import Filters, filters
from cnnwidgets.methods.occlusion import Occlusion, occlusion
from cnnwidgets.methods.occlusion_map import OcclusionMap
from cnnwidgets.methods.reducers import ActivationStatistics, Confusion, ConfusionMatrix, UnitStatistics
from cnnwidgets.methods.scan import Reducer, Scan, scan

__all__ = [
    "ActivationStatistics",
    "Batch",
    "Confusion",
    "ConfusionMatrix",
    "FeatureMaps",
    "Features",
    "Filters",
    "Occlusion",
    "OcclusionMap",
    "Reducer",
    "Scan",
    "UnitStatistics",
    "activations",
    "features",
    "filters",
    "occlusion",
    "scan",
    "zero_shares",
]
