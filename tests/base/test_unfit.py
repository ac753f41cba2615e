"""A value that a panel's trait does not take is refused in one sentence; nothing changes, and the next valid one works."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import traitlets as t
from torch import nn

import cnnwidgets as cw
from cnnwidgets.base.fitting import Unfit, expected
from cnnwidgets.registry import panels as named


@pytest.fixture(scope="module")
def digits():
    return cw.load("digits")


DIGITS = "digits"
COARSE = {"patch": 16, "stride": 16}

MAKERS = {
    "browser": lambda **given: cw.FeatureMapBrowser(cw.load(DIGITS), cw.samples.digits(), **given),
    "grid": lambda **given: cw.FilterGrid(cw.load(DIGITS), **given),
    "slider": lambda **given: cw.OcclusionSlider(cw.load(DIGITS), cw.samples.digits(), **{**COARSE, **given}),
    "saliency": lambda **given: cw.SaliencyPanel(cw.load(DIGITS), cw.samples.digits(), **{"methods": ["saliency"], **given}),
    "rules": lambda **given: cw.BackwardRules(**given),
    "playground": lambda **given: cw.SchedulePlayground(**given),
    "stopping": lambda **given: cw.EarlyStopping([3.0, 2.0, 1.0, 2.0, 3.0], **given),
    "explorer": lambda **given: cw.EmbeddingExplorer(
        cw.load(DIGITS), cw.samples.digits(), **{"method": "pca", "limit": 40, **given}
    ),
    "patches": lambda **given: cw.TopPatches(cw.load(DIGITS), cw.samples.digits(), **{"layer": "relu1", **given}),
    "units": lambda **given: cw.UnitExplorer(cw.load(DIGITS), cw.samples.digits(), **{"layer": "relu1", **given}),
    "concepts": lambda **given: cw.Concepts(cw.load(DIGITS), cw.samples.digits(), **{"layer": "relu1", "n": 2, **given}),
    "evolution": lambda **given: cw.FeatureEvolution(
        cw.load(DIGITS), cw.samples.digits(), **{"layers": ["pool2", "fc3"], "layer": "pool2", "limit": 20, **given}
    ),
    "finder": lambda **given: cw.LRFinder(DIGITS, **{"steps": 10, **given}),
    "race": lambda **given: cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}], **{"steps": 1, **given}),
    "lab": lambda **given: cw.InitLab(**{"depth": 2, "width": 20, **given}),
    "check": lambda **given: cw.GradientCheck(**{"of": "fc3.bias", "pictures": 1, "entries": 2, **given}),
    "gallery": lambda **given: cw.AugmentationGallery(cw.load(DIGITS), cw.samples.digits(), **{"copies": 2, **given}),
    "maximizer": lambda **given: cw.ActivationMaximizer(cw.load(DIGITS), **{"steps": 3, **given}),
    "optimizers": lambda **given: cw.OptimizerRace(**{"steps": 10, **given}),
    "search": lambda **given: cw.HyperparameterSearch(**{"runs": 2, "steps": 1, **given}),
    "monitor": lambda **given: cw.TrainingMonitor("A", **given),
    "sick": lambda **given: cw.SickRuns(**given),
    "two": lambda **given: cw.TwoNetworks(
        cw.FeatureMapBrowser, cw.load(DIGITS), cw.load(DIGITS, weights="1"), cw.samples.digits(), **given
    ),
}

UNFIT = [
    ("units", "detail", "class", "there is no detail 'class'. Did you mean 'classes'"),
    ("units", "off", ["3"], "off[0] is '3'; expected a whole number"),
    ("units", "held", 3, "held is 3; expected a list"),
    ("units", "held", ["relu1"], "held is ['relu1']; expected [layer, unit], or [] for none"),
    ("units", "held", [3, "relu1"], "held is [3, 'relu1']; expected [layer, unit], or [] for none"),
    ("units", "rule", "guide", "there is no rule 'guide'. Did you mean 'guided'"),
    ("gallery", "augmentations", ["rotat"], "there is no augmentation 'rotat'. Did you mean 'rotate'"),
    ("gallery", "strength", 1.5, "strength is 1.5; expected a number from 0 to 1"),
    ("gallery", "copies", 0, "copies is 0; expected a whole number from 1 to 63"),
    ("saliency", "methods", ["gradcam"], "there is no method 'gradcam'. Did you mean 'grad_cam'"),
    ("saliency", "methods", [3], "methods[0] is 3; expected one of 'saliency', "),
    ("saliency", "reduce", "maxx", "there is no reduce 'maxx'. Did you mean 'max'? Expected one of 'max', 'sum'"),
    ("saliency", "outline", ["none"], "outline is ['none']; expected one of 'none', 'object', 'segmentation'"),
    ("saliency", "randomized", -1, "randomized is -1; expected a whole number of at least 0"),
    (
        "saliency",
        "other_targets",
        5,
        "other_targets is 5; expected a list, each item a whole number or a text or a function",
    ),
    ("saliency", "faithful", "yes", "faithful is 'yes'; expected True or False"),
    ("browser", "sort", "maximun", "there is no sort 'maximun'. Did you mean 'maximum'"),
    ("browser", "layer", 3, "layer is 3; expected a text or None"),
    ("browser", "layer", np.zeros(3), "layer is an array 3; expected a text or None"),
    ("browser", "y", "top", "y is 'top'; expected a number or None"),
    ("browser", "y", math.nan, "y is nan; expected a number or None"),
    ("grid", "contrast", math.nan, "contrast is nan; expected a number of at least 1"),
    ("grid", "contrast", 0.5, "contrast is 0.5; expected a number of at least 1"),
    ("grid", "limits", [1.0], "limits is [1.0]; expected a list, each item a number, 2 of them"),
    ("grid", "limits", [0.0, "a"], "limits[1] is 'a'; expected a number"),
    ("grid", "limits", [2.0, 1.0], "limits are [2.0, 1.0]; expected [lowest, highest]"),
    ("grid", "unit", True, "unit is True; expected a whole number"),
    ("grid", "unit", None, "unit is None; expected a whole number"),
    ("slider", "patch", "9", "patch is '9'; expected a whole number or a list, each item a whole number or None"),
    ("slider", "patch", [9, 2.5], "patch is [9, 2.5]; expected a whole number or a list, each item a whole number or None"),
    ("slider", "fill", "meen", "there is no fill 'meen'. Did you mean 'mean'"),
    ("slider", "target", [1], "target is [1]; expected a whole number or a text or a function or None"),
    ("slider", "edges", "insde", "there is no edges 'insde'. Did you mean 'inside'"),
    ("rules", "step", -1, "step is -1; expected a whole number of at least 0 or None"),
    ("rules", "input", [[1, 2]], "input of the example 'relu': "),
    ("playground", "steps", 0, "steps is 0; expected a whole number of at least 1"),
    ("playground", "specs", ["step"], "specs[0] is 'step'; expected a dict"),
    ("playground", "unit", "epochs", "there is no unit 'epochs'. Did you mean 'epoch'"),
    ("stopping", "patience", 2.5, "patience is 2.5; expected a whole number of at least 1"),
    ("stopping", "min_delta", "0", "min_delta is '0'; expected a number of at least 0"),
    ("explorer", "method", "t-sne", "there is no method 't-sne'. Did you mean 'tsne'"),
    ("explorer", "limit", 0, "limit is 0; expected a whole number of at least 1"),
    ("explorer", "selection", [3, "cat"], "selection[1] is 'cat'; expected a whole number"),
    ("patches", "which", "weekest", "there is no which 'weekest'. Did you mean 'weakest'"),
    ("patches", "rule", "deconv", "there is no rule 'deconv'. Did you mean 'deconvnet'"),
    ("patches", "k", 0, "k is 0; expected a whole number from 1 to 16"),
    ("patches", "unit", 2.5, "unit is 2.5; expected a whole number"),
    ("concepts", "n", 0, "n is 0; expected a whole number of at least 1"),
    ("concepts", "opacity", 1.5, "opacity is 1.5; expected a number from 0 to 1"),
    ("concepts", "factor", 0.5, "factor is 0.5; expected a whole number"),
    ("evolution", "method", "pcaa", "there is no method 'pcaa'. Did you mean 'pca'"),
    ("evolution", "checkpoint", -1, "checkpoint is -1; expected a whole number of at least 0"),
    ("evolution", "limit", 3, "limit is 3; expected a whole number of at least 4"),
    ("finder", "steps", 5, "steps is 5; expected a whole number of at least 10"),
    ("finder", "momentum", 1.5, "momentum is 1.5; expected a number from 0 to 0.999999"),
    ("race", "seeds", 21, "seeds is 21; expected a whole number from 1 to 20"),
    ("lab", "init", "xavir", "there is no init 'xavir'. Did you mean 'xavier'"),
    ("lab", "depth", 2.5, "depth is 2.5; expected a whole number"),
    ("check", "entries", 0, "entries is 0; expected a whole number from 1 to 20"),
    ("maximizer", "of", "clas", "there is no of 'clas'. Did you mean 'class'"),
    ("maximizer", "regularizers", ["blurr"], "there is no regularizer 'blurr'. Did you mean 'blur'"),
    ("maximizer", "lr", 0, "lr is 0; expected a number of at least 1e-09"),
    ("maximizer", "every", 2.5, "every is 2.5; expected a whole number from 1 to 1000"),
    ("optimizers", "surface", "bowls", "there is no surface 'bowls'. Did you mean 'bowl'"),
    ("search", "by", "randm", "there is no by 'randm'. Did you mean 'random'"),
    ("monitor", "quantity", "gradients", "there is no quantity 'gradients'. Did you mean 'gradient'"),
    ("sick", "guesses", ["plateau"], "guesses is ['plateau']; expected a dict"),
    ("two", "chosen", 3, "chosen is 3; expected a text"),
    ("two", "settings", ["layer"], "settings is ['layer']; expected a dict"),
    ("two", "settings", {"layer": 3}, "layer is 3; expected a text or None"),
]


def test_every_panel_is_among_them(panels):
    assert {type(panel).__name__ for panel in panels.values()} == set(named())


@pytest.fixture(scope="module")
def panels():
    made = {name: make() for name, make in MAKERS.items()}
    for panel in made.values():
        assert panel.result is not None
    return made


@pytest.mark.parametrize(("name", "trait", "value", "sentence"), UNFIT)
def test_what_does_not_fit_is_refused_at_first_and_later_and_nothing_changes(panels, name, trait, value, sentence):
    panel = panels[name]
    before, result = panel.state, panel.result
    for give in (lambda: MAKERS[name](**{trait: value}), lambda: setattr(panel, trait, value)):
        with pytest.raises(ValueError) as raised:
            give()
        assert str(raised.value).startswith(sentence)
        assert isinstance(raised.value, t.TraitError)  # so that traitlets puts back what came with it
    assert panel.state == before
    assert panel.result is result
    with pytest.raises(ValueError):
        panel.restore({**before, trait: value if not isinstance(value, np.ndarray) else value.tolist()})
    assert panel.state == before


def test_after_a_value_that_does_not_fit_the_next_one_works(panels):
    panel = panels["saliency"]
    with pytest.raises(Unfit):
        panel.methods = ["gradcam"]
    panel.methods = ["grad_cam"]
    assert list(panel.result.maps) == ["grad_cam"]


@pytest.mark.parametrize("value", [np.int64(3), np.float64(3.0).astype(int), torch.tensor(3).item()])
def test_numbers_of_other_libraries_are_numbers(panels, value):
    panels["grid"].unit = value
    assert panels["grid"].unit == 3
    assert type(panels["grid"].unit) is int
    panels["grid"].limits = np.array([-2.0, 2.0])
    assert panels["grid"].limits == [-2.0, 2.0]


NAMES = [
    ("hide", ["nonsense"], "FilterGrid has no 'nonsense'. It has layer, "),
    ("hide", ["chanel"], "FilterGrid has no 'chanel'. Did you mean 'channel' or 'scale'? It has layer, "),
    ("hide", "channel", "hide is 'channel'; expected a list of names, such as ['layer']"),
    ("lock", 5, "lock is 5; expected a list of names, such as ['layer']"),
    ("lock", [None], "FilterGrid has no None. It has layer, "),
    ("layout", "wide", "layout is 'wide'; expected an ipywidgets.Layout, or a dict such as {'width': '80%'}"),
]


@pytest.mark.parametrize(("option", "value", "sentence"), NAMES)
def test_options_of_every_panel_are_checked(digits, option, value, sentence):
    with pytest.raises(TypeError) as raised:
        cw.FilterGrid(digits, **{option: value})
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize("make", [cw.FilterGrid, cw.FeatureMapBrowser, cw.OcclusionSlider, cw.SaliencyPanel])
@pytest.mark.parametrize("net", [None, 3, "digits"])
def test_a_panel_needs_a_network(make, net):
    with pytest.raises(TypeError, match=r"bind takes a torch\.nn\.Module, not a "):
        make(net)


@pytest.mark.parametrize("state", [None, 3, ["layer"], "layer"])
def test_a_state_is_a_dict(panels, state):
    with pytest.raises(TypeError, match=r"expected a dict, as panel\.state gives"):
        panels["grid"].restore(state)


@pytest.mark.parametrize("held", [{"npy": "?"}, {"png": "AAAA"}, {"png": 3}, {"array": ""}])
def test_a_picture_of_a_state_that_cannot_be_read_is_told(panels, held):
    before = panels["browser"].image
    with pytest.raises(ValueError, match="the state holds no picture that can be read under 'image': "):
        panels["browser"].restore({"image": held})
    assert panels["browser"].image == before


SPECS = [
    ([{"kind": "stepp"}], "There is no kind of schedule 'stepp': use constant, step, .* Did you mean 'step'"),
    ([{}], "There is no kind of schedule None: use constant"),
    ([{"kind": "step", "gama": 1}], "step has no parameter 'gama'. Did you mean 'gamma'"),
    ([{"kind": "step", "lr": "high"}], "lr is 'high'; expected a number from 1e-12 to 100"),
]


@pytest.mark.parametrize(("specs", "sentence"), SPECS)
@pytest.mark.parametrize("make", [cw.SchedulePlayground, cw.TrainingRace])
def test_a_schedule_that_there_is_none_of_is_told_in_the_panel(specs, sentence, make):
    panel = make(specs=specs, steps=2)
    assert panel.wait(60)
    assert panel.status.kind == "error"
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(panel.status.message)
    assert type(panel).__name__ in repr(panel)
    panel.specs = [{"kind": "step", "lr": 0.01}]
    assert panel.result is not None
    assert panel.status.kind == "ready"


HISTORIES = [
    ({"loss": [2, 1], "val_loss": [2, 1]}, "such as history['val_loss']"),
    ({"validation": [2, 1]}, "such as history['validation']"),
    (["high", "low"], "history is ['high', 'low']; expected a History, a Race"),
    ([[1, 2], [3]], "history is [[1, 2], [3]]; expected a History, a Race"),
    (None, "history is None; expected a History, a Race"),
    (5, "history is 5; expected a History, a Race"),
]


@pytest.mark.parametrize(("history", "sentence"), HISTORIES)
def test_a_history_is_losses_or_what_has_some(history, sentence):
    with pytest.raises(TypeError) as raised:
        cw.EarlyStopping(history)
    assert sentence in str(raised.value)


def test_a_file_of_a_history_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"there is no file 'nowhere\.json' \(looked in '"):
        cw.EarlyStopping("nowhere.json")
    with pytest.raises(FileNotFoundError, match=r"there is no file 'nowhere\.npz'"):
        cw.methods.Race.load("nowhere.npz")
    with pytest.raises(TypeError, match="path is 3; expected a text or a path"):
        cw.methods.History.load(3)


def test_statistics_are_of_a_row_of_the_table(digits):
    with pytest.raises(TypeError) as raised:
        cw.methods.ActivationStatistics(["a name"])
    assert str(raised.value) == "layer is ['a name']; expected a row of net.layers, such as net.layers['conv1']"
    statistics = cw.methods.ActivationStatistics(digits.layers["conv1"])
    found = cw.methods.scan(digits, [cw.samples.digits()[i] for i in range(4)], [statistics])
    assert found.results[0].values == 4 * 28 * 28


def test_methods_take_a_network_that_is_bound():
    with pytest.raises(TypeError, match=r"net is a Sequential; expected a bound network, as cw.bind\(model\) or cw.load"):
        cw.methods.saliency(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.rand(1, 2, 2))


class Everything(t.HasTraits):
    whole = t.Int(0, min=0, max=9)
    share = t.Float(0.0, min=0.5)
    some = t.List(t.Unicode())
    either = t.Union([t.Int(), t.Bool()], allow_none=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("whole", "a whole number from 0 to 9"),
        ("share", "a number of at least 0.5"),
        ("some", "a list, each item a text"),
        ("either", "a whole number or True or False or None"),
    ],
)
def test_what_a_trait_takes_is_said_in_words(name, words):
    assert expected(Everything.class_traits()[name]) == words
