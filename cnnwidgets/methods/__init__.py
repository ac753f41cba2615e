"""What can be asked of a network: plain functions, a bound network and pictures in, a frozen dataclass out."""

from cnnwidgets.methods.activations import FeatureMaps, activations, zero_shares
from cnnwidgets.methods.filters import Filters, filters
from cnnwidgets.methods.occlusion import Occlusion, occlusion
from cnnwidgets.methods.occlusion_map import OcclusionMap

__all__ = [
    "FeatureMaps",
    "Filters",
    "Occlusion",
    "OcclusionMap",
    "activations",
    "filters",
    "occlusion",
    "zero_shares",
]
