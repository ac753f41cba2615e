"""What can be asked of a network: plain functions, a bound network and pictures in, a frozen dataclass out."""

from cnnwidgets.methods.activations import FeatureMaps, activations, zero_shares
from cnnwidgets.methods.alignment import Aligned, align
from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.early_stopping import Patience, Stop, early_stopping
from cnnwidgets.methods.embedding import Embedding, Layout, embed, noise_like
from cnnwidgets.methods.embedding_parameters import PARAMETERS
from cnnwidgets.methods.features import Features, features
from cnnwidgets.methods.filters import Filters, filters
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.lr_finder import RangeTest, lr_finder
from cnnwidgets.methods.neighbours import Separation, Trust, nearest, separation, trust
from cnnwidgets.methods.occlusion import Occlusion, occlusion
from cnnwidgets.methods.occlusion_map import OcclusionMap
from cnnwidgets.methods.parameters import Parameter
from cnnwidgets.methods.race import Race, Verdict, race
from cnnwidgets.methods.reducers import ActivationStatistics, Confusion, ConfusionMatrix, UnitStatistics
from cnnwidgets.methods.scan import Reducer, Scan, scan
from cnnwidgets.methods.schedule_parameters import COMMON, KINDS
from cnnwidgets.methods.schedules import Schedule, schedule
from cnnwidgets.methods.tasks import Task, task
from cnnwidgets.methods.training import Evaluation, Step, evaluate, train

__all__ = [
    "COMMON",
    "KINDS",
    "PARAMETERS",
    "ActivationStatistics",
    "Aligned",
    "Batch",
    "Confusion",
    "ConfusionMatrix",
    "Embedding",
    "Evaluation",
    "FeatureMaps",
    "Features",
    "Filters",
    "History",
    "Layout",
    "Occlusion",
    "OcclusionMap",
    "Parameter",
    "Patience",
    "Race",
    "RangeTest",
    "Reducer",
    "Scan",
    "Schedule",
    "Separation",
    "Step",
    "Stop",
    "Task",
    "Trust",
    "UnitStatistics",
    "Verdict",
    "activations",
    "align",
    "early_stopping",
    "embed",
    "evaluate",
    "features",
    "filters",
    "lr_finder",
    "nearest",
    "noise_like",
    "occlusion",
    "race",
    "scan",
    "schedule",
    "separation",
    "task",
    "train",
    "trust",
    "zero_shares",
]
