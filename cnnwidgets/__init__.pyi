from . import methods as methods
from . import samples as samples
from .base import Panel as Panel
from .base import link as link
from .net import BoundModel as BoundModel
from .net import Cancelled as Cancelled
from .net import bind as bind
from .net import load as load
from .panels import BackwardRules as BackwardRules
from .panels import EarlyStopping as EarlyStopping
from .panels import EmbeddingExplorer as EmbeddingExplorer
from .panels import FeatureMapBrowser as FeatureMapBrowser
from .panels import FilterGrid as FilterGrid
from .panels import GradientCheck as GradientCheck
from .panels import HyperparameterSearch as HyperparameterSearch
from .panels import InitLab as InitLab
from .panels import LRFinder as LRFinder
from .panels import OcclusionSlider as OcclusionSlider
from .panels import OptimizerRace as OptimizerRace
from .panels import SaliencyPanel as SaliencyPanel
from .panels import SchedulePlayground as SchedulePlayground
from .panels import SickRuns as SickRuns
from .panels import TopPatches as TopPatches
from .panels import TrainingMonitor as TrainingMonitor
from .panels import TrainingRace as TrainingRace
from .panels import monitor as monitor

__version__: str
