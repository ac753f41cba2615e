"""What can be asked of a network: plain functions, a bound network and pictures in, a frozen dataclass out."""

from cnnwidgets.methods.ablated_sets import all_but, random_sets
from cnnwidgets.methods.ablation import Ablation, ablate
from cnnwidgets.methods.activations import FeatureMaps, activations, zero_shares
from cnnwidgets.methods.alignment import Aligned, align
from cnnwidgets.methods.attribution import Attribution
from cnnwidgets.methods.augmentation import AUGMENTATIONS
from cnnwidgets.methods.backward_rules import RuleTable, backward_rules
from cnnwidgets.methods.batches import Batch
from cnnwidgets.methods.cam import grad_cam, grad_cam_plus_plus, guided_grad_cam, layer_cam, score_cam
from cnnwidgets.methods.check_before_training import Check, Checklist, check_before_training
from cnnwidgets.methods.class_changes import ClassChange, class_distance, class_width, move_class, spread_class, thin_class
from cnnwidgets.methods.compare import Comparer, compare
from cnnwidgets.methods.comparison import Comparison
from cnnwidgets.methods.connections import Connection, Connections, connections
from cnnwidgets.methods.descent import Descent, Descents, descend, optimizer_specs
from cnnwidgets.methods.diagnosis import SYMPTOMS, Diagnosis, Finding, OverFit, Symptom, diagnose, over_fit
from cnnwidgets.methods.early_stopping import Patience, Stop, early_stopping
from cnnwidgets.methods.embedding import Embedding, Layout, embed, noise_like
from cnnwidgets.methods.embedding_parameters import PARAMETERS
from cnnwidgets.methods.evolution import Evolution, evolution
from cnnwidgets.methods.factors import Factors, factors
from cnnwidgets.methods.faithfulness import Faithfulness, Pointing, faithfulness, pointing_game
from cnnwidgets.methods.feature_cache import FeatureCache
from cnnwidgets.methods.features import Features, features
from cnnwidgets.methods.filters import Filters, filters
from cnnwidgets.methods.first_gradients import FirstGradients, first_gradients
from cnnwidgets.methods.gradient_check import CheckedGradient, gradient_check
from cnnwidgets.methods.gradients import (
    deconvnet,
    gradient_x_input,
    guided_backprop,
    saliency,
    smoothgrad,
)
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.influence import Influence, Influencing, influence
from cnnwidgets.methods.initialization import initial_weights, initialize
from cnnwidgets.methods.initialization_schemes import INITIALIZATIONS
from cnnwidgets.methods.integrated_gradients import integrated_gradients
from cnnwidgets.methods.layer_profiles import LayerProfiles
from cnnwidgets.methods.layer_sample import LayerSample
from cnnwidgets.methods.lime import Lime, lime
from cnnwidgets.methods.lr_finder import RangeTest, lr_finder
from cnnwidgets.methods.maximize import maximize
from cnnwidgets.methods.maximize_presets import MAXIMIZE_PRESETS, Ascending
from cnnwidgets.methods.maximized import Maximized
from cnnwidgets.methods.method import METHODS, Method, attribute
from cnnwidgets.methods.monitoring import Monitor, monitor
from cnnwidgets.methods.neighbors import Separation, Trust, nearest, separation, trust
from cnnwidgets.methods.occlusion import Occlusion, occlusion
from cnnwidgets.methods.occlusion_map import OcclusionMap
from cnnwidgets.methods.parameters import Parameter
from cnnwidgets.methods.patches import Crop, Patch
from cnnwidgets.methods.predict_without import predict_without
from cnnwidgets.methods.projections import project
from cnnwidgets.methods.race import Race, race
from cnnwidgets.methods.race_presets import RACES
from cnnwidgets.methods.recorded import recorded, recorded_race
from cnnwidgets.methods.records import Record
from cnnwidgets.methods.reducers import ActivationStatistics, Confusion, ConfusionMatrix, UnitStatistics
from cnnwidgets.methods.rise import rise
from cnnwidgets.methods.sanity import Sanity, randomized, sanity_check
from cnnwidgets.methods.scan import Reducer, Scan, scan
from cnnwidgets.methods.schedule_parameters import SCHEDULES
from cnnwidgets.methods.schedules import Schedule, schedule
from cnnwidgets.methods.search import search
from cnnwidgets.methods.searches import Searches, searches
from cnnwidgets.methods.segmentation import Segmentation, intersection_over_union, segment
from cnnwidgets.methods.sick_runs import SICK_RUNS, sick_run
from cnnwidgets.methods.signal_training import Signals, signals
from cnnwidgets.methods.signals import Signal, signal
from cnnwidgets.methods.similarity import Similarity, similarity
from cnnwidgets.methods.stability import Stability, stability
from cnnwidgets.methods.surfaces import SURFACES, Surface
from cnnwidgets.methods.tasks import Task, task
from cnnwidgets.methods.ten_crop import TenCrop, ten_crop
from cnnwidgets.methods.top_patches import TopPatches, UnitPatches, top_patches
from cnnwidgets.methods.training import Evaluation, Step, evaluate, train
from cnnwidgets.methods.trials import Search, Trial
from cnnwidgets.methods.unit_profiles import UnitProfiles, unit_profiles
from cnnwidgets.methods.variations import BUILDERS, DATA, LOSSES, REGULARIZE, UNTIL, vary
from cnnwidgets.methods.verdict import Verdict

__all__ = [
    "AUGMENTATIONS",
    "BUILDERS",
    "DATA",
    "INITIALIZATIONS",
    "LOSSES",
    "MAXIMIZE_PRESETS",
    "METHODS",
    "PARAMETERS",
    "RACES",
    "REGULARIZE",
    "SCHEDULES",
    "SICK_RUNS",
    "SURFACES",
    "SYMPTOMS",
    "UNTIL",
    "Ablation",
    "ActivationStatistics",
    "Aligned",
    "Ascending",
    "Attribution",
    "Batch",
    "Check",
    "CheckedGradient",
    "Checklist",
    "ClassChange",
    "Comparer",
    "Comparison",
    "Confusion",
    "ConfusionMatrix",
    "Connection",
    "Connections",
    "Crop",
    "Descent",
    "Descents",
    "Diagnosis",
    "Embedding",
    "Evaluation",
    "Evolution",
    "Factors",
    "Faithfulness",
    "FeatureCache",
    "FeatureMaps",
    "Features",
    "Filters",
    "Finding",
    "FirstGradients",
    "History",
    "Influence",
    "Influencing",
    "LayerProfiles",
    "LayerSample",
    "Layout",
    "Lime",
    "Maximized",
    "Method",
    "Monitor",
    "Occlusion",
    "OcclusionMap",
    "OverFit",
    "Parameter",
    "Patch",
    "Patience",
    "Pointing",
    "Race",
    "RangeTest",
    "Record",
    "Reducer",
    "RuleTable",
    "Sanity",
    "Scan",
    "Schedule",
    "Search",
    "Searches",
    "Segmentation",
    "Separation",
    "Signal",
    "Signals",
    "Similarity",
    "Stability",
    "Step",
    "Stop",
    "Surface",
    "Symptom",
    "Task",
    "TenCrop",
    "TopPatches",
    "Trial",
    "Trust",
    "UnitPatches",
    "UnitProfiles",
    "UnitStatistics",
    "Verdict",
    "ablate",
    "activations",
    "align",
    "all_but",
    "attribute",
    "backward_rules",
    "check_before_training",
    "class_distance",
    "class_width",
    "compare",
    "connections",
    "deconvnet",
    "descend",
    "diagnose",
    "early_stopping",
    "embed",
    "evaluate",
    "evolution",
    "factors",
    "faithfulness",
    "features",
    "filters",
    "first_gradients",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient_check",
    "gradient_x_input",
    "guided_backprop",
    "guided_grad_cam",
    "influence",
    "initial_weights",
    "initialize",
    "integrated_gradients",
    "intersection_over_union",
    "layer_cam",
    "lime",
    "lr_finder",
    "maximize",
    "monitor",
    "move_class",
    "nearest",
    "noise_like",
    "occlusion",
    "optimizer_specs",
    "over_fit",
    "pointing_game",
    "predict_without",
    "project",
    "race",
    "random_sets",
    "randomized",
    "recorded",
    "recorded_race",
    "rise",
    "saliency",
    "sanity_check",
    "scan",
    "schedule",
    "score_cam",
    "search",
    "searches",
    "segment",
    "separation",
    "sick_run",
    "signal",
    "signals",
    "similarity",
    "smoothgrad",
    "spread_class",
    "stability",
    "task",
    "ten_crop",
    "thin_class",
    "top_patches",
    "train",
    "trust",
    "unit_profiles",
    "vary",
    "zero_shares",
]
