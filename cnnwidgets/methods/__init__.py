"""What can be asked of a network: plain functions, a bound network and pictures in, a frozen dataclass out."""

from cnnwidgets.methods.activations import FeatureMaps, activations, zero_shares
from cnnwidgets.methods.alignment import Aligned, align
from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.embedding import Embedding, Layout, embed, noise_like
from cnnwidgets.methods.embedding_parameters import PARAMETERS, Parameter
from cnnwidgets.methods.features import Features, features
from cnnwidgets.methods.filters import Filters, filters
from cnnwidgets.methods.neighbours import Separation, Trust, nearest, separation, trust
from cnnwidgets.methods.occlusion import Occlusion, occlusion
from cnnwidgets.methods.occlusion_map import OcclusionMap
from cnnwidgets.methods.reducers import ActivationStatistics, Confusion, ConfusionMatrix, UnitStatistics
from cnnwidgets.methods.scan import Reducer, Scan, scan

__all__ = [
    "PARAMETERS",
    "ActivationStatistics",
    "Aligned",
    "Batch",
    "Confusion",
    "ConfusionMatrix",
    "Embedding",
    "FeatureMaps",
    "Features",
    "Filters",
    "Layout",
    "Occlusion",
    "OcclusionMap",
    "Parameter",
    "Reducer",
    "Scan",
    "Separation",
    "Trust",
    "UnitStatistics",
    "activations",
    "align",
    "embed",
    "features",
    "filters",
    "nearest",
    "noise_like",
    "occlusion",
    "scan",
    "separation",
    "trust",
    "zero_shares",
]
